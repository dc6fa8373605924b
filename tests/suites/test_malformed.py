"""Whatever is done to a file, a reader gives a suite or an InputError that names it: never another exception."""

import copy
import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from eqlib.errors import InputError
from eqlib.suites import READERS, read

QUAD = {"image0": "eqbensd/0/a.png", "image1": "eqbensd/0/b.png", "caption0": "one cup", "caption1": "two cups"}
FOIL = {"caption": "a dog", "foil": "a cat", "dataset": "coco", "linguistic_phenomena": "nouns", "image_file": "1.jpg"}
KARPATHY = {"filepath": "val", "filename": "1.jpg", "split": "test", "sentences": [{"raw": "a dog"}, {"raw": "dogs"}]}
NEAR = {"image0": "1.jpg", "image1": "2.jpg", "captions0": ["a", "b"], "captions1": ["c", "d"]}
AURORA = {"id": "ag_1", "source": "ag", "image0": "ag/V.mp4_1_left.jpg", "image1": "ag/V.mp4_1_right.jpg"}
CELLS = [
    {
        "image": f"eqbenag/v/{i}.png",
        "caption": f"caption {c}",
        "private_info": {"dataset": "eqbenag", "name": f"c{c}i{i}", "sample_cnt": 0},
    }
    for c in (0, 1)
    for i in (0, 1)
]
WINOGROUND = {"id": 0, "image_0": "ex_0_img_0", "image_1": "ex_0_img_1", "caption_0": "x", "caption_1": "y", "tag": "T"}

# reader: (file name, valid content, keys of a record that must be there)
VALID = {
    "eqben": ("ann.json", CELLS, ("image", "caption", "private_info")),
    "eqben list": ("part.json", [QUAD, QUAD], tuple(QUAD)),
    "eqben videos": ("ag.json", {"v": {"s": [QUAD]}}, tuple(QUAD)),
    "quads": ("q.json", [QUAD, QUAD], tuple(QUAD)),
    "quads lines": ("q.jsonl", [QUAD, QUAD], tuple(QUAD)),
    "winoground": ("examples.jsonl", [WINOGROUND], ("image_0", "image_1", "caption_0", "caption_1")),
    "valse": ("existence.json", {"a": FOIL | {"mturk": {"caption": 3}}}, (*FOIL, "mturk")),
    "sugarcrepe": (
        "swap_obj.json",
        {"7": {"filename": "1.jpg", "caption": "a dog", "negative_caption": "a cat"}},
        ("filename", "caption", "negative_caption"),
    ),
    "bivlc": (
        "b.json",
        [{"image": "1.jpg", "negative_image": "2.jpg", "caption": "x", "negative_caption": "y", "type": "add"}],
        ("image", "negative_image", "caption", "negative_caption"),
    ),
    "colorswap": (
        "c.json",
        [{"id": 1, "image_1": "1.jpg", "image_2": "2.jpg", "caption_1": "x", "caption_2": "y"}],
        ("image_1", "image_2", "caption_1", "caption_2"),
    ),
    "cola": ("cola.json", [["http://h/1.jpg", "x", "http://h/2.jpg", "y"]], ()),
    "captions karpathy": ("dataset.json", {"images": [KARPATHY]}, ("filename", "split", "sentences")),
    "captions lines": ("t.jsonl", [{"path": "1.jpg", "caption": "x"}], ("path", "caption")),
    "captions coco": (
        "captions.json",
        {"images": [{"id": 1, "file_name": "1.jpg"}], "annotations": [{"image_id": 1, "caption": "x"}]},
        ("id", "file_name", "image_id", "caption"),
    ),
    "captions list": ("list.json", [{"image": "1.jpg", "caption": ["x", "y"]}], ("image", "caption")),
    "eqlib.study.trials.aurora:read_aurora": (
        "pairs.json",
        [AURORA | {"caption0": "x", "caption1": "y"}],
        (*AURORA, "caption0", "caption1"),
    ),
    "eqlib.study.trials.near_session:read_near_session": ("near.json", [NEAR], tuple(NEAR)),
}
CASES = pytest.mark.parametrize("case", list(VALID))
ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


def write(folder, case, content):
    name = VALID[case][0]
    (folder / "dataset_x.json").write_text(
        json.dumps({"images": [{"filename": f"{n}.jpg", "filepath": "t", "split": "val"} for n in (1, 2)]})
    )
    lines = name.endswith(".jsonl") and isinstance(content, list)
    (folder / name).write_text("\n".join(map(json.dumps, content)) if lines else json.dumps(content))
    return folder / name


def spots(value, path=()):
    """Every place in a JSON value, as a path of keys."""
    yield path
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in children:
        yield from spots(child, (*path, key))


def replaced(content, spot, value):
    content = copy.deepcopy(content)
    if not spot:
        return value
    here = content
    for key in spot[:-1]:
        here = here[key]
    here[spot[-1]] = value
    return content


def read_or_refuse(case, folder, content):
    """The suite, or the InputError, which must name the file; any other exception fails the test."""
    answer = attempt(case, write(folder, case, content))
    assert not isinstance(answer, InputError) or str(folder) in str(answer.where)
    return answer


def attempt(case, path):
    try:
        return read(case.split()[0], path)
    except InputError as error:
        return error


def test_every_reader_is_here():
    assert {case.split()[0] for case in VALID if ":" not in case} == set(READERS)  # tars: test_shards.py


@CASES
def test_the_valid_content_is_read(tmp_path, case):
    assert len(read(case.split()[0], write(tmp_path, case, VALID[case][1]))) >= 1


@CASES
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_value_anywhere(tmp_path, case, data):
    content = VALID[case][1]
    spot = data.draw(st.sampled_from(list(spots(content))))
    read_or_refuse(case, tmp_path, replaced(content, spot, data.draw(ANY)))


@CASES
@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cut=st.floats(0, 1), noise=st.binary(max_size=4))
def test_cut_files(tmp_path, case, cut, noise):
    path = write(tmp_path, case, VALID[case][1])
    whole = path.read_bytes()
    path.write_bytes(whole[: int(cut * len(whole))] + noise)
    answer = attempt(case, path)
    assert not isinstance(answer, InputError) or str(tmp_path) in str(answer.where)


@CASES
def test_a_missing_key_is_named_with_its_row(tmp_path, case):
    content, needed = VALID[case][1:]
    places = [spot for spot in spots(content) if spot and spot[-1] in needed]
    assert {spot[-1] for spot in places} == set(needed)
    for spot in places:
        record = copy.deepcopy(content)
        here = record
        for key in spot[:-1]:
            here = here[key]
        del here[spot[-1]]
        error = read_or_refuse(case, tmp_path, record)
        assert isinstance(error, InputError), spot
        assert error.row is not None or spot[-1] == "private_info"


@CASES
@pytest.mark.parametrize("bad", ["/etc/passwd", "../secret.png", "a/../../b.png", "", None, 3, ["x.png"], "a\\b.png"])
def test_paths_stay_under_the_root(tmp_path, case, bad):
    content = VALID[case][1]
    keys = (
        "path",
        "image",
        "image0",
        "image1",
        "image_1",
        "image_2",
        "image_file",
        "filename",
        "file_name",
        "negative_image",
    )
    places = [spot for spot in spots(content) if spot and spot[-1] in keys]
    for spot in places:
        error = read_or_refuse(case, tmp_path, replaced(content, spot, bad))
        assert isinstance(error, InputError), (spot, bad)
        assert error.row is not None
