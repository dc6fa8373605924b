"""Files of scores: plain numbers (``.npy``, JSON), score tables, and captions with foils."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd

from eqlib.errors import InputError
from eqlib.quads import SCORE_COLUMNS, TABLE_COLUMNS
from eqlib.suites.quadfile import read_records


def read_scores(path: str | Path) -> np.ndarray:
    """The finite numbers of a ``.npy`` or ``.json`` file, any shape, in the file's float type (JSON: float64).

    Raises InputError where the file is missing, damaged, not numeric, or holds NaN or infinity (named by its row). No
    pickled array is ever loaded.
    """
    path = Path(path)
    try:
        if path.suffix == ".json":
            values = np.asarray(json.loads(path.read_text(encoding="utf-8")))
        elif path.suffix == ".npy":
            values = np.load(path, allow_pickle=False)
        else:
            raise InputError("a .npy or .json score file", repr(path.name), where=path)
    except OSError as error:
        raise InputError("a readable score file", error.strerror or str(error), where=path) from error
    except InputError:
        raise
    except (ValueError, EOFError, RecursionError) as error:  # JSON and Unicode errors are ValueErrors
        raise InputError("an array of numbers, not pickled", str(error).splitlines()[0], where=path) from error
    if values.dtype.kind not in "fiu" or not values.size:
        got = f"{values.dtype} of shape {values.shape}"
        raise InputError("an array of numbers", got, where=path)
    finite = np.isfinite(values)
    if not finite.all():
        row = int(np.argwhere(~finite)[0][0])
        raise InputError("finite scores", f"{values[row]}", where=path, row=f"row {row}")
    return values


def read_table(path: str | Path) -> pd.DataFrame:
    """A score table (``eqlib.quads.TABLE_COLUMNS``) from parquet or CSV: names as text, scores finite numbers."""
    path = Path(path)
    table = pd.DataFrame(read_records(path))
    names = [name for name in TABLE_COLUMNS if name not in SCORE_COLUMNS]
    if missing := [name for name in TABLE_COLUMNS if name not in table]:
        raise InputError(f"columns {', '.join(TABLE_COLUMNS)}", f"{', '.join(missing)} missing", where=path)
    for name in names:
        _full(table, name, path)
    table = table.astype(dict.fromkeys(names, str))
    for name in SCORE_COLUMNS:
        table[name] = _numbers(table, name, path)
    return table[list(TABLE_COLUMNS)]


def read_foils(path: str | Path) -> pd.DataFrame:
    """Columns caption and foil (float64 scores), subset (default "all"), item (the row) and cluster (the item)."""
    path = Path(path)
    table = pd.DataFrame(read_records(path))
    if missing := [name for name in ("caption", "foil") if name not in table]:
        raise InputError("columns caption and foil", f"{', '.join(missing)} missing", where=path)
    for name in ("caption", "foil"):
        table[name] = _numbers(table, name, path)
    for name, default in (("subset", "all"), ("item", None), ("cluster", None)):
        if name in table:
            _full(table, name, path)
        else:
            table[name] = default or (table["item"] if name == "cluster" else table.index.astype(str))
    if (twice := table["item"].duplicated()).any():
        raise InputError("each item once", f"{table['item'][twice].iloc[0]!r} again", where=path)
    return table.astype({"subset": str, "item": str, "cluster": str})


def _full(table: pd.DataFrame, name: str, path: Path) -> None:
    if (empty := table[name].isna()).any():
        raise InputError(f"a value under {name!r}", "none", where=path, row=f"row {int(np.argmax(empty))}")


def _numbers(table: pd.DataFrame, name: str, path: Path) -> np.ndarray:
    numbers = pd.to_numeric(table[name], errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
    if len(odd := np.flatnonzero(~np.isfinite(numbers))):
        raise InputError(
            f"a finite number under {name!r}", repr(table[name].iloc[odd[0]]), where=path, row=f"row {odd[0]}"
        )
    return numbers
