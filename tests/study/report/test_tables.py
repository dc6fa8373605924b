"""Tables: intervals everywhere, bold only where a test carries it."""

from __future__ import annotations

import io
from dataclasses import replace

import pandas as pd
import pytest

from eqlib.study.report.headline import cost
from eqlib.study.report.tables import (
    ablation_table,
    aspect_table,
    best,
    conformance_table,
    difference_table,
    kept_table,
    main_table,
    subset_table,
    suite_table,
    tables,
)
from eqlib.study.report.typeset import Cell, Table, latex, markdown, tex, write


def scores(study, **points):
    """``study`` with these group scores over all quads (method -> point)."""
    table = study.summary[(study.summary["subset"] == "micro") & (study.summary["score"] == "group")]
    table = table[table["method"].isin(points)]
    return replace(study, summary=table.assign(point=table["method"].map(points)))


def with_tests(study, *rows):
    """``study`` with these paired tests of the group score: (method, baseline, low, high, p)."""
    made = [
        {"suite": "test", "subset": "micro", "score": "group", "method": m, "baseline": b, "point": (low + high) / 2,
         "low": low, "high": high, "p_holm": p, "level": 0.95}
        for m, b, low, high, p in rows
    ]  # fmt: skip
    return replace(study, differences=pd.DataFrame(made))


def test_bold_needs_the_test(study):
    study = scores(study, pretrained=0.3, contrastive=0.4, eqsim=0.5)
    assert best(with_tests(study, ("eqsim", "contrastive", 0.05, 0.15, 0.01)), "test", "micro", "group") == "eqsim"
    assert best(with_tests(study, ("contrastive", "eqsim", -0.15, -0.05, 0.01)), "test", "micro", "group") == "eqsim"
    assert best(with_tests(study, ("eqsim", "contrastive", -0.01, 0.2, 0.06)), "test", "micro", "group") is None
    assert best(with_tests(study, ("eqsim", "pretrained", 0.1, 0.3, 0.001)), "test", "micro", "group") is None


def test_a_fine_tuned_method_below_the_pretrained_model_is_not_the_best(study):
    study = with_tests(
        scores(study, pretrained=0.6, contrastive=0.4, eqsim=0.5), ("eqsim", "contrastive", 0.05, 0.15, 0.01)
    )
    assert best(study, "test", "micro", "group") is None


def test_main_table_holds_the_summary(study):
    table = main_table(study)
    assert [row[0].text for row in table.rows] == ["Pretrained", "Contrastive", "EqSim"]
    group = study.summary.query("method == 'eqsim' and subset == 'micro' and score == 'group'").iloc[0]
    cell = table.rows[2][table.columns.index("Group")]
    assert cell.text == f"{100 * group['point']:.1f}"
    assert cell.small == f"[{100 * group['low']:.1f}, {100 * group['high']:.1f}]"


def test_every_cell_with_a_score_has_an_interval(study):
    for table in (main_table(study), subset_table(study)):
        assert all(cell.small.startswith("[") for row in table.rows for cell in row[1:])


def test_the_level_in_a_caption_is_the_one_of_the_tables(study):
    seen = replace(study, summary=study.summary.assign(level=0.9), differences=study.differences.assign(level=0.9))
    captions = {table.name: table.caption for table in tables(seen)}
    assert not [name for name, caption in captions.items() if "95 %" in caption or "0.05" in caption]
    with_intervals = ("main", "subsets", "suites", "equivariance", "differences")
    assert all("90 % intervals" in captions[name] for name in with_intervals)
    assert "Holm p < 0.1)" in captions["main"]


def test_a_cell_without_an_interval_says_so(study):
    bare = study.summary.assign(low=float("nan"), high=float("nan"))
    none = replace(study, summary=bare, differences=study.differences.assign(low=0.0, high=0.0, p_holm=float("nan")))
    for table in tables(none):
        assert not [cell for row in table.rows for cell in row if "nan" in f"{cell.text}{cell.small}"]
    assert main_table(none).rows[0][1].small == "no interval"
    point, p = difference_table(none).rows[0][3:]
    assert (point.small, point.bold, p.text, p.value) == ("no interval", False, "–", None)


