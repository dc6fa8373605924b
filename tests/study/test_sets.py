"""A record changes with what its stage reads, and with nothing else."""

import json

import pytest
from PIL import Image

from eqlib.errors import InputError
from eqlib.study.notebook import main as run_notebook
from eqlib.study.parameters import section
from eqlib.study.sets import main, records

PICTURES = ("a", "b", "c", "d", "e", "f")


@pytest.fixture
def data(tmp_path):
    """Two pictures a split; the quads of val and test show none of them until told to."""
    for number, name in enumerate((*PICTURES, "v0", "v1", "t0", "t1")):
        Image.new("RGB", (4, 4), (number, 0, 0)).save(tmp_path / f"{name}.png")
    splits = ("pretrain", "train", "val")
    images = [
        {"filename": f"{name}.png", "split": splits[n // 2], "sentences": [{"raw": f"picture {name}"}]}
        for n, name in enumerate(PICTURES)
    ]
    (tmp_path / "captions.json").write_text(json.dumps({"images": images}))
    for name, letter in (("val", "v"), ("test", "t")):
        write_quads(tmp_path / f"{name}.json", f"{letter}0", f"{letter}1")
    return {
        "data_root": str(tmp_path),
        "captions": "captions.json",
        "splits": {name: name for name in splits},
        "suites": {name: {"reader": "quads", "path": f"{name}.json"} for name in ("val", "test")},
        "validation": "val",
    }


def write_quads(path, *pairs):
    pairs = zip(pairs[::2], pairs[1::2], strict=True)
    quads = [{"image0": f"{a}.png", "image1": f"{b}.png", "caption0": a, "caption1": b} for a, b in pairs]
    path.write_text(json.dumps(quads))


def changed(data, before):
    return {name for name, record in records(data).items() if record != before[name]}


def test_each_kind_of_stage_is_told_of_its_own_sets(data, tmp_path):
    before = records(data)
    assert {name: sorted(record["content"]) for name, record in before.items()} == {
        "pretrain": ["pretrain", "suites/val", "val"],
        "train": ["suites/val", "train", "val"],
        "evaluate": ["suites/test", "suites/val", "val"],
        "suites/val": ["suites/val"],
        "suites/test": ["suites/test"],
    }
    assert list(before["pretrain"]["data"]["suites"]) == ["val"]
    assert before["evaluate"]["data"] == data
    assert changed(data, before) == set()
    write_quads(tmp_path / "test.json", "t0", "t1", "t1", "t0")  # more test quads
    assert changed(data, before) == {"evaluate", "suites/test"}


@pytest.mark.parametrize(
    ("picture", "told"),
    [
        ("a", {"pretrain"}),
        ("c", {"train"}),
        ("e", {"pretrain", "train", "evaluate"}),
        ("v0", {"pretrain", "train", "evaluate", "suites/val"}),
        ("t0", {"evaluate", "suites/test"}),
    ],
)
def test_a_picture_is_told_by_its_content(data, tmp_path, picture, told):
    before = records(data)
    Image.new("RGB", (4, 4), "white").save(tmp_path / f"{picture}.png")
    assert changed(data, before) == told


def test_a_quad_that_shows_a_training_picture_changes_that_training(data, tmp_path):
    before = records(data)
    write_quads(tmp_path / "test.json", "t0", "c")
    assert changed(data, before) == {"train", "evaluate", "suites/test"}
    assert list(records(data)["train"]["data"]["suites"]) == ["val", "test"]


def test_foils_and_captions_are_suites_too(data, tmp_path):
    """And hold their pictures out of training as quads do; what is watched while training has to be quads."""
    foil = {"0": {"filename": "c.png", "caption": "picture c", "negative_caption": "picture d"}}
    (tmp_path / "swap.json").write_text(json.dumps(foil))
    found = [{"path": "t1.png", "caption": "the last"}]
    (tmp_path / "found.json").write_text(json.dumps(found))
    data["suites"] |= {
        "foils": {"reader": "sugarcrepe", "path": "swap.json"},
        "found": {"reader": "captions", "path": "found.json"},
    }
    before = records(data)
    assert before["suites/foils"]["data"]["suites"] == {"foils": data["suites"]["foils"]}
    assert before["suites/foils"]["data"]["captions"] == ""
    assert list(before["train"]["data"]["suites"]) == ["val", "foils"]
    Image.new("RGB", (4, 4), "white").save(tmp_path / "t1.png")
    assert changed(data, before) == {"evaluate", "suites/test", "suites/found"}
    with pytest.raises(InputError, match=r"data\.validation.*quads"):
        records(data | {"validation": "foils"})


def test_the_runner_reads_a_record(data, tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "params.yaml").write_text(json.dumps({"data": data}))
    main(["sets"])
    assert section("sets/train.json", "data") == records(data)["train"]["data"]
    assert run_notebook(["run", "none.ipynb", "--output", "out", "--params", "sets/train.json:nothing"]) == 1
    assert "sets/train.json: expected a section `nothing`" in capfd.readouterr().err
