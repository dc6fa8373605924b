"""EqBen submissions, Winoground lines and published outcomes: any way to say which row is which; nothing slips by."""

from __future__ import annotations

import copy
import json
import random

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from eqlib.errors import InputError, UnclusteredWarning
from eqlib.quads import OFFICIAL_COLUMNS, SCORE_COLUMNS, scores_of
from eqlib.scoring import matching, summarise, tied
from eqlib.suites.eqben_scores import QUADS, eqben_table
from eqlib.suites.outcomes import bivlc_outcomes, colorswap_outcomes, sugarcrepe_outcomes
from eqlib.suites.score_lines import winoground_table

LAYOUT = {"subsets": [{"name": "eqbenag", "quads": 2}, {"name": "eqbensd", "quads": 1}]}
NAMES = ("c0i0", "c0i1", "c1i0", "c1i1")  # the order of the official private_info.json


class Submission:
    """A miniature EqBen on disk: three quads in two subsets, scores 0 .. 11 in natural order, shuffled."""

    def __init__(self, folder):
        self.folder = folder
        subsets = ["eqbenag", "eqbenag", "eqbensd"]
        natural = [
            {
                "image": f"{subset}/{'video' if subset == 'eqbenag' else quad}/frame{name[3]}.png",
                "caption": f"caption {name[1]} of {quad}",
                "private_info": {"dataset": subset, "name": name, "sample_cnt": quad},
            }
            for quad, subset in enumerate(subsets)
            for name in NAMES
        ]
        self.index = list(range(12))
        random.Random(0).shuffle(self.index)
        self.rows = [natural[place] for place in self.index]
        self.info = [row["private_info"] for row in natural]
        self.scores = np.array(self.index, dtype=np.float32)

    def write(self, **content):
        np.save(self.folder / "s.npy", content.get("scores", self.scores))
        for name in ("rows", "index", "info"):
            (self.folder / f"{name}.json").write_text(json.dumps(content.get(name, getattr(self, name))))
        return self

    def table(self, *given, **more):
        where = {"rows": "annotation", "index": "index", "info": "info"}
        files = {where[name]: self.folder / f"{name}.json" for name in given}
        return eqben_table(self.folder / "s.npy", **files, **more)


@pytest.fixture
def mini(tmp_path):
    return Submission(tmp_path).write()


@pytest.mark.filterwarnings("ignore::eqlib.errors.UnclusteredWarning")
@pytest.mark.parametrize("given", [("rows",), ("index", "info"), ("rows", "index", "info")])
def test_every_way_to_say_the_order(mini, given):
    table = mini.table(*given)
    # natural order is c0i0, c0i1, c1i0, c1i1: image 1 of caption 0 comes second
    assert scores_of(table).tolist() == [[[0, 2], [1, 3]], [[4, 6], [5, 7]], [[8, 10], [9, 11]]]
    assert table["subset"].tolist() == ["eqbenag", "eqbenag", "eqbensd"]
    assert table["quad"].tolist() == ["0", "1", "2"]
    if "rows" in given:
        assert table["cluster"].tolist() == ["eqbenag/video", "eqbenag/video", "eqbensd/2"]
        assert table["edition"].unique() == ["3 quads, png"]


def test_json_and_column_submissions(mini):
    expected = scores_of(mini.table("rows"))
    np.save(mini.folder / "s.npy", mini.scores[:, None])
    assert (scores_of(mini.table("rows")) == expected).all()
    (mini.folder / "s.json").write_text(json.dumps(mini.scores.tolist()))
    assert (scores_of(eqben_table(mini.folder / "s.json", annotation=mini.folder / "rows.json")) == expected).all()


@pytest.mark.filterwarnings("ignore::eqlib.errors.UnclusteredWarning")
def test_natural_order_with_a_layout(mini):
    (mini.folder / "layout.json").write_text(json.dumps(LAYOUT))
    np.save(mini.folder / "s.npy", np.arange(12.0).reshape(3, 4))
    table = eqben_table(mini.folder / "s.npy", layout=mini.folder / "layout.json", edition="order inferred")
    assert scores_of(table)[2].tolist() == [[8, 9], [10, 11]]
    assert OFFICIAL_COLUMNS[1] == "c1_i0"
    assert table["edition"].unique() == ["order inferred"]
    np.save(mini.folder / "s.npy", np.arange(12.0))
    with pytest.raises(InputError, match=r"s.npy: expected an array \(3, 4\)"):
        eqben_table(mini.folder / "s.npy", layout=mini.folder / "layout.json")