def test_differences_have_one_row_a_subset_for_group_and_one_for_the_others(study):
    rows = [(row[1].text, row[2].text) for row in difference_table(study).rows]
    assert [part for score, part in rows if score == "Group"] == [
        "All quads",
        "attribute",
        "count",
        "location",
        "object",
    ]
    assert [part for score, part in rows if score == "Text"] == ["All quads"]


def test_what_is_kept_by_hand(study):
    """Recall with its interval, zero-shot accuracy from the ends of the path; a path without its ends has none."""
    ends = [("contrastive", 0, 0.6), ("contrastive", 1, 0.5), ("eqsim", 0, 0.6), ("eqsim", 1, 0.4), ("eqsim", 0.5, 0.9)]
    path = pd.DataFrame(ends, columns=["method", "alpha", "zero_shot_top1"])
    path = pd.concat([path.assign(seed=seed, zero_shot_top1=path["zero_shot_top1"] + 0.02 * seed) for seed in (0, 1)])
    table = kept_table(replace(study, path=path))
    assert table.columns == ["Method", "I→T R@1", "T→I R@1", "Zero-shot"]
    assert [(row[0].text, row[3].text, row[3].small) for row in table.rows] == [
        ("Pretrained", "61.0", "60.0 to 62.0"),
        ("Contrastive", "51.0", "50.0 to 52.0"),
        ("EqSim", "41.0", "40.0 to 42.0"),
    ]
    assert all(row[1].small.startswith("[") for row in table.rows)
    told = cost(replace(study, path=path))
    each = "Pretrained 61.0 % (60.0 to 62.0), Contrastive 51.0 % (50.0 to 52.0), EqSim 41.0 % (40.0 to 42.0)"
    assert told == f"Zero-shot accuracy (mean over 2 seeds, from the lowest to the highest): {each}."
    assert kept_table(replace(study, path=path[path["alpha"] == 0.5])).columns == table.columns[:3]


def test_aspects_of_a_mixed_subset_by_hand(study):
    """Attribute holds 20 colours and 10 sizes; the others one aspect each, and are not taken apart."""
    table = aspect_table(study)
    assert [[cell.text for cell in row[:2]] for row in table.rows] == [
        ["attribute: colour", "20"],
        ["attribute: size", "10"],
    ]
    quads = {record.quad for record in study.pictures().records.itertuples() if record.aspect == "size"}
    items = study.of()
    of = items[items["quad"].isin(quads) & (items["method"] == "eqsim") & (items["subset"] == "attribute")]
    cell = table.rows[1][-1]
    assert cell.text == f"{100 * of['group'].mean():.1f}"
    assert cell.small.startswith("[")
    assert aspect_table(replace(study, suites={})) is None


def test_every_suite_stands_with_its_own_scores(study):
    table = suite_table(study)
    assert [cell.text for row in table.rows for cell in row[:1]] == ["test"] * 4 + ["retrieval"] * 6
    queries = study.others["retrieval"]
    runs = queries[(queries["method"] == "eqsim") & (queries["subset"] == "image_retrieval")]
    assert table.rows[-2][1].text == "T→I R@5"
    assert table.rows[-2][-1].text == f"{100 * runs['R@5'].mean():.1f}"
    assert runs["seed"].nunique() == 3


def test_ablation_by_hand(study):
    tried = pd.DataFrame(
        [
            ("eqsim", "all pairs", 2.0, 0.30, 0.55),
            ("eqsim", "all pairs", 0.5, 0.25, 0.5),
            ("contrastive", None, None, 0.2, 0.45),
        ],
        columns=["method", "form", "weight", "val_group", "val_abs_a"],
    ).assign(seed=100, point=0.0, val_image_to_text_r1=0.6, val_text_to_image_r1=0.5)
    table = ablation_table(replace(study, selection=tried))
    assert table.columns == ["Method", "Form", "Weight", "Group", "I→T R@1", "T→I R@1", "|a|"]
    assert [[cell.text for cell in row] for row in table.rows] == [
        ["Contrastive", "–", "–", "20.0", "60.0", "50.0", "0.450"],
        ["EqSim", "all pairs", "0.5", "25.0", "60.0", "50.0", "0.500"],
        ["EqSim", "all pairs", "2", "30.0", "60.0", "50.0", "0.550"],
    ]
    assert table.caption.startswith("One seed on validation quads")
    assert "Tried: EqSim 2." in table.caption
    assert not any(cell.bold for row in table.rows for cell in row)
    assert ablation_table(replace(study, selection=None)) is None


