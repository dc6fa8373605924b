"""Files of plain scores: one number a row, as ``.npy`` or JSON."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from eqlib.errors import InputError


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
