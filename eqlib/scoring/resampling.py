"""Sums over resampled clusters: the one bootstrap everything here is made from."""

from __future__ import annotations

import numpy as np
import pandas as pd

BLOCK = 4_000_000  # weights held at once, 32 MB; smaller blocks wait more for the threads of the matrix product
NORMAL_ABOVE = 20_000  # clusters


def cluster_sums(values: np.ndarray, clusters: np.ndarray) -> np.ndarray:
    """Sums of ``values`` (n, k) per cluster, (clusters, k) float64; ``clusters`` (n,) are codes 0 .. G-1."""
    groups = int(clusters.max()) + 1
    if groups == len(clusters):  # every quad its own cluster: the order of the rows is of no account
        return values.astype(np.float64)
    return np.stack([np.bincount(clusters, weights=column, minlength=groups) for column in values.T], axis=1)


def resampled_sums(sums: np.ndarray, resamples: int, rng: np.random.Generator) -> np.ndarray:
    """Totals (resamples, k) when the G rows of ``sums`` (G, k) are drawn with replacement, G at a time.

    All columns share a draw, so differences of columns are paired. Time and memory stay bounded. Few distinct rows (0/1
    outcomes of single quads): how often each comes is multinomial and drawn directly, the same bootstrap at a fraction
    of the cost. Else rows are drawn in blocks. Above NORMAL_ABOVE rows that differ (quantities of single quads): totals
    are drawn from their normal limit, whose error there is far below that of a percentile of 10,000 draws.
    """
    rows, columns = sums.shape
    if len(np.unique(sums[:1000], axis=0)) < 200:
        counts = pd.DataFrame(sums).value_counts(sort=False)
        if len(counts) * 15 < rows:  # a binomial draw costs about 15 index draws
            distinct = np.array(counts.index.to_list(), dtype=np.float64).reshape(len(counts), columns)
            return rng.multinomial(rows, counts.to_numpy() / rows, size=resamples) @ distinct
    if rows > NORMAL_ABOVE:
        size, axes = np.linalg.eigh(np.atleast_2d(np.cov(sums, rowvar=False, bias=True)))
        spread = axes * np.sqrt(np.clip(size, 0, None) * rows)
        return sums.sum(axis=0) + rng.standard_normal((resamples, columns)) @ spread.T
    totals = np.empty((resamples, columns))
    step = max(1, BLOCK // rows)
    for start in range(0, resamples, step):
        count = min(step, resamples - start)
        drawn = rng.integers(0, rows, size=(count, rows))
        drawn += np.arange(count)[:, None] * rows
        weights = np.bincount(drawn.ravel(), minlength=count * rows).reshape(count, rows)
        totals[start : start + count] = weights.astype(np.float64) @ sums
    return totals
