"""Our figures beside published ones."""

from __future__ import annotations

import pandas as pd
import pytest

from eqlib.errors import InputError
from eqlib.scoring import summarise
from eqlib.study.released.published import COLUMNS, conformance, published, verdict
from eqlib.suites.outcomes import bivlc_outcomes, sugarcrepe_outcomes
from eqlib.suites.score_lines import winoground_table


def test_published_table_is_whole():
    table = published()
    assert set(table["benchmark"]) >= {"winoground", "eqben", "sugarcrepe", "valse", "bivlc", "flickr30k", "mscoco"}
    assert table["value"].between(0, 100).all()
    assert table["source"].str.len().min() > 10
    assert not table.duplicated(["benchmark", "subset", "model", "metric", "edition", "source"]).any()


@pytest.mark.parametrize(
    ("difference", "tolerance", "editions", "expected"),
    [
        (0.005, 0.0, ("x", ""), "equal"),
        (-0.006, 0.0, ("x", ""), "differs"),
        (-0.4, 0.5, ("full, png", "full"), "within"),
        (0.6, 0.5, ("full", "20k cap"), "differs, other edition"),
    ],
)
def test_verdicts(difference, tolerance, editions, expected):
    assert verdict(difference, tolerance, *editions) == expected


def test_a_figure_is_rounded_to_its_own_last_digit(tmp_path):
    """30.75 is what 30.8 was rounded from, and not what 30.80 was."""
    rows = [f"winoground,all,M{digits},text,{digits},,a paper," for digits in ("30.8", "30.80", "31", "30.750")]
    (tmp_path / "p.csv").write_text("\n".join([",".join(COLUMNS), *rows]))
    figures = published(tmp_path / "p.csv")
    assert figures["value"].tolist() == [30.8, 30.8, 31, 30.75]
    assert figures["rounding"].tolist() == pytest.approx([0.05, 0.005, 0.5, 0.0005])
    summary = pd.DataFrame({"suite": ["winoground"], "edition": "e", "subset": "all", "score": "text"})
    summary = summary.assign(point=0.3075, low=0.0, high=1.0)
    verdicts = [conformance(summary, figures, model=model)["verdict"].item() for model in figures["model"]]
    assert verdicts == ["equal", "differs", "equal", "equal"]


def test_rows_meet_by_suite_subset_and_metric():
    summary = pd.DataFrame(
        {"suite": "bivlc", "edition": "e", "subset": ["swap_att", "swap_obj", "micro"], "score": "text"}
    ).assign(point=[0.1, 0.2, 0.7583], low=0.0, high=1.0)
    other = pd.DataFrame([["bivlc", "all", "M", "I2T", 75.83, "", "a paper", ""]], columns=COLUMNS)
    rows = conformance(summary, other, model="M")
    assert rows[["subset", "metric", "verdict"]].values.tolist() == [["all", "I2T", "equal"]]
    assert conformance(summary, other, model="another").empty


def test_bad_published_table_names_the_line(tmp_path):
    (tmp_path / "p.csv").write_text(",".join(COLUMNS) + "\nwinoground,all,M,text,many,,a paper,\n")
    with pytest.raises(InputError, match="line 2"):
        published(tmp_path / "p.csv")


def test_real_files_conform(shared):
    folder = shared / "realdata/scores"
    for table, scores, model, count in (
        (winoground_table(folder / "winoground/flava_itc.jsonl"), ("text", "image", "group"), "FLAVA ITC", 3),
        (bivlc_outcomes(folder / "bivlc/BiVLC_ViT-B-32.csv"), ("text", "image", "group"), "CLIP ViT-B/32 openai", 3),
        (
            sugarcrepe_outcomes(folder / "bivlc/SUGARCREPE_CORRECT_ViT-B-32.csv"),
            ("pairwise",),
            "CLIP ViT-B/32 openai",
            7,
        ),
    ):
        rows = conformance(summarise(table, scores=scores), published(), model=model)
        assert len(rows) == count
        assert set(rows["verdict"]) == {"equal"}
