"""Intervals and tests of means over quads and seeds: one rule, ``interval``, for every number that is printed."""

from collections.abc import Callable
from statistics import NormalDist
from typing import NamedTuple

import numpy as np

from eqlib.scoring.cells import Cell


class Interval(NamedTuple):
    """``point`` with ``low`` and ``high`` at the level asked for, two-sided ``p`` of 0, and the ``kind`` of both.

    low, high and p are NaN, and ``kind`` is "none", where the spread between clusters cannot be seen.
    """

    point: float
    low: float
    high: float
    p: float
    kind: str


def interval(
    cell: Cell, ours: np.ndarray, theirs: np.ndarray | None = None, *, paired: bool = False, level: float = 0.95
) -> Interval:
    """The mean of ``ours`` (seeds, n) over the quads of ``cell``, or its difference to ``theirs`` (seeds, n).

    bool values are outcomes, float64 quantities. ``paired``: seed k of ours belongs to seed k of theirs. The variance
    is that over clusters (``Cell.moments``) plus the seeds' own (``_parts``); each asks for Student's t of its own
    degrees of freedom, and the critical value is their mean in squares, weighted by variance (as Cochran and Cox 1950
    for two samples). Seeds weigh by all that lies between them, not by what is left as their own, which three seeds
    put at nothing too often. From these, by ``kind``:

    - ``wilson``: a proportion of independent quads with one seed
    - ``wilson, design effect``: any other proportion: Wilson's interval with the number of independent quads that
      would have the same variance (as Korn and Graubard 1998 for Clopper and Pearson's)
    - ``score`` and ``score, design effect``: differences of proportions, likewise by the score test of paired
      proportions: McNemar's without correction, its interval Tango's (1998). The interval leaves out 0 exactly where
      p < 1 - level. Fagerland, Lydersen and Laake (2014) recommend both.
    - ``t``: quantities and their differences

    Where every quad came out alike no design effect can be seen: then each cluster counts as one quad.
    """
    groups = [(1, ours)]
    if theirs is not None:
        groups = [(1, ours.astype(np.float64) - theirs)] if paired else [(1, ours), (-1, theirs)]
    point, parts = _parts(cell, groups)
    if not cell.freedom:
        return Interval(point, np.nan, np.nan, np.nan, "none")
    seeds = max(len(values) for _, values in groups)
    plain = cell.independent and seeds == 1
    variance = sum(part.variance for part in parts)
    if ours.dtype != bool:
        return Interval(point, *_t(point, variance, parts, level), "t")
    kind = "" if plain else ", design effect"
    if theirs is None:
        n = cell.n if plain else _worth(point * (1 - point), variance, cell, seeds)
        known = plain or not variance  # a variance that is not estimated asks for no t
        critical = NormalDist().inv_cdf((1 + level) / 2) if known else _critical(parts, 1 - level)
        return Interval(point, *_wilson(point, n, critical), np.nan, f"wilson{kind}")
    gained, lost = _discordant(cell, ours, theirs, paired)
    n = cell.n if plain else _worth(gained + lost - (gained - lost) ** 2, variance, cell, seeds)
    t = point * np.sqrt(n / (gained + lost)) if gained + lost > 0 else 0.0
    return Interval(point, *_tango(gained, lost, n, _critical(parts, 1 - level)), _p(t, parts), f"score{kind}")


class Part(NamedTuple):
    """One source of variance of a mean: clusters, or the seeds of one group. ``weight`` is what its t counts."""

    variance: float
    weight: float
    freedom: float


def _parts(cell: Cell, groups: list[tuple[int, np.ndarray]]) -> tuple[float, list[Part]]:
    """The signed sum of each group's mean over its seeds, and its variance: over clusters, then of each group's seeds.

    What lies between seeds holds also what each seed's few quads add. The covariance over clusters shows how much that
    is (variance less covariance); the rest is the seeds' own, never below 0: the two-way decomposition of Cameron,
    Gelbach and Miller (2011). A group of one seed shows nothing of its own; beside a group of several it is taken to
    vary as they do.
    """
    sizes = [len(values) for _, values in groups]
    starts = np.cumsum([0, *sizes])
    contrast = np.concatenate([np.full(len(values), sign / len(values)) for sign, values in groups])
    means, covariance = cell.moments(np.concatenate([values for _, values in groups]))
    clusters = float(contrast @ covariance @ contrast)
    point, parts = 0.0, [Part(clusters, clusters, cell.freedom)]
    for (sign, _), size, start in zip(groups, sizes, starts, strict=False):
        mine = slice(start, start + size)
        point += sign * float(means[mine].mean())
        if size > 1:
            within = covariance[mine, mine]
            noise = np.diag(within).mean() - within[~np.eye(size, dtype=bool)].mean()
            between, share = float(means[mine].var(ddof=1)), 1 / size + (1 in sizes)
            parts.append(Part(share * max(0.0, between - noise), share * between, size - 1))
    rounding = 1e-24 * max(1.0, float(np.abs(means).max())) ** 2  # what is left where no quad differs
    return point, [Part(v if v > rounding else 0.0, w if w > rounding else 0.0, freedom) for v, w, freedom in parts]


