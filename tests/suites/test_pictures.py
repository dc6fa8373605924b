"""Groups and hard negatives of captioned images, in the forms that lists can hold."""

import io
import json
import tarfile

import pytest

from eqlib.errors import InputError
from eqlib.suites import read


def karpathy(path, records):
    images = [
        {"filename": f"{n}.png", "split": "train", "sentences": [{"raw": f"{n}a"}, {"raw": f"{n}b"}]} | more
        for n, more in enumerate(records)
    ]
    path.write_text(json.dumps({"images": images}))
    return path


def test_equal_names_are_one_group_and_no_name_is_one_of_its_own(tmp_path):
    named = [{}, {"group": "p"}, {}, {"group": "q"}, {"group": "p"}]
    assert read("captions", karpathy(tmp_path / "d.json", named)).groups.tolist() == [0, 1, 2, 3, 1]
    assert read("captions", karpathy(tmp_path / "d.json", [{}, {}])).groups is None


def test_a_karpathy_record_may_name_its_group_and_negatives(tmp_path):
    records = [{"group": "p", "negatives": ["x", None]}, {}, {"group": "p", "split": "val"}, {"group": "p"}]
    path = karpathy(tmp_path / "d.json", records)
    suite = read("captions", path, split="train")
    assert suite.groups.tolist() == [0, 1, 0]
    assert suite.negatives == ["x", "", "", "", "", ""]
    one = read("captions", path, split="train", captions_per_image=1)
    assert (one.captions, one.negatives) == (["0a", "1a", "3a"], ["x", "", ""])
    bare = read("captions", karpathy(tmp_path / "bare.json", [{}, {"negatives": ["", ""]}]), split="train")
    assert (bare.groups, bare.negatives) == (None, None)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"negatives": ["x"]}, r"d\.json, images\[0\]: expected a list of 2 under 'negatives'"),
        ({"negatives": ["x", 3]}, r"images\[0\]: expected texts under 'negatives'"),
        ({"negatives": "x"}, "a list of 2"),
        ({"group": ["p"]}, "a name or number under 'group'"),
    ],
)
def test_a_wrong_field_is_named(tmp_path, more, message):
    with pytest.raises(InputError, match=message):
        read("captions", karpathy(tmp_path / "d.json", [more]), split="train")


def test_the_json_of_a_shard_may_hold_both(tmp_path):
    members = {
        "0.png": b"", "0.json": json.dumps({"caption": ["a", "b"], "negatives": ["c", "d"], "group": 7}).encode(),
        "1.png": b"", "1.txt": b"e",
        "2.png": b"", "2.json": json.dumps({"caption": "f", "group": 7}).encode(),
    }  # fmt: skip
    with tarfile.open(tmp_path / "s.tar", "w") as tar:
        for name, content in members.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    suite = read("captions", tmp_path / "s.tar")
    assert suite.groups.tolist() == [0, 1, 0]
    assert suite.negatives == ["c", "d", "", ""]
