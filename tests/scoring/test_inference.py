"""Intervals and tests against numbers from the literature, slow loops and exact formulas."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eqlib.errors import InputError
from eqlib.quads import score_table
from eqlib.scoring import averages, compare, holm, interval, matching, summarise, wilson
from eqlib.scoring.cells import Cell


def quads(rng, n, right=0.5):
    """Random quads of which about ``right`` have a right group."""
    scores = rng.normal(size=(n, 2, 2))
    scores[rng.random(n) < right] += 9 * np.eye(2)
    return scores


def test_wilson_by_hand():
    assert wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=1e-4)  # Newcombe 1998, table I, method 3


def plain(n, cluster=None, subset=None, weights=None):
    """A cell of n quads: independent and alike unless told otherwise."""
    cluster = np.arange(n) if cluster is None else np.asarray(cluster)
    subset = np.zeros(n, dtype=int) if subset is None else np.asarray(subset)
    return Cell("all", False, np.arange(n), np.full(n, 1 / n) if weights is None else weights, subset, cluster)


def outcomes(*runs):
    return np.array(runs, dtype=bool)


def pair(both, gained, lost, neither):
    """One seed of ours and of theirs with these counts of quads that both, one or neither has right."""
    ours = [1] * both + [1] * gained + [0] * lost + [0] * neither
    theirs = [1] * both + [0] * gained + [1] * lost + [0] * neither
    return outcomes(ours), outcomes(theirs), plain(len(ours))


def test_score_interval_of_tango():
    """Airway reactivity of 21 children, 1 discordant one way and 7 the other, as printed by Fagerland, Lydersen and
    Laake (2014); and none discordant, where the interval has a closed form."""
    from eqlib.scoring.inference import _tango

    z = 1.959964
    assert _tango(1 / 21, 7 / 21, 21, z) == pytest.approx((-0.517, -0.026), abs=5e-4)
    assert _tango(0, 0, 54, z) == pytest.approx((-z * z / (54 + z * z), z * z / (54 + z * z)), abs=1e-9)


def test_p_of_a_difference_is_that_of_mcnemar():
    """9 gained, 21 lost of 1,000: chi squared is 12^2 / 30 = 4.8, without correction."""
    from scipy.stats import chi2

    ours, theirs, cell = pair(400, 9, 21, 570)
    assert interval(cell, ours, theirs, paired=True).p == pytest.approx(chi2.sf(4.8, 1), rel=0.01)  # t of 999


@settings(max_examples=60)
@given(st.tuples(*[st.integers(0, 30)] * 4).filter(lambda counts: sum(counts) > 1), st.sampled_from([0.5, 0.9, 0.95]))
def test_interval_and_p_of_a_difference_agree(counts, level):
    ours, theirs, cell = pair(*counts)
    found = interval(cell, ours, theirs, paired=True, level=level)
    assert -1 <= found.low <= found.point <= found.high <= 1
    if abs(found.p - (1 - level)) > 1e-6:
        assert (found.low > 0 or found.high < 0) == (found.p < 1 - level)


def test_one_seed_each_is_a_pair_whether_told_so_or_not():
    ours, theirs, cell = pair(20, 9, 3, 8)
    told, untold = (interval(cell, ours, theirs, paired=paired) for paired in (True, False))
    assert (told.low, told.high, told.p) == pytest.approx((untold.low, untold.high, untold.p), rel=1e-12)
    assert told.kind == untold.kind == "score"


def test_discordant_quads_of_seeds_that_are_no_pairs():
    """Right in 1, 1/2, 0, 0 of our two seeds and in 0, 0, 1, 0 of their one: by chance together, quad by quad."""
    from eqlib.scoring.inference import _discordant

    ours, theirs = outcomes([1, 1, 0, 0], [1, 0, 0, 0]), outcomes([0, 0, 1, 0])
    assert _discordant(plain(4), ours, theirs, paired=False) == pytest.approx((1.5 / 4, 1 / 4))
    # of our two seeds and their two, paired: (1, 0), (1, 1) | (1, 0), (0, 1): half the pairs gain, a quarter lose
    ours, theirs = outcomes([1, 1], [1, 0]), outcomes([0, 1], [0, 1])
    assert _discordant(plain(2), ours, theirs, paired=True) == pytest.approx((2 / 4, 1 / 4))


def test_holm_by_hand():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([]).shape == (0,)


@given(st.integers(1, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))), st.floats(0.5, 0.999))
def test_wilson_is_that_of_scipy(counts, level):
    from scipy.stats import binomtest

    expected = binomtest(*counts).proportion_ci(level, method="wilson")
    assert wilson(*counts, level) == pytest.approx((expected.low, expected.high), abs=1e-9)


@settings(max_examples=20)
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


@settings(max_examples=40)
@given(st.lists(st.integers(1, 5), min_size=2, max_size=8), st.integers(0, 10**6))
def test_covariance_over_clusters_is_that_of_a_slow_loop(sizes, seed):
    """G / (G - 1) times the sum over clusters of the squared sums of residuals; of statsmodels, but for n / (n - 1)."""
    import statsmodels.api as sm

    rng = np.random.default_rng(seed)
    cluster = np.repeat(np.arange(len(sizes)), sizes)
    values = rng.normal(size=(2, len(cluster))) + rng.normal(size=len(sizes))[cluster]
    means, covariance = plain(len(cluster), cluster).moments(values)
    g, n = len(sizes), len(cluster)
    sums = np.array([[(row - row.mean())[cluster == code].sum() / n for code in range(g)] for row in values])
    assert means == pytest.approx(values.mean(axis=1))
    assert covariance == pytest.approx(g / (g - 1) * sums @ sums.T)
    fit = sm.OLS(values[0], np.ones(n)).fit(cov_type="cluster", cov_kwds={"groups": cluster, "use_correction": False})
    assert covariance[0, 0] == pytest.approx(g / (g - 1) * fit.cov_params()[0, 0])


def test_the_variance_of_subsets_that_are_drawn_by_themselves():
    """0, 1 in the one and 1, 1 in the other: (1/4)^2 times the squares about the subsets' means, 1/4 twice, times 2."""
    values, subset = np.array([[0.0, 1.0, 1.0, 1.0]]), [0, 0, 1, 1]
    means, covariance = plain(4, subset=subset).moments(values)
    assert (means.item(), covariance.item()) == pytest.approx((3 / 4, 2 / 16 * (1 / 4 + 1 / 4)))
    # weights 3 : 1, so means of 1/2 and 1 make 5/8: the squares of the first subset count (3/8)^2 each
    means, covariance = plain(4, subset=subset, weights=np.array([3, 3, 1, 1]) / 8).moments(values)
    assert (means.item(), covariance.item()) == pytest.approx((5 / 8, 2 * 9 / 64 * (1 / 4 + 1 / 4)))
    # clusters that reach over both subsets are drawn from the whole: sums of -1/2, 1/2 about the mean of 3/4, over 4
    means, covariance = plain(4, cluster=[0, 1, 0, 1], subset=subset).moments(values)
    assert covariance.item() == pytest.approx(2 * (1 / 4**2) * (1 / 4 + 1 / 4))


