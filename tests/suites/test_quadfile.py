import json

import pandas as pd
import pytest

from eqlib.errors import InputError
from eqlib.suites import read

QUADS = [
    {"image0": "a/1.png", "image1": "a/2.png", "caption0": "a red cup", "caption1": "a blue cup", "id": "007"},
    {"image0": "b/1.png", "image1": "b/2.png", "caption0": "None", "caption1": "two, cups", "id": "x", "kind": "count"},
]


def write(folder, name, records):
    path = folder / name
    table = pd.DataFrame(records)
    if name.endswith(".json"):
        path.write_text(json.dumps(records))
    elif name.endswith(".jsonl"):
        path.write_text("\n".join(json.dumps(r, ensure_ascii=False) for r in records) + "\n\n")
    elif name.endswith(".csv"):
        table.to_csv(path, index=False)
    else:
        table.to_parquet(path)
    return path


@pytest.mark.parametrize("name", ["q.json", "q.jsonl", "q.csv", "q.parquet"])
def test_four_formats_give_the_same_records(tmp_path, name):
    suite = read("quads", write(tmp_path, name, QUADS))
    records = suite.records
    assert records["quad"].tolist() == ["007", "x"]  # an id stays text in CSV
    assert records["caption0"].tolist() == ["a red cup", "None"]  # "None" is a caption, not a missing value
    assert records["caption1"].tolist() == ["a blue cup", "two, cups"]
    assert records["cluster"].tolist() == ["007", "x"]
    assert records["kind"].iloc[1] == "count"
    assert (suite.root, suite.name, suite.counts()) == (tmp_path, "q", {"all": 2})


def test_line_separator_inside_a_caption_does_not_end_the_record(tmp_path):
    record = QUADS[0] | {"caption0": "a red\u2028cup"}
    assert read("quads", write(tmp_path, "q.jsonl", [record])).records["caption0"][0] == "a red\u2028cup"


def test_digest_names_the_content(tmp_path):
    first = read("quads", write(tmp_path, "q.json", QUADS)).digest
    again = read("quads", write(tmp_path, "other.json", QUADS)).digest
    changed = read("quads", write(tmp_path, "q.json", [QUADS[0]])).digest
    assert first == again != changed


def test_suffix_is_mapped_and_arrays_keep_theirs(tmp_path):
    record = {"image0": "v.1/frame.png", "image1": "v.1/frame.npy", "caption0": "x", "caption1": "y"}
    records = read("quads", write(tmp_path, "q.json", [record]), suffix=".jpg").records
    assert records[["image0", "image1"]].to_numpy().tolist() == [["v.1/frame.jpg", "v.1/frame.npy"]]


def test_bivlc_and_colorswap_are_this_format_under_other_names(tmp_path):
    bivlc = {"image": "p/1.jpg", "negative_image": "n/1.jpg", "caption": "a man", "negative_caption": "a dog"}
    suite = read("bivlc", write(tmp_path, "b.csv", [bivlc | {"type": "replace", "subtype": "obj"}]))
    assert suite.records[["image1", "caption1", "subset", "subtype"]].to_numpy().tolist() == [
        ["n/1.jpg", "a dog", "replace", "obj"]
    ]
    swap = {"id": 9, "image_1": "9_1.png", "image_2": "9_2.png", "caption_1": "blue raft", "caption_2": "white raft"}
    suite = read("colorswap", write(tmp_path, "c.json", [swap]))
    assert suite.records[["quad", "image0", "caption1"]].to_numpy().tolist() == [["9", "9_1.png", "white raft"]]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"caption1": None}, "text"),
        ({"caption0": "  "}, "text"),
        ({"caption0": 3}, "text"),
        ({"image0": "/etc/passwd"}, "a path under its root"),
        ({"image0": "a/../../b.png"}, "a path under its root"),
        ({"image0": "a\\b.png"}, "a path under its root"),
        ({"image1": ["a.png"]}, "a relative path"),
        ({"subset": 1.5}, "a name or number"),
        ({"id": "x"}, "a id of its own"),
    ],
)
def test_malformed_records_name_file_and_row(tmp_path, change, expected):
    path = write(tmp_path, "q.json", [QUADS[1], QUADS[0] | change])
    with pytest.raises(InputError) as caught:
        read("quads", path)
    assert expected in caught.value.expected
    assert (caught.value.where, caught.value.row) == (path, 1)


def test_damaged_files(tmp_path):
    csv = tmp_path / "q.csv"
    csv.write_text("image0,image1,caption0,caption1\na.png,b.png,x,y\na.png,b.png,x,y,z\n")
    with pytest.raises(InputError, match=r"q\.csv, line 3: expected 4 cells"):
        read("quads", csv)
    lines = tmp_path / "q.jsonl"
    lines.write_text(json.dumps(QUADS[0]) + "\n{broken")
    with pytest.raises(InputError, match=r"q\.jsonl, line 2"):
        read("quads", lines)
    table = write(tmp_path, "q.parquet", QUADS)
    table.write_bytes(table.read_bytes()[:-40])
    with pytest.raises(InputError, match="a parquet table"):
        read("quads", table)
    with pytest.raises(InputError, match=r"expected a file as \.json"):
        read("quads", write(tmp_path, "q.txt.json", QUADS).rename(tmp_path / "q.txt"))
    with pytest.raises(InputError, match="nothing there"):
        read("quads", tmp_path / "absent.json")
    with pytest.raises(InputError, match=r"an option of the reader quads .*suffix.*, got 'split'"):
        read("quads", csv, split="val")
    with pytest.raises(InputError, match="a reader"):
        read("no_such", csv)
