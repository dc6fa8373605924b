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
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq

from eqlib.errors import InputError, shown
from eqlib.files import LIMIT, bounded, content_hash, parse_json, read_json, read_text, reading, unpacked
from eqlib.suites.fields import Row, records_of, unique
from eqlib.suites.suite import QuadSuite

OWN = ("image0", "image1", "caption0", "caption1", "subset", "id", "cluster")

CELLS = 1 << 25
"""Cells of the largest table."""


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
    for row in rows:
        row.record = {ours.get(key, key): value for key, value in row.record.items()}
    records = pd.DataFrame([quad_record(row, str(row.row), suffix) for row in rows])
    unique(records["quad"], "id", path)
    records = records.assign(**_extras(rows))
    return QuadSuite(name or path.stem, edition, content_hash(path), Path(root or path.parent), records)


def quad_record(row: Row, number: str, suffix: str | None = None) -> dict[str, str]:
    """The columns of a QuadSuite from one record of the generic form."""
    quad = row.optional_label("id", number)
    return {
        "quad": quad,
        "subset": row.optional_label("subset", "all"),
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
        raise InputError(f"a file as {', '.join(FORMS)}", shown(path.name), where=path)
    return records_of(FORMS[kind](path), path)


def rows_of(path: Path) -> list[Row]:
    """The records of a file, each with its place in it: its line in JSONL, its number from 0 in any other."""
    if path.suffix.lower() == ".jsonl":
        return [Row(record, path, line) for line, record in records_of([*_json_lines(path)], path)]
    return [Row(record, path, f"row {number}") for number, record in enumerate(read_records(path))]


def _json_lines(path: Path) -> Iterator[tuple[str, object]]:
    """("line 1", record) of a JSONL file, blank lines left out."""
    for number, line in enumerate(read_text(path).split("\n"), start=1):  # splitlines would cut at U+2028
        if line.strip():
            check_cells(number, 0, path)
            place = f"line {number}"
            yield place, parse_json(line, path, kind="one JSON record a line", row=place)


def _csv(path: Path, delimiter: str = ",") -> list[dict[str, str]]:
    rows = csv.reader(io.StringIO(read_text(path), newline=""), delimiter=delimiter, strict=True)
    try:
        return _named(((rows.line_num, row) for row in rows), path)
    except csv.Error as error:
        raise InputError("a table of texts", str(error), where=path, row=f"line {rows.line_num}") from error


def _excel(path: Path) -> list[dict[str, str]]:
    openpyxl = 'an Excel table, and openpyxl to read it (pip install "eqlib[xlsx]")'
    with reading(path, openpyxl, Exception):  # of a damaged archive openpyxl raises anything
        from openpyxl import load_workbook

        sheet = load_workbook(unpacked(path), read_only=True, data_only=True).worksheets[0]
        sheet.reset_dimensions()  # what the file says of them may be anything
        return _named(enumerate((list(map(_as_text, row)) for row in sheet.iter_rows(values_only=True)), start=1), path)


def _as_text(cell: object) -> str:
    """As Excel shows it: a number that is whole has no point."""
    return "" if cell is None else str(int(cell) if isinstance(cell, float) and cell.is_integer() else cell)


def _named(rows: Iterable[tuple[int, list[str]]], path: Path) -> list[dict[str, str]]:
    """(line, cells) under the names of the first. Every cell stays text: "None" and "NA" are captions, the id "007" is
    no number. An empty cell is absent."""
    names, cells = None, 0
    records: list[dict[str, str]] = []
    for line, row in rows:
        if names is None:
            names = row
            unique([name for name in names if name], "column", path)
        elif any(row):
            if any(more := row[len(names) :]):
                raise InputError(f"{len(names)} cells", f"{shown(more)} more", where=path, row=f"line {line}")
            records.append({name: cell for name, cell in zip(names, row, strict=False) if cell})
        cells += len(row)
        check_cells(len(records), cells, path)
    return records


def _parquet(path: Path) -> list[dict]:
    records, size = [], 0
    with reading(path, "a parquet table", Exception), pq.ParquetFile(bounded(path)) as file:
        names = file.schema_arrow.names
        unique(names, "column", path)
        check_cells(file.metadata.num_rows, file.metadata.num_rows * len(names), path)
        for batch in file.iter_batches(batch_size=256):
            columns = [part.dictionary_decode() if hasattr(part, "dictionary") else part for part in batch.columns]
            size += sum(part.nbytes for part in columns)  # once decoded: a text may stand in every row
            if size > LIMIT:
                raise InputError(f"at most {LIMIT:,} bytes unpacked", "more", where=path)
            rows = zip(*(part.to_pylist() for part in columns), strict=True)
            records += [{key: cell for key, cell in zip(names, row, strict=True) if cell is not None} for row in rows]
    return records


def check_cells(rows: int, cells: int, path: str | Path) -> None:
    """Raises InputError for a table of more than CELLS, counting at least eight a row: a row costs as much."""
    if max(8 * rows, cells) > CELLS:
        expected, got = f"at most {CELLS // 8:,} rows and {CELLS:,} cells", f"{rows:,} rows, {cells:,} cells"
        raise InputError(expected, got, where=path)


FORMS: dict[str, Callable[[Path], Any]] = {
    ".json": read_json,
    ".jsonl": lambda path: [record for _, record in _json_lines(path)],
    ".csv": _csv,
    ".tsv": partial(_csv, delimiter="\t"),
    ".parquet": _parquet,
    ".xlsx": _excel,
}


def _extras(rows: list[Row]) -> dict[str, list]:
    keys = dict.fromkeys(key for row in rows for key in row.record if key not in (*OWN, "quad"))
    check_cells(len(rows), len(rows) * len(keys), rows[0].where)  # each row may bring a key of its own
    columns = {key: [row.record.get(key) for row in rows] for key in keys}
    return {k: v for k, v in columns.items() if all(isinstance(x, str | int | float | bool | None) for x in v)}
