"""Two methods on the same quads: paired differences with an interval and a p value."""

from pathlib import Path

import pandas as pd

from eqlib.errors import InputError
from eqlib.scoring.inference import holm, interval
from eqlib.scoring.panel import SCORES, cells, panels


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
        names = {method: [r for r, (m, _) in enumerate(panel.runs) if m == method] for method, _ in panel.runs}
        for method in names if baseline in names else ():
            if method != baseline:
                rows += _differences(panel, method, baseline, names, level)
    columns = ["method", "baseline", "suite", "edition", "subset", "score", "point", "low", "high", "p", "p_holm"]
    result = pd.DataFrame(rows, columns=[*columns, "n", "clusters", "seeds", "test", "average"])
    subsets = result[~result["average"]]
    for _, family in subsets.groupby(["method", "suite", "edition", "score"], sort=False):
        tested = family.index[family["p"].notna()]
        result.loc[tested, "p_holm"] = holm(family["p"][tested])
    return result.drop(columns="average")


def _differences(panel, method, baseline, names, level):
    # In the order of their seeds, so that equal seeds stand in equal places.
    ours, theirs = (sorted(names[name], key=lambda run: panel.runs[run][1]) for name in (method, baseline))
    paired = [panel.runs[r][1] for r in ours] == [panel.runs[r][1] for r in theirs]
    for cell in cells(panel):
        for score, values in panel.values.items():
            found = interval(cell, values[ours], values[theirs], paired=paired, level=level)
            row = (method, baseline, panel.suite, panel.edition, cell.name, score, found.point, found.low, found.high)
            seeds = max(len(ours), len(theirs))
            yield (*row, found.p, found.p, cell.n, cell.clusters, seeds, found.kind, cell.average)
