"""A table as arrays: runs (method x seed) on the same quads, and their values per quad."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from eqlib.errors import InputError
from eqlib.quads import KEYS, SCORE_COLUMNS, scores_of
from eqlib.scoring.averages import averages
from eqlib.scoring.cells import Cell
from eqlib.scoring.equivariance import EQUIVARIANCE, equivariance, headroom
from eqlib.scoring.matching import MATCHING, ONE_WAY, matching, one_way
from eqlib.scoring.shortcuts import SHORTCUTS, shortcuts

SCORES = (*MATCHING, "headroom", *EQUIVARIANCE)
"""What a summary holds unless told otherwise."""

MEASURES = (
    (MATCHING, matching),
    (EQUIVARIANCE, equivariance),
    (("headroom",), lambda scores: {"headroom": headroom(scores)}),
    (ONE_WAY, one_way),
    (SHORTCUTS, shortcuts),
)
"""Names, and the function of scores that gives them."""


def measure(scores: np.ndarray, names: tuple[str, ...] = SCORES) -> dict[str, np.ndarray]:
    """The named scores of ``scores`` (n, 2, 2), each (n,) per quad: bool for outcomes, float64 for quantities."""
    known = [name for group, _ in MEASURES for name in group]
    if unknown := [name for name in names if name not in known]:
        raise InputError(f"scores among {', '.join(known)}", ", ".join(unknown))
    values: dict[str, np.ndarray] = {}
    for group, function in MEASURES:
        if not set(names).isdisjoint(group):
            values |= function(scores)
    return {name: values[name] for name in names}


@dataclass(frozen=True)
class Panel:
    """One suite in one edition: ``values`` by score name, (runs, n), of (method, seed) ``runs`` on the same n quads.

    Outcomes (right or wrong) are bool, quantities float64.
    """

    suite: str
    edition: str
    runs: list[tuple[str, int]]
    subsets: list[str]
    subset: np.ndarray  # (n,) codes into subsets
    cluster: np.ndarray  # (n,) codes 0 .. clusters-1
    values: dict[str, np.ndarray]

    @property
    def methods(self) -> dict[str, list[int]]:
        """Each method's runs, in the order of their seeds, so that equal seeds stand in equal places."""
        found: dict[str, list[int]] = {}
        for run in sorted(range(len(self.runs)), key=lambda run: self.runs[run][1]):
            found.setdefault(self.runs[run][0], []).append(run)
        return {method: found[method] for method, _ in self.runs}


def panels(table: pd.DataFrame, names: tuple[str, ...], *, where: str | Path | None = None) -> list[Panel]:
    """The panels of a table with KEYS, and ``method`` and ``seed`` where it holds several runs.

    A name that is a column is taken as it stands (bool: an outcome; numbers: a quantity); the others are measured from
    the scores s00, s01, s10, s11. Raises InputError when a column is missing, a value is not finite, a quad comes twice
    in one run, or two runs of a suite are not on the same quads.
    """
    if missing := [name for name in KEYS if name not in table]:
        raise InputError(f"a table with columns {', '.join(KEYS)}", f"{', '.join(missing)} missing", where=where)
    if not len(table):
        raise InputError("a table with at least one quad", "an empty one", where=where)
    extra = [name for name in ("method", "seed") if name in table]
    if empty := [name for name in (*KEYS, *extra) if table[name].isna().any()]:
        raise InputError(f"a value in every row of {', '.join((*KEYS, *extra))}", f"empty {empty[0]}", where=where)
    found = []
    for (suite, edition), part in table.groupby(["suite", "edition"], sort=False):
        labels: list[tuple[str, int]] = []
        measured = []
        for key, run in part.groupby(extra, sort=False) if extra else [((), part)]:
            label = dict(zip(extra, key, strict=True))
            place = ", ".join(map(str, (suite, *key)))
            if (twice := run["quad"].duplicated()).any():
                raise InputError("each quad once", f"{run['quad'][twice].iloc[0]!r} twice", where=where, row=place)
            if not labels:
                first = run
            run = _on_the_quads_of(first, run, where, place)
            labels.append((str(label.get("method", "")), int(label.get("seed", 0))))
            measured.append(_values(run, names, where, place))
        subset, subsets = pd.factorize(first["subset"])
        cluster, _ = pd.factorize(first["cluster"])
        values = {name: np.stack([value[name] for value in measured]) for name in names}
        found.append(Panel(suite, edition, labels, [str(name) for name in subsets], subset, cluster, values))
    return found


def _on_the_quads_of(first, run, where, place):
    """The rows of ``run`` in the order of ``first``."""
    if run is first:
        return run
    if not np.array_equal(first["quad"].to_numpy(), run["quad"].to_numpy()):
        if odd := set(first["quad"]) ^ set(run["quad"]):
            got = f"{min(odd, key=str)!r} in one only"
            raise InputError("the same quads in every run", got, where=where, row=place)
        run = run.set_index("quad").loc[first["quad"]].reset_index()
    for name in ("subset", "cluster"):
        if len(odd := np.flatnonzero(first[name].to_numpy() != run[name].to_numpy())):
            expected, got = (repr(part[name].iloc[odd[0]]) for part in (first, run))
            quad = run["quad"].iloc[odd[0]]
            raise InputError(f"{name} {expected} as in the other runs", got, where=where, row=f"{place}, quad {quad}")
    return run


def _values(run, names, where, place):
    given = {name: run[name].to_numpy() for name in names if name in run}
    for name, column in given.items():
        if column.dtype != bool:
            try:
                given[name] = column.astype(np.float64)
            except (TypeError, ValueError) as error:
                raise InputError(f"numbers or bool under {name!r}", str(error), where=where, row=place) from error
            if not np.isfinite(given[name]).all():
                raise InputError(f"finite values under {name!r}", "NaN or infinity", where=where, row=place)
    measured = tuple(name for name in names if name not in given)
    if measured and not set(SCORE_COLUMNS) <= set(run):
        raise InputError(f"columns {', '.join(SCORE_COLUMNS)}, or {', '.join(measured)}", "neither", where=where)
    return given | (measure(scores_of(run, where=where), measured) if measured else {})


def cells(panel: Panel) -> list[Cell]:
    """The subsets of a panel, then the averages over them."""
    found = []
    for code, name in enumerate(panel.subsets):
        rows = np.flatnonzero(panel.subset == code)
        found.append(_cell(panel, name, False, rows, np.full(len(rows), 1 / len(rows))))
    rows, sizes = np.arange(len(panel.subset)), np.bincount(panel.subset)
    for name, weights in averages(panel.subsets).items():
        shares = np.full(len(rows), 1 / len(rows)) if weights is None else (weights / sizes)[panel.subset]
        found.append(_cell(panel, name, True, rows, shares))
    return found


def _cell(panel, name, average, rows, weights):
    subset, cluster = (np.unique(codes[rows], return_inverse=True)[1] for codes in (panel.subset, panel.cluster))
    return Cell(name, average, rows, weights, subset, cluster)
