"""Cola's multi-object benchmark: a list of ``[picture URL, caption, picture URL, caption]``."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

import pandas as pd

from eqlib.errors import InputError
from eqlib.files import content_hash, read_json
from eqlib.suites.fields import Row, records_of
from eqlib.suites.quadfile import quad_record
from eqlib.suites.suite import QuadSuite

ITEMS = 210
KEYS = ("image0", "caption0", "image1", "caption1")


def read_cola(path: str | Path, *, root: str | Path | None = None) -> QuadSuite:
    """A QuadSuite; a picture is ``root/<last part of its URL>``. Raises InputError naming file and row."""
    path = Path(path)
    quads = []
    for n, record in enumerate(records_of(read_json(path), path)):
        if not isinstance(record, list) or len(record) != 4 or not all(isinstance(v, str) for v in record):
            raise InputError("[picture URL, caption, picture URL, caption]", repr(record)[:120], where=path, row=n)
        fields = dict(zip(KEYS, record, strict=True))
        fields |= {key: _file_name(fields[key], path, n) for key in ("image0", "image1")}
        quads.append(quad_record(Row(fields, path, n), str(n)))
    records = pd.DataFrame(quads)
    return QuadSuite("cola", "multi-object", content_hash(path), Path(root or path.parent), records)


def _file_name(url: str, path: Path, row: int) -> str:
    try:
        return urlsplit(url).path.rpartition("/")[2]
    except ValueError as error:
        raise InputError("a URL", repr(url), where=path, row=row) from error
