"""Cola's multi-object benchmark: a list of ``[picture URL, caption, picture URL, caption]``."""

from pathlib import Path

import pandas as pd

from eqlib.errors import InputError
from eqlib.files import content_hash, read_json
from eqlib.suites.fields import Row, records_of, shown
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
            raise InputError("[picture URL, caption, picture URL, caption]", shown(record), where=path, row=n)
        fields = dict(zip(KEYS, record, strict=True))
        fields |= {key: fields[key].partition("?")[0].rpartition("/")[2] for key in ("image0", "image1")}
        quads.append(quad_record(Row(fields, path, n), str(n)))
    return QuadSuite("cola", "multi-object", content_hash(path), Path(root or path.parent), pd.DataFrame(quads))
