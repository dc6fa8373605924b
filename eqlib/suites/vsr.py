"""Visual Spatial Reasoning: JSONL of ``{image, caption, label, relation, ...}``, true (1) or false (0) of the image."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from eqlib.files import content_hash
from eqlib.suites.fields import Row
from eqlib.suites.quadfile import read_records
from eqlib.suites.suite import StatementSuite


def read_vsr(path: str | Path, *, root: str | Path | None = None) -> StatementSuite:
    """A StatementSuite from one split; one subset ``all``, ``relation`` an extra column, ``cluster`` the picture.

    The edition is the folder and file name ("random/test"), as the official splits are called. Raises InputError naming
    file and row.
    """
    path = Path(path)
    records = pd.DataFrame([_item(Row(record, path, n)) for n, record in enumerate(read_records(path))])
    edition = f"{path.parent.name}/{path.stem}"
    return StatementSuite("vsr", edition, content_hash(path), Path(root or path.parent), records)


def _item(row: Row) -> dict[str, object]:
    label = row.number("label")
    if label not in (0, 1):
        raise row.fail("0 or 1 under 'label'", label)
    image = row.image("image")
    return {
        "item": str(row.row),
        "subset": "all",
        "cluster": image,
        "image": image,
        "caption": row.text("caption"),
        "label": bool(label),
        "relation": row.text("relation"),
    }
