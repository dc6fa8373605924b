"""Intervals and tests for proportions and means: names over scipy and statsmodels, which are imported when called."""

from __future__ import annotations

import numpy as np


def wilson(right: int, n: int, level: float = 0.95) -> tuple[float, float]:
    """Wilson score interval of a proportion of independent items (scipy)."""
    from scipy.stats import binomtest

    return tuple(map(float, binomtest(int(right), int(n)).proportion_ci(level, method="wilson")))


def percentile(draws: np.ndarray, level: float = 0.95) -> tuple[float, float]:
    """Percentile interval of bootstrap ``draws`` (resamples,). NaN among them (a subset drawn empty) are left out."""
    draws = draws[np.isfinite(draws)]
    if not len(draws):
        return float("nan"), float("nan")
    low, high = np.quantile(draws, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def bootstrap_name(seeds: int, independent: bool) -> str:
    """What was drawn: ``bootstrap`` (quads), ``cluster bootstrap``, or either with ``seed x`` before it."""
    return ("seed x " if seeds > 1 else "") + ("bootstrap" if independent else "cluster bootstrap")


def bootstrap_p(draws: np.ndarray) -> float:
    """Two-sided p of a difference of 0 from bootstrap ``draws`` of the difference: the level at which the percentile
    interval touches 0. Never below ``2 / (resamples + 1)``."""
    draws = draws[np.isfinite(draws)]
    below, above = int((draws <= 0).sum()), int((draws >= 0).sum())
    return min(1.0, 2 * (min(below, above) + 1) / (len(draws) + 1))


def mcnemar_exact(ours: object, theirs: object) -> float:
    """Exact two-sided McNemar p for two models' outcomes (n,) bool on the same independent items (scipy)."""
    from scipy.stats import binomtest

    ours, theirs = np.asarray(ours, dtype=bool), np.asarray(theirs, dtype=bool)
    gained, lost = int((ours & ~theirs).sum()), int((theirs & ~ours).sum())
    return float(binomtest(gained, gained + lost).pvalue) if gained + lost else 1.0


def holm(p: object) -> np.ndarray:
    """Holm's step-down adjustment of p values (statsmodels)."""
    from statsmodels.stats.multitest import multipletests

    p = np.asarray(p, dtype=np.float64)
    return multipletests(p, method="holm")[1] if len(p) else p
