"""What a study reads: suites by name, and no test image in training."""

import pytest

from eqlib.errors import InputError
from eqlib.training.material import read_captions, read_suites
from eqlib.training.validate import validator

SUITES = {"mine": {"reader": "quads", "path": "quads.json"}}


def test_an_image_that_a_quad_shows_is_held_out(folder):
    quads = read_suites(folder, SUITES)
    assert quads["mine"].name == "mine"
    everything = read_captions(folder, "dataset.json", "train")
    kept = read_captions(folder, "dataset.json", "train", held_out=quads)
    assert set(everything.images) - set(kept.images) == {f"train/{n}.png" for n in range(4)}
    assert kept.notes == ("4 of 20 images held out: test quads show them",)
    of_kept = {caption: kept.images[i] for caption, i in zip(kept.captions, kept.image_of_caption, strict=True)}
    assert of_kept["picture 7 is white"] == "train/7.png"  # captions moved with their images
    assert not any("picture 3" in caption for caption in kept.captions)


def test_a_split_without_a_test_image_stays_as_it_is(folder):
    quads = read_suites(folder, SUITES)
    assert read_captions(folder, "dataset.json", "val", held_out=quads).notes == ()


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"path": "quads.json"}, r"data\.suites\.mine.*reader"),
        ({"reader": "quads", "path": "none.json"}, r"none\.json"),
        ({"reader": "nobody", "path": "quads.json"}, "nobody"),
        ({"reader": "quads", "path": "quads.json", "colour": "red"}, r"data\.suites\.mine.*colour"),
        ({"reader": "karpathy", "path": "dataset.json", "split": "train"}, "a reader of quads"),
    ],
)
def test_a_wrong_entry_is_named(folder, entry, message):
    with pytest.raises(InputError, match=message):
        read_suites(folder, {"mine": entry})


def test_validation_figures_are_proportions(folder, bundle):
    quads = read_suites(folder, SUITES)
    val = read_captions(folder, "dataset.json", "val")
    found = validator(bundle, quads["mine"], val)(bundle.model)
    names = ["text", "image", "group", "group_match", "image_to_text_r1", "text_to_image_r1"]
    assert sorted(found) == sorted(f"val_{name}" for name in names)
    assert all(0 <= value <= 1 for value in found.values())
