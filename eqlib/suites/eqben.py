"""EqBen with its pictures, from any annotation it was published as.

- ``ann_json_finegrained_random.json``: 1,004,192 shuffled rows ``{image, caption, private_info}``; older copies lack
  ``private_info`` and need ``private_random_idx.json`` and ``private_info.json``
- ``eqben_subset_10percent_final.json``, ``all_select.json`` (mini): a list of ``{image0, image1, caption0, caption1}``
- per-subset annotations: AG ``{video: {subject: [record]}}`` with a list of captions of which the first counts;
YouCook2 and GEBC
  ``{video: [record]}``; Kubric and SD a list

The first folder of a picture's path names its subset. YouCook2 frames are ``.npy`` in BGR; the others are png, or jpg
in the light edition, whose annotation still says ``.png``.
"""

from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import pandas as pd

from eqlib.errors import InputError
from eqlib.files import content_hash, read_json, stream_json
from eqlib.suites.eqben_scores import QUADS, Rows, cluster_of, edition_of, read_rows
from eqlib.suites.fields import Row, image_path
from eqlib.suites.quadfile import quad_record
from eqlib.suites.suite import QuadSuite

SHUFFLED = "ann_json_finegrained_random.json"
LISTS = {"eqben_subset_10percent_final": "10 %", "all_select": "mini"}
"""Files that hold a part of the set, and what the part is called."""


def read_eqben(path: str | Path, *, root: str | Path | None = None, suffix: str | None = None) -> QuadSuite:
    """A QuadSuite from an annotation file, or a folder with one (or with per-subset files, which are put together).

    ``root``: the pictures' folder, default the annotation's. ``suffix``: the pictures' suffix (".jpg"); without it the
    annotation's, or jpg where the first picture exists only so. ``cluster`` is the video where there is one.

    Raises InputError naming file and row: a missing key, a wrong type, a path that leaves its root, an unknown subset,
    a quad with a cell missing or twice, or cells of one quad that disagree on their picture or caption.
    """
    path = Path(path)
    files = _annotations(path)
    base = Path(root) if root else (path if path.is_dir() else path.parent)
    records = pd.concat([_read(file) for file in files], ignore_index=True)
    if len(files) > 1:
        records["quad"] = records["subset"] + "/" + records["quad"]
    suffix = suffix or _found_suffix(base, records)
    notes = ()
    if suffix:
        for column in ("image0", "image1"):
            records[column] = [image_path(name, suffix, where=path, row=n) for n, name in enumerate(records[column])]
        notes = (f"pictures end in {suffix}; .npy frames keep their suffix",)
    edition = edition_of(records["subset"].to_numpy(), records["image0"].tolist())
    if part := LISTS.get(files[0].stem):
        edition = f"{part}, {edition}"
    return QuadSuite("eqben", edition, content_hash(files), base, records, notes)


def _annotations(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    for name in (SHUFFLED, *(f"{stem}.json" for stem in LISTS)):
        if (path / name).is_file():
            return [path / name]
    files = sorted(file for file in path.glob("*.json") if not file.name.startswith("private_"))
    if not files:
        raise InputError("an EqBen annotation", "no .json file", where=path)
    return files


def _read(path: Path) -> pd.DataFrame:
    first = None
    with suppress(InputError):  # records by video, or damage that the reader of the form names
        first = next(stream_json(path), None)
    if isinstance(first, dict) and "image" in first:
        return _shuffled(path, first)
    nested = enumerate(_nested(read_json(path), path))
    records = pd.DataFrame([_quad(row, video, n) for n, (row, video) in nested])
    if records.empty:
        raise InputError("at least one record", "none", where=path)
    return records


def _shuffled(path: Path, first: dict) -> pd.DataFrame:
    index = info = None
    if "private_info" not in first:
        index, info = (path.parent / name for name in ("private_random_idx.json", "private_info.json"))
        for file in (index, info):
            if not file.is_file():
                raise InputError("private_info in the rows, or this file beside them", "neither", where=file)
    rows = read_rows(path, index, info)
    _check(rows.image, "image", Row.image, path)
    _check(rows.caption, "caption", Row.text, path)
    pictures, texts = rows.blocks(rows.image), rows.blocks(rows.caption)
    _agree(pictures, pictures[:, :, :1], "picture", rows, path)
    _agree(texts, texts[:, :1, :], "caption", rows, path)
    for name, subset, quad in zip(rows.first, rows.subset, rows.quad, strict=True):
        if name.split("/")[0] in QUADS and name.split("/")[0] != subset:
            raise InputError(f"a picture of {subset}", repr(name), where=path, row=f"quad {quad}")
    columns = {"quad": rows.quad.astype(str), "subset": rows.subset, "cluster": rows.cluster}
    columns |= {f"image{i}": pictures[:, i, 0] for i in (0, 1)}
    return pd.DataFrame(columns | {f"caption{c}": texts[:, 0, c] for c in (0, 1)})


def _check(column: list, key: str, read: Callable, path: Path) -> None:
    """Each distinct value once, for the set repeats each of them."""
    first: dict[object, int] = {}
    for number, value in enumerate(column):
        first.setdefault(value, number)
    for value, number in first.items():
        read(Row({key: value}, path, f"row {number}"), key)


def _agree(cells: np.ndarray, first: np.ndarray, what: str, rows: Rows, path: Path) -> None:
    torn = np.argwhere(cells != first)
    if len(torn):
        quad, image, caption = torn[0]
        row = int(np.flatnonzero(rows.place == 4 * quad + 2 * image + caption)[0])
        known = np.broadcast_to(first, cells.shape)[quad, image, caption]
        expected = f"the {what} that quad {rows.quad[quad]} has in another row, {known!r}"
        raise InputError(expected, repr(cells[quad, image, caption]), where=path, row=f"row {row}")


def _nested(content: object, path: Path, *place: str) -> Iterator[tuple[Row, str | None]]:
    """(record, video) of a per-quad annotation: a list, or lists under videos, or under videos and subjects."""
    if isinstance(content, list):
        for n, record in enumerate(content):
            yield Row(record, path, ", ".join((*place, str(n)))), place[0] if place else None
    elif isinstance(content, dict) and len(place) < 2:
        for name, below in content.items():
            yield from _nested(below, path, *place, name)
    else:
        expected = "a list of records, or lists of them by video"
        raise InputError(expected, type(content).__name__, where=path, row=", ".join(place) or None)


def _quad(row: Row, video: str | None, number: int) -> dict[str, str]:
    quad = quad_record(row, str(number))
    subset = quad["image0"].split("/")[0]
    if subset not in QUADS:
        raise row.fail(f"a picture in a folder of EqBen ({', '.join(QUADS)})", quad["image0"])
    quad["subset"] = subset
    quad["cluster"] = f"{subset}/{video}" if video is not None else cluster_of(quad["image0"], subset, quad["quad"])
    return quad


def _found_suffix(root: Path, records: pd.DataFrame) -> str | None:
    """ ".jpg" where the first picture that is not an array exists only under that suffix: the light edition."""
    for name in records["image0"]:
        if not name.endswith(".npy"):
            there, light = root / name, (root / name).with_suffix(".jpg")
            return ".jpg" if not there.is_file() and light.is_file() else None
    return None