def _worth(spread: float, variance: float, cell: Cell, seeds: int) -> float:
    """How many independent quads, of which one has the variance ``spread``, have this ``variance`` of their mean."""
    if spread <= 1e-12:
        return cell.units
    return min(spread / variance, seeds * cell.size) if variance else cell.size


def _discordant(cell: Cell, ours: np.ndarray, theirs: np.ndarray, paired: bool) -> tuple[float, float]:
    """The shares of quads that ours alone has right, and theirs alone, over pairs of seeds."""
    ours, theirs = (values[:, cell.rows].astype(np.float64) for values in (ours, theirs))
    if not paired:
        ours, theirs = ours.mean(axis=0, keepdims=True), theirs.mean(axis=0, keepdims=True)
    both = (ours * theirs).mean(axis=0)
    return float((ours.mean(axis=0) - both) @ cell.weights), float((theirs.mean(axis=0) - both) @ cell.weights)


def wilson(right: float, n: float, level: float = 0.95) -> tuple[float, float]:
    """Wilson's score interval of a proportion (Wilson 1927). The formula, because scipy's
    ``binomtest(...).proportion_ci`` costs a second of imports and takes whole numbers only."""
    return _wilson(right / n, n, NormalDist().inv_cdf((1 + level) / 2))


def _wilson(rate: float, n: float, critical: float) -> tuple[float, float]:
    spread = critical * critical / n
    middle = rate + spread / 2
    half = (max(0.0, rate * (1 - rate)) * spread + spread * spread / 4) ** 0.5
    return max(0.0, (middle - half) / (1 + spread)), min(1.0, (middle + half) / (1 + spread))


def _tango(gained: float, lost: float, n: float, critical: float) -> tuple[float, float]:
    """Tango's score interval (1998) of the difference ``gained - lost`` of two proportions of the same ``n`` quads."""

    def score(difference: float) -> float:
        # The share lost that is likeliest under this difference: the larger root of a quadratic (Tango's appendix).
        b = (2 - gained + lost) * difference - gained - lost
        under = (np.sqrt(max(0.0, b * b + 8 * lost * difference * (1 - difference))) - b) / 4
        variance = max(2 * under + difference * (1 - difference), 0.0)
        distance = gained - lost - difference
        if variance == 0:
            return np.sign(distance) * np.inf if abs(distance) > 1e-15 else 0.0
        return distance * np.sqrt(n / variance)

    point = gained - lost  # the score falls as the difference grows
    low = _crossing(-1.0, point, lambda difference: score(difference) > critical)
    return low, _crossing(point, 1.0, lambda difference: score(difference) > -critical)


def _t(point: float, variance: float, parts: list, level: float) -> tuple[float, float, float]:
    if not variance:  # the same in every quad: the same thing twice, or nothing that a spread could be judged by
        return (0.0, 0.0, 1.0) if abs(point) < 1e-12 else (np.nan, np.nan, np.nan)
    error = variance**0.5
    half = _critical(parts, 1 - level) * error
    return point - half, point + half, _p(point / error, parts)


def _critical(parts: list[Part], p: float) -> float:
    """What ``|t|`` must reach for two-sided ``p``."""
    from scipy.special import stdtrit  # scipy.stats costs a second of imports

    _, weights, freedom = np.transpose(parts)
    quantiles = -stdtrit(freedom, p / 2)
    weights = weights / weights.sum() if weights.any() else np.eye(len(parts))[0]
    return float(np.sqrt(weights @ quantiles**2))


def _p(t: float, parts: list[Part]) -> float:
    """The p whose critical value is ``|t|``."""
    if abs(t) <= 1e-12:
        return 1.0
    return float(10 ** _crossing(-300.0, 0.0, lambda logarithm: _critical(parts, 10**logarithm) >= abs(t)))


def _crossing(low: float, high: float, before: Callable[[float], bool]) -> float:
    """The number from ``low`` to ``high`` up to which ``before`` holds, by bisection."""
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if before(middle) else (low, middle)
    return (low + high) / 2


def holm(p: object) -> np.ndarray:
    """Holm's step-down adjustment of p values (n,). As statsmodels' ``multipletests``, which collects garbage on every
    call: 0.1 s, a hundred times a table."""
    p = np.asarray(p, dtype=np.float64)
    order = np.argsort(p)
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(1, np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1)))
    return adjusted
