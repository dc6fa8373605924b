"""VALSE: one JSON file an instrument, ``{id: {image_file, caption, foil, dataset, linguistic_phenomena, mturk}}``.

An item is valid when at least two of three annotators saw the caption and not the foil as true: ``mturk.caption >= 2``.
The published figures are on valid items only.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from eqlib.errors import InputError
from eqlib.files import content_hash, read_json
from eqlib.suites.fields import Row, image_path
from eqlib.suites.suite import FoilSuite

INSTRUMENTS = 11
VALID = 7_702
"""Valid items of all eleven files. EqBen's own table counts 6,795."""


def read_valse(
    path: str | Path,
    *,
    root: str | Path | None = None,
    valid_only: bool = True,
    folders: Mapping[str, str] | None = None,
) -> FoilSuite:
    """A FoilSuite from one instrument's file or a folder; ``subset`` is the file's name, ``cluster`` the picture.

    ``folders``: the folder under ``root`` for each source (``dataset``: "coco2017", "visual7w", ...), for VALSE's
    pictures come from several sets. Raises InputError naming file and item.
    """
    path = Path(path)
    files = sorted(path.glob("*.json")) if path.is_dir() else [path]
    if not files:
        raise InputError("VALSE's .json files", "none", where=path)
    rows = [row for file in files for row in _rows(file)]
    items = [_item(row, file, folders or {}) for file, row in rows]
    records = pd.DataFrame(items)
    valid = records.pop("valid")
    note = f"{valid.sum()} of {len(valid)} items are valid (mturk.caption >= 2)"
    if valid_only:
        records = records[valid].reset_index(drop=True)
        if records.empty:
            raise InputError("at least one valid item", note, where=path)
    kind = "valid" if valid_only else "all"
    edition = f"{kind} items, {len(files)} of {INSTRUMENTS} instruments"
    base = Path(root) if root else path if path.is_dir() else path.parent
    return FoilSuite("valse", edition, content_hash(files), base, records, (note,))


def _rows(path: Path) -> list[tuple[Path, Row]]:
    content = read_json(path)
    if not isinstance(content, dict) or not content:
        raise InputError("an object {id: item}", type(content).__name__, where=path)
    return [(path, Row(record, path, key)) for key, record in content.items()]


def _item(row: Row, path: Path, folders: Mapping[str, str]) -> dict[str, object]:
    source = row.text("dataset")
    name = row.image("image_file")
    image = image_path(f"{folders[source]}/{name}" if source in folders else name, **row.place)
    votes = Row(row.get("mturk"), path, row.row).number("caption")
    return {
        "item": f"{path.stem}/{row.row}",
        "subset": path.stem,
        "cluster": image,
        "image": image,
        "caption": row.text("caption"),
        "foil": row.text("foil"),
        "phenomenon": row.text("linguistic_phenomena"),
        "dataset": source,
        "valid": votes >= 2,
    }
