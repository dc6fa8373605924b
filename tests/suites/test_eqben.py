import json

import numpy as np
import pytest

from eqlib.errors import InputError
from eqlib.suites import read
from eqlib.suites.eqben_scores import eqben_table


@pytest.fixture
def rows():
    """Two quads, shuffled: one of AG, one of YouCook2."""
    cells = [(q, c, i) for q in (0, 1) for c in (0, 1) for i in (0, 1)]
    subsets = ("eqbenag", "eqbenyoucook2")
    natural = [
        {
            "image": f"{subsets[q]}/v{q}/f{i}.{'png' if q == 0 else 'npy'}",
            "caption": f"caption {c} of {q}",
            "private_info": {"dataset": subsets[q], "name": f"c{c}i{i}", "sample_cnt": q},
        }
        for q, c, i in cells
    ]
    return [natural[k] for k in ORDER], [row["private_info"] for row in natural]


ORDER = [5, 0, 3, 6, 1, 7, 2, 4]
FILE = "ann_json_finegrained_random.json"


def write(folder, value, name=FILE):
    path = folder / name
    path.write_text(json.dumps(value))
    return path


def test_shuffled_annotation(tmp_path, rows):
    suite = read("eqben", write(tmp_path, rows[0]))
    assert suite.records.to_dict("records") == [
        {
            "quad": str(q),
            "subset": subset,
            "cluster": f"{subset}/v{q}",
            "image0": f"{subset}/v{q}/f0.{suffix}",
            "image1": f"{subset}/v{q}/f1.{suffix}",
            "caption0": f"caption 0 of {q}",
            "caption1": f"caption 1 of {q}",
        }
        for q, subset, suffix in ((0, "eqbenag", "png"), (1, "eqbenyoucook2", "npy"))
    ]
    assert suite.edition == "2 quads, png"


def test_older_annotation_finds_the_index_and_info_files_beside_it(tmp_path, rows):
    old = [{"image": row["image"], "caption": row["caption"]} for row in rows[0]]
    path = write(tmp_path, old)
    with pytest.raises(InputError, match=r"private_random_idx\.json"):
        read("eqben", path)
    write(tmp_path, ORDER, "private_random_idx.json")
    write(tmp_path, rows[1], "private_info.json")
    plain = tmp_path / "plain"
    plain.mkdir()
    with_info = read("eqben", write(plain, rows[0]))
    assert read("eqben", path).records.equals(with_info.records)


def test_quads_and_clusters_are_those_of_the_score_reader(golden_folder):
    folder = golden_folder / "eqben_scoring"
    suite = read("eqben", folder)
    table = eqben_table(folder / "prediction.npy", annotation=folder / FILE)
    assert len(suite) == 660
    for column in ("quad", "subset", "cluster"):
        assert suite.records[column].tolist() == table[column].tolist()
    assert suite.edition == table["edition"][0]


def test_per_subset_annotations(tmp_path):
    def record(folder, n, suffix="png"):
        return {
            "image0": f"{folder}/{n}a.{suffix}",
            "image1": f"{folder}/{n}b.{suffix}",
            "caption0": "x",
            "caption1": "y",
        }

    ag = record("eqbenag", 0) | {"caption0": ["first", "second"], "caption1": ["other"]}
    write(tmp_path, {"video1": {"door": [ag], "cup": [record("eqbenag", 1)]}}, "ag.json")
    write(tmp_path, {"video7": [record("eqbenyoucook2", 0, "npy"), record("eqbenyoucook2", 1, "npy")]}, "youcook2.json")
    write(tmp_path, [record("eqbenkubric_cnt", 0)], "kubric_cnt.json")
    suite = read("eqben", tmp_path)
    assert suite.counts() == {"eqbenag": 2, "eqbenkubric_cnt": 1, "eqbenyoucook2": 2}
    records = suite.records.set_index("quad")
    assert records.loc["eqbenag/0", "caption0"] == "first"
    assert records.loc["eqbenag/1", "cluster"] == records.loc["eqbenag/0", "cluster"] == "eqbenag/video1"
    assert records.loc["eqbenyoucook2/1", "cluster"] == "eqbenyoucook2/video7"
    assert read("eqben", tmp_path / "youcook2.json").counts() == {"eqbenyoucook2": 2}


def test_part_lists_and_the_light_edition(tmp_path):
    record = {"image0": "eqbensd/0/a.png", "image1": "eqbensd/0/b.png", "caption0": "x", "caption1": "y"}
    path = write(tmp_path, [record], "eqben_subset_10percent_final.json")
    assert read("eqben", path).edition == "10 %, 1 quads, png"
    (tmp_path / "eqbensd" / "0").mkdir(parents=True)
    (tmp_path / "eqbensd" / "0" / "a.jpg").touch()
    light = read("eqben", path)
    assert light.edition == "10 %, 1 quads, jpg"
    assert light.records["image1"][0] == "eqbensd/0/b.jpg"
    assert read("eqben", write(tmp_path, [record], "all_select.json")).edition.startswith("mini")


def change(rows, number, **fields):
    rows[number] = rows[number] | fields
    return rows


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda r: change(r, 2, caption=4), "row 2: expected text under 'caption'"),
        (lambda r: change(r, 2, image="../x.png"), "row 2: expected a path under its root"),
        (lambda r: change(r, 0, image=["x"]), "row 0: expected text under 'image'"),
        (lambda r: change(r, 7, image="eqbenyoucook2/other.npy"), "row .: expected the picture that quad 1 has"),
        (lambda r: change(r, 7, caption="another"), "row .: expected the caption that quad 1 has"),
        (lambda r: [*r, r[3]], "expected one row"),
        (lambda r: r[:-1], "expected one row"),
        (lambda r: change(r, 1, private_info={"dataset": "eqbenzz", "name": "c0i0", "sample_cnt": 0}), "row 1"),
        (lambda r: [*r[:4], 5, *r[5:]], "row 4"),
        (lambda r: [], "at least one"),
        (lambda r: [{**x, "image": x["image"].replace("eqbenag", "eqbensd")} for x in r], "a picture of eqbenag"),
    ],
)
def test_malformed_annotation(tmp_path, rows, damage, message):
    path = write(tmp_path, damage(rows[0]))
    with pytest.raises(InputError, match=message) as caught:
        read("eqben", path)
    assert str(path) in str(caught.value)


def test_truncated_annotation(tmp_path, rows):
    path = write(tmp_path, rows[0])
    path.write_text(path.read_text()[:-30])
    with pytest.raises(InputError, match="a whole JSON list"):
        read("eqben", path)


def test_unknown_subset_of_a_list(tmp_path):
    record = {"image0": "elsewhere/a.png", "image1": "elsewhere/b.png", "caption0": "x", "caption1": "y"}
    with pytest.raises(InputError, match="a folder of EqBen"):
        read("eqben", write(tmp_path, [record], "part.json"))


def test_scores_of_the_pictures_meet_the_submission(tmp_path, rows):
    """A score for each row of the annotation lands in the cell that the image-side records give it."""
    path = write(tmp_path, rows[0])
    value = {(row["image"], row["caption"]): float(n) for n, row in enumerate(rows[0])}
    np.save(tmp_path / "s.npy", np.arange(len(rows[0]), dtype=float))
    table = eqben_table(tmp_path / "s.npy", annotation=path)
    for record, scores in zip(read("eqben", path).records.to_dict("records"), table.to_dict("records"), strict=True):
        for i in (0, 1):
            for c in (0, 1):
                assert scores[f"s{i}{c}"] == value[record[f"image{i}"], record[f"caption{c}"]]
