"""A score table as arrays: runs (method x seed) on the same quads, their per-quad values, and one resampling of all."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from eqlib.errors import InputError
from eqlib.quads import SCORE_COLUMNS, check_scores
from eqlib.scoring.averages import averages
from eqlib.scoring.equivariance import EQUIVARIANCE, equivariance, headroom
from eqlib.scoring.matching import MATCHING, matching, one_way
from eqlib.scoring.resampling import cluster_sums, resampled_sums

ONE_WAY = ("text_1way", "image_1way", "mean_1way")
SCORES = (*MATCHING, "headroom", *EQUIVARIANCE)
"""What a summary holds unless told otherwise."""

OUTCOMES = frozenset((*MATCHING, "headroom"))
"""Right or wrong per quad; the others are quantities."""


def measure(scores: np.ndarray, names: tuple[str, ...] = SCORES) -> dict[str, np.ndarray]:
    """The named scores of ``scores`` (n, 2, 2), each (n,) per quad: bool for OUTCOMES, float64 for the others."""
    known = {*SCORES, *ONE_WAY}
    if unknown := [name for name in names if name not in known]:
        raise InputError(f"scores among {', '.join((*SCORES, *ONE_WAY))}", ", ".join(unknown))
    values = matching(scores)
    if "headroom" in names:
        values["headroom"] = headroom(scores)
    if not set(names).isdisjoint(EQUIVARIANCE):
        values |= equivariance(scores)
    if not set(names).isdisjoint(ONE_WAY):
        values |= one_way(scores)
    return {name: values[name] for name in names}


@dataclass(frozen=True)
class Panel:
    """One suite in one edition: ``scores`` (runs, n, 2, 2) of ``runs`` (method, seed) on the same n quads."""

    suite: str
    edition: str
    runs: list[tuple[str, int]]
    subsets: list[str]
    subset: np.ndarray  # (n,) codes into subsets
    cluster: np.ndarray  # (n,) codes 0 .. clusters-1
    quads: np.ndarray  # (n,)
    scores: np.ndarray

    @property
    def clusters(self) -> int:
        return int(self.cluster.max()) + 1

    @property
    def independent(self) -> bool:
        """Every quad is its own cluster."""
        return self.clusters == len(self.cluster)

    @property
    def sizes(self) -> np.ndarray:
        """Quads per subset."""
        return np.bincount(self.subset, minlength=len(self.subsets))


def panels(table: pd.DataFrame, *, where: str | Path | None = None) -> list[Panel]:
    """The panels of a score table: ``eqlib.quads.TABLE_COLUMNS``, and ``method`` and ``seed`` if it has several runs.

    Raises InputError when a column is missing, a score is not finite, a quad comes twice in one run, or two runs of a
    suite are not on the same quads.
    """
    needed = ["suite", "edition", "subset", "quad", "cluster", *SCORE_COLUMNS]
    if missing := [name for name in needed if name not in table]:
        raise InputError(
            f"a score table with columns {', '.join(needed)}", f"{', '.join(missing)} missing", where=where
        )
    if not len(table):
        raise InputError("a score table with at least one quad", "an empty one", where=where)
    extra = [name for name in ("method", "seed") if name in table]
    found = []
    for (suite, edition), part in table.groupby(["suite", "edition"], sort=False):
        runs, aligned, first = [], [], None
        for key, run in part.groupby(extra, sort=False) if extra else [((), part)]:
            named = dict(zip(extra, key, strict=True))
            label = (str(named.get("method", "")), int(named.get("seed", 0)))
            place = ", ".join(str(x) for x in (suite, *key))
            if (twice := run["quad"].duplicated()).any():
                raise InputError("each quad once", f"{run['quad'][twice].iloc[0]!r} twice", where=where, row=place)
            if first is None:
                first = run
            elif not np.array_equal(first["quad"].to_numpy(), run["quad"].to_numpy()):
                if set(first["quad"]) != set(run["quad"]):
                    odd = next(iter(set(first["quad"]) ^ set(run["quad"])))
                    raise InputError("the same quads in every run", f"{odd!r} in one only", where=where, row=place)
                run = run.set_index("quad").loc[first["quad"]].reset_index()
            runs.append(label)
            aligned.append(check_scores(run[list(SCORE_COLUMNS)].to_numpy().reshape(-1, 2, 2), where=where))
        subset, subsets = pd.factorize(first["subset"])
        cluster, _ = pd.factorize(first["cluster"])
        if min(subset.min(), cluster.min()) < 0:
            raise InputError("a subset and a cluster for every quad", "an empty cell", where=where, row=suite)
        scores = np.stack(aligned)
        quads = first["quad"].to_numpy()
        found.append(Panel(suite, edition, runs, [str(s) for s in subsets], subset, cluster, quads, scores))
    return found


@dataclass(frozen=True)
class Cells:
    """Means of one panel: ``point`` (runs, cells, scores) and ``draws`` (resamples, runs, cells, scores).

    ``cells`` names the subsets, then the averages over them.
    """

    cells: list[str]
    names: tuple[str, ...]
    point: np.ndarray
    draws: np.ndarray


def resample(panel: Panel, names: tuple[str, ...], resamples: int, seed: int) -> Cells:
    """Means of ``names`` per subset and average, and the same over resampled clusters.

    Every run sees the same draw of clusters, so differences of runs are paired. Clusters are drawn within their subset
    where none reaches over two; otherwise from the whole suite.
    """
    columns = [measure(run, names) for run in panel.scores]
    rng = np.random.default_rng(seed)
    shape = (len(panel.runs), len(panel.subsets) + len(averages(panel.subsets)), len(names))
    point, draws = np.empty(shape), np.empty((resamples, *shape))
    # Apart, because whole-numbered sums of outcomes resample much faster (see resampled_sums).
    for block in ([n for n in names if n in OUTCOMES], [n for n in names if n not in OUTCOMES]):
        if block:
            values = np.stack([values[name] for values in columns for name in block], axis=1)
            at = [names.index(name) for name in block]
            exact, drawn, sizes, drawn_sizes = _totals(panel, values, resamples, rng)
            split = (*exact.shape[:-1], len(panel.runs), len(block))
            point[..., at] = _means(panel, exact.reshape(split)[None], sizes[None])[0]
            draws[..., at] = _means(panel, drawn.reshape(-1, *split), drawn_sizes)
    return Cells([*panel.subsets, *averages(panel.subsets)], names, point, draws)


def _totals(panel, values, resamples, rng):
    """Sums per subset (subsets, k) and sizes (subsets,), exact and drawn (resamples, ...)."""
    n, k, subsets = len(values), values.shape[1], len(panel.subsets)
    exact = np.stack([values[panel.subset == code].sum(axis=0, dtype=np.float64) for code in range(subsets)])
    values = np.concatenate([values, np.ones((n, 1))], axis=1)
    drawn = np.empty((resamples, subsets, k + 1))
    pairs = len(pd.unique(panel.cluster.astype(np.int64) * subsets + panel.subset))
    if pairs == panel.clusters:  # no cluster reaches over two subsets
        for code in range(subsets):
            inside = panel.subset == code
            codes, _ = pd.factorize(panel.cluster[inside])
            drawn[:, code] = resampled_sums(cluster_sums(values[inside], codes), resamples, rng)
    else:
        spread = np.zeros((panel.clusters, subsets, k + 1))
        for code in range(subsets):
            inside = panel.subset == code
            for column in range(k + 1):
                weights = values[inside, column]
                spread[:, code, column] = np.bincount(panel.cluster[inside], weights, minlength=panel.clusters)
        drawn[:] = resampled_sums(spread.reshape(panel.clusters, -1), resamples, rng).reshape(drawn.shape)
    return exact, drawn[..., :-1], panel.sizes, drawn[..., -1]


def _means(panel, totals, sizes):
    """(draws, subsets, runs, scores) sums and (draws, subsets) sizes as (draws, runs, cells, scores) means."""
    with np.errstate(invalid="ignore"):
        means = totals / sizes[:, :, None, None]
    cells = [means]
    for weights in averages(panel.subsets).values():
        if weights is None:
            cells.append((totals.sum(axis=1) / sizes.sum(axis=1)[:, None, None])[:, None])
        else:
            cells.append(np.einsum("c,dcrs->drs", weights, means)[:, None])
    return np.concatenate(cells, axis=1).transpose(0, 2, 1, 3)
