"""Which average of a suite's subsets: three are in use for EqBen and they differ by a factor of two."""

import numpy as np

from eqlib.quads import check_subsets

SOURCES = {name: "eqbenkubric" for name in ("eqbenkubric_loc", "eqbenkubric_cnt", "eqbenkubric_attr")}
"""Subsets that come from one source and are averaged first in EqBen's macro-5; every other subset is its own source."""


def averages(subsets: list[str]) -> dict[str, np.ndarray | None]:
    """The averages of these subsets by name: weights (subsets,) that sum to 1, or None for ``micro``.

    ``micro`` is over quads, ``macro`` over subsets. EqBen has two of these: ``macro7`` is over its seven subsets,
    ``macro5`` over their five sources; the number in a name says how many means were averaged, so an incomplete EqBen
    cannot pass for a complete one. One subset has no macro. Raises InputError for a subset with the name of an average.
    """
    check_subsets(subsets)
    rows: dict[str, np.ndarray | None] = {"micro": None}
    eqben, sources = of_eqben(subsets), [SOURCES.get(name, name) for name in subsets]
    distinct = len(set(sources))
    if len(subsets) > 1:
        rows[f"macro{len(subsets)}" if eqben else "macro"] = np.full(len(subsets), 1 / len(subsets))
    if eqben and 1 < distinct < len(subsets):
        rows[f"macro{distinct}"] = np.array([1 / (distinct * sources.count(source)) for source in sources])
    return rows


def of_eqben(subsets: list[str]) -> bool:
    """Whether these are subsets of EqBen, whatever name a study gave the suite."""
    return all(name.startswith("eqben") for name in subsets)
