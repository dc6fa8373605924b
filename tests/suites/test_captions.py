"""Captioned pictures: one suite from every form they are shared in."""

import json

import numpy as np
import pandas as pd
import pytest

from eqlib.errors import InputError
from eqlib.suites import read

ROWS = [
    {"path": "a/1.png", "caption": "a cup", "split": "train"},
    {"path": "a/2.png", "caption": "None", "split": "val"},
    {"path": "a/3.png", "caption": "a dog, asleep", "split": "train"},
    {"path": "a/1.png", "caption": "one cup", "split": "train"},
]


def write(path, rows):
    if path.suffix == ".jsonl":
        path.write_text("\n".join(map(json.dumps, rows)))
    else:
        table = pd.DataFrame(rows)
        table.to_csv(path, index=False) if path.suffix == ".csv" else table.to_parquet(path)
    return path


@pytest.mark.parametrize("suffix", ["csv", "parquet", "jsonl"])
def test_rows_of_one_path_are_one_picture(tmp_path, suffix):
    path = write(tmp_path / f"t.{suffix}", ROWS)
    suite = read("captions", path, split="train")
    assert suite.images == ["a/1.png", "a/3.png"]
    assert suite.captions == ["a cup", "one cup", "a dog, asleep"]
    assert suite.image_of_caption.tolist() == [0, 0, 1]
    assert (suite.name, suite.edition, suite.root) == ("t", "train", tmp_path)
    assert read("captions", path).images == ["a/1.png", "a/2.png", "a/3.png"]
    first = read("captions", path, limit=2, root=tmp_path / "a")
    assert (first.captions, first.edition, first.root) == (["a cup", "one cup", "None"], "all-first2", tmp_path / "a")


def test_every_form_gives_the_same_suite(tmp_path):
    texts = {"a/1.png": ["a cup", "one cup"], "a/2.png": ["None"], "a/3.png": ["a dog, asleep"]}
    of = {image: {"filepath": "a", "filename": image[2:], "split": "val"} for image in texts}
    forms = {
        "list.json": [{"image": image, "caption": captions} for image, captions in texts.items()],
        "dataset_karpathy.json": {
            "images": [of[image] | {"sentences": [{"raw": text} for text in texts[image]]} for image in texts]
        },
        "captions_official.json": {
            "images": [{"id": 9 - n, "file_name": image} for n, image in enumerate(texts)],
            "annotations": [
                {"image_id": 9 - n, "caption": text} for n, image in enumerate(texts) for text in texts[image]
            ],
        },
    }
    for name, content in forms.items():
        (tmp_path / name).write_text(json.dumps(content))
        suite = read("captions", tmp_path / name)
        assert suite.images == list(texts), name
        assert suite.captions == [text for captions in texts.values() for text in captions], name
        assert suite.image_of_caption.tolist() == [0, 0, 1, 2], name
        one = read("captions", tmp_path / name, captions_per_image=1, limit=2)
        assert one.captions == ["a cup", "None"], name
        assert one.edition == "all-first2, 1 captions an image"
    assert read("captions", tmp_path / "dataset_karpathy.json").name == "karpathy"
    with pytest.raises(InputError, match=r"captions_official\.json, images\[0\]: expected the key 'split'"):
        read("captions", tmp_path / "captions_official.json", split="val")


def coco(path, images=((1, "1.jpg"), (2, "2.jpg")), owners=(1, 2)):
    content = {
        "images": [{"id": number, "file_name": name} for number, name in images],
        "annotations": [{"image_id": owner, "caption": "x"} for owner in owners],
    }
    path.write_text(json.dumps(content))
    return path


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"owners": (1, 2, 3)}, r"annotations\[2\]: expected the id of an image"),
        ({"owners": (1, 1)}, r"2\.jpg: expected a caption for every image"),
        ({"images": ((1, "1.jpg"), (1, "2.jpg"))}, "a id of its own"),
        ({"images": ((1, "1.jpg"), (2, "1.jpg"))}, "a file_name of its own"),
    ],
)
def test_images_and_annotations_of_coco_belong_together(tmp_path, content, message):
    assert read("captions", coco(tmp_path / "c.json")).captions == ["x", "x"]
    with pytest.raises(InputError, match=message):
        read("captions", coco(tmp_path / "c.json", **content))