@pytest.fixture
def natural(mini):
    """The same miniature as an array in natural order, with its layout."""
    (mini.folder / "layout.json").write_text(json.dumps(LAYOUT))
    np.save(mini.folder / "natural.npy", mini.table("rows")[list(SCORE_COLUMNS)].to_numpy())
    return {"scores": mini.folder / "natural.npy", "layout": mini.folder / "layout.json"}


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("c.csv", "quad,cluster\n2,eqbensd/2\n0,eqbenag/video\n1,eqbenag/video\n9,of no quad here\n"),
        (
            "c.jsonl",
            '{"quad": 1, "cluster": "eqbenag/video"}\n{"quad": 0, "cluster": "eqbenag/video"}\n'
            '{"quad": 2, "cluster": "eqbensd/2"}',
        ),
    ],
)
def test_every_way_in_gives_the_same_table_with_the_clusters(mini, natural, name, content):
    clusters, rows = mini.folder / name, mini.folder / "rows.json"
    clusters.write_text(content)
    expected = mini.table("rows")
    assert expected["cluster"].tolist() == ["eqbenag/video", "eqbenag/video", "eqbensd/2"]
    bare = mini.write(rows=[{"image": row["image"]} for row in mini.rows])
    ways = [
        mini.table("index", "info", clusters=clusters),
        bare.table("rows", "index", "info"),
        eqben_table(**natural, clusters=clusters),
        eqben_table(**natural, annotation=rows, index=mini.folder / "index.json", info=mini.folder / "info.json"),
        eqben_table(**natural, annotation=mini.write().folder / "rows.json"),
    ]
    for table in ways:
        pd.testing.assert_frame_equal(table.assign(edition=""), expected.assign(edition=""))


def test_videos_without_clusters_are_said(mini, natural):
    for table in (lambda: mini.table("index", "info"), lambda: eqben_table(**natural)):
        with pytest.warns(UnclusteredWarning, match=r"eqbenag.*too narrow"):
            assert table()["cluster"].tolist() == ["0", "1", "2"]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("c.json", '["a", "b", "c"]', r"c\.json, row 0: expected a record"),
        ("c.csv", "quad,cluster\n0,a\n1,a\n", r"c\.csv: expected a cluster of quad '2', got none"),
        ("c.csv", "quad,cluster\n0,a\n1,\n2,a\n", r"c\.csv, row 1: expected the key 'cluster'"),
        (
            "c.csv",
            "quad,cluster\n0,a\n1,a\n1,b\n",
            r"c\.csv, row 2: expected each item and cell once, got 'cluster of item 1 again'",
        ),
    ],
)
def test_bad_clusters_are_refused(mini, name, content, message):
    (mini.folder / name).write_text(content)
    with pytest.raises(InputError, match=message):
        mini.table("index", "info", clusters=mini.folder / name)


def test_a_layout_and_an_annotation_that_disagree_are_refused(mini, natural):
    other = {"subsets": [{"name": "eqbenag", "quads": 1}, {"name": "eqbensd", "quads": 2}]}
    (mini.folder / "layout.json").write_text(json.dumps(other))
    with pytest.raises(InputError, match=r"layout\.json: expected the subsets of rows\.json"):
        eqben_table(**natural, annotation=mini.folder / "rows.json")


def test_an_older_copy_asks_for_its_index(mini):
    mini.write(rows=[{"image": row["image"], "caption": row["caption"]} for row in mini.rows])
    with pytest.raises(InputError, match="private_info in each row, or index and info"):
        mini.table("rows")
    assert len(mini.table("rows", "index", "info")) == 3


SPOILED_SCORES = [
    (np.arange(11.0), "expected 12 scores"),
    (np.arange(13.0), "expected 12 scores"),
    (np.r_[np.arange(11.0), np.nan], "row 11"),
    (np.array(["a"] * 12), "array of numbers"),
    (np.zeros((12, 2)), "expected 12 scores"),
    (np.zeros(0), "array of numbers"),
]


@pytest.mark.parametrize(("scores", "message"), SPOILED_SCORES)
def test_bad_score_files(mini, scores, message):
    mini.write(scores=scores)
    with pytest.raises(InputError, match=message):
        mini.table("rows")


def test_pickles_and_truncated_arrays_are_refused(mini):
    np.save(mini.folder / "s.npy", np.array([{"a": 1}] * 12), allow_pickle=True)
    with pytest.raises(InputError, match="not pickled"):
        mini.table("rows")
    np.save(mini.folder / "s.npy", mini.scores)
    data = (mini.folder / "s.npy").read_bytes()
    (mini.folder / "s.npy").write_bytes(data[:-7])
    with pytest.raises(InputError, match=r"s\.npy"):
        mini.table("rows")


