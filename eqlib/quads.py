"""The one convention: ``scores[n, image, caption]``.

A quad is two matched image-caption pairs that differ by one minimal visual change. Its scores are a 2 x 2 block:
``scores[n, i, c]`` is the similarity of image ``i`` with caption ``c`` in quad ``n``. The official EqBen names read
caption first, so ``c0_i1`` is ``scores[:, 1, 0]``.
"""

import re
from collections.abc import Collection
from pathlib import Path

import numpy as np
import pandas as pd

from eqlib.errors import InputError

OFFICIAL_COLUMNS = ("c0_i0", "c1_i0", "c0_i1", "c1_i1")
"""Column order of the official (n, 4) arrays: row-major ``scores[n, image, caption]``."""

SCORE_COLUMNS = ("s00", "s01", "s10", "s11")
"""Column names in a score table: ``s`` image caption."""

KEYS = ("suite", "edition", "subset", "quad", "cluster")
"""What every table of items begins with. ``quad`` identifies the item within the suite; ``cluster`` is the unit of
sampling (quads of one video or one base scene share it)."""

TABLE_COLUMNS = (*KEYS, *SCORE_COLUMNS)
"""A score table: one row a quad."""

LARGEST = 1e30
"""What a score may be, up or down: beyond it sums and squares overflow, in float32 at once."""

AVERAGES = re.compile(r"micro|macro\d*")
"""Names of averages over subsets, which no subset may have."""

MOST = 1_000
"""Subsets of a suite."""


def check_subsets(names: Collection[object], *, where: str | Path | None = None) -> None:
    """Raises InputError for a subset with the name of an average, for one of the two would not be printed; and for
    more than MOST subsets, for each has an interval of its own."""
    if len(names) > MOST:
        raise InputError(f"at most {MOST:,} subsets", f"{len(names):,}", where=where)
    if taken := next((name for name in names if AVERAGES.fullmatch(str(name))), None):
        raise InputError("subsets that are not called micro or macro, as their averages are", repr(taken), where=where)


def check_scores(scores: object, *, where: str | Path | None = None) -> np.ndarray:
    """``scores`` as a finite float array (n, 2, 2); float32 stays float32, everything else becomes float64.

    Raises InputError naming the shape that came, or the first quad with a value that is not finite, or above LARGEST.
    """
    array = np.asarray(scores)
    if array.ndim != 3 or array.shape[1:] != (2, 2):
        raise InputError("scores (n, 2, 2) = [quad, image, caption]", array.shape, where=where)
    if array.dtype.kind not in "fiu":
        raise InputError("real numbers as scores", array.dtype, where=where)
    if array.dtype not in (np.float32, np.float64):
        array = array.astype(np.float64)
    if len(odd := np.argwhere(~(np.abs(array) <= LARGEST))):
        quad, image, caption = odd[0]
        got = f"{array[quad, image, caption]} at [image {image}, caption {caption}]"
        raise InputError("finite scores", got, where=where, row=f"quad {quad}")
    return array


def from_official(columns: object, *, where: str | Path | None = None) -> np.ndarray:
    """An (n, 4) array in the official order c0_i0, c1_i0, c0_i1, c1_i1 as ``scores[n, image, caption]``."""
    array = np.asarray(columns)
    if array.ndim != 2 or array.shape[1] != 4:
        raise InputError(f"an array (n, 4) of {', '.join(OFFICIAL_COLUMNS)}", array.shape, where=where)
    return check_scores(array.reshape(-1, 2, 2), where=where)


def item_table(
    *,
    suite: str,
    quad: object,
    edition: str | None = None,
    subset: object = "all",
    cluster: object = None,
    **columns: object,
) -> pd.DataFrame:
    """One row an item: KEYS, then ``columns``, each one value or (n,). ``edition`` defaults to the number of items,
    ``cluster`` to the quad."""
    table = pd.DataFrame({"quad": np.asarray(quad, dtype=object)})
    edition = f"{len(table)} items" if edition is None else edition
    table = table.assign(suite=suite, edition=edition, subset=subset, **columns)
    return table.assign(cluster=table["quad"] if cluster is None else cluster)[[*KEYS, *columns]]


def score_table(
    scores: object,
    *,
    suite: str,
    edition: str | None = None,
    subset: object = "all",
    quad: object = None,
    cluster: object = None,
) -> pd.DataFrame:
    """A score table (TABLE_COLUMNS) from ``scores`` (n, 2, 2). ``quad`` defaults to 0..n-1; see ``item_table``."""
    scores = check_scores(scores)
    quad = np.arange(len(scores)).astype(str) if quad is None else quad
    columns = dict(zip(SCORE_COLUMNS, scores.reshape(-1, 4).T, strict=True))
    return item_table(suite=suite, edition=edition, subset=subset, quad=quad, cluster=cluster, **columns)


def scores_of(table: pd.DataFrame, *, where: str | Path | None = None) -> np.ndarray:
    """The scores (n, 2, 2) of a score table. Raises InputError when a column is missing or a value is not finite."""
    missing = [name for name in SCORE_COLUMNS if name not in table]
    if missing:
        raise InputError(f"columns {', '.join(SCORE_COLUMNS)}", f"{', '.join(missing)} missing", where=where)
    return check_scores(table[list(SCORE_COLUMNS)].to_numpy().reshape(-1, 2, 2), where=where)
