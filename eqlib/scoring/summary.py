"""One method at a time: the mean of every score per subset and average, with an interval."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from eqlib.scoring.inference import finite, percentile, seed_level, t_interval, wilson
from eqlib.scoring.panel import SCORES, panels, resample


def summarise(
    table: pd.DataFrame,
    *,
    scores: tuple[str, ...] = SCORES,
    level: float = 0.95,
    resamples: int = 10_000,
    seed: int = 0,
    where: str | Path | None = None,
) -> pd.DataFrame:
    """Tidy summary of a score table: one row a method, suite, edition, subset (or average) and score.

    ``scores`` are names of SCORES, ONE_WAY or SHORTCUTS, or of columns that the table already has (outcomes as bool,
    quantities as numbers).

    Columns: method (where the table has it), suite, edition, subset, score, point, low, high, n (quads), clusters,
    seeds, interval. ``point`` is the mean over quads and then over seeds: a proportion in [0, 1] for text, image,
    group, group_match and headroom, in units of the scores for the equivariance quantities. After a suite's subsets
    come its averages (``micro``, ``macro7``, ``macro5`` ..., see ``averages``).

    ``interval`` says how ``low`` and ``high`` were found at ``level``: ``wilson`` for an outcome of independent quads
    with one seed; else a percentile ``bootstrap`` over quads, ``cluster bootstrap`` where quads share clusters; with
    several seeds ``t, seeds and clusters`` (``t_interval``), in which seeds are a level of their own: three that differ
    widely give a wide interval, however many quads there are. NaN where there is only one cluster and one seed.
    """
    rows = []
    for panel in panels(table, tuple(scores), where=where):
        cells = resample(panel, resamples, seed)
        sizes = dict(zip(panel.subsets, panel.sizes, strict=True))
        clusters = [len(pd.unique(panel.cluster[panel.subset == code])) for code in range(len(panel.subsets))]
        clusters = dict(zip(panel.subsets, clusters, strict=True))
        for method in dict.fromkeys(method for method, _ in panel.runs):
            runs = [place for place, (name, _) in enumerate(panel.runs) if name == method]
            point, draws = cells.point[runs].mean(axis=0), cells.draws[:, runs].mean(axis=1)
            for c, cell in enumerate(cells.cells):
                n, units = int(sizes.get(cell, len(panel.subset))), clusters.get(cell, panel.clusters)
                plain = len(runs) == 1 and n == units and (cell in sizes or cell == "micro")
                for s, score in enumerate(cells.names):
                    outcome = panel.values[score].dtype == bool
                    if plain and outcome:
                        low, high = wilson(round(point[c, s] * n), n, level)
                        kind = "wilson"
                    elif len(runs) == 1:
                        low, high = percentile(draws[:, c, s], level) if units > 1 else (np.nan, np.nan)
                        kind = "bootstrap" if n == units else "cluster bootstrap"
                    else:
                        seeds = [seed_level(cells.point[runs, c, s], cells.draws[:, runs, c, s])]
                        low, high, _ = t_interval(point[c, s], finite(draws[:, c, s]).var(), units, seeds, level)
                        low, high = (max(low, 0.0), min(high, 1.0)) if outcome else (low, high)
                        kind = "t, seeds and clusters"
                    row = (method, panel.suite, panel.edition, cell, score, point[c, s], low, high, n, units)
                    rows.append((*row, len(runs), kind))
    columns = ["method", "suite", "edition", "subset", "score", "point", "low", "high", "n", "clusters"]
    summary = pd.DataFrame(rows, columns=[*columns, "seeds", "interval"])
    return summary if "method" in table else summary.drop(columns="method")