def test_what_a_gain_costs_in_recall_stands_among_the_differences(study, with_recall):
    table = difference_table(with_recall)
    assert len(table.rows) == len(difference_table(study).rows) + 2
    lost, kept = table.rows[-2:]
    assert [cell.text for cell in lost] == ["EqSim", "I→T R@1", "retrieval", "−4.2", "0.004"]
    assert (lost[3].small, lost[3].bold, kept[1].text, kept[3].bold) == ("[−5.2, −3.2]", True, "T→I R@1", False)


def test_conformance_by_hand(study):
    met = pd.DataFrame(
        [("eqben", "eqbensd", "CLIP", "group", 77.5, 77.0, 78.0, 77.79, -0.29, 3.0, "within")],
        columns=["benchmark", "subset", "model", "metric", "ours", "low", "high", "published", "difference",
                 "tolerance", "verdict"],
    )  # fmt: skip
    [row] = conformance_table(replace(study, conformance=met)).rows
    assert [cell.text for cell in row] == [
        "eqben",
        "CLIP",
        "eqbensd",
        "group",
        "77.79",
        "77.50",
        "−0.29",
        "3",
        "within",
    ]
    assert row[5].small == "[77.0, 78.0]"
    assert conformance_table(replace(study, conformance=met.iloc[:0])) is None
    assert conformance_table(study) is None


SMALL = Table(
    "small",
    "A_title",
    "100 % of <all>",
    ["Method", "|a|"],
    [[Cell("EqSim"), Cell("1.0", "[−0.5, 2.0]", True, 1.0)], [Cell("a & b"), Cell("–")]],
    pd.DataFrame({"x": [1 / 3], "y": ["a,b"]}),
)


def test_latex_by_hand():
    text = latex(SMALL)
    assert r"Method & $|$a$|$ \\" in text
    assert r"EqSim & \textbf{1.0} {\scriptsize [$-$0.5, 2.0]} \\" in text
    assert r"a \& b & -- \\" in text
    assert r"\caption{A\_title. 100 \% of $<$all$>$}" in text
    assert text.index(r"\toprule") < text.index(r"\midrule") < text.index(r"\bottomrule")
    assert text.count("{") == text.count("}")


def test_markdown_by_hand():
    lines = markdown(SMALL).split("\n")
    assert lines[2] == r"| Method | \|a\| |"
    assert lines[4] == "| EqSim | **1.0** [−0.5, 2.0] |"


@pytest.mark.parametrize(
    ("plain", "escaped"), [("\\", r"\textbackslash{}"), ("50 % & $3", r"50 \% \& \$3"), ("→", r"$\to$")]
)
def test_latex_escapes(plain, escaped):
    assert tex(plain) == escaped


def test_files_are_the_same_bytes_twice_and_the_csv_holds_the_numbers(study, tmp_path):
    for turn in ("one", "two"):
        for table in tables(study):
            write(table, tmp_path / turn)
    files = {path.name: path.read_bytes() for path in sorted((tmp_path / "one").iterdir())}
    assert files == {path.name: path.read_bytes() for path in sorted((tmp_path / "two").iterdir())}
    assert {name.rpartition(".")[2] for name in files} == {"csv", "md", "tex", "json"}
    main = pd.read_csv(io.BytesIO(files["main.csv"]))
    row = main.query("method == 'eqsim' and subset == 'micro' and score == 'text'").iloc[0]
    expected = study.summary.query("method == 'eqsim' and subset == 'micro' and score == 'text'").iloc[0]
    assert row["point"] == pytest.approx(expected["point"], rel=1e-5)
