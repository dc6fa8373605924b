"""What must hold of every random scene, edit and quad. 10,000 of them under `slow`, some hundreds always."""

from __future__ import annotations

import re
from dataclasses import fields, replace

import numpy as np
import pytest
from caption_reader import NOUN, true_of
from ruamel.yaml import YAML

from eqlib.errors import InputError
from eqlib.study.scenes import (
    EDITS,
    Dials,
    apply,
    captioned,
    edit,
    from_dict,
    lone,
    masks,
    pair_of,
    quads_of,
    render,
    to_dict,
)
from eqlib.study.scenes.compose import RECIPES
from eqlib.study.scenes.draw import stream
from eqlib.study.scenes.scene import box_of, overlap
from eqlib.study.scenes.splits import check_splits, held_out, split_of
from eqlib.study.scenes.vocabulary import BACKDROPS, COLOURS, KINDS

DIALS = [
    Dials(),
    Dials(kinds=8, colours=3, clutter=0, count=2, vigour=0.4, overlap=0.0, variety=0.0, sensor=0.0),
    Dials(kinds=20, colours=10, clutter=6, count=6, overlap=0.3, variety=1.0),
]
WIDE = Dials(kinds=20, colours=8, clutter=3, variety=1.0)
NUMBERS = [pytest.param(240, id="hundreds"), pytest.param(10_000, id="thousands", marks=pytest.mark.slow)]


@pytest.mark.parametrize("n", NUMBERS)
@pytest.mark.parametrize("dials", DIALS, ids=["default", "easy", "hard"])
def test_every_quad(n, dials):
    """An edit and its inverse restore the scene; captions are true of their own scene and false of the other; things
    are in frame and overlap no more than stated; what the edit does not name is the same."""
    seen = 0
    number = 0
    while seen < n // len(DIALS):
        for quad in quads_of("test", number, dials, seed=3):
            before, after = quad.scenes
            assert apply(before, quad.change) == after
            assert apply(after, quad.change.inverse()) == before
            records = [to_dict(scene) for scene in quad.scenes]
            for own in (0, 1):
                assert true_of(quad.captions[own], records[own]), (quad.captions[own], records[own])
                assert not true_of(quad.captions[own], records[1 - own]), (quad.captions[own], records[1 - own])
            assert quad.captions[0] != quad.captions[1]
            assert 0 < quad.change.distance <= 1
            touched = {index for index, _ in (*quad.change.taken, *quad.change.put)}
            assert before.place == after.place
            for index, (one, other) in enumerate(zip(before.things, after.things, strict=False)):
                assert one == other or index in touched
            named = {before.things[i].group for i in touched if i < len(before.things)}
            named |= {after.things[i].group for i in touched if i < len(after.things)}
            assert named <= set(quad.change.focus.groups)
            for scene in quad.scenes:
                check_placed(scene, dials)
            seen += 1
        number += 1


def check_placed(scene, dials):
    boxes = [box_of(scene, index) for index in range(len(scene.things))]
    for index, (left, top, right, bottom) in enumerate(boxes):
        assert left >= 2
        assert right <= 98
        assert top >= 2
        assert bottom <= 99
        for before in range(index):
            if before != scene.things[index].carrier and index != scene.things[before].carrier:
                assert overlap(boxes[index], boxes[before]) <= dials.overlap


@pytest.mark.parametrize(
    "n", [pytest.param(60, id="tens"), pytest.param(10_000, id="thousands", marks=pytest.mark.slow)]
)
def test_every_thing_shows(n):
    """At 64 pixels every thing shows at least 12 pixels (48 at 128), and 60 % of what it shows alone unless it carries
    or is carried; what it shows lies in its box."""
    for number in range(n):
        scene = captioned("train", number, WIDE, seed=5).scene
        shown = masks(scene, 128)
        for index, thing in enumerate(scene.things):
            rows, columns = np.nonzero(shown == index)
            assert len(rows) >= 48, (number, index, thing)
            if thing.carrier is None and all(other.carrier != index for other in scene.things):
                alone = masks(replace(scene, things=(thing,)), 128)
                assert len(rows) >= 0.6 * (alone == 0).sum(), (number, thing)
            left, top, right, bottom = (edge * 1.28 for edge in box_of(scene, index))
            assert columns.min() >= left - 3, (number, thing)
            assert columns.max() <= right + 3, (number, thing)
            assert rows.min() >= top - 3, (number, thing)
            assert rows.max() <= bottom + 3, (number, thing)


