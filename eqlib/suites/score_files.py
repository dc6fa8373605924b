"""Files of scores: plain numbers (``.npy``, JSON, torch's ``.pt``), score tables, and captions with foils."""

from pathlib import Path

import numpy as np
import pandas as pd

from eqlib.errors import InputError
from eqlib.files import read_json, reading
from eqlib.quads import KEYS, SCORE_COLUMNS, check_scores, from_official, score_table
from eqlib.suites.quad_sets import WINOGROUND
from eqlib.suites.quadfile import read_quads, read_records


def read_scores(path: str | Path) -> np.ndarray:
    """The finite numbers of a ``.npy`` or ``.json`` file, any shape, in the file's float type (JSON: float64).

    Raises InputError where the file is missing, damaged, not numeric, or holds NaN or infinity (named by its row). No
    pickled array is ever loaded.
    """
    path = Path(path)
    if path.suffix not in (".npy", ".json"):
        raise InputError("a .npy or .json score file", repr(path.name), where=path)
    with reading(path, "an array of numbers, not pickled", ValueError, EOFError):
        values = np.asarray(read_json(path)) if path.suffix == ".json" else np.load(path, allow_pickle=False)
    if values.dtype.kind not in "fiu" or not values.size:
        got = f"{values.dtype} of shape {values.shape}"
        raise InputError("an array of numbers", got, where=path)
    finite = np.isfinite(values)
    if not finite.all():
        row = int(np.argwhere(~finite)[0][0])
        raise InputError("finite scores", f"{values[row]}", where=path, row=f"row {row}")
    return values


def array_quads(path: str | Path, *, suite: str, items: str | Path | None = None) -> pd.DataFrame:
    """Score table of t2v_metrics' scores (n, image, caption), ``.pt`` (loaded without running code) or ``.npy``.

    The array has no names: ``items``, a quad file (EqBen's mini ``all_select.json``, say), gives id, subset and cluster
    of each row. Without it only all of Winoground is taken, whose rows t2v_metrics checks to be its ids.
    """
    path, scores = Path(path), quad_array(path)
    if items is None:
        if suite != "winoground" or len(scores) != WINOGROUND:
            raise InputError("--quads with the ids, or all 400 items of Winoground", f"{len(scores)} rows", where=path)
        return score_table(scores, suite=suite, edition=f"{WINOGROUND} items")
    records = read_quads(items).records
    if len(records) != len(scores):
        raise InputError(f"{len(records)} rows as in {Path(items).name}", len(scores), where=path)
    names = {name: records[name].to_list() for name in ("subset", "quad", "cluster")}
    return score_table(scores, suite=suite, edition=f"{len(scores)} items", **names)


def quad_array(path: str | Path) -> np.ndarray:
    """Scores (n, image, caption) from ``.npy``, ``.json`` or ``.pt``; an array (n, 4) is in the official order."""
    path = Path(path)
    scores = _tensor(path) if path.suffix == ".pt" else read_scores(path)
    return from_official(scores, where=path) if scores.ndim == 2 else check_scores(scores, where=path)


def _tensor(path: Path) -> np.ndarray:
    with reading(path, '.npy, or torch to read .pt (pip install "eqlib[torch]")', ImportError):
        import torch
    # torch has many exceptions, for damaged files and for what would run code
    with reading(path, "a tensor saved by torch, and no code", Exception):
        found = torch.load(path, map_location="cpu", weights_only=True)
    if not isinstance(found, torch.Tensor):
        raise InputError("a tensor (n, 2, 2)", type(found).__name__, where=path)
    return found.detach().float().numpy()


def read_table(path: str | Path, *, foils_of: str = "") -> pd.DataFrame:
    """A score table from parquet, CSV, JSON or JSONL: names as text, scores finite float64.

    Quads have ``eqlib.quads.TABLE_COLUMNS``. Foils have ``s_caption`` and ``s_foil`` in place of the four scores, as
    ``score_suite`` and ``eqlib score --items`` write them. With ``foils_of``, a suite's name, only its foils are taken,
    and the names need not be there: edition (default the number of items), subset (``all``), quad (the row), cluster
    (the quad). ``caption``, ``foil`` and ``item`` may stand for ``s_caption``, ``s_foil`` and ``quad``.
    """
    path = Path(path)
    table = pd.DataFrame(read_records(path))
    scores = list(SCORE_COLUMNS)
    if foils_of or "s_foil" in table:
        scores = ["s_caption", "s_foil"]
        other = {"caption": "s_caption", "foil": "s_foil", "item": "quad"}
        table = table.rename(columns={name: ours for name, ours in other.items() if ours not in table})
    if foils_of:
        default = {"suite": foils_of, "edition": f"{len(table)} items", "subset": "all", "quad": table.index}
        table = table.assign(**{name: value for name, value in default.items() if name not in table})
        table = table if "cluster" in table else table.assign(cluster=table["quad"])
    columns = [*KEYS, *scores]
    if missing := [name for name in columns if name not in table]:
        raise InputError(f"columns {', '.join(columns)}", f"{', '.join(missing)} missing", where=path)
    for name in KEYS:
        if (empty := table[name].isna()).any():
            raise InputError(f"a value under {name!r}", "none", where=path, row=f"row {int(np.argmax(empty))}")
    table = table[columns].astype(dict.fromkeys(KEYS, str))
    for name in scores:
        table[name] = _numbers(table, name, path)
    if foils_of and (other := table["suite"] != foils_of).any():
        raise InputError(f"scores of {foils_of}", table["suite"][other].iloc[0], where=path)
    return table


def _numbers(table: pd.DataFrame, name: str, path: Path) -> np.ndarray:
    numbers = pd.to_numeric(table[name], errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
    if len(odd := np.flatnonzero(~np.isfinite(numbers))):
        raise InputError(
            f"a finite number under {name!r}", repr(table[name].iloc[odd[0]]), where=path, row=f"row {odd[0]}"
        )
    return numbers