def test_quads_that_count_differently_are_no_plain_proportion():
    weights = np.array([2, 1, 1, 1, 1]) / 6
    assert plain(5).independent
    assert not plain(5, weights=weights).independent
    assert not plain(5, cluster=[0, 0, 1, 2, 3]).independent
    assert plain(5, weights=weights).size == pytest.approx(36 / 8)
    assert plain(5, cluster=[0, 0, 1, 2, 3]).units == pytest.approx(25 / 7)


def test_degrees_of_freedom_by_hand():
    assert plain(12, np.repeat(np.arange(4), 3)).freedom == pytest.approx(3)
    assert plain(12).freedom == pytest.approx(11)
    # Two subsets of 3 equal clusters, alike: 2 + 2. One subset whose 3 clusters hold 8, 1 and 1: 66^2 / 4098 - 1 < 1.
    assert plain(12, np.repeat(np.arange(6), 2), np.repeat([0, 1], 6)).freedom == pytest.approx(4)
    assert plain(10, [0] * 8 + [1, 2]).freedom == 1
    assert plain(4, [0] * 4).freedom == 0


def test_a_subset_whose_spread_is_not_seen_leaves_a_macro_average_without_interval():
    """Subset b is one video. micro draws clusters from the whole; macro would take b's mean for certain."""
    scores, subset = quads(np.random.default_rng(0), 30), np.repeat(["a", "b"], [20, 10])
    cluster = np.where(subset == "a", np.arange(30).astype(str), "video")
    rows = summarise(score_table(scores, suite="s", edition="e", subset=subset, cluster=cluster), scores=("group",))
    rows = rows.set_index("subset")
    assert rows.loc["b", "interval"] == rows.loc["macro", "interval"] == "none"
    assert rows.loc[["b", "macro"], ["low", "high"]].isna().all(axis=None)
    assert rows.loc[["a", "micro"], ["low", "high"]].notna().all(axis=None)


