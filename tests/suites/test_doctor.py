import json

import numpy as np
import pytest
from PIL import Image

from eqlib.errors import InputError
from eqlib.suites.doctor import check


@pytest.fixture
def quads(tmp_path):
    """Three quads in two subsets, pictures whole."""
    rng = np.random.default_rng(0)
    records = []
    for n, subset in enumerate(("eqbensd", "eqbensd", "eqbenyoucook2")):
        suffix = "npy" if subset == "eqbenyoucook2" else "png"
        record = {f"image{i}": f"{subset}/{n}/{i}.{suffix}" for i in (0, 1)}
        for name in record.values():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            pixels = rng.integers(0, 255, (30, 30, 3), dtype=np.uint8)
            np.save(path, pixels) if suffix == "npy" else Image.fromarray(pixels).save(path)
        records.append(record | {"caption0": "x", "caption1": "y", "subset": subset})
    (tmp_path / "q.json").write_text(json.dumps(records))
    return tmp_path


@pytest.mark.parametrize("decode", [True, False])
def test_a_whole_set(quads, decode):
    report = check("quads", quads / "q.json", decode=decode, show_progress=False)
    assert (report.ok, report.offenders) == (True, [])
    assert report.table["records"].tolist() == [2, 1]
    assert report.table["images"].tolist() == [4, 2]
    assert report.table["suffixes"].tolist() == [".png 4", ".npy 2"]
    assert str(report).endswith("whole")


@pytest.mark.parametrize("decode", [True, False])
def test_damage_is_counted_and_named(quads, decode):
    (quads / "eqbensd/0/0.png").unlink()
    cut = quads / "eqbensd/1/1.png"
    cut.write_bytes(cut.read_bytes()[:100])
    (quads / "eqbenyoucook2/2/0.npy").write_bytes(b"no array")
    report = check("quads", quads / "q.json", decode=decode, show_progress=False)
    assert not report.ok
    assert report.table[["missing", "truncated", "unreadable"]].to_numpy().tolist() == [[1, 1, 0], [0, 0, 1]]
    assert [(path.relative_to(quads).as_posix(), record) for path, record, _ in report.offenders] == [
        ("eqbensd/0/0.png", "quad 0, image0"),
        ("eqbensd/1/1.png", "quad 1, image1"),
        ("eqbenyoucook2/2/0.npy", "quad 2, image0"),
    ]
    text = str(report)
    assert "1 of 6 pictures missing" in text
    assert str(cut) in text
    assert "NOT WHOLE" in text


def test_damage_in_the_middle_needs_decoding(quads):
    path = quads / "eqbensd/0/0.png"
    data = bytearray(path.read_bytes())
    data[60:80] = bytes(20)
    path.write_bytes(data)
    assert check("quads", quads / "q.json", decode=False, show_progress=False).ok
    assert not check("quads", quads / "q.json", show_progress=False).ok


def test_counts_are_compared_with_the_published(tmp_path):
    item = {"filename": "1.jpg", "caption": "a dog", "negative_caption": "a cat"}
    (tmp_path / "swap_obj.json").write_text(json.dumps({str(n): item for n in range(245)}))
    Image.new("RGB", (8, 8)).save(tmp_path / "1.jpg")
    report = check("sugarcrepe", tmp_path, show_progress=False)
    table = report.table.set_index("subset")
    assert table.loc["swap_obj", ["records", "expected", "images"]].tolist() == [245, 245, 1]
    assert not report.ok
    assert "add_obj: 0 records, published 2062" in report.problems
    assert not any("swap_obj" in problem for problem in report.problems)


def test_a_root_without_pictures_is_said(quads, tmp_path):
    report = check("quads", quads / "q.json", root=tmp_path / "elsewhere", show_progress=False)
    assert "is this the pictures' folder?" in report.problems[-1]


def test_a_malformed_annotation_is_an_input_error(quads):
    (quads / "q.json").write_text("[{]")
    with pytest.raises(InputError, match=r"q\.json"):
        check("quads", quads / "q.json", show_progress=False)


def test_real_sets(shared):
    data = shared / "realdata"
    report = check("captions", data / "flickr8k" / "dataset_flickr8k.json", split="val", show_progress=False)
    assert report.ok
    assert report.table["images"].tolist() == [969]
