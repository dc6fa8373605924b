"""Winoground score lines, ``{"label": "0_c0_i1", "score": 0.97}``, as a score table."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd

from eqlib.errors import InputError
from eqlib.quads import score_table
from eqlib.suites.fields import Row
from eqlib.suites.quadfile import json_lines
from eqlib.suites.winoground import ITEMS

LABEL = re.compile(r"(\d{1,9})_c([01])_i([01])")


def winoground_table(path: str | Path, *, edition: str | None = None) -> pd.DataFrame:
    """Score table of a JSONL file with four lines an item, in any order: one subset ``all``, quads ordered by id.

    A label reads caption first: ``0_c0_i1`` is ``scores[0, 1, 0]``. Raises InputError naming file and line on a
    malformed line, a score that is not a finite number, a label that comes twice or is missing.
    """
    path = Path(path)
    found: dict[tuple[int, int, int], float] = {}
    for line, record in json_lines(path):
        row = Row(record, path, line)
        label = LABEL.fullmatch(row.text("label"))
        if not label:
            raise row.fail("a label <item>_c<0|1>_i<0|1>", row.get("label"))
        item, caption, image = map(int, label.groups())
        if (item, image, caption) in found:
            raise row.fail("each label once", f"{row.get('label')} again")
        found[item, image, caption] = row.finite("score")
    items = sorted({item for item, _, _ in found})
    if not items:
        raise InputError("at least one line", "none", where=path)
    scores = np.empty((len(items), 2, 2))
    for row, item in enumerate(items):
        for image, caption in np.ndindex(2, 2):
            if (item, image, caption) not in found:
                raise InputError(f"a line {item}_c{caption}_i{image}", "none", where=path)
            scores[row, image, caption] = found[item, image, caption]
    edition = edition or (f"{ITEMS} items" if items == list(range(ITEMS)) else f"{len(items)} of {ITEMS} items")
    return score_table(scores, suite="winoground", edition=edition, quad=[str(item) for item in items])