def test_all_right_is_not_certain():
    """245 of 245: Wilson. In 49 clusters of 5 no design effect can be seen, so each cluster counts as one quad."""
    right = np.ones((1, 245), dtype=bool)
    assert interval(plain(245), right).low == pytest.approx(wilson(245, 245)[0])
    assert interval(plain(245, np.repeat(np.arange(49), 5)), right).low == pytest.approx(wilson(49, 49)[0])


def test_wilson_with_a_design_effect_by_hand():
    """Six clusters of 10 alike quads, 3 of them right: as 5 independent quads (variance / 6, times 6 / 5), t of 5."""
    right = np.repeat([[1, 1, 1, 0, 0, 0]], 10, axis=1).astype(bool)
    found = interval(plain(60, np.repeat(np.arange(6), 10)), right)
    t, n = 2.570582, 5
    half = t * np.sqrt(0.25 / n + t * t / (4 * n * n)) / (1 + t * t / n)
    assert (found.low, found.high) == pytest.approx((0.5 - half, 0.5 + half))
    assert found.kind == "wilson, design effect"


def test_three_clusters_that_agree_prove_little():
    """A gain of one half in each of three clusters of four: the spread seen is 0, the interval must not be."""
    ours, theirs = outcomes([1, 1, 0, 0] * 3), outcomes([0, 0, 0, 0] * 3)
    found = interval(plain(12, np.repeat(np.arange(3), 4)), ours, theirs, paired=True)
    assert found.low < 0.1
    assert found.high > 0.75
    assert found.p > 0.05


def test_all_right_against_all_wrong_in_four_quads():
    seeds = np.ones((3, 4), dtype=bool)
    found = interval(plain(4), seeds, ~seeds, paired=True)
    assert (found.point, found.high) == (1, pytest.approx(1, abs=1e-9))
    assert 0.05 < found.p < 0.2  # of four coin throws all fall alike once in eight times


def test_degrees_of_freedom_never_fall_below_the_seeds_less_one():
    """Seeds that differ widely on few quads: t of 2 degrees, not of a fraction of one."""
    rng = np.random.default_rng(0)
    for _ in range(50):
        quantity = rng.normal(size=(3, 12)) + 3 * rng.normal(size=(3, 1))
        found = interval(plain(12), quantity)
        means = quantity.mean(axis=1)
        most = np.sqrt(means.var(ddof=1) / 3 + np.cov(quantity).mean() / 12)
        assert found.high - found.point <= 4.3027 * most * 1.001


def test_seeds_alone_give_the_textbook_t():
    """Three seeds with means 1, 2, 3 on quads that are alike: standard error 0.577, 2 degrees of freedom."""
    found = interval(plain(50), np.repeat([[1.0], [2.0], [3.0]], 50, axis=1))
    assert (found.low, found.high) == pytest.approx((2 - 4.3027 * 0.57735, 2 + 4.3027 * 0.57735), abs=1e-3)
    assert found.p == pytest.approx(0.0742, abs=1e-4)


