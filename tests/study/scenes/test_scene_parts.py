"""Records, relations, edits and words on scenes written by hand."""

from __future__ import annotations

from dataclasses import replace
from xml.etree import ElementTree

import numpy as np
import pytest

from eqlib.errors import InputError
from eqlib.study.scenes import (
    Dials,
    Focus,
    Place,
    Scene,
    Thing,
    apply,
    edit,
    from_dict,
    masks,
    quads_of,
    render,
    svg,
    to_dict,
)
from eqlib.study.scenes.captions import _SLOTS, Style, tell
from eqlib.study.scenes.draw import stream
from eqlib.study.scenes.edits import value_of
from eqlib.study.scenes.scene import box_of, foot, overlap, relation, well_placed

PLACE = Place("studio", 0, "noon", 12, 4, 0)


def thing(kind="ball", colour="red", x=50.0, depth=0.0, group=0, material="plain", size="", state="", **more):
    return Thing(kind, colour, material, size, state, x, depth, 1, group, **more)


def scene(*things, **more):
    return Scene(PLACE, things, **more)


def style(**choice):
    """The first frame ("{}"), the first noun, and of every other choice the last word or nothing."""
    return Style(dict.fromkeys(_SLOTS, 0.99) | {"frame": 0.0, "noun0": 0.0, "noun1": 0.0} | choice)


def test_where_a_thing_stands():
    near, far = scene(thing(depth=0.0)), scene(thing(depth=1.0))
    assert foot(near, 0) == pytest.approx((50, 94, 0.26))
    assert foot(far, 0) == pytest.approx((50, 37 + 17, 0.26 * 0.72))  # horizon 33 + 4, the ground's far edge 17 below
    assert box_of(near, 0) == pytest.approx((50 - 13, 94 - 26, 50 + 13, 94 + 6 * 0.26))
    large = scene(thing(size="large"), vigour=0.5)
    assert foot(large, 0)[2] == pytest.approx(0.26 * 1.3**0.5)


def test_what_stands_on_a_table_is_higher_than_its_foot():
    table, ball = thing("table", "blue", depth=0.5), thing(depth=0.5, group=1, carrier=0, relation="on")
    x, y, scale = foot(scene(table, ball), 1)
    assert (x, scale) == pytest.approx((50, 0.26 * 0.86))
    assert y == pytest.approx(foot(scene(table), 0)[1] - 76 * 0.26 * 0.86)


def test_overlap_is_a_share_of_the_smaller_box():
    assert overlap((0, 0, 10, 10), (5, 5, 25, 25)) == 25 / 100
    assert overlap((0, 0, 10, 10), (10, 0, 20, 10)) == 0


def test_well_placed():
    assert well_placed(scene(thing(x=30), thing("cone", x=70, group=1)))
    assert not well_placed(scene(thing(x=5)))
    assert not well_placed(scene(thing(x=50), thing("cone", x=52, group=1)))
    assert well_placed(scene(thing("table"), thing(size="small", group=1, carrier=0, relation="under")))


@pytest.mark.parametrize(
    ("one", "other", "name"),
    [
        ((30, 0.5), (60, 0.5), "left"),
        ((60, 0.5), (30, 0.6), "right"),
        ((50, 0.1), (52, 0.9), "front"),
        ((50, 0.9), (52, 0.1), "behind"),
        ((50, 0.5), (60, 0.5), None),  # too close to say
        ((20, 0.1), (80, 0.9), None),  # aside and deeper at once
    ],
)
def test_relations(one, other, name):
    pair = scene(thing(x=one[0], depth=one[1]), thing("cone", x=other[0], depth=other[1], group=1))
    opposite = {"left": "right", "right": "left", "front": "behind", "behind": "front", None: None}
    assert relation(pair, 0, 1) == name
    assert relation(pair, 1, 0) == opposite[name]


def test_what_stands_behind_a_table_is_not_said_to():
    """It would look as if it stood on it."""
    pair = scene(thing("table", x=50, depth=0.1), thing(x=52, depth=0.9, group=1))
    assert relation(pair, 1, 0) is None
    assert relation(pair, 0, 1) is None
    before_it = scene(thing("table", x=50, depth=0.9), thing(x=52, depth=0.1, group=1))
    assert (relation(before_it, 1, 0), relation(before_it, 0, 1)) == ("front", "behind")


