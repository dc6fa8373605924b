"""Whole files, paths under their root, one error."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eqlib.errors import InputError
from eqlib.files import content_hash, made_here, read_json, under, whole, write_json


def test_a_block_that_raises_leaves_the_old_file(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")

    def fail():
        with whole(path) as draft:
            draft.write_text("half")
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]


def write_folder(folder, content, **asked):
    with whole(folder, **asked) as draft:
        draft.mkdir()
        (draft / content).write_text(content)


def test_a_folder_is_replaced_as_a_whole_where_that_is_asked_for(tmp_path):
    folder = tmp_path / "a"
    write_folder(folder, "one")
    write_folder(folder, "two", replace_folder=True)
    assert [p.name for p in folder.iterdir()] == ["two"]
    assert [p.name for p in tmp_path.iterdir()] == ["a"]


def test_no_folder_is_replaced_unasked(tmp_path):
    folder = tmp_path / "results.csv"
    write_folder(folder, "kept")
    with pytest.raises(InputError, match=r"results\.csv: expected a name that no folder has"), whole(folder):
        pytest.fail("the block must not start: its work would be lost")
    assert [p.name for p in folder.iterdir()] == ["kept"]
    assert [p.name for p in tmp_path.iterdir()] == ["results.csv"]


def test_a_folder_of_ours_is_empty_or_has_the_mark(tmp_path):
    assert made_here(tmp_path / "absent", "mark")
    assert made_here(tmp_path, "mark")
    (tmp_path / "letter.txt").touch()
    assert not made_here(tmp_path, "mark")
    (tmp_path / "mark").touch()
    assert made_here(tmp_path, "mark")


def test_json_is_stable_and_refuses_nan(tmp_path):
    write_json(tmp_path / "a.json", {"b": 1, "a": [0.1]})
    assert (tmp_path / "a.json").read_text() == '{\n "a": [\n  0.1\n ],\n "b": 1\n}\n'
    assert read_json(tmp_path / "a.json") == {"a": [0.1], "b": 1}
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "a.json", {"a": float("nan")})


def test_a_truncated_file_is_named(tmp_path):
    (tmp_path / "a.json").write_text('{"a": 1')
    with pytest.raises(InputError, match=r"a\.json: expected JSON"):
        read_json(tmp_path / "a.json")
    with pytest.raises(InputError, match=r"b\.json: expected a readable file"):
        read_json(tmp_path / "b.json")


@pytest.mark.parametrize("name", ["/etc/passwd", "../x.png", "a/../../x.png", "", None, 3, "a\\..\\x", "a\0b"])
def test_paths_that_leave_the_root_are_refused(tmp_path, name):
    with pytest.raises(InputError, match=r"set\.json, 7: expected"):
        under(tmp_path, name, where="set.json", row=7)


@given(st.text())
def test_whatever_is_accepted_stays_under_the_root(name):
    try:
        path = under("root", name)
    except InputError:
        return
    assert path.parts[0] == "root"
    assert ".." not in path.parts


def test_the_hash_of_files_is_the_hash_of_their_bytes(tmp_path):
    (tmp_path / "a").write_bytes(b"ab")
    (tmp_path / "b").write_bytes(b"c")
    # sha256 of b"abc", FIPS 180-2's example
    expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert content_hash([tmp_path / "a", tmp_path / "b"]) == expected