@pytest.mark.parametrize("n", [pytest.param(8, id="few"), pytest.param(1_000, id="thousand", marks=pytest.mark.slow)])
def test_the_picture_holds_what_the_caption_counts(n):
    """Counts in caption, scene and picture agree: each counted thing is one region of its own in the masks."""
    for number in range(n):
        for quad in quads_of("val", 6 * number + 1, WIDE, seed=1, kinds=("count",)):
            for scene in quad.scenes:
                (group,) = quad.change.focus.groups
                visible = set(np.unique(masks(scene, 96))) - {-1}
                assert len(visible & set(scene.members(group))) == len(scene.members(group))


@pytest.mark.parametrize("kind", EDITS)
def test_pixels_outside_the_change_are_identical(kind):
    """Where nothing moved, the two renderings are equal to the pixel: outside the boxes of what was taken out and put
    in, with room for its shadow, glow and thread."""
    number = next(i for i, recipe in enumerate(RECIPES) if kind in recipe)
    for turn in range(3):
        (quad,) = quads_of("test", number + 6 * turn, WIDE, seed=2, kinds=(kind,))
        pictures = [np.asarray(render(scene, 160)).astype(int) for scene in quad.scenes]
        free = np.ones((160, 160), dtype=bool)
        for scene, side in zip(quad.scenes, (quad.change.taken, quad.change.put), strict=True):
            for index, thing in side:
                left, top, right, bottom = box_of(scene, index)
                reach = 1.35 * max(right - left, bottom - top)
                left, right = left - reach, right + reach
                top, bottom = top - 0.6 * reach, bottom + 0.35 * reach
                if thing.lift:  # its thread, and its shadow on the ground
                    top, bottom = 0, bottom + thing.lift
                edges = [round(min(100, max(0, edge)) * 1.6) for edge in (left, top, right, bottom)]
                free[edges[1] : edges[3], edges[0] : edges[2]] = False
        assert (pictures[0] == pictures[1])[free].all()
        assert (pictures[0] != pictures[1]).any()


def test_a_scene_survives_json():
    for number in range(50):
        scene = captioned("val", number, WIDE).scene
        assert from_dict(to_dict(scene)) == scene


def test_a_scene_renders_alike_twice_and_at_any_size():
    scene = captioned("val", 3, WIDE).scene
    assert render(scene, 64).tobytes() == render(scene, 64).tobytes()
    small = np.asarray(render(scene, 64), dtype=float)
    large = np.asarray(render(scene, 256), dtype=float).reshape(64, 4, 64, 4, 3).mean(axis=(1, 3))
    assert np.abs(small - large).mean() < 4


def test_training_captions_are_true_when_not_noisy():
    for number in range(300):
        item = captioned("train", number, WIDE, seed=9)
        assert true_of(item.caption, to_dict(item.scene)), item.caption