def test_variance_over_quads_and_seeds_by_hand():
    """Four quads; t of 3 degrees of freedom is 3.1824, of 1 degree 12.7062; two seeds with means 1 and 5 vary by 8."""
    q, r = np.array([0.0, 0, 2, 2]), np.array([0.0, 2, 0, 2])

    def half(quads, seeds, left_out=0):
        critical = np.sqrt((quads * 3.18245**2 + seeds * 12.70620**2) / (quads + seeds))
        return critical * np.sqrt(quads + seeds - left_out)

    # the same quads move alike under both seeds: 1/3 for the quads, 8 / 2 for the seeds
    found = interval(plain(4), np.array([q, q + 4]))
    assert (found.point, found.high - 3) == pytest.approx((3, half(1 / 3, 4)), rel=1e-5)
    # quads that move by themselves: 1/3 / 2 for the quads, and of the seeds' 8 their 1/3 is left out
    found = interval(plain(4), np.array([q, r + 4]))
    assert (found.point, found.high - 3) == pytest.approx((3, half(1 / 6, 4, left_out=1 / 6)), rel=1e-5)
    # one seed of theirs beside them borrows their spread: 8 / 2 + 8, and the quads cancel
    found = interval(plain(4), np.array([q, q + 4]), np.array([q]))
    assert (found.point, found.high - 2) == pytest.approx((2, half(0, 12)), rel=1e-5)


def test_the_seeds_own_part_leaves_out_what_the_quads_add():
    """Three seeds that differ only by the noise of 200 quads: between the interval of 600 independent values and, where
    seeds by chance seem to differ, one of few degrees of freedom."""
    rng, widths = np.random.default_rng(0), []
    for _ in range(200):
        found = interval(plain(200), rng.normal(size=(3, 200)))
        widths.append((found.high - found.low) / (2 * 1.96 / np.sqrt(600)))
    assert np.quantile(widths, 0.05) > 0.9
    assert np.median(widths) < 1.75  # what not knowing costs: half the variance seen asks for t of 2 degrees of freedom


def test_one_seed_beside_three_is_taken_to_vary_as_they_do():
    """Under the null one seed against three: its own spread is borrowed, sd * sqrt(1 + 1 / 3), t of 2."""
    rng, rejected = np.random.default_rng(0), []
    for _ in range(400):
        one, three = (rng.normal(size=(seeds, 400)) + rng.normal(size=(seeds, 1)) for seeds in (1, 3))
        rejected.append(interval(plain(400), one, three).p < 0.05)
    assert 0.02 < np.mean(rejected) < 0.09


@pytest.mark.parametrize("seeds", [2, 3])
def test_type_one_error_where_seeds_matter_as_much_as_quads(seeds):
    """Paired seeds of two methods that do not differ, each seed worth about as much as the noise of its quads. Where
    the seeds' own part alone chose between t and normal, 14 and 10 per cent were rejected."""
    rng, rejected = np.random.default_rng(seeds), []
    for _ in range(1000):
        quad, seed = rng.normal(size=700) * np.sqrt(0.3), rng.normal(size=(2, seeds, 1)) * np.sqrt(0.008)
        ours, theirs = quad + seed + rng.normal(size=(2, seeds, 700)) * np.sqrt(0.692) > 0.25
        rejected.append(interval(plain(700), ours, theirs, paired=True).p < 0.05)
    assert np.mean(rejected) < 0.08


@pytest.mark.parametrize("clusters", [4, 10, 40])
def test_type_one_error_and_coverage_with_few_clusters(clusters):
    """One seed, quads of a cluster alike (correlation 0.3), a rate of one half: 5 and 95 per cent nominal."""
    rng = np.random.default_rng(clusters)
    cell = plain(6 * clusters, np.repeat(np.arange(clusters), 6))
    hits, rejected = [], []
    for _ in range(400):
        latent = np.sqrt(0.3) * rng.normal(size=(2, clusters))[:, cell.cluster] + np.sqrt(0.7) * rng.normal(
            size=(2, cell.n)
        )
        ours, theirs = (latent > 0)[:, None]
        found = interval(cell, ours)
        hits.append(found.low <= 0.5 <= found.high)
        rejected.append(interval(cell, ours, theirs, paired=True).p < 0.05)
    assert np.mean(hits) > 0.92
    assert np.mean(rejected) < 0.075