@pytest.mark.parametrize("cut", [0, 1, 20, 150, -1, -30])
def test_a_truncated_annotation_is_refused(mini, cut):
    text = (mini.folder / "rows.json").read_text()
    (mini.folder / "rows.json").write_text(text[:cut])
    with pytest.raises(InputError, match=r"rows\.json"):
        mini.table("rows")


@pytest.mark.parametrize("spoil", [[0] * 12, list(range(11)), list(range(1, 13)), [0.5] * 12, {"a": 1}])
def test_a_bad_index_is_refused(mini, spoil):
    mini.write(index=spoil)
    with pytest.raises(InputError, match=r"index\.json"):
        mini.table("index", "info")


def test_duplicate_and_missing_cells_are_named(mini):
    rows = copy.deepcopy(mini.rows)
    first = next(n for n, row in enumerate(rows) if row["private_info"] == {**mini.info[2], "name": "c1i0"})
    rows.append(copy.deepcopy(rows[first]))
    mini.write(rows=rows)
    with pytest.raises(InputError, match=r"rows\.json, row 12: expected one row c1i0 of quad 0, got 2"):
        mini.table("rows")
    del rows[12], rows[first]
    mini.write(rows=rows)
    with pytest.raises(InputError, match="expected one row c1i0 of quad 0, got none"):
        mini.table("rows")


def test_a_quad_in_two_subsets_is_named(mini):
    rows = copy.deepcopy(mini.rows)
    rows[5]["private_info"]["dataset"] = "eqbengebc"
    mini.write(rows=rows)
    with pytest.raises(InputError, match=r"subset .* as in the other rows of quad"):
        mini.table("rows")


junk = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 10**30) | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=4,
)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 11), st.sampled_from(["row", "image", "private_info", "dataset", "name", "sample_cnt"]), junk)
def test_any_spoiled_field_is_an_input_error_naming_the_row(mini, number, field, value):
    """A junk value either is the right one by luck or raises InputError with file (and, but for counts, row)."""
    rows = copy.deepcopy(mini.rows)
    if field == "row":
        rows[number] = value
    elif field in rows[number]:
        rows[number][field] = value
    else:
        rows[number]["private_info"][field] = value
    mini.write(rows=rows)
    whole = mini.rows[number]
    if field == "image" and isinstance(value, str):
        return  # scores need no picture: only its folder is used
    if field in whole["private_info"] and value == whole["private_info"][field] and type(value) is not bool:
        return
    with pytest.raises(InputError) as caught:
        mini.table("rows")
    assert "rows.json" in str(caught.value)
    parser = any(own in str(caught.value) for own in ("of 64 bits", "no finite number"))  # before the row is there
    if field in ("row", "image", "dataset", "name") and not parser:
        assert "row " in str(caught.value)


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=60))
def test_any_bytes_are_refused_as_annotation_scores_and_lines(mini, content):
    for name, read in (
        ("rows.json", lambda: mini.table("rows")),
        ("s.npy", lambda: mini.table("rows")),
        ("lines.jsonl", lambda: winoground_table(mini.folder / "lines.jsonl")),
    ):
        mini.write()
        (mini.folder / name).write_bytes(content)
        with pytest.raises(InputError):
            read()


def test_golden_by_every_way(golden_folder, tmp_path):
    golden = golden_folder / "eqben_scoring"
    files = {
        "annotation": golden / "ann_json_finegrained_random.json",
        "index": golden / "private_random_idx.json",
        "info": golden / "private_info.json",
    }
    ways = (("annotation",), ("index", "info"), ("annotation", "index", "info"))
    with pytest.warns(UnclusteredWarning, match="eqbenag, eqbengebc, eqbenyoucook2 are cut from videos"):
        tables = [eqben_table(golden / "prediction.npy", **{name: files[name] for name in way}) for way in ways]
    for table in tables:
        assert (scores_of(table) == scores_of(tables[0])).all()
        assert table["subset"].equals(tables[0]["subset"])
    expected = json.loads((golden / "expected.json").read_text())["subsets"]
    right = matching(scores_of(tables[0]))
    for subset, figures in expected.items():
        inside = (tables[0]["subset"] == subset).to_numpy()
        assert {score: right[score][inside].mean() for score in figures} == figures
    tables[0].to_csv(tmp_path / "items.csv", index=False)
    known = eqben_table(golden / "prediction.npy", **{n: files[n] for n in ways[1]}, clusters=tmp_path / "items.csv")
    of = {"scores": ("group",)}
    assert summarise(known, **of)[["low", "high"]].equals(summarise(tables[0], **of)[["low", "high"]])