@pytest.mark.parametrize("n", NUMBERS)
@pytest.mark.parametrize("dials", DIALS, ids=["default", "easy", "hard"])
def test_negatives_are_false_and_near(n, dials):
    """A negative is false of its picture, is told in the caption's style, and names no held-out combination. Asking
    for negatives changes no caption."""
    same_length = 0
    for number in range(n // len(DIALS)):
        item = captioned("train", number, dials, seed=4, captions=3, negatives=True)
        assert replace(item, negatives=()) == captioned("train", number, dials, seed=4, captions=3)
        record = to_dict(item.scene)
        assert len(item.negatives) == 3
        for caption, negative in zip(item.captions, item.negatives, strict=True):
            assert true_of(caption, record), caption
            assert not true_of(negative, record), (caption, negative)
            assert not named_combinations(negative) & held_out(), negative
            same_length += abs(len(caption.split()) - len(negative.split())) <= 3
    assert same_length > 0.9 * 3 * (n // len(DIALS))  # length must not give a negative away


def named_combinations(caption):
    words = caption.replace("table lamp", "lamp").replace("toy duck", "duck")
    named = {(NOUN.get(noun, NOUN.get(noun.removesuffix("s"))), colour) for colour, noun in BESIDE.findall(words)}
    return named | {("person", colour) for colour in DRESSED.findall(words)}


BESIDE = re.compile(rf"\b({'|'.join(COLOURS)}) (\w+)")
DRESSED = re.compile(rf"\bin (?:an? )?({'|'.join(COLOURS)})\b(?! basket)")  # not "in a red basket"


@pytest.mark.parametrize("profile", ["easy", "hard", "smoke", "subtle"])
def test_the_dials_of_a_profile_admit_every_quad_and_pair(root, profile):
    read = YAML(typ="safe").load
    values = read(root / "params.yaml")["scenes"] | read(root / "profiles" / f"{profile}.yaml")["scenes"]
    dials = Dials(**{field.name: values[field.name] for field in fields(Dials)})
    for number in range(12):
        for split in ("val", "test", "compositional"):
            for quad in quads_of(split, number, dials):
                for scene in quad.scenes:
                    check_placed(scene, dials)
    assert {pair_of("train", number, dials).change.focus.kind for number in range(7)} == set(EDITS)


def test_negatives_want_captions_without_noise():
    with pytest.raises(InputError, match="noise: expected no noise where negatives are wanted, got"):
        captioned("train", 0, WIDE, noise=0.5, negatives=True)


def test_each_kind_of_edit_serves_as_many_pairs_of_as_many_scenes():
    pairs = [pair_of("train", number, WIDE, seed=2, captions=2) for number in range(28)]
    kinds = [pair.change.focus.kind for pair in pairs]
    assert {kind: kinds.count(kind) for kind in EDITS} == dict.fromkeys(EDITS, 4)
    assert len({pair.sides[0].scene for pair in pairs}) == 28
    for pair in pairs:
        one, other = pair.sides
        assert apply(one.scene, pair.change) == other.scene
        for own, foreign in ((one, other), (other, one)):
            for told in own.captions:
                assert true_of(told, to_dict(own.scene))
                assert not true_of(told, to_dict(foreign.scene))
            assert not any(true_of(negative, to_dict(own.scene)) for negative in own.negatives)
    again = pair_of("train", 5, WIDE, seed=2, captions=3)
    assert [side.captions[:2] for side in again.sides] == [side.captions for side in pairs[5].sides]


def test_a_lone_thing_is_what_it_is_asked_to_be():
    for kind in ("person", "table", "bottle"):
        scenes = [lone(kind, number, WIDE) for number in range(20)]
        assert {thing.kind for scene in scenes for thing in scene.things} == {kind}
        assert all(len(scene.things) == 1 and split_of(scene.place) == "test" for scene in scenes)
        assert len({scene.things[0].colour for scene in scenes}) > 3
        for scene in scenes:
            check_placed(scene, WIDE)


def test_noisy_captions_are_loose_but_not_false():
    said = []
    for number in range(300):
        item = captioned("pretrain", number, WIDE, seed=9, noise=0.6)
        assert true_of(item.caption, to_dict(item.scene)), item.caption
        said.append(item.caption)
    clean = [captioned("pretrain", number, WIDE, seed=9).caption for number in range(300)]
    assert sum(map(len, said)) < 0.8 * sum(map(len, clean))
    assert any(" some " in f" {caption} " for caption in said)


def test_splits_share_no_scene():
    scenes = [
        (split, f"{split} {number}", to_dict(captioned(split, number, WIDE, seed=seed).scene))
        for split in ("pretrain", "train", "val")
        for number in range(120)
        for seed in (0, 1)
    ]
    for split in ("val", "test", "compositional"):
        for number in range(6):
            for quad in quads_of(split, number, WIDE):
                scenes += [(split, f"quad {split} {number}", to_dict(scene)) for scene in quad.scenes]
    counts = check_splits(scenes)
    assert set(counts) == {"pretrain", "train", "val", "test", "compositional"}


def test_the_check_finds_a_leak():
    record = to_dict(captioned("train", 0, WIDE).scene)
    with pytest.raises(ValueError, match=r"quad 7: expected a place of test, got one of train"):
        check_splits([("train", "picture 0", record), ("test", "quad 7", record)])
    kind, colour = sorted(held_out())[5]
    thing = record["things"][0] | {"kind": kind, "colour": colour}
    with pytest.raises(ValueError, match="picture 1: expected only combinations that may be trained on"):
        check_splits([("train", "picture 1", record | {"things": [thing]})])


def test_every_kind_and_colour_is_seen_in_training():
    kinds, colours = zip(*held_out(), strict=True)
    assert set(kinds) <= set(KINDS)
    for kind in KINDS:
        assert 0 < kinds.count(kind) <= 2
    assert all(0 < colours.count(colour) <= 4 for colour in COLOURS)


def test_each_kind_of_edit_serves_as_many_quads():
    kinds = [quad.change.focus.kind for number in range(12) for quad in quads_of("val", number, WIDE)]
    assert {kind: kinds.count(kind) for kind in EDITS} == dict.fromkeys(EDITS, 4)


def test_a_scene_without_a_person_admits_no_action():
    scenes = (captioned("val", number, WIDE).scene for number in range(99))
    scene = next(scene for scene in scenes if all(thing.kind != "person" for thing in scene.things))
    assert edit(scene, stream(0), "action") is None


def test_all_backdrops_reach_every_split():
    for split in ("val", "test"):
        places = [quads_of(split, number, WIDE)[0].scenes[0].place for number in range(0, 240, 2)]
        assert {place.backdrop for place in places} == set(BACKDROPS)
        assert {split_of(place) for place in places} == {split}
