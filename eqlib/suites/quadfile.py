"""The generic quad format: bring your own set.

One record a quad, as a JSON list, JSONL, CSV or parquet; EqBen's own per-quad form and its 10 % and mini files are
instances::

    {"image0": "a/1.png", "image1": "a/2.png", "caption0": "a red cup", "caption1": "a blue cup"}

Optional: ``subset`` (default "all"), ``id`` (default the row number), ``cluster`` (unit of sampling, default the id).
Every other key becomes an extra column where all its values are plain; image paths are relative to the file's folder,
or to ``root``.
"""

import csv
import io
import json
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from zipfile import BadZipFile

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from eqlib.errors import InputError
from eqlib.files import content_hash, read_json, reading
from eqlib.suites.fields import Row, records_of, unique
from eqlib.suites.suite import QuadSuite

OWN = ("image0", "image1", "caption0", "caption1", "subset", "id", "cluster")


def read_quads(
    path: str | Path,
    *,
    root: str | Path | None = None,
    name: str | None = None,
    edition: str = "own",
    suffix: str | None = None,
    columns: Sequence[str] = (),
) -> QuadSuite:
    """A QuadSuite from a generic quad file (.json, .jsonl, .csv, .parquet).

    ``root``: the pictures' folder, default the file's own. ``suffix``: the pictures' suffix in place of the file's.
    ``columns``: the file's own names for the first keys of OWN, in their order.

    Raises InputError naming file and row on a missing key, a wrong type, a path that leaves its root, or an id that
    repeats.
    """
    path = Path(path)
    ours = dict(zip(columns, OWN, strict=False))
    rows = [Row(record, path, number) for number, record in enumerate(read_records(path))]
    for row in rows if ours else ():
        row.record = {ours.get(key, key): value for key, value in row.record.items()}
    records = pd.DataFrame([quad_record(row, str(row.row), suffix) for row in rows])
    unique(records["quad"], "id", path)
    records = records.assign(**_extras(rows))
    return QuadSuite(name or path.stem, edition, content_hash(path), Path(root or path.parent), records)


def quad_record(row: Row, number: str, suffix: str | None = None, subset: str = "all") -> dict[str, str]:
    """The columns of a QuadSuite from one record of the generic form."""
    quad = row.optional_label("id", number)
    return {
        "quad": quad,
        "subset": row.optional_label("subset", subset),
        "cluster": row.optional_label("cluster", quad),
        "image0": row.image("image0", suffix),
        "image1": row.image("image1", suffix),
        "caption0": row.texts("caption0")[0],  # EqBen's AG part keeps its captions in lists: the first counts
        "caption1": row.texts("caption1")[0],
    }


def read_records(path: Path) -> list:
    """Records of a file of one of FORMS, each still unchecked; in a table of texts an empty cell is absent. Raises
    InputError for any other file, and for one without records."""
    kind = path.suffix.lower()
    if kind not in FORMS:
        raise InputError(f"a file as {', '.join(FORMS)}", repr(path.name), where=path)
    return records_of(FORMS[kind](path), path)


def rows_of(path: Path) -> list[Row]:
    """The records of a file, each with its place in it: its line in JSONL, its number from 0 in any other."""
    if path.suffix.lower() != ".jsonl":
        return [Row(record, path, f"row {number}") for number, record in enumerate(read_records(path))]
    return [Row(record, path, line) for line, record in records_of(list(_json_lines(path)), path)]


def _json_lines(path: Path) -> Iterator[tuple[str, object]]:
    """("line 1", record) of a JSONL file, blank lines left out."""
    for number, line in enumerate(_text(path).split("\n"), start=1):  # splitlines would cut at U+2028 inside a caption
        if line.strip():
            with reading(path, "one JSON record a line", ValueError, RecursionError, row=f"line {number}"):
                record = json.loads(line)
            yield f"line {number}", record


def _lines(path: Path) -> list:
    return [record for _, record in _json_lines(path)]


def _csv(path: Path, delimiter: str = ",") -> list[dict[str, str]]:
    """Every cell stays text: "None" and "NA" are captions, the id "007" is no number. An empty cell is absent."""
    reader = csv.DictReader(io.StringIO(_text(path), newline=""), delimiter=delimiter, strict=True)
    records = []
    try:
        for record in reader:
            if None in record:
                place = f"line {reader.line_num}"
                raise InputError(f"{len(reader.fieldnames)} cells", f"{record[None]!r} more", where=path, row=place)
            records.append({key: value for key, value in record.items() if value})
    except csv.Error as error:
        raise InputError("a table of texts", str(error), where=path, row=f"line {reader.line_num}") from error
    return records


def _parquet(path: Path) -> list[dict]:
    with reading(path, "a parquet table", ValueError, pa.ArrowException):
        records = pq.read_table(path).to_pylist()
    return [{key: value for key, value in record.items() if value is not None} for record in records]


def _excel(path: Path) -> list[dict[str, str]]:
    openpyxl = 'an Excel table, and openpyxl to read it (pip install "eqlib[xlsx]")'
    with reading(path, openpyxl, ImportError, ValueError, KeyError, BadZipFile):
        table = pd.read_excel(path, dtype=str, keep_default_na=False)
    return [{key: value for key, value in record.items() if value} for record in table.to_dict("records")]


FORMS = {
    ".json": read_json,
    ".jsonl": _lines,
    ".csv": _csv,
    ".tsv": partial(_csv, delimiter="\t"),
    ".parquet": _parquet,
    ".xlsx": _excel,
}


def _text(path: Path) -> str:
    with reading(path, "UTF-8 text", UnicodeDecodeError):
        return path.read_text(encoding="utf-8-sig")


def _extras(rows: list[Row]) -> dict[str, list]:
    keys = dict.fromkeys(key for row in rows for key in row.record if key not in (*OWN, "quad"))
    columns = {key: [row.record.get(key) for row in rows] for key in keys}
    return {k: v for k, v in columns.items() if all(isinstance(x, str | int | float | bool | None) for x in v)}
