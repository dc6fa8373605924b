"""One method at a time: the mean of every score per subset and average, with an interval."""

from pathlib import Path

import pandas as pd

from eqlib.scoring.inference import interval
from eqlib.scoring.panel import SCORES, cells, panels


def summarise(
    table: pd.DataFrame,
    *,
    scores: tuple[str, ...] = SCORES,
    level: float = 0.95,
    where: str | Path | None = None,
) -> pd.DataFrame:
    """Tidy summary of a score table: one row a method, suite, edition, subset (or average) and score.

    ``scores`` are names of SCORES, ONE_WAY or SHORTCUTS, or of columns that the table already has (outcomes as bool,
    quantities as numbers).

    Columns: method (where the table has it), suite, edition, subset, score, point, low, high, n (quads), clusters,
    seeds, interval. ``point`` is the mean over quads and then over seeds: a proportion in [0, 1] for text, image,
    group, group_match and headroom, in units of the scores for the equivariance quantities. After a suite's subsets
    come its averages (``micro``, ``macro7``, ``macro5`` ..., see ``averages``).

    ``interval`` is the kind of ``low`` and ``high`` at ``level`` (see ``eqlib.scoring.inference.interval``). Quads that
    share a cluster are one draw, and seeds are a level of their own: three that differ widely give a wide interval,
    however many quads there are. NaN, and "none", where there is one cluster alone.
    """
    rows = []
    for panel in panels(table, tuple(scores), where=where):
        for method in dict.fromkeys(method for method, _ in panel.runs):
            runs = [place for place, (name, _) in enumerate(panel.runs) if name == method]
            for cell in cells(panel):
                for score, values in panel.values.items():
                    found = interval(cell, values[runs], level=level)
                    row = (method, panel.suite, panel.edition, cell.name, score, found.point, found.low, found.high)
                    rows.append((*row, cell.n, cell.clusters, len(runs), found.kind))
    columns = ["method", "suite", "edition", "subset", "score", "point", "low", "high", "n", "clusters"]
    summary = pd.DataFrame(rows, columns=[*columns, "seeds", "interval"])
    return summary if "method" in table else summary.drop(columns="method")
