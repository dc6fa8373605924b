"""Winoground score lines, ``{"label": "0_c0_i1", "score": 0.97}``, as a score table."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path

import numpy as np
import pandas as pd

from eqlib.errors import InputError
from eqlib.quads import score_table

LABEL = re.compile(r"(\d{1,9})_c([01])_i([01])")
ITEMS = 400


def winoground_table(path: str | Path, *, edition: str | None = None) -> pd.DataFrame:
    """Score table of a JSONL file with four lines an item, in any order: one subset ``all``, quads ordered by id.

    A label reads caption first: ``0_c0_i1`` is ``scores[0, 1, 0]``. Raises InputError naming file and line on a
    malformed line, a score that is not a finite number, a label that comes twice or is missing.
    """
    path = Path(path)
    found: dict[tuple[int, int, int], float] = {}
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except OSError as error:
        raise InputError("a readable file", error.strerror or str(error), where=path) from error
    except UnicodeDecodeError as error:
        raise InputError("UTF-8 text", str(error), where=path) from error
    for number, line in enumerate(lines, start=1):
        if line.strip():
            key, score = _line(line, path, number)
            if key in found:
                raise InputError("each label once", f"{line.strip()} again", where=path, row=f"line {number}")
            found[key] = score
    items = sorted({item for item, _, _ in found})
    if not items:
        raise InputError("at least one line", "none", where=path)
    scores = np.empty((len(items), 2, 2))
    for row, item in enumerate(items):
        for image, caption in np.ndindex(2, 2):
            if (item, image, caption) not in found:
                raise InputError(f"a line {item}_c{caption}_i{image}", "none", where=path)
            scores[row, image, caption] = found[item, image, caption]
    edition = edition or ("400 items" if items == list(range(ITEMS)) else f"{len(items)} of 400 items")
    return score_table(scores, suite="winoground", edition=edition, quad=[str(item) for item in items])


def _line(line: str, path: Path, number: int) -> tuple[tuple[int, int, int], float]:
    try:
        record = json.loads(line)
        item, caption, image = map(int, LABEL.fullmatch(record["label"]).groups())
        score = record["score"]
        if type(score) in (int, float) and math.isfinite(score):
            return (item, image, caption), float(score)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, OverflowError):
        pass
    expected = '{"label": "<item>_c<0|1>_i<0|1>", "score": a finite number}'
    raise InputError(expected, line.strip()[:120], where=path, row=f"line {number}")
