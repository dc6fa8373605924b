"""The scores of one table as one record: what ``eqlib score --json`` prints."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from eqlib.errors import InputError
from eqlib.quads import SCORE_COLUMNS, scores_of
from eqlib.scoring.matching import MATCHING, tie_split, tied
from eqlib.scoring.panel import ONE_WAY
from eqlib.scoring.summary import summarise

AVERAGES = ("micro", "macro7", "macro5")


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
         "average": {"micro": {"clusters", score: CELL}, "macro7": .., "macro5": ..}}

    with CELL = {"point", "low", "high", "interval"}; ``interval`` is the kind of the interval over ``clusters``
    (``eqlib.scoring.inference.interval``).

    ``ties`` counts quads with an exact tie among their four comparisons (wrong, as in the official scorer);
    ``tie_split`` gives the scores with ties broken at random, where there are any. ``macro7`` and ``macro5`` are None
    where the suite does not have seven subsets or five sources; other macro averages follow under their own names. A
    table of outcomes rather than scores has no ties to count.
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
        record["ties"] = _add_ties(subsets, table, where)
    for cell in cells.values():
        cell.pop("n")
    averages = {name: cells.get(name) for name in AVERAGES} | cells
    return record | {"level": level, "subsets": subsets, "average": averages}


def _add_ties(subsets: dict[str, dict], table: pd.DataFrame, where) -> int:
    values = scores_of(table, where=where)
    ties, split = tied(values), pd.DataFrame(tie_split(values))
    for name, rows in table.reset_index(drop=True).groupby(table["subset"].astype(str).to_numpy()).indices.items():
        subsets[name]["ties"] = int(ties[rows].sum())
        if subsets[name]["ties"]:
            subsets[name]["tie_split"] = split.iloc[rows].mean().to_dict()
    return int(ties.sum())
