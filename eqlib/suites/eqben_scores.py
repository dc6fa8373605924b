"""EqBen's submission (one score a row of the shuffled annotation) and its annotation as a score table.

The annotation is 180 MB of JSON: it is read as a stream, a row at a time, and only arrays are kept. Order and names are
those of the official ``evaluate_eqben_locally.py``: ``sample_cnt`` counts quads over the whole set, ``name`` is
caption then image (``c1i0`` is ``scores[:, 0, 1]``).
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import ijson
import numpy as np
import pandas as pd

from eqlib.errors import InputError
from eqlib.files import read_json
from eqlib.quads import from_official, score_table
from eqlib.suites.score_files import read_scores

QUADS = {
    "eqbenag": 195_872,
    "eqbenyoucook2": 45_849,
    "eqbengebc": 1_814,
    "eqbenkubric_loc": 2_000,
    "eqbenkubric_cnt": 2_000,
    "eqbenkubric_attr": 2_000,
    "eqbensd": 1_513,
}
"""Subsets in natural order and their sizes in the full set: 251,048 quads."""

VIDEOS = ("eqbenag", "eqbenyoucook2", "eqbengebc")
"""Subsets cut from videos: quads of one folder are frames of one video."""

CELLS = {"c0i0": 0, "c1i0": 1, "c0i1": 2, "c1i1": 3}
"""Place of an annotation row in its quad, row-major [image, caption]."""


@dataclass(frozen=True)
class Places:
    """Where each row of a submission belongs: ``place`` (rows,) = 4 * quad + cell."""

    place: np.ndarray
    quad: np.ndarray  # (quads,) sample_cnt
    subset: np.ndarray  # (quads,) names
    cluster: np.ndarray | None  # (quads,) names, where image paths are known
    edition: str


def eqben_table(
    scores: str | Path,
    *,
    annotation: str | Path | None = None,
    index: str | Path | None = None,
    info: str | Path | None = None,
    layout: str | Path | None = None,
    edition: str | None = None,
) -> pd.DataFrame:
    """Score table of an EqBen submission.

    Three ways to say which row is which: ``annotation`` with ``private_info``; ``index`` and ``info``
    (``private_random_idx.json``, ``private_info.json``), with an older annotation beside them or without; or
    ``layout``, a JSON ``{"subsets": [{"name", "quads"}, ...]}``, for an array (n, 4) of c0_i0, c1_i0, c0_i1, c1_i1 in
    natural order. ``edition`` replaces the guess from counts and file suffixes.

    The cluster of a quad is the folder of its first image for the subsets cut from videos, else the quad itself.
    Raises InputError naming file and row on a malformed or missing row, a cell that comes twice, a subset that EqBen
    does not have, or a score file of another length.
    """
    values = read_scores(scores)
    if layout is not None:
        return _from_layout(values, Path(layout), scores, edition)
    if annotation is None and (index is None or info is None):
        raise InputError("an annotation, index and info files, or a layout", "none of them", where=scores)
    places = read_places(annotation, index, info)
    values = values[:, 0] if values.ndim == 2 and values.shape[1] == 1 else values
    if values.shape != places.place.shape:
        expected = f"{len(places.place):,} scores, one a row of {Path(annotation or info).name}"
        raise InputError(expected, f"shape {values.shape}", where=scores)
    natural = np.empty(len(values), dtype=values.dtype)
    natural[places.place] = values
    return score_table(
        natural.reshape(-1, 2, 2),
        suite="eqben",
        edition=edition or places.edition,
        subset=places.subset,
        quad=list(map(str, places.quad.tolist())),
        cluster=places.cluster,
    )


def read_places(annotation, index, info) -> Places:
    if index is None:
        return _gather(Path(annotation), annotated=True)
    natural = _gather(Path(info), annotated=False)
    order = read_scores(index)
    n = len(natural.place)
    if order.shape != (n,) or order.dtype.kind not in "iu" or not np.array_equal(np.sort(order), np.arange(n)):
        raise InputError(f"each of 0 .. {n - 1} once, as in {Path(info).name}", f"shape {order.shape}", where=index)
    place = natural.place[order]  # official: natural = submission[argsort(order)]
    if annotation is None:
        return Places(place, natural.quad, natural.subset, None, natural.edition)
    images = [_image(row, Path(annotation), number) for number, row in enumerate(stream_records(Path(annotation)))]
    if len(images) != n:
        raise InputError(f"{n:,} rows, as in {Path(info).name}", f"{len(images):,}", where=annotation)
    first = np.empty(n, dtype=object)
    first[place] = images
    return _with_images(place, natural.quad, natural.subset, first[::4])


def _gather(path: Path, annotated: bool) -> Places:
    """Places from the rows of an annotation, or from bare ``private_info`` records."""
    names = list(QUADS)
    codes, cells = {name: 4 * code for code, name in enumerate(names)}, CELLS
    width, keys, images = 4 * len(names), array("q"), {}
    keep = keys.append
    for number, row in enumerate(stream_records(path)):
        try:  # a million rows: one lookup a field, one number kept a row
            info = row["private_info"] if annotated else row
            cell, sample = cells[info["name"]], info["sample_cnt"]
            if type(sample) is not int or not 0 <= sample < 1 << 58:
                raise TypeError
            keep(width * sample + codes[info["dataset"]] + cell)
            if annotated:
                image = row["image"]
                if type(image) is not str:
                    raise TypeError
                if cell == 0:
                    images[sample] = image
        except (KeyError, TypeError):
            raise _malformed(row, path, number, annotated) from None
    keys = np.asarray(keys)
    if not len(keys):
        raise InputError("at least one row", "none", where=path)
    count, part, cell = keys // width, keys % width // 4, keys % 4
    quad, of_row = np.unique(count, return_inverse=True)
    place = 4 * of_row + cell
    seen = np.bincount(place, minlength=4 * len(quad))
    if (seen != 1).any():
        odd = int(np.flatnonzero(seen != 1)[0])
        what = f"{list(CELLS)[odd % 4]} of quad {quad[odd // 4]}"
        rows = np.flatnonzero(place == odd)
        got = f"{len(rows)}" if len(rows) else "none"
        raise InputError(f"one row {what}", got, where=path, row=f"row {rows[1]}" if len(rows) else None)
    subset = np.empty(len(quad), dtype=np.int64)
    subset[of_row] = part
    if (torn := np.flatnonzero(subset[of_row] != part)).size:
        row = int(torn[0])
        expected = f"subset {names[subset[of_row[row]]]!r} as in the other rows of quad {count[row]}"
        raise InputError(expected, repr(names[part[row]]), where=path, row=f"row {row}")
    subset = np.array(names, dtype=object)[subset]
    if not annotated:
        return Places(place, quad, subset, None, edition_of(subset, []))
    return _with_images(place, quad, subset, [images[sample] for sample in quad.tolist()])


def _with_images(place, quad, subset, first) -> Places:
    cluster = np.array(list(map(cluster_of, first, subset, quad.tolist())), dtype=object)
    return Places(place, quad, subset, cluster, edition_of(subset, first))


def _malformed(row: object, path: Path, number: int, annotated: bool) -> InputError:
    """What is wrong with a row that could not be placed."""
    if annotated:
        _image(row, path, number)
        if number == 0 and "private_info" not in row:
            expected = "private_info in each row, or index and info files beside it"
            return InputError(expected, "neither", where=path, row="row 0")
        row = row.get("private_info")
    expected = f"{{dataset: one of {', '.join(QUADS)}; name: one of {', '.join(CELLS)}; sample_cnt: a count}}"
    return InputError(expected, _shown(row), where=path, row=f"row {number}")


def _image(row: object, path: Path, number: int) -> str:
    if not isinstance(row, dict) or not isinstance(row.get("image"), str):
        raise InputError("a row {image, caption, ...}", _shown(row), where=path, row=f"row {number}")
    return row["image"]


def cluster_of(image: str, subset: str, quad: int) -> str:
    folder = image.rpartition("/")[0]
    return folder if subset in VIDEOS and folder.strip("/") not in ("", subset) else f"{subset}/{quad}"


def edition_of(subset: np.ndarray, images: list[str]) -> str:
    """``full`` or the number of quads, and the suffix of the pictures (YouCook2's frames are .npy in every edition)."""
    counts = pd.Series(subset).value_counts().to_dict()
    size = "full" if counts == QUADS else f"{len(subset)} quads"
    ends = {image[-5:] for image in images}  # few: a suffix and a digit
    suffixes = sorted({end.rpartition(".")[2].lower() for end in ends} - {"npy"})
    return f"{size}, {' + '.join(suffixes)}" if suffixes else size


def stream_records(path: Path) -> Iterator[object]:
    """The records of a JSON list, one at a time: 1,004,192 rows in 2.4 s and 12 MB (json.load: 4.6 s and 0.9 GB)."""
    row = -1
    try:
        with path.open("rb") as file:
            head = file.read(64).lstrip(b"\xef\xbb\xbf \t\r\n")
            if head[:1] != b"[":
                raise InputError("a JSON list of records", repr(head[:20].decode("utf-8", "replace")), where=path)
            file.seek(0)
            for row, record in enumerate(ijson.items(file, "item", use_float=True)):  # noqa: B007
                yield record
    except OSError as error:
        raise InputError("a readable file", error.strerror or str(error), where=path) from error
    except (ijson.JSONError, UnicodeDecodeError, RecursionError) as error:
        # The parser reads ahead: rows up to the fault may not have come out yet.
        got = str(error).splitlines()[0]
        raise InputError("a whole JSON list", got, where=path, row=f"after row {row}" if row >= 0 else None) from error


def _from_layout(values, layout: Path, scores, edition) -> pd.DataFrame:
    content = read_json(layout)
    try:
        parts = [(part["name"], part["quads"]) for part in content["subsets"]]
        good = all(type(name) is str and type(quads) is int and quads >= 0 for name, quads in parts)
    except (KeyError, TypeError):
        good = False
    if not good:
        raise InputError('{"subsets": [{"name": text, "quads": count}, ...]}', _shown(content), where=layout)
    n = sum(quads for _, quads in parts)
    if values.shape != (n, 4):
        raise InputError(f"an array ({n}, 4), as in {layout.name}", f"shape {values.shape}", where=scores)
    subset = np.repeat([name for name, _ in parts], [quads for _, quads in parts])
    blocks = from_official(values, where=scores)
    return score_table(blocks, suite="eqben", edition=edition or edition_of(subset, []), subset=subset)


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 120 else text[:117] + "..."