def test_what_hangs_on_a_thread():
    """A ball of 26 hundredths at the front, 40 over the ground: its foot at 94 - 40, its silhouette 6 % lower. The box
    below reaches 84 % of 26 = 21.84 up, so 16.6 stay free; a ball that hangs 20 high does not clear it."""
    box = thing("box", "blue", state="closed", group=1)
    pair = scene(thing(lift=40.0), box)
    assert foot(pair, 0)[:2] == pytest.approx((50, 54))
    assert (relation(pair, 0, 1), relation(pair, 1, 0)) == ("above", "below")
    assert relation(scene(thing(lift=20.0), box), 0, 1) is None
    assert relation(scene(thing(lift=40.0, x=70.0), box), 0, 1) is None  # neither over it nor on its side
    assert relation(scene(thing(lift=40.0), replace(box, lift=5.0)), 0, 1) is None
    told = tell(pair, Focus("location", "relation", (0, 1)), style(word=0.0))
    assert told == "a box below a ball"
    thread = np.asarray(render(pair, 200)).astype(int) - np.asarray(render(scene(box), 200)).astype(int)
    assert (thread[:50, 99:101].sum(axis=2) < -60).any(axis=1).all()  # dark from the ball to the picture's top
    assert (masks(pair, 100)[:20] == -1).all()  # the thread is no part of the thing


def test_a_location_edit_exchanges_what_hangs_and_what_stands():
    before = scene(thing(x=48, depth=0.2, lift=40.0), thing("cone", x=50, depth=0.2, group=1, size="small"))
    after, change = edit(before, stream(0), "location")
    assert (value_of(before, change.focus), value_of(after, change.focus)) == ("below", "above")
    assert [thing.lift > 0 for thing in after.things] == [False, True]
    assert after.things[0].x == 50
    assert apply(after, change.inverse()) == before


def test_nobody_hangs_a_person_on_a_thread():
    before = scene(thing(x=50, depth=0.2, lift=50.0), thing("person", state="sitting", x=50, depth=0.2, group=1))
    for seed in range(10):
        after, change = edit(before, stream(seed), "location")
        assert value_of(after, change.focus) in ("left", "right")
        assert [thing.lift for thing in after.things] == [0, 0]


def test_an_attribute_edit_is_often_not_one_of_colour():
    """A scene made for an attribute edit has a first thing with every attribute that its kind can bear."""
    aspects = [
        quad.change.focus.aspect for n in range(0, 240, 2) for quad in quads_of("val", n, Dials(), kinds=("attribute",))
    ]
    assert len(aspects) == 80
    assert 0.3 < aspects.count("colour") / 80 < 0.6
    assert min(aspects.count("size"), aspects.count("material")) > 10


def test_words_of_each_kind():
    pair = scene(
        thing("box", "orange", x=25, size="large", state="open"),
        thing("ball", "blue", x=75, group=1, material="striped", size="small"),
    )
    cases = [
        (Focus("object", "kind", (0,)), style(noun0=0.9), "a chest"),
        (Focus("attribute", "colour", (0,)), style(), "an orange box"),
        (Focus("attribute", "size", (0,)), style(word=0.0), "a large box"),
        (Focus("attribute", "material", (1,)), style(), "a striped ball"),
        (Focus("state", "state", (0,)), style(order=0.0), "an open box"),
        (Focus("state", "state", (0,)), style(), "a box that is open"),
        (Focus("binding", "colour", (0, 1)), style(), "an orange box and a blue ball"),
        (Focus("location", "relation", (0, 1)), style(word=0.0), "a ball to the right of a box"),
        (Focus("object", "kind", (1,)), style(second=0.0), "a ball and a box"),
        (Focus("object", "kind", (1,)), style(place=0.0), "a ball in a studio"),
        (Focus("object", "kind", (1,)), style(frame=0.4), "there is a ball"),
    ]
    for focus, manner, caption in cases:
        assert tell(pair, focus, manner) == caption


def test_numbers_agree():
    many = scene(*(thing("box", "red", x=20 + 30 * k, state="closed") for k in range(3)))
    count = Focus("count", "number", (0,))
    assert tell(many, count, style(frame=0.4)) == "there are three boxes"
    assert tell(scene(many.things[0]), count, style(frame=0.4)) == "there is one box"
    people = scene(*(thing("person", "orange", x=20 + 30 * k, state="standing") for k in range(2)))
    assert tell(people, count, style(colour0=0.0, word=0.4)) == "two people in an orange shirt"


@pytest.mark.parametrize(
    ("choice", "caption"),
    [
        ({"omit": 0.0}, "a blue ball"),
        ({"loose": 0.0}, "a blue ball and a red cone"),
        ({}, "a blue ball right of a red cone"),
    ],
)
def test_noise_leaves_out_and_loosens(choice, caption):
    pair = scene(thing("cone", x=25), thing("ball", "blue", x=75, group=1))
    manner = style(colour0=0.0, colour1=0.0, **choice)
    assert tell(pair, Focus("location", "relation", (0, 1)), replace(manner, noise=0.5)) == caption