def test_winoground_systems(shared):
    """All 35 systems, all six columns (rounded to two digits upstream)."""
    folder = shared / "realdata/scores/winoground"
    expected = json.loads((folder / "expected.json").read_text())
    assert len(expected) == 35
    for system, figures in expected.items():
        table = winoground_table(folder / f"{system}.jsonl")
        assert table["edition"].unique() == ["400 items"]
        points = summarise(table, scores=tuple(figures)).query("subset == 'all'")
        got = (100 * points.set_index("score")["point"]).to_dict()
        assert got == pytest.approx(figures, abs=0.0051), system


@pytest.mark.filterwarnings("ignore::eqlib.errors.UnclusteredWarning")
@pytest.mark.parametrize(
    ("file", "ties"),
    [("clip_vitb32_openai_fp16", 4665), ("negclip_vitb32_fp32", None), ("official_example_fp32", None)],
)
def test_full_size_eqben(shared, file, ties):
    """Order inferred upstream: within 5 points of the published rows, and the float16 ties counted."""
    folder = shared / "realdata/scores/eqben"
    table = eqben_table(folder / f"{file}.npy", layout=folder / "layout.json")
    assert table["subset"].value_counts().to_dict() == QUADS
    assert table["edition"].unique() == ["full"]
    right = matching(scores_of(table))
    assert 0 < right["group"].mean() < right["text"].mean() < 1
    if ties is not None:
        assert tied(scores_of(table)).sum() == ties


def test_bivlc_and_sugarcrepe_as_published(shared):
    folder = shared / "realdata/scores/bivlc"
    for file, figures in {
        "BiVLC_ViT-B-32.csv": {"text": 75.83, "image": 52.40, "group": 49.06},
        "BiVLC_CLIP_COCO.csv": {"text": 82.75, "image": 63.89, "group": 60.96},
    }.items():
        table = bivlc_outcomes(folder / file)
        assert len(table) == 2933
        assert (100 * table[list(figures)].mean()).to_dict() == pytest.approx(figures, abs=0.0051)
    table = sugarcrepe_outcomes(folder / "SUGARCREPE_CORRECT_ViT-B-32.csv")
    published = {"replace_obj": 90.92, "replace_att": 80.08, "replace_rel": 69.2, "swap_obj": 61.38}
    published |= {"swap_att": 63.96, "add_obj": 77.21, "add_att": 68.79}
    assert (100 * table.groupby("subset")["pairwise"].mean()).to_dict() == pytest.approx(published, abs=0.0051)


def test_colorswap_as_published(shared):
    """GPT-4V as the official vlm_eval.py prints it: 91.33, 76.33, 72.00."""
    folder = shared / "realdata/scores/colorswap"
    table = colorswap_outcomes(folder / "text-gpt4v-colorswap.json", folder / "image-gpt4v-colorswap.json")
    means = (100 * table[["text", "image", "group"]].mean()).to_dict()
    assert means == pytest.approx({"text": 91.33, "image": 76.33, "group": 72.0}, abs=0.0051)


def test_colorswap_answers_in_words(tmp_path):
    ask = "Does this image present (A) a red cup on a blue tray, or (B) a blue cup on a red tray? Note, choose"
    log = {"correct_answer": "A"}

    def item(number, answer):
        names = {f"response_image_{k}": answer for k in (1, 2)} | {f"prompt_image_{k}": ask for k in (1, 2)}
        return {"id": number, **names, "log_1": log, "log_2": log}

    said = ["(A)", "B) a blue cup", "A red cup on a blue tray.", "Option (A)", "a blue cup on the red tray", "I can't"]
    (tmp_path / "t.json").write_text(json.dumps([item(n, answer) for n, answer in enumerate(said)]))
    image = [
        {
            "id": n,
            **{f"{word}_caption_{k}": "the first image" for word in ("response", "prompt") for k in (1, 2)},
            **{f"log_{k}": {"correct_answer": "first"} for k in (1, 2)},
        }
        for n in range(len(said))
    ]
    (tmp_path / "i.json").write_text(json.dumps(image))
    table = colorswap_outcomes(tmp_path / "t.json", tmp_path / "i.json")
    assert table["text"].tolist() == [True, False, True, True, False, False]
    assert table["group"].equals(table["text"])
    (tmp_path / "i.json").write_text(json.dumps(image[:-1]))
    with pytest.raises(InputError, match="expected image of item 5, got none"):
        colorswap_outcomes(tmp_path / "t.json", tmp_path / "i.json")
