"""SugarCrepe: one file ``<type>_<subtype>.json`` a kind, ``{index: {filename, caption, negative_caption}}``."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from eqlib.errors import InputError
from eqlib.files import content_hash, read_json
from eqlib.suites.fields import Row
from eqlib.suites.suite import FoilSuite

ITEMS = {
    "add_att": 692,
    "add_obj": 2_062,
    "replace_att": 788,
    "replace_obj": 1_652,
    "replace_rel": 1_406,
    "swap_att": 666,
    "swap_obj": 245,  # 246 before 2023-11-18
}
"""Published items a file since 2023-11-18: 7,511."""


def read_sugarcrepe(path: str | Path, *, root: str | Path | None = None) -> FoilSuite:
    """A FoilSuite from one file or a folder of them; ``subset`` is the file's name, ``cluster`` the picture.

    Indices may have gaps (an item was withdrawn), so they are names here, not positions. The edition says before or
    since 2023-11-18, by the size of swap_obj. Raises InputError naming file and item.
    """
    path = Path(path)
    files = sorted(path.glob("*.json")) if path.is_dir() else [path]
    if not files:
        raise InputError("SugarCrepe's .json files", "none", where=path)
    records = pd.DataFrame([_item(row, file.stem) for file in files for row in _rows(file)])
    base = Path(root) if root else path if path.is_dir() else path.parent
    return FoilSuite("sugarcrepe", _edition(records, len(files)), content_hash(files), base, records)


def _rows(path: Path) -> list[Row]:
    content = read_json(path)
    if not isinstance(content, dict) or not content:
        raise InputError("an object {index: item}", type(content).__name__, where=path)
    return [Row(record, path, key) for key, record in content.items()]


def _item(row: Row, subset: str) -> dict[str, str]:
    image = row.image("filename")
    return {
        "item": f"{subset}/{row.row}",
        "subset": subset,
        "cluster": image,
        "image": image,
        "caption": row.text("caption"),
        "foil": row.text("negative_caption"),
    }


def _edition(records: pd.DataFrame, files: int) -> str:
    swaps = int((records["subset"] == "swap_obj").sum())
    when = {245: "since 2023-11-18", 246: "before 2023-11-18"}.get(swaps, "date unknown")
    return f"{when}, {files} of {len(ITEMS)} files"