def test_vague_numbers():
    many = scene(*(thing("cone", x=20 + 30 * k) for k in range(3)))
    manner = replace(style(vague=0.0), noise=0.5)
    assert tell(many, Focus("count", "number", (0,)), manner) == "some cones"


def test_a_location_edit_exchanges_two_things():
    before = scene(thing(x=25, depth=0.2), thing("cone", x=75, depth=0.3, group=1))
    after, change = edit(before, stream(0), "location")
    assert [(t.x, t.depth) for t in after.things] == [(75, 0.3), (25, 0.2)]
    assert (value_of(before, change.focus), value_of(after, change.focus)) == ("right", "left")
    assert change.distance == pytest.approx(np.hypot(50, 0.1 * (94 - 54)) / 100, abs=1e-4)


def test_a_binding_edit_exchanges_colours():
    before = scene(thing(x=25), thing("cone", "blue", x=75, group=1))
    after, change = edit(before, stream(0), "binding")
    assert [t.colour for t in after.things] == ["blue", "red"]
    assert change.focus == Focus("binding", "colour", (0, 1))
    assert (value_of(before, change.focus), value_of(after, change.focus)) == ("red, blue", "blue, red")
    assert change.distance == pytest.approx((176**2 + 52**2 + 167**2) ** 0.5 / (3**0.5 * 255))


def test_a_count_edit_adds_or_drops_the_last():
    one = scene(thing("cone", x=70, depth=0.5), thing(x=25, group=1))
    after, change = edit(one, stream(0), "count", Dials(count=2))
    assert [t.kind for t in after.things] == ["cone", "ball", "ball"]
    assert replace(after.things[2], x=25.0, depth=0.0) == one.things[1]
    assert change.distance == 1 / 2
    assert (value_of(one, change.focus), value_of(after, change.focus)) == ("1", "2")
    back, _ = edit(after, stream(0), "count", Dials(count=2))
    assert back == one


def test_nobody_says_plain():
    """A material is only changed between two named ones: "a red ball" would be true of a striped red ball too."""
    only = scene(thing("ball", material="plain"))
    aspects = {edit(only, stream(k), "attribute")[1].focus.aspect for k in range(20)}
    assert aspects == {"colour"}


def test_a_change_fits_its_own_scene_only():
    before = scene(thing(x=25), thing("cone", "blue", x=75, group=1))
    _, change = edit(before, stream(0), "binding")
    with pytest.raises(InputError, match="thing 0: expected the thing that the change takes out"):
        apply(scene(thing(x=26), before.things[1]), change)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"kind": "sofa"}, "kind: expected one of 'person', .*, got 'sofa'"),
        ({"colour": "mauve"}, "colour: expected one of"),
        ({"kind": "mug"}, r"mug\.state: expected one of 'upright', 'tipped', got ''"),
        ({"kind": "tree", "material": "metal"}, r"tree\.material: expected one of 'plain', got 'metal'"),
    ],
)
def test_a_thing_that_cannot_be(values, message):
    with pytest.raises(InputError, match=message):
        thing(**values)


def test_a_record_that_is_none():
    record = to_dict(scene(thing()))
    with pytest.raises(InputError, match="expected a scene record"):
        from_dict({key: value for key, value in record.items() if key != "place"})
    with pytest.raises(InputError, match="expected one of"):
        edit(scene(thing()), stream(0), "colour")


def test_a_picture_is_a_view():
    one = scene(thing("basket", x=30), thing(x=30, group=1, carrier=0, relation="in"), thing("cone", x=75, group=2))
    root = ElementTree.fromstring(svg(one))
    assert root.attrib["viewBox"] == "0 0 100 100"
    picture = render(one, 50)
    assert (picture.mode, picture.size) == ("RGB", (50, 50))
    seen = masks(one, 100)
    assert seen.shape == (100, 100)
    assert set(np.unique(seen)) == {-1, 0, 1, 2}
    ball = np.nonzero(seen == 1)
    rim = np.nonzero(seen == 0)
    assert ball[0].max() < rim[0].max()  # the front of the basket hides the foot of the ball
    with pytest.raises(InputError, match="size: expected a picture of 16 to 4096 pixels, got 4"):
        render(one, 4)


def test_nothing_to_do_with_colour_moves():
    red, blue = scene(thing(colour="red")), scene(thing(colour="blue"))
    assert (masks(red, 64) == masks(blue, 64)).all()
