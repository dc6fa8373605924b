"""Intervals and tests against numbers from the literature, slow loops and exact formulas."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eqlib.errors import InputError
from eqlib.quads import score_table
from eqlib.scoring import averages, compare, holm, matching, mcnemar_exact, summarise, wilson
from eqlib.scoring import resampling as resampling_module
from eqlib.scoring.inference import SeedLevel, seed_level, t_interval
from eqlib.scoring.resampling import cluster_sums, resampled_sums


def quads(rng, n, right=0.5):
    """Random quads of which about ``right`` have a right group."""
    scores = rng.normal(size=(n, 2, 2))
    scores[rng.random(n) < right] += 9 * np.eye(2)
    return scores


def test_wilson_and_mcnemar_by_hand():
    assert wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=1e-4)  # Newcombe 1998, table I, method 3
    assert mcnemar_exact([1] * 8 + [0] * 2, [0] * 8 + [1] * 2) == pytest.approx(2 * (1 + 10 + 45) / 2**10)
    assert mcnemar_exact([1, 0], [1, 0]) == 1


def test_holm_by_hand():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([]).shape == (0,)


@given(st.integers(1, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))), st.floats(0.5, 0.999))
def test_wilson_is_that_of_scipy(counts, level):
    from scipy.stats import binomtest

    expected = binomtest(*counts).proportion_ci(level, method="wilson")
    assert wilson(*counts, level) == pytest.approx((expected.low, expected.high), abs=1e-9)


@settings(max_examples=20, deadline=None)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=9))
def test_holm_is_that_of_statsmodels(p):
    from statsmodels.stats.multitest import multipletests

    assert holm(p) == pytest.approx(multipletests(p, method="holm")[1])


def test_averages_of_eqben():
    subsets = ["eqbenag", "eqbenyoucook2", "eqbengebc", "eqbenkubric_loc", "eqbenkubric_cnt", "eqbenkubric_attr"]
    rows = averages([*subsets, "eqbensd"])
    assert list(rows) == ["micro", "macro7", "macro5"]
    assert rows["macro5"] == pytest.approx([1 / 5, 1 / 5, 1 / 5, 1 / 15, 1 / 15, 1 / 15, 1 / 5])
    assert list(averages(["eqbenag", "eqbensd"])) == ["micro", "macro2"]
    assert list(averages(["all"])) == ["micro"]


def test_only_eqben_has_its_averages():
    kinds = ["add_att", "add_obj", "replace_att", "replace_obj", "replace_rel", "swap_att", "swap_obj"]
    assert list(averages(kinds)) == ["micro", "macro"]
    assert averages(kinds)["macro"] == pytest.approx([1 / 7] * 7)


def test_published_averages_of_one_model():
    """The figures quoted for CLIP ViT-B/32 group follow from its seven rows (vl_compo; 20k cap for the two largest)."""
    group = {"eqbenag": 3.04, "eqbenyoucook2": 37.34, "eqbengebc": 4.52, "eqbenkubric_loc": 1.0}
    group |= {"eqbenkubric_cnt": 6.1, "eqbenkubric_attr": 22.2, "eqbensd": 77.792}
    rows = averages(list(group))
    assert rows["macro7"] @ list(group.values()) == pytest.approx(21.71, abs=0.01)
    assert rows["macro5"] @ list(group.values()) == pytest.approx(26.49, abs=0.01)


@pytest.mark.parametrize("kind", ["few distinct rows", "blocks", "normal limit"])
def test_resampled_sums_have_the_moments_of_a_bootstrap(kind, monkeypatch):
    """Mean G * mean(row), covariance G * cov(row): exact for any bootstrap of sums, whichever way it is drawn."""
    rng = np.random.default_rng(1)
    rows = rng.integers(0, 2, size=(400, 3)) if kind == "few distinct rows" else rng.gamma(2, size=(400, 3))
    if kind == "normal limit":
        monkeypatch.setattr(resampling_module, "NORMAL_ABOVE", 100)
    drawn = resampled_sums(rows.astype(float), 20_000, rng)
    assert drawn.mean(axis=0) == pytest.approx(rows.sum(axis=0), rel=0.01)
    assert np.cov(drawn, rowvar=False) == pytest.approx(400 * np.cov(rows, rowvar=False, bias=True), rel=0.1, abs=20)


def test_clusters_are_drawn_whole():
    sums = cluster_sums(np.array([[1.0], [2.0], [3.0], [4.0]]), np.array([1, 0, 1, 0]))
    assert sums.tolist() == [[6], [4]]
    drawn = resampled_sums(sums + 0.5, 500, np.random.default_rng(0))
    assert set(np.unique(drawn)) == {9.0, 11.0, 13.0}


def test_seed_level_takes_out_what_the_quads_add():
    """Means of three seeds over 200 quads: own variance 0.01 a seed, noise of the quads 1/200 a seed."""
    rng, own = np.random.default_rng(0), []
    for _ in range(400):
        values = rng.normal(size=(3, 200)) + 0.1 * rng.normal(size=(3, 1))
        drawn = resampled_sums(values.T, 200, rng) / 200
        own.append(seed_level(values.mean(axis=1), drawn))
    assert np.mean([part.between for part in own]) == pytest.approx((0.01 + 1 / 200) / 3, rel=0.15)
    assert np.mean([part.own for part in own]) == pytest.approx(0.01 / 3, rel=0.25)  # cut at 0: a little above


def test_t_interval_by_hand():
    """One seed level alone is the textbook t: three values 1, 2, 3 have mean 2, standard error 0.577, 2 df."""
    low, high, p = t_interval(2.0, 0.0, 1, [SeedLevel(1 / 3, 1 / 3, 3)])
    assert (low, high) == pytest.approx((2 - 4.3027 * 0.57735, 2 + 4.3027 * 0.57735), abs=1e-3)
    assert p == pytest.approx(0.0742, abs=1e-4)
    low, high, _ = t_interval(0.0, 1.0, 10**6, [])
    assert high == pytest.approx(1.96, abs=1e-3)


def test_summary_points_equal_plain_means():
    rng = np.random.default_rng(0)
    scores, subset = quads(rng, 90), np.repeat(["a", "b", "c"], [10, 30, 50])
    summary = summarise(score_table(scores, suite="s", edition="e", subset=subset), resamples=200)
    point = summary.set_index(["subset", "score"])["point"]
    for name, right in matching(scores).items():
        parts = [right[subset == part].mean() for part in "abc"]
        assert [point[part, name] for part in "abc"] == pytest.approx(parts)
        assert point["micro", name] == pytest.approx(right.mean())
        assert point["macro", name] == pytest.approx(np.mean(parts))
    assert point["micro", "headroom"] == pytest.approx(point["micro", "group_match"] - point["micro", "group"])
    assert ((summary["low"] <= summary["point"]) & (summary["point"] <= summary["high"])).all()


def test_clusters_widen_an_interval_by_the_known_factor():
    """Twenty identical quads a cluster carry the information of one: the interval is sqrt(20) times wider."""
    rng = np.random.default_rng(0)
    scores = np.repeat(quads(rng, 150), 20, axis=0)
    wide = score_table(scores, suite="s", edition="e", cluster=np.repeat(np.arange(150), 20).astype(str))
    narrow = score_table(scores, suite="s", edition="e")
    width = [
        summarise(table, scores=("group",)).query("subset == 'all'").eval("high - low").item()
        for table in (wide, narrow)
    ]
    assert width[0] / width[1] == pytest.approx(np.sqrt(20), rel=0.05)


def test_interval_covers_about_as_often_as_it_says():
    rng = np.random.default_rng(3)
    clusters = np.repeat(np.arange(60), 5).astype(str)
    hits = []
    for _ in range(150):
        rate = np.repeat(rng.beta(2, 2, size=60), 5)  # quads of a cluster are alike
        scores = np.where((rng.random(300) < rate)[:, None, None], np.eye(2), -np.eye(2))
        table = score_table(scores, suite="s", edition="e", cluster=clusters)
        row = summarise(table, scores=("group",), resamples=400).iloc[0]
        hits.append(row["low"] <= 0.5 <= row["high"])
    assert 0.88 <= np.mean(hits) <= 0.99


def test_summary_is_reproducible_and_depends_on_its_seed():
    table = score_table(quads(np.random.default_rng(0), 60), suite="s", edition="e", cluster=np.arange(60) // 3)
    first, again, other = (summarise(table, resamples=300, seed=seed) for seed in (0, 0, 1))
    pd.testing.assert_frame_equal(first, again)
    assert not first["low"].equals(other["low"])


def test_a_rare_subset_that_some_draws_miss():
    """Two clusters of twelve hold subset b: it is absent from one draw in ten, which must not spoil the interval."""
    rng = np.random.default_rng(0)
    subset = np.where((np.arange(48) % 4 == 0) & (np.arange(48) < 8), "b", "a")
    runs = [
        score_table(quads(rng, 48), suite="s", edition="e", subset=subset, cluster=np.arange(48) // 4).assign(
            method=method, seed=seed
        )
        for method in ("x", "y")
        for seed in (0, 1)
    ]
    both = pd.concat(runs)
    for table in (summarise(both, resamples=300), compare(both, baseline="x", resamples=300)):
        assert table[["low", "high"]].notna().all(axis=None)
    assert summarise(runs[0].drop(columns=["method", "seed"]), resamples=300)["low"].notna().all()


def test_one_cluster_has_no_interval():
    table = score_table(quads(np.random.default_rng(0), 8), suite="s", edition="e", cluster=["video"] * 8)
    assert summarise(table, resamples=50)[["low", "high"]].isna().all(axis=None)


def study(rng, gain=0.0, n=400, seeds=(0, 1, 2), spread=0.0):
    """Two methods x seeds on the same quads in four subsets; the second method lifts every I by ``gain``."""
    base, runs = rng.normal(size=(n, 2, 2)), []
    for method, lift in (("plain", 0.0), ("new", gain)):
        for seed in seeds:
            scores = base + 0.3 * rng.normal(size=base.shape) + (lift + spread * rng.normal()) * np.eye(2)
            table = score_table(scores, suite="s", edition="e", subset=np.arange(n) % 4, cluster=np.arange(n) // 8)
            runs.append(table.assign(method=method, seed=seed))
    return pd.concat(runs, ignore_index=True)


def test_compare_points_and_signs():
    table = study(np.random.default_rng(0), gain=0.5)
    result = compare(table, baseline="plain", resamples=500).set_index(["subset", "score"])
    summary = summarise(table, resamples=50).set_index(["method", "subset", "score"])["point"]
    for cell, row in result.iterrows():
        assert row["point"] == pytest.approx(summary["new", *cell] - summary["plain", *cell])
    overall = result.loc["micro", "group_match"]
    assert overall["point"] > 0
    assert overall["low"] > 0
    assert overall["p"] < 0.01
    assert result["seeds"].eq(3).all()
    assert set(result["test"]) == {"t, seeds and clusters"}


def test_pairing_by_quad_narrows_the_difference():
    """The same table against itself in another order of rows: no difference, no width."""
    table = study(np.random.default_rng(0), seeds=(0,)).query("method == 'plain'")
    both = pd.concat([table, table.sample(frac=1, random_state=0).assign(method="copy")])
    result = compare(both, baseline="plain", resamples=200)
    assert result[["point", "low", "high"]].abs().max(axis=None) < 1e-12
    assert (result["p"] == 1).all()


def test_independent_quads_with_one_seed_use_mcnemar():
    rng = np.random.default_rng(0)
    ours, theirs = quads(rng, 80, 0.7), quads(rng, 80, 0.3)
    both = pd.concat(score_table(s, suite="s", edition="e").assign(method=m) for s, m in ((ours, "a"), (theirs, "b")))
    row = compare(both, baseline="b", scores=("group",), resamples=500).iloc[0]
    assert row["test"] == "mcnemar exact"
    assert row["p"] == mcnemar_exact(matching(ours)["group"], matching(theirs)["group"])


def test_p_values_are_calibrated_when_nothing_differs():
    rng = np.random.default_rng(5)
    p = [
        compare(study(rng, n=160, spread=spread), baseline="plain", scores=("group_match",), resamples=200)
        .query("subset == 'micro'")["p"]
        .item()
        for spread in (0, 0.3)
        for _ in range(50)
    ]
    assert np.mean(np.array(p) < 0.05) < 0.15
    assert 0.3 < np.mean(np.array(p) < 0.5) < 0.7


def test_holm_runs_over_subsets_only():
    result = compare(study(np.random.default_rng(0), gain=0.3), baseline="plain", scores=("group",), resamples=500)
    subsets, averages = result.iloc[:4], result.iloc[4:]
    assert subsets["p_holm"].to_numpy() == pytest.approx(holm(subsets["p"]))
    assert averages["p_holm"].equals(averages["p"])


def test_a_slow_paired_cluster_bootstrap_agrees():
    rng = np.random.default_rng(0)
    table = study(rng, gain=0.3, n=160, seeds=(0,))
    fast = compare(table, baseline="plain", scores=("group",)).query("subset == 'micro'").iloc[0]
    right = {
        m: matching(t[["s00", "s01", "s10", "s11"]].to_numpy().reshape(-1, 2, 2)) for m, t in table.groupby("method")
    }
    gain = right["new"]["group"].astype(float) - right["plain"]["group"]
    clusters = [gain[i : i + 8] for i in range(0, 160, 8)]
    draws = [
        np.concatenate([clusters[k] for k in rng.integers(0, len(clusters), len(clusters))]).mean() for _ in range(4000)
    ]
    assert (fast["low"], fast["high"]) == pytest.approx(tuple(np.quantile(draws, [0.025, 0.975])), abs=0.012)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda t: t.drop(columns="cluster"), "cluster missing"),
        (lambda t: t.iloc[:0], "an empty one"),
        (lambda t: pd.concat([t, t.iloc[:1]]), "twice"),
        (lambda t: t.iloc[1:], "one only"),
        (lambda t: t.assign(s00=np.nan), "finite"),
        (lambda t: t.assign(method="plain", seed=0), "twice"),
        (lambda t: t.assign(subset=None), "empty subset"),
        (lambda t: t.assign(edition=[None, *t["edition"][1:]]), "empty edition"),
        (lambda t: t.assign(subset=np.where(t["seed"] == 1, "other", t["subset"])), "as in the other runs"),
    ],
)
def test_bad_tables_are_refused(spoil, message):
    table = study(np.random.default_rng(0), n=16)
    with pytest.raises(InputError, match=message):
        summarise(spoil(table), resamples=10)


def test_unknown_baseline_and_score_are_refused():
    table = study(np.random.default_rng(0), n=16)
    with pytest.raises(InputError, match="plain, new"):
        compare(table, baseline="absent")
    with pytest.raises(InputError, match="nonsense"):
        summarise(table, scores=("nonsense",))
