"""The committed scores give the figures that their authors print, and the chapter's statements follow from them."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest, norm

from eqlib.errors import InputError
from eqlib.quads import scores_of
from eqlib.scoring import matching, measure, tied
from eqlib.study.released import convert
from eqlib.study.released.read import (
    FILES,
    HERE,
    TRAJECTORY,
    decided,
    on_log_scale,
    ratio,
    read_released,
    with_outcomes,
)
from eqlib.study.released.systems import HEADS, TUNED, mean_paired, neighbours, overview, paired, shares
from eqlib.study.released.trajectory import LATE, endpoints, shrunk, trends, with_noise

EXPECTED = pd.read_csv(Path(__file__).with_name("expected.csv"), dtype=str)
"""What the two repositories print: text, as printed."""


@pytest.fixture(scope="module")
def winoground():
    return with_outcomes(on_log_scale(read_released("winoground")))


@pytest.fixture(scope="module")
def released(winoground):
    return winoground[winoground["family"] != TRAJECTORY]


@pytest.fixture(scope="module")
def logits(winoground):
    runs = winoground[winoground["family"] == TRAJECTORY].groupby("model")
    return np.stack([scores_of(run) for _, run in runs])


def same_as_printed(share, percent):
    """Whether ``percent`` is what ``share`` rounds to; authors round a half up or to even."""
    unit = 10 ** Decimal(percent).as_tuple().exponent
    return abs(100 * share - float(percent)) <= unit / 2 + 1e-9


def figures():
    wino = read_released("winoground")
    for model, part in wino.groupby("model", sort=False):
        names = ("text", "image", "group", "text_1way", "image_1way", "mean_1way")
        for name, value in measure(scores_of(part), names).items():
            yield "winoground", model, "all", name, value.mean()
    for model, part in read_released("valse").groupby("model", sort=False):
        right = part["s_caption"] > part["s_foil"]
        for subset, values in right.groupby(part["subset"]):
            yield "valse", model, subset, "accuracy", values.mean()
        yield "valse", model, "average", "accuracy", right.mean()  # over all items, not over the instruments
    for model, part in read_released("vsr").groupby("model", sort=False):
        yield "vsr", model, "overall", "accuracy", part["accuracy"].mean()


def test_every_printed_figure_is_equal():
    ours = {row[:4]: row[4] for row in figures()}
    assert len(EXPECTED) == 394
    missing, differ = [], []
    for row in EXPECTED.itertuples(index=False):
        share = ours.get(tuple(row[:4]))
        if share is None:
            missing.append(row)
        elif not same_as_printed(share, row.percent):
            differ.append((row, 100 * share))
    assert not missing
    assert not differ


def test_what_is_committed_is_small_open_and_says_where_it_is_from():
    files = sorted(HERE.glob("*.parquet"))
    assert sum(file.stat().st_size for file in files) < 8_000_000
    listed = convert.systems()
    assert {file.stem for file in files} == set(listed["benchmark"])
    assert {file.name for file in files} == set(FILES)
    for benchmark, rows in listed.groupby("benchmark"):
        table = read_released(benchmark)
        texts = table.drop(columns=["source", "commit", "method"]).select_dtypes(["object", "str"])
        assert max(texts[name].str.len().max() for name in texts) < 40  # names, no captions
        about = table[list(convert.ABOUT)].drop_duplicates().reset_index(drop=True)
        pd.testing.assert_frame_equal(about, rows[list(convert.ABOUT)].reset_index(drop=True), check_dtype=False)
    assert listed["commit"].str.fullmatch("[0-9a-f]{7,40}").all()


def test_a_licence_that_is_not_taken_stops_the_converter(tmp_path, monkeypatch):
    (tmp_path / "systems.csv").write_text(
        "benchmark,file,model,licence\nvsr,a.jsonl,A,MIT\nvsr,b.jsonl,B,CC-BY-NC-4.0\n"
    )
    monkeypatch.setattr(convert, "HERE", tmp_path)
    with pytest.raises(InputError, match=r"line 3.*CC-BY-NC"):
        convert.systems()


def test_the_converter_gives_the_committed_files(shared, tmp_path, monkeypatch):
    small = convert.systems().groupby("benchmark").head(2)
    monkeypatch.setattr(convert, "systems", lambda: small[~small["benchmark"].isin(["eqben", "colorswap"])])
    convert.convert(shared / "realdata/scores", tmp_path)
    monkeypatch.setattr("eqlib.study.released.read.HERE", tmp_path)
    for benchmark in ("winoground", "valse", "vsr", "bivlc", "sugarcrepe"):
        again = read_released(benchmark)
        whole = pd.read_parquet(HERE / f"{benchmark}.parquet")
        whole = whole[whole["model"].isin(again["model"].unique())].reset_index(drop=True)
        for name in set(again) - {"method", "cluster"}:
            assert (again[name].astype(str) == whole[name].astype(str)).all(), name


def test_decided_and_mirrored_by_hand():
    right, wrong, undecided, tie = (2, 0, 0, 2), (0, 2, 2, 0), (9, 7, 1, 0), (2, 2, 0, 2)
    scores = np.array([right, wrong, undecided, tie], dtype=float).reshape(-1, 2, 2)
    found = decided(scores)
    assert found["mirrored"].tolist() == [False, True, False, False]
    assert found["decided"].tolist() == [True, True, False, False]
    # undecided: I = 9 + 0 - 7 - 1 = 1, a = 9, b = -6; tie: I = 2, a = 0, b = -2
    assert ratio(scores).tolist() == [0, 0, 15, 1]
    assert ratio([[[1, 1], [1, 1]]]).tolist() == [np.inf]


def test_decided_asks_only_for_the_order(winoground):
    """On probabilities and on logits the same; the bound is the larger of the two main effects."""
    plain = read_released("winoground")
    for name, value in decided(scores_of(plain)).items():
        assert (value == winoground[name]).all()
    assert (matching(scores_of(plain))["group"] == matching(scores_of(winoground))["group"]).all()
    s = scores_of(winoground)
    a, b = s[:, 0, 0] - s[:, 1, 1], s[:, 1, 0] - s[:, 0, 1]
    picture, caption = s[:, 0].sum(1) - s[:, 1].sum(1), s[:, :, 0].sum(1) - s[:, :, 1].sum(1)
    assert np.abs(a) + np.abs(b) == pytest.approx(np.maximum(np.abs(picture), np.abs(caption)))


def test_pevl_saturates_and_no_logit_is_infinite(winoground):
    plain = read_released("winoground").query("model == 'PEVL grounding'")
    scores = scores_of(plain)
    assert int(tied(scores).sum()) == 67  # of the four comparisons one is a tie
    assert sum(len(set(quad.ravel())) < 4 for quad in scores) == 76  # two of the four scores are equal
    assert np.isfinite(winoground[["s00", "s01", "s10", "s11"]]).all(axis=None)


def test_pairs_of_systems(released):
    pairs = [("X-VLM 16M", "BLIP-2 ITM"), ("X-VLM 16M", "BLIP 14M")]
    found = paired(released, pairs, scores=("group",))
    assert found["point"].tolist() == pytest.approx([0.03, 0.0675])
    right = {
        model: part["group"].to_numpy()
        for model, part in released.assign(**matching(scores_of(released))).groupby("model")
    }
    exact = []
    for (ours, theirs), p in zip(pairs, found["p"], strict=True):
        won, lost = (right[ours] & ~right[theirs]).sum(), (right[theirs] & ~right[ours]).sum()
        assert p == pytest.approx(2 * norm.sf((won - lost) / np.sqrt(won + lost)), abs=0.02)  # McNemar's
        exact.append(binomtest(int(won), int(won + lost)).pvalue)
    assert exact == pytest.approx([0.17, 0.002], abs=0.005)  # as published beside these files
    assert found["p_holm"].iloc[1] == pytest.approx(2 * found["p"].iloc[1])


def test_neighbours_do_not_differ(released):
    found = overview(released)
    pairs = neighbours(found)
    assert len(pairs) == released["model"].nunique() - 1 == 48
    tests = paired(released, pairs, scores=("group",))
    assert (tests["point"] >= 0).all()
    assert (tests["p_holm"] > 0.05).all()


def test_fine_tuning_for_retrieval_moves_decided_and_not_match(released):
    tuned = mean_paired(released, TUNED).set_index("score")
    assert tuned.loc["group", "low"] > 0.02
    assert tuned.loc["group_match", "low"] < 0 < tuned.loc["group_match", "high"]
    heads = mean_paired(released, HEADS).set_index("score")
    assert heads.loc["group", "low"] > 0.04
    assert heads.loc["group_match", "low"] > 0.02
    # the mean of the pairs' own differences
    assert heads.loc["group", "point"] == pytest.approx(paired(released, HEADS, scores=("group",))["point"].mean())


def test_shares_sum_to_one(released):
    found = shares(overview(released)).set_index(["kind", "part"])["value"]
    assert found["share", "decided"] + found["share", "right among decided"] == pytest.approx(1)
    assert found["share", "group match"] + found["share", "group among matched"] == pytest.approx(1)
    assert found["R2", "both"] >= max(found["R2", "group match"], found["R2", "ratio"])


def test_the_trajectory(logits):
    """Counted by hand from the 30 files: group 7 of 400 in the first, 41 in the last."""
    group = matching(logits.reshape(-1, 2, 2))["group"].reshape(30, 400).sum(axis=1)
    assert group[[0, 29]].tolist() == [7, 41]
    found = endpoints(logits).set_index("name")
    assert found.loc["group", "early"] == pytest.approx(group[:5].sum() / 2000)
    assert found.loc["group", "late"] == pytest.approx(group[list(LATE)].sum() / 2000)
    factors = found["change"]
    assert factors["decided"] * factors["right among decided"] == pytest.approx(factors["group"])
    assert factors["group match"] * factors["group among matched"] == pytest.approx(factors["group"])
    assert (found["p_holm"].dropna() < 0.01).sum() == 3
    assert found.loc["mirrored, difference", "low"] < 0 < found.loc["mirrored, difference", "high"]


def test_noise_alone_is_not_mistaken_for_equivariance():
    """Scores with no right answer in them, drowned in ever less of what pictures and captions do alone: group and
    mirrored rise alike, and the endpoint that compares them says so. The same with a right answer does not."""
    rng = np.random.default_rng(1)
    sides = rng.normal(size=(400, 2, 1)) + rng.normal(size=(400, 1, 2))
    noise = rng.normal(size=(30, 400, 2, 2))
    size = np.linspace(4, 1, 30)[:, None, None, None]
    nothing = endpoints(size * sides + noise).set_index("name")
    assert nothing.loc["group", "change"] > 1.5
    assert nothing.loc["mirrored, difference", "low"] > 0
    assert nothing.loc["group - mirrored", "low"] < 0 < nothing.loc["group - mirrored", "high"]
    assert nothing.loc["group - noise", "low"] < 0 < nothing.loc["group - noise", "high"]
    learned = endpoints(size * sides + noise + np.eye(2)).set_index("name")
    assert learned.loc["group - mirrored", "low"] > 0
    assert learned.loc["group - noise", "low"] > 0


def test_nulls_reach_the_share_they_are_given(logits):
    for null in (with_noise, shrunk):
        found = null(logits[:2], 0.2)
        assert found["group"].mean() < 0.2
        assert (found["group"] + found["mirrored"]).mean() == pytest.approx(0.2, abs=0.005)
    assert with_noise(logits[:1], 0.2)["decided"].mean() == pytest.approx(0.2, abs=0.002)
    # a and b shrink by more than nothing: each checkpoint as it is decides fewer
    assert all(decided(scores)["decided"].mean() < 0.2 for scores in logits[:2])


def test_trends_are_weaker_from_epoch_to_epoch(winoground):
    found = trends(overview(winoground[winoground["family"] == TRAJECTORY])).set_index("with")
    assert found.loc["log ratio", "values"] < -0.8
    assert abs(found.loc["log ratio", "changes"]) < 0.4


def test_an_unknown_benchmark_is_named():
    with pytest.raises(InputError, match="winoground"):
        read_released("flickr")
