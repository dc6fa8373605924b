"""What a study reads: suites by name, and no test image in training."""

import csv
import json
import shutil
import tarfile

import pytest

from eqlib.errors import InputError
from eqlib.models.matching import MatchingHead, scorer
from eqlib.models.score import score_suite
from eqlib.quads import scores_of
from eqlib.scoring import matching
from eqlib.study.training.data import read_captions, read_suites
from eqlib.study.training.validate import validator

SUITES = {"mine": {"reader": "quads", "path": "quads.json"}}


def test_an_image_that_a_quad_shows_is_held_out(folder):
    quads = read_suites(folder, SUITES)
    assert quads["mine"].name == "mine"
    everything = read_captions(folder, "dataset.json", "train")
    kept = read_captions(folder, "dataset.json", "train", held_out=quads)
    assert set(everything.images) - set(kept.images) == {f"train/{n}.png" for n in range(4)}
    assert kept.notes == ("4 of 20 images held out: suites show them",)
    of_kept = {caption: kept.images[i] for caption, i in zip(kept.captions, kept.image_of_caption, strict=True)}
    assert of_kept["picture 7 is white"] == "train/7.png"  # captions moved with their images
    assert not any("picture 3" in caption for caption in kept.captions)


def test_pairs_and_negatives_move_with_their_images(folder, tmp_path):
    root = shutil.copytree(folder, tmp_path / "set")
    content = json.loads((root / "dataset.json").read_text())
    for n, record in enumerate(content["images"]):
        record |= {"group": str((n + 1) // 2), "negatives": [f"not {n}", ""]}  # image 0 alone, then (1, 2), (3, 4), ...
    (root / "dataset.json").write_text(json.dumps(content))
    assert read_captions(root, "dataset.json", "train").groups.tolist() == [(n + 1) // 2 for n in range(20)]
    kept = read_captions(root, "dataset.json", "train", held_out=read_suites(root, SUITES))
    assert kept.images == [f"train/{n}.png" for n in range(4, 20)]  # 4 has lost its partner: a quad shows it
    assert kept.groups.tolist() == [(n + 1) // 2 for n in range(4, 20)]
    assert kept.negatives == [text for n in range(4, 20) for text in (f"not {n}", "")]


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
    ],
)
def test_a_wrong_entry_is_named(folder, entry, message):
    with pytest.raises(InputError, match=message):
        read_suites(folder, {"mine": entry})


def test_validation_figures_are_proportions(folder, bundle):
    quads = read_suites(folder, SUITES)
    val = read_captions(folder, "dataset.json", "val")
    found = validator(bundle, quads["mine"], val)(bundle.model)
    shares = ["text", "image", "group", "group_match", "image_to_text_r1", "text_to_image_r1"]
    assert sorted(found) == sorted(f"val_{name}" for name in [*shares, "abs_a", "abs_b", "I"])
    assert all(0 <= found[f"val_{name}"] <= 1 for name in shares)
    scores = scores_of(score_suite(bundle, quads["mine"], progress=False))
    a, b = abs(scores[:, 0, 0] - scores[:, 1, 1]), abs(scores[:, 1, 0] - scores[:, 0, 1])
    interaction = scores[:, 0, 0] + scores[:, 1, 1] - scores[:, 0, 1] - scores[:, 1, 0]
    expected = {"val_abs_a": a.mean(), "val_abs_b": b.mean(), "val_I": interaction.mean()}
    assert {name: found[name] for name in expected} == pytest.approx(expected, abs=1e-7)


def test_a_matching_head_is_validated_beside_the_model(folder, bundle):
    quads = read_suites(folder, SUITES)
    val = read_captions(folder, "dataset.json", "val")
    head = MatchingHead(16)
    found = validator(bundle, quads["mine"], val, head=head)(bundle.model)
    by_head = matching(scores_of(score_suite(scorer(bundle, head), quads["mine"], progress=False)))
    expected = {f"val_head_{name}": right.mean() for name, right in by_head.items()}
    assert len(expected) == 4
    assert {name: found[name] for name in expected} == expected


def test_every_form_gives_the_same_captions(train, tmp_path):
    """The same pictures as a table and as shards; the pictures of the quads are held out of both."""
    captions = [[c for c, i in zip(train.captions, train.image_of_caption, strict=True) if i == n] for n in range(20)]
    rows = [(f"{n}.png", caption) for n in range(20) for caption in captions[n]]
    (tmp_path / "t.jsonl").write_text(
        "\n".join(json.dumps({"path": path, "caption": caption, "split": "train"}) for path, caption in rows)
    )
    with (tmp_path / "t.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("path", "caption", "split"), *((*row, "train") for row in rows)])
    (tmp_path / "shards" / "train").mkdir(parents=True)
    with tarfile.open(tmp_path / "shards" / "train" / "0.tar", "w") as tar:
        for n in range(20):
            (tmp_path / "one.json").write_text(json.dumps({"caption": captions[n]}))
            tar.add(train.root / train.images[n], f"{n:02d}.png")
            tar.add(tmp_path / "one.json", f"{n:02d}.json")
    for name in ("t.jsonl", "t.csv", "shards"):
        found = read_captions(tmp_path, name, "train")
        assert found.captions == train.captions, name
        assert found.image_of_caption.tolist() == train.image_of_caption.tolist()
    assert len(read_captions(tmp_path, "shards/train/0.tar", "").images) == 20


def test_captions_of_no_known_form_are_refused(tmp_path):
    (tmp_path / "x.txt").touch()
    with pytest.raises(InputError, match=r"captions as \.json.*got 'x\.txt'"):
        read_captions(tmp_path, "x.txt", "train")
