"""Files of scores: plain numbers (``.npy``, JSON, torch's ``.pt``), score tables, and captions with foils."""

from pathlib import Path

import numpy as np
import pandas as pd

from eqlib.errors import InputError, shown
from eqlib.files import read_array, read_json, reading, unpacked
from eqlib.quads import KEYS, SCORE_COLUMNS, check_scores, from_official, item_table, score_table
from eqlib.suites.quad_sets import WINOGROUND
from eqlib.suites.quadfile import check_cells, rows_of
from eqlib.suites.suite import QuadSuite


def read_scores(path: str | Path) -> np.ndarray:
    """The finite numbers of a ``.npy`` or ``.json`` file, any shape, in the file's float type (JSON: float64).

    Raises InputError where the file is missing, damaged, not numeric, or holds NaN or infinity (named by its row). No
    pickled array is ever loaded.
    """
    path = Path(path)
    if path.suffix == ".npy":
        values = read_array(path)
    elif path.suffix == ".json":
        content = read_json(path)
        check_cells(0, len(content) if isinstance(content, list) else 0, path)
        values = np.asarray(content, dtype=object) if isinstance(content, list) else np.array([])
        if {*map(type, values.flat)} <= {int, float}:  # true is no number, nor is "1"
            values = np.asarray(content)
    else:
        raise InputError("a .npy or .json score file", shown(path.name), where=path)
    if values.dtype.kind not in "fiu" or not values.size or not values.ndim:
        raise InputError("an array of numbers", f"{values.dtype} of shape {values.shape}", where=path)
    if not (finite := np.isfinite(values)).all():
        row = int(np.argwhere(~finite)[0][0])
        raise InputError("finite scores", f"{values[row]}", where=path, row=f"row {row}")
    return values


def array_quads(
    path: str | Path, *, suite: str, items: QuadSuite | None = None, edition: str | None = None
) -> pd.DataFrame:
    """Score table of an array of scores (n, image, caption), or (n, 4) in the official order: ``.npy``, ``.json``, or
    ``.pt`` as t2v_metrics writes them (loaded without running code).

    The array has no names: ``items`` (EqBen's mini ``all_select.json``, say) gives id, subset and cluster of each row.
    Without it only all of Winoground is taken, whose rows t2v_metrics checks to be its ids.
    """
    path = Path(path)
    values = _tensor(path) if path.suffix == ".pt" else read_scores(path)
    scores = from_official(values, where=path) if values.ndim == 2 else check_scores(values, where=path)
    if items is None:
        if suite != "winoground" or len(scores) != WINOGROUND:
            raise InputError("--quads with the ids, or all 400 items of Winoground", f"{len(scores)} rows", where=path)
        return score_table(scores, suite=suite)
    if len(items) != len(scores):
        raise InputError(f"scores ({len(items)}, 2, 2) or ({len(items)}, 4)", f"{len(scores)} quads", where=path)
    names = {name: items.records[name].to_list() for name in ("subset", "quad", "cluster")}
    return score_table(scores, suite=suite, edition=edition, **names)


def _tensor(path: Path) -> np.ndarray:
    with reading(path, '.npy, or torch to read .pt (pip install "eqlib[torch]")', ImportError):
        import torch
    # torch has many exceptions, for damaged files and for what would run code
    with reading(path, "a tensor saved by torch, and no code", Exception):
        found = torch.load(unpacked(path), map_location="cpu", weights_only=True)
        if not isinstance(found, torch.Tensor):
            raise InputError("a tensor (n, 2, 2)", type(found).__name__, where=path)
        check_cells(len(found), found.numel(), path)  # a view repeats one number without end
        return found.detach().float().numpy()


def read_table(path: str | Path, *, foils_of: str = "") -> pd.DataFrame:
    """A score table from parquet, CSV, JSON or JSONL: names as text, scores finite float64.

    Quads have ``eqlib.quads.TABLE_COLUMNS``. Foils have ``s_caption`` and ``s_foil`` in place of the four scores, as
    ``score_suite`` and ``eqlib score --items`` write them. With ``foils_of``, a suite's name, only its foils are taken,
    and the names need not be there: edition (default the number of items), subset (``all``), quad (the row), cluster
    (the quad). ``caption``, ``foil`` and ``item`` may stand for ``s_caption``, ``s_foil`` and ``quad``.
    """
    path = Path(path)
    rows = rows_of(path)
    there = {name for row in rows for name in row.record}
    scores, names = SCORE_COLUMNS, {}
    if foils_of or "s_foil" in there:
        scores, names = ("s_caption", "s_foil"), {"s_caption": "caption", "s_foil": "foil", "quad": "item"}
    columns: dict = {"suite": foils_of, "quad": [str(number) for number in range(len(rows))]} if foils_of else {}
    for name in (*KEYS, *scores):
        key = name if name in there else names.get(name, name)
        if key in there:
            columns[name] = [row.real(key) if name in scores else row.label(key) for row in rows]
        elif name in scores or not foils_of:
            raise InputError(f"columns {', '.join((*KEYS, *scores))}", f"{name} missing", where=path)
    table = item_table(**columns)
    if foils_of and (other := table["suite"] != foils_of).any():
        raise InputError(f"scores of {foils_of}", shown(table["suite"][other].iloc[0]), where=path)
    return table
