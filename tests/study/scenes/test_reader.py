"""The caption reader itself, on a scene written by hand."""

from __future__ import annotations

import pytest
from caption_reader import true_of


def thing(kind, colour, box, **more):
    return {
        "kind": kind, "colour": colour, "material": "plain", "size": "", "state": "", "box": box, "carrier": None,
        "relation": "",
    } | more  # fmt: skip


SCENE = {
    "place": {"backdrop": "room"},
    "things": [
        thing("person", "red", [10, 40, 20, 80], state="sitting"),
        thing("table", "blue", [50, 60, 90, 80]),
        thing("lamp", "white", [60, 40, 70, 62], state="on", carrier=1, relation="on"),
        thing("ball", "green", [30, 70, 40, 80], size="large"),
        thing("ball", "green", [40, 80, 50, 90], size="large"),
    ],
}


@pytest.mark.parametrize(
    "caption",
    [
        "a person in a red shirt who sits",
        "a person dressed in red to the left of a blue table in a room",
        "there are two big green balls and a lit table lamp",
        "a picture of a white lamp on top of a table",
        "a person in red sitting on the ground",
        "some spheres can be seen in a room",
    ],
)
def test_true(caption):
    assert true_of(caption, SCENE)


@pytest.mark.parametrize(
    "caption",
    [
        "a person in a blue shirt who sits",
        "a person dressed in red to the right of a blue table",
        "there are three green balls",
        "a white lamp under a table",
        "a person standing",
        "a small ball",
        "some spheres on a beach",
        "an unlit lamp",
        "a cube",
    ],
)
def test_false(caption):
    assert not true_of(caption, SCENE)


def test_an_unknown_word_is_an_error():
    with pytest.raises(AssertionError):
        true_of("a crimson ball", SCENE)
