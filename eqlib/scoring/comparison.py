"""Two methods on the same quads: paired differences with an interval and a p value."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from eqlib.errors import InputError
from eqlib.scoring.inference import bootstrap_p, finite, holm, mcnemar_exact, percentile, seed_level, t_interval
from eqlib.scoring.panel import SCORES, panels, resample


def compare(
    table: pd.DataFrame,
    *,
    baseline: str,
    scores: tuple[str, ...] = SCORES,
    level: float = 0.95,
    resamples: int = 10_000,
    seed: int = 0,
    where: str | Path | None = None,
) -> pd.DataFrame:
    """Every other method of a score table minus ``baseline``, on the same quads, per subset and average.

    ``table`` has the columns of ``eqlib.quads.TABLE_COLUMNS`` and ``method``; ``seed`` where a method was run several
    times. Columns of the result: method, baseline, suite, edition, subset, score, point, low, high, p, p_holm, n,
    clusters, seeds, test.

    Both methods see the same draw of clusters. Methods run with the same set of seeds are paired by seed as well
    (a seed fixes the order of the data, say); otherwise the spread over seeds of each counts on its own. ``test`` is
    ``mcnemar exact`` for outcomes of independent quads with one seed each, ``bootstrap`` or ``cluster bootstrap`` where
    p is read off the same draws as the interval, and ``t, seeds and clusters`` (``t_interval``) with several seeds.
    ``p_holm`` adjusts over the subsets of one suite, method and score; an average stands for the whole suite and is a
    family of its own, so there it equals p.

    A suite on which the baseline was not run is left out. Raises InputError when ``baseline`` is not among the methods,
    or runs are not on the same quads.
    """
    if "method" not in table or baseline not in set(table["method"]):
        got = ", ".join(map(str, pd.unique(table["method"]))) if "method" in table else "no column method"
        raise InputError(f"a score table with method {baseline!r}", got, where=where)
    rows = []
    for panel in panels(table, tuple(scores), where=where):
        names = {method: [r for r, (m, _) in enumerate(panel.runs) if m == method] for method, _ in panel.runs}
        if baseline not in names:
            continue
        cells = resample(panel, resamples, seed)
        for method in names:
            if method != baseline:
                rows += _differences(panel, cells, method, baseline, names, level)
    columns = ["method", "baseline", "suite", "edition", "subset", "score", "point", "low", "high", "p", "p_holm"]
    result = pd.DataFrame(rows, columns=[*columns, "n", "clusters", "seeds", "test", "average"])
    subsets = result[~result["average"]]
    for _, family in subsets.groupby(["method", "suite", "edition", "score"], sort=False):
        tested = family.index[family["p"].notna()]
        result.loc[tested, "p_holm"] = holm(family["p"][tested])
    return result.drop(columns="average")


def _differences(panel, cells, method, baseline, names, level):
    # In the order of their seeds, so that equal seeds stand in equal places.
    ours, theirs = (sorted(names[name], key=lambda run: panel.runs[run][1]) for name in (method, baseline))
    paired = [panel.runs[r][1] for r in ours] == [panel.runs[r][1] for r in theirs]
    single = len(ours) == len(theirs) == 1
    for c, cell in enumerate(cells.cells):
        average = c >= len(panel.subsets)
        inside = np.ones(len(panel.subset), dtype=bool) if average else panel.subset == c
        n, clusters = int(inside.sum()), len(pd.unique(panel.cluster[inside]))
        for s, score in enumerate(cells.names):
            here = [(cells.point[runs, c, s], cells.draws[:, runs, c, s]) for runs in (ours, theirs)]
            (point, draws), (other, other_draws) = here
            difference, drawn = point.mean() - other.mean(), draws.mean(axis=1) - other_draws.mean(axis=1)
            values = panel.values[score]
            if not single:
                parts = (
                    [(point - other, draws - other_draws)] if paired else [part for part in here if len(part[0]) > 1]
                )
                seeds = [seed_level(*part) for part in parts]
                low, high, p = t_interval(difference, finite(drawn).var(), clusters, seeds, level)
                test = "t, seeds and clusters"
            else:
                low, high = percentile(drawn, level) if clusters > 1 else (np.nan, np.nan)
                p = bootstrap_p(drawn) if clusters > 1 else np.nan
                test = "bootstrap" if n == clusters else "cluster bootstrap"
            if single and n == clusters and values.dtype == bool and (cell == "micro" or not average):
                p, test = mcnemar_exact(values[ours[0]][inside], values[theirs[0]][inside]), "mcnemar exact"
            row = (method, baseline, panel.suite, panel.edition, cell, score, difference, low, high, p, p)
            yield (*row, n, clusters, max(len(ours), len(theirs)), test, average)
