"""Reading the study: exactly the runs that were asked for, and what is absent stays absent."""

from __future__ import annotations

import shutil

import numpy as np
import pandas as pd
import pytest

from eqlib.errors import InputError
from eqlib.study.report.study import is_average, part_label, parts, read_study, with_measures
from eqlib.suites.quadfile import read_quads


def test_runs_of_an_earlier_setting_are_not_read(folder, tmp_path):
    """finetune/ keeps what an earlier params.yaml trained; the tables of compare say what the study is."""
    shutil.copytree(folder, tmp_path / "study")
    items = pd.read_parquet(folder / "compare" / "items" / "test.parquet")
    kept = items[(items["method"] == "pretrained") | ((items["method"] == "eqsim") & (items["seed"] > 0))]
    kept.to_parquet(tmp_path / "study" / "compare" / "items" / "test.parquet")
    study = read_study(tmp_path / "study" / "compare", finetune=tmp_path / "study" / "finetune")
    assert study.methods == ["pretrained", "eqsim"]
    assert study.seeds == [1, 2]
    assert set(study.histories["method"]) == {"eqsim"}
    assert set(study.histories["seed"]) == {1, 2}


def test_a_missing_or_damaged_table_is_named(folder, tmp_path):
    with pytest.raises(InputError, match="items: expected score tables of quads, got none"):
        read_study(tmp_path)
    (tmp_path / "items").mkdir()
    (tmp_path / "items" / "test.parquet").write_bytes(
        (folder / "compare" / "items" / "test.parquet").read_bytes()[:-50]
    )
    with pytest.raises(InputError, match=r"test\.parquet"):
        read_study(tmp_path)


def test_a_table_that_does_not_say_its_level_is_named(folder, tmp_path):
    shutil.copytree(folder / "compare", tmp_path, dirs_exist_ok=True)
    pd.read_csv(tmp_path / "summary.csv").drop(columns="level").to_csv(tmp_path / "summary.csv", index=False)
    with pytest.raises(InputError, match=r"level.*summary\.csv|summary\.csv.*level"):
        read_study(tmp_path)


def test_p_values_of_the_endpoint_are_those_over_the_methods(folder, tmp_path):
    shutil.copytree(folder / "compare", tmp_path, dirs_exist_ok=True)
    keys = {"suite": "test", "subset": "micro", "method": "eqsim", "baseline": "contrastive"}
    ends = [keys | {"score": score, "role": role, "p_adjusted": p}
            for score, role, p in (("group", "primary", 0.04), ("text", "secondary", 0.6))]  # fmt: skip
    pd.DataFrame(ends).to_csv(tmp_path / "endpoints.csv", index=False)
    found = read_study(tmp_path).differences
    before = read_study(folder / "compare").differences
    of = found.query("subset == 'micro' and method == 'eqsim' and baseline == 'contrastive'").set_index("score")
    assert of.loc[["group", "text"], "p_holm"].tolist() == [0.04, 0.6]
    assert of.loc["group", "role"] == "primary"
    rest = found["role"].isna()
    assert found.loc[rest, "p_holm"].equals(before.loc[rest, "p_holm"])


def test_roles(study):
    assert study.level == 0.95
    assert (study.main, study.baseline, study.treatment) == ("test", "contrastive", "eqsim")
    assert study.before == ["pretrained", "contrastive"]


def test_the_headline_is_not_about_validation(folder, tmp_path):
    items = pd.read_parquet(folder / "compare" / "items" / "test.parquet")
    both = pd.concat([items.assign(suite="watched"), items.assign(suite="held_out")[items["quad"] < "q5"]])
    for name in ("summary.csv", "differences.csv"):
        (tmp_path / name).write_bytes((folder / "compare" / name).read_bytes())
    (tmp_path / "items").mkdir()
    both.to_parquet(tmp_path / "items" / "test.parquet")
    assert read_study(tmp_path, validation="watched").main == "held_out"
    assert read_study(tmp_path).main == "watched"  # the larger


def test_pictures_of_other_quads_are_not_shown(folder, tmp_path, caplog):
    suite = read_quads(folder / "data" / "quads" / "test.json")
    fewer = type(suite)(suite.name, suite.edition, suite.digest, suite.root, suite.records.iloc[3:])
    assert read_study(folder / "compare", suites={"test": suite}).pictures() is not None
    with caplog.at_level("WARNING"):
        assert read_study(folder / "compare", suites={"test": fewer}).pictures() is None
    assert "3 scored items" in caplog.text


def test_measures_by_hand():
    # s00 = 5, s01 = 1, s10 = 3, s11 = 4: a = 1, b = 2, I = 5
    table = with_measures(pd.DataFrame({"s00": [5.0], "s01": [1.0], "s10": [3.0], "s11": [4.0]}))
    row = table.iloc[0]
    assert (row["a"], row["b"], row["I"]) == (1, 2, 5)
    assert row["text"]
    assert row["image"]
    assert row["group"]


def test_parts_of_a_table():
    table = pd.DataFrame({"subset": ["b", "a", "micro", "macro2"]})
    assert parts(table) == ["micro", "a", "b"]
    assert parts(pd.DataFrame({"subset": ["all", "micro"]})) == ["micro"]
    assert [is_average(name) for name in ("micro", "macro7", "macro", "macros", "all")] == [
        True,
        True,
        True,
        False,
        False,
    ]
    assert [part_label(name) for name in ("macro", "macro5")] == ["Mean of subsets", "Mean of 5 subsets"]


def test_gap_between_score_and_match_is_the_headroom(study):
    """The columns that figures use agree with the summary that compare wrote."""
    items = study.of()
    for method in study.methods:
        of = items[items["method"] == method]
        rows = study.summary[(study.summary["method"] == method) & (study.summary["subset"] == "micro")]
        points = rows.set_index("score")["point"]
        assert np.isclose(of["group"].mean(), points["group"])
        assert np.isclose((of["group_match"] & ~of["group"]).mean(), points["headroom"])