def test_summary_points_equal_plain_means():
    rng = np.random.default_rng(0)
    scores, subset = quads(rng, 90), np.repeat(["a", "b", "c"], [10, 30, 50])
    summary = summarise(score_table(scores, suite="s", edition="e", subset=subset))
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
        row = summarise(table, scores=("group",)).iloc[0]
        hits.append(row["low"] <= 0.5 <= row["high"])
    assert 0.88 <= np.mean(hits) <= 0.99


def test_a_summary_does_not_hang_on_the_order_of_rows():
    table = score_table(quads(np.random.default_rng(0), 60), suite="s", edition="e", cluster=np.arange(60) // 3)
    first, again = (summarise(t) for t in (table, table.sample(frac=1, random_state=1)))
    pd.testing.assert_frame_equal(first, again)


def test_a_rare_subset_in_clusters_that_reach_over_two():
    """Two clusters of twelve hold quads of subset b as well as of a."""
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
    for table in (summarise(both), compare(both, baseline="x")):
        assert table[["low", "high"]].notna().all(axis=None)
    assert summarise(runs[0].drop(columns=["method", "seed"]))["low"].notna().all()


def test_one_cluster_has_no_interval():
    table = score_table(quads(np.random.default_rng(0), 8), suite="s", edition="e", cluster=["video"] * 8)
    assert summarise(table)[["low", "high"]].isna().all(axis=None)


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
    result = compare(table, baseline="plain").set_index(["subset", "score"])
    summary = summarise(table).set_index(["method", "subset", "score"])["point"]
    for cell, row in result.iterrows():
        assert row["point"] == pytest.approx(summary["new", *cell] - summary["plain", *cell])
    overall = result.loc["micro", "group_match"]
    assert overall["point"] > 0
    assert overall["low"] > 0
    assert overall["p"] < 0.01
    assert result["seeds"].eq(3).all()
    assert set(result["test"]) == {"t", "score, design effect"}


def test_pairing_by_quad_narrows_the_difference():
    """The same table against itself in another order of rows: no difference; a width only where outcomes are few."""
    table = study(np.random.default_rng(0), seeds=(0,)).query("method == 'plain'")
    both = pd.concat([table, table.sample(frac=1, random_state=0).assign(method="copy")])
    result = compare(both, baseline="plain")
    assert (result["point"].abs() < 1e-12).all()
    assert (result["p"] == 1).all()
    quantities = result[result["test"] == "t"]
    assert len(quantities)
    assert quantities[["low", "high"]].abs().max(axis=None) < 1e-12
    outcomes = result[result["test"] != "t"]
    assert outcomes["high"].to_numpy() == pytest.approx(-outcomes["low"].to_numpy())


def test_p_values_are_calibrated_when_nothing_differs():
    rng = np.random.default_rng(5)
    p = [
        compare(study(rng, n=160, spread=spread), baseline="plain", scores=("group_match",))
        .query("subset == 'micro'")["p"]
        .item()
        for spread in (0, 0.3)
        for _ in range(50)
    ]
    assert np.mean(np.array(p) < 0.05) < 0.15
    assert 0.3 < np.mean(np.array(p) < 0.5) < 0.7


def test_holm_runs_over_subsets_only():
    result = compare(study(np.random.default_rng(0), gain=0.3), baseline="plain", scores=("group",))
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
        summarise(spoil(table))


def test_unknown_baseline_and_score_are_refused():
    table = study(np.random.default_rng(0), n=16)
    with pytest.raises(InputError, match="plain, new"):
        compare(table, baseline="absent")
    with pytest.raises(InputError, match="no column method"):
        compare(table.drop(columns="method"), baseline="plain")
    with pytest.raises(InputError, match="nonsense"):
        summarise(table, scores=("nonsense",))


@pytest.mark.parametrize(
    ("column", "message"),
    [
        (["much"] * 16, "numbers or bool under 'own'"),
        ([0.0] * 15 + [np.inf], "finite values under 'own'"),
        (None, "columns s00, s01, s10, s11, or own, got neither"),
    ],
)
def test_bad_columns_of_an_own_score_are_refused(column, message):
    table = study(np.random.default_rng(0), n=16, seeds=(0,)).query("method == 'plain'")
    table = table.drop(columns="s00") if column is None else table.assign(own=column)
    with pytest.raises(InputError, match=message):
        summarise(table, scores=("own",))
