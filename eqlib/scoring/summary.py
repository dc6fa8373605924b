"""From a table of quads to a table of means: one method at a time, or two methods on the same quads."""

from pathlib import Path

import pandas as pd

from eqlib.errors import InputError
from eqlib.scoring.inference import holm, interval
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
        for method, runs in panel.methods.items():
            for cell in cells(panel):
                for score, values in panel.values.items():
                    point, low, high, _, kind = interval(cell, values[runs], level=level)
                    row = (method, panel.suite, panel.edition, cell.name, score, point, low, high)
                    rows.append((*row, cell.n, cell.clusters, len(runs), kind))
    columns = ["method", "suite", "edition", "subset", "score", "point", "low", "high", "n", "clusters"]
    summary = pd.DataFrame(rows, columns=[*columns, "seeds", "interval"])
    return summary if "method" in table else summary.drop(columns="method")


def compare(
    table: pd.DataFrame,
    *,
    baseline: str,
    scores: tuple[str, ...] = SCORES,
    level: float = 0.95,
    where: str | Path | None = None,
) -> pd.DataFrame:
    """Every other method of a score table minus ``baseline``, on the same quads, per subset and average.

    ``table`` has the columns of ``eqlib.quads.TABLE_COLUMNS`` and ``method``; ``seed`` where a method was run several
    times. Columns of the result: method, baseline, suite, edition, subset, score, point, low, high, p, p_holm, n,
    clusters, seeds, test.

    Methods run with the same set of seeds are paired by seed as well (a seed fixes the order of the data, say);
    otherwise the spread over seeds of each counts on its own. ``test`` is the kind of interval and p, which are one
    test and always agree (see ``eqlib.scoring.inference.interval``). ``p_holm`` adjusts over the subsets of one suite,
    method and score; an average stands for the whole suite and is a family of its own, so there it equals p.

    A suite on which the baseline was not run is left out. Raises InputError when ``baseline`` is not among the methods,
    or runs are not on the same quads.
    """
    if "method" not in table or baseline not in set(table["method"]):
        got = ", ".join(map(str, pd.unique(table["method"]))) if "method" in table else "no column method"
        raise InputError(f"a score table with method {baseline!r}", got, where=where)
    rows = []
    for panel in panels(table, tuple(scores), where=where):
        theirs = panel.methods.get(baseline, [])
        for method, ours in panel.methods.items():
            if method == baseline or not theirs:
                continue
            paired = [panel.runs[run][1] for run in ours] == [panel.runs[run][1] for run in theirs]
            for cell in cells(panel):
                for score, values in panel.values.items():
                    *ends, p, kind = interval(cell, values[ours], values[theirs], paired=paired, level=level)
                    row = (method, baseline, panel.suite, panel.edition, cell.name, score, *ends, p, p)
                    seeds = max(len(ours), len(theirs))
                    rows.append((*row, cell.n, cell.clusters, seeds, kind, cell.average))
    columns = ["method", "baseline", "suite", "edition", "subset", "score", "point", "low", "high", "p", "p_holm"]
    result = pd.DataFrame(rows, columns=[*columns, "n", "clusters", "seeds", "test", "average"])
    tested = result[~result["average"] & result["p"].notna()]
    adjusted = tested.groupby(["method", "suite", "edition", "score"])["p"].transform(holm)
    result.loc[adjusted.index, "p_holm"] = adjusted
    return result.drop(columns="average")
