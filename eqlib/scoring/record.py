"""The scores of one table as one record: what ``eqlib score --json`` prints."""

from pathlib import Path

import numpy as np
import pandas as pd

from eqlib.errors import InputError
from eqlib.quads import SCORE_COLUMNS, scores_of
from eqlib.scoring.averages import of_eqben
from eqlib.scoring.matching import MATCHING, ONE_WAY, tie_split, tied
from eqlib.scoring.summary import summarise


def score_record(
    table: pd.DataFrame,
    *,
    scores: tuple[str, ...] = (*MATCHING, *ONE_WAY, "headroom"),
    level: float = 0.95,
    where: str | Path | None = None,
) -> dict:
    """Scores of one suite as plain dicts, proportions in [0, 1]::

        {"suite", "edition", "n", "ties", "level",
         "subsets": {name: {"n", "clusters", score: CELL, ..., "ties", "tie_split": {score: number}}},
         "average": {"micro": {"clusters", score: CELL}, "macro": ..}}

    with CELL = {"point", "low", "high", "interval"}; ``interval`` is the kind of the interval over ``clusters``
    (``eqlib.scoring.inference.interval``).

    ``ties`` counts quads with an exact tie among their four comparisons, and foils (column ``tied``) that score as
    their caption: wrong, as in the official scorers. ``tie_split`` gives the scores with ties broken at random, where
    there are any. ``macro`` is None where there is one subset. EqBen has ``macro7`` and ``macro5`` in its place, None
    where it does not have seven subsets or five sources (see ``averages``). A table of outcomes rather than scores has
    no ties to count.
    """
    if table[["suite", "edition"]].drop_duplicates().shape[0] != 1 or "method" in table:
        raise InputError("one run of one suite in one edition", "several", where=where)
    first = table.iloc[0]
    summary = summarise(table, scores=scores, level=level, where=where)
    cells: dict[str, dict] = {}
    for row in summary.itertuples():
        bounds = {"point": row.point, "low": row.low, "high": row.high}
        cells.setdefault(row.subset, {"n": row.n, "clusters": row.clusters})[row.score] = {
            name: None if value != value else float(value) for name, value in bounds.items()
        } | {"interval": row.interval}
    subsets = {name: cells.pop(name) for name in table["subset"].astype(str).unique()}
    record = {"suite": str(first["suite"]), "edition": str(first["edition"]), "n": len(table), "ties": None}
    if set(SCORE_COLUMNS) <= set(table):
        values = scores_of(table, where=where)
        record["ties"] = _add_ties(subsets, table, tied(values), tie_split(values))
    elif "tied" in table:
        ties = table["tied"].to_numpy()
        record["ties"] = _add_ties(subsets, table, ties, {"pairwise": table["pairwise"].to_numpy() + ties / 2})
    for cell in cells.values():
        cell.pop("n")
    expected = ("micro", "macro7", "macro5") if of_eqben(list(subsets)) else ("micro", "macro")
    averages = dict.fromkeys(expected) | cells
    return record | {"level": level, "subsets": subsets, "average": averages}


def _add_ties(subsets: dict[str, dict], table: pd.DataFrame, ties: np.ndarray, split: dict[str, np.ndarray]) -> int:
    shares = pd.DataFrame(split)
    for name, rows in table.groupby(table["subset"].astype(str).to_numpy()).indices.items():
        subsets[name]["ties"] = int(ties[rows].sum())
        if subsets[name]["ties"]:
            subsets[name]["tie_split"] = shares.iloc[rows].mean().to_dict()
    return int(ties.sum())