@pytest.mark.parametrize(
    ("change", "options", "message"),
    [
        ({"caption": " "}, {}, r"t\.csv, 3: expected text.* under 'caption'"),
        ({"path": "../1.png"}, {}, r"t\.csv, 3: expected a path under its root"),
        ({"split": "val"}, {}, r"t\.csv, 3: expected a/1\.png in one split \('train'\)"),
        ({"split": None}, {"split": "train"}, r"t\.csv, 3: expected a/1\.png in one split \('train'\), got None"),
        ({"path": "a/4.png", "split": None}, {"split": "train"}, r"t\.csv, 3: expected the key 'split'"),
        ({}, {"split": "test"}, r"pictures of split 'test', got splits \['train', 'val'\]"),
    ],
)
def test_a_wrong_row_is_named(tmp_path, change, options, message):
    path = write(tmp_path / "t.csv", [*ROWS[:3], ROWS[3] | change])
    with pytest.raises(InputError, match=message):
        read("captions", path, **options)


def test_a_table_without_splits_has_none_to_give(tmp_path):
    path = write(tmp_path / "t.csv", [{"path": "1.png", "caption": "x"}])
    assert len(read("captions", path)) == 1
    with pytest.raises(InputError, match="the key 'split'"):
        read("captions", path, split="val")


def test_pairs_and_negatives_come_with_their_captions(tmp_path):
    more = [{"negative": "a mug"}, {"group": "p"}, {}, {"negative": "two cups"}]
    path = write(
        tmp_path / "t.jsonl", [row | extra | {"split": "train"} for row, extra in zip(ROWS, more, strict=True)]
    )
    suite = read("captions", path)
    assert suite.groups.tolist() == [0, 1, 2]
    assert suite.captions == ["a cup", "one cup", "None", "a dog, asleep"]
    assert suite.negatives == ["a mug", "two cups", "", ""]
    bare = read("captions", write(tmp_path / "bare.csv", ROWS))
    assert (bare.groups, bare.negatives) == (None, None)
    with pytest.raises(InputError, match=r"t\.csv, 1: expected text under 'negative'"):
        read("captions", write(tmp_path / "t.csv", [ROWS[0] | {"negative": "x"}, ROWS[1] | {"negative": " "}]))
    with pytest.raises(InputError, match=r"t\.csv, 1: expected a/1\.png in one group \('p'\)"):
        read("captions", write(tmp_path / "t.csv", [ROWS[0] | {"group": "p"}, ROWS[3] | {"group": "q"}]))


def test_kept_images_bring_what_is_theirs(tmp_path):
    rows = [
        {"path": "1.png", "caption": "a cup", "group": "x", "negative": "a dog"},
        {"path": "2.png", "caption": "a cat", "group": "y"},
        {"path": "3.png", "caption": "two cups", "group": "x"},
        {"path": "1.png", "caption": "one cup", "group": "x"},
    ]
    suite = read("captions", write(tmp_path / "t.jsonl", rows))
    kept = suite.keep(np.array([True, False, True]))
    assert (kept.images, kept.captions) == (["1.png", "3.png"], ["a cup", "one cup", "two cups"])
    assert (kept.image_of_caption.tolist(), kept.groups.tolist()) == ([0, 0, 1], [0, 0])
    assert kept.negatives == ["a dog", "", ""]
    plain = read("captions", write(tmp_path / "p.jsonl", ROWS)).keep(np.array([False, True, False]))
    assert (plain.captions, plain.groups, plain.negatives) == (["None"], None, None)
