"""Pictures with a caption and a foil: VALSE and SugarCrepe, a folder of JSON files ``{id: item}`` each.

VALSE has a file an instrument, ``{image_file, caption, foil, dataset, linguistic_phenomena, mturk}`` an item. An item
is valid when at least two of three annotators saw the caption and not the foil as true: ``mturk.caption >= 2``; the
published figures are on valid items only. SugarCrepe has a file ``<type>_<subtype>.json`` a kind, ``{filename, caption,
negative_caption}`` an item.
"""

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from eqlib.errors import InputError
from eqlib.files import content_hash, read_json
from eqlib.suites.fields import Row, image_path
from eqlib.suites.suite import FoilSuite

INSTRUMENTS = 11
VALID = 7_702
"""VALSE's valid items of all eleven files. EqBen's own table counts 6,795."""

ITEMS = {
    "add_att": 692,
    "add_obj": 2_062,
    "replace_att": 788,
    "replace_obj": 1_652,
    "replace_rel": 1_406,
    "swap_att": 666,
    "swap_obj": 245,  # 246 before 2023-11-18
}
"""SugarCrepe's published items a file since 2023-11-18: 7,511."""


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
    files, base = _files(Path(path), root)
    folders = folders or {}
    items = []
    for row in _rows(files):
        source, name = row.text("dataset"), row.image("image_file")
        image = image_path(f"{folders[source]}/{name}", **row.place) if source in folders else name
        more = {"phenomenon": row.text("linguistic_phenomena"), "dataset": source}
        valid = Row(row.get("mturk"), **row.place).number("caption") >= 2
        items.append(_item(row, image, "foil") | more | {"valid": valid})
    records = pd.DataFrame(items)
    valid = records.pop("valid")
    note = f"{valid.sum()} of {len(valid)} items are valid (mturk.caption >= 2)"
    if valid_only:
        records = records[valid].reset_index(drop=True)
        if records.empty:
            raise InputError("at least one valid item", note, where=path)
    edition = f"{'valid' if valid_only else 'all'} items, {len(files)} of {INSTRUMENTS} instruments"
    return FoilSuite("valse", edition, content_hash(files), base, records, (note,))


def read_sugarcrepe(path: str | Path, *, root: str | Path | None = None) -> FoilSuite:
    """A FoilSuite from one file or a folder of them; ``subset`` is the file's name, ``cluster`` the picture.

    Indices may have gaps (an item was withdrawn), so they are names here, not positions. The edition says before or
    since 2023-11-18, by the size of swap_obj. Raises InputError naming file and item.
    """
    files, base = _files(Path(path), root)
    records = pd.DataFrame([_item(row, row.image("filename"), "negative_caption") for row in _rows(files)])
    swaps = int((records["subset"] == "swap_obj").sum())
    when = {245: "since 2023-11-18", 246: "before 2023-11-18"}.get(swaps, "date unknown")
    return FoilSuite("sugarcrepe", f"{when}, {len(files)} of {len(ITEMS)} files", content_hash(files), base, records)


def _files(path: Path, root: str | Path | None) -> tuple[list[Path], Path]:
    """The JSON files at ``path`` and the folder of their pictures."""
    files = sorted(path.glob("*.json")) if path.is_dir() else [path]
    if not files:
        raise InputError("the set's .json files", "none", where=path)
    return files, Path(root) if root else path if path.is_dir() else path.parent


def _rows(files: list[Path]) -> list[Row]:
    rows = []
    for file in files:
        content = read_json(file)
        if not isinstance(content, dict) or not content:
            raise InputError("an object {id: item}", type(content).__name__, where=file)
        rows += [Row(record, file, key) for key, record in content.items()]
    return rows


def _item(row: Row, image: str, foil: str) -> dict[str, str]:
    subset = Path(row.where).stem
    item = {"item": f"{subset}/{row.row}", "subset": subset, "cluster": image, "image": image}
    return item | {"caption": row.text("caption"), "foil": row.text(foil)}
