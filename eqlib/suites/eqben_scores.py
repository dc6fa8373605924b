"""EqBen's submission (one score a row of the shuffled annotation) and its annotation as a score table.

The annotation is 180 MB of JSON: it is read as a stream, a row at a time, and only arrays are kept. Order and names are
those of the official ``evaluate_eqben_locally.py``: ``sample_cnt`` counts quads over the whole set, ``name`` is
caption then image (``c1i0`` is ``scores[:, 0, 1]``).
"""

from __future__ import annotations

import warnings
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import ijson
import numpy as np
import pandas as pd

from eqlib.errors import InputError, UnclusteredWarning
from eqlib.files import read_json
from eqlib.quads import score_table
from eqlib.suites.fields import Row
from eqlib.suites.quadfile import read_records
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
    clusters: str | Path | None = None,
    edition: str | None = None,
) -> pd.DataFrame:
    """Score table of an EqBen submission.

    Three ways to say which row is which: ``annotation`` with ``private_info``; ``index`` and ``info``
    (``private_random_idx.json``, ``private_info.json``), with an older annotation beside them or without; or
    ``layout``, a JSON ``{"subsets": [{"name", "quads"}, ...]}``, for an array (n, 4) of c0_i0, c1_i0, c0_i1, c1_i1 in
    natural order, where an annotation beside it tells the clusters. ``edition`` replaces the guess from counts and file
    suffixes.

    The cluster of a quad is the folder of its first image for the subsets cut from videos, else the quad itself; or
    what ``clusters`` says: a JSON list of one name a quad in natural order, or a table (.csv, .parquet, .jsonl, .json)
    with columns quad and cluster, as ``eqlib score --items`` writes. Where neither an annotation nor ``clusters`` tells
    which quads share a video, UnclusteredWarning: their intervals will be too narrow.

    Raises InputError naming file and row on a malformed or missing row, a cell that comes twice, a subset that EqBen
    does not have, a quad without cluster, or a score file of another length.
    """
    values = read_scores(scores)
    if annotation is None and layout is None and (index is None or info is None):
        raise InputError("an annotation, index and info files, or a layout", "none of them", where=scores)
    if layout is not None:
        places = _laid_out(Path(layout), annotation, index, info)
        expected, shapes = f"an array ({len(places.quad)}, 4), as in {Path(layout).name}", [(len(places.quad), 4)]
    else:
        places = read_places(annotation, index, info)
        expected = f"{len(places.place):,} scores, one a row of {Path(annotation or info).name}"
        shapes = [(len(places.place),), (len(places.place), 1)]
    if values.shape not in shapes:
        raise InputError(expected, f"shape {values.shape}", where=scores)
    natural = np.empty(values.size, dtype=values.dtype)
    natural[places.place] = values.ravel()
    quad = list(map(str, places.quad.tolist()))
    cluster = places.cluster if clusters is None else _clusters(Path(clusters), quad)
    if cluster is None and (videos := sorted({*VIDEOS} & {*places.subset})):
        warnings.warn(
            f"quads of {', '.join(videos)} are cut from videos and nothing here says which share one: "
            "intervals are too narrow; give an annotation, or clusters",
            UnclusteredWarning,
            stacklevel=2,
        )
    return score_table(
        natural.reshape(-1, 2, 2),
        suite="eqben",
        edition=edition or places.edition,
        subset=places.subset,
        quad=quad,
        cluster=cluster,
    )


def _clusters(path: Path, quads: list[str]) -> list[str]:
    """The cluster of each of ``quads`` from a list of names in their order, or from a table of quad and cluster."""
    records = read_records(path)
    if not isinstance(records[0], dict):
        if len(records) != len(quads):
            expected = f"{len(quads)} clusters, one a quad in natural order"
            raise InputError(expected, len(records), where=path)
        return [Row({"cluster": name}, path, n).label("cluster") for n, name in enumerate(records)]
    found: dict[str, str] = {}
    for n, record in enumerate(records):
        row = Row(record, path, n)
        if row.label("quad") in found:
            raise InputError("one cluster a quad", f"{row.label('quad')!r} again", where=path, row=n)
        found[row.label("quad")] = row.label("cluster")
    if lacking := next((quad for quad in quads if quad not in found), None):
        raise InputError(f"a cluster of quad {lacking!r}", "none", where=path)
    return [found[quad] for quad in quads]


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


def _laid_out(layout: Path, annotation, index, info) -> Places:
    """Places of an array in natural order; with the clusters of an annotation, which must have the same subsets."""
    content = read_json(layout)
    try:
        parts = [(part["name"], part["quads"]) for part in content["subsets"]]
        good = all(type(name) is str and type(quads) is int and quads >= 0 for name, quads in parts)
    except (KeyError, TypeError):
        good = False
    if not good:
        raise InputError('{"subsets": [{"name": text, "quads": count}, ...]}', _shown(content), where=layout)
    subset = np.repeat(np.array([name for name, _ in parts], dtype=object), [quads for _, quads in parts])
    order = np.arange(4 * len(subset))
    if annotation is None:
        return Places(order, np.arange(len(subset)), subset, None, edition_of(subset, []))
    annotated = read_places(annotation, index, info)
    if not np.array_equal(annotated.subset, subset):
        found = pd.Series(annotated.subset).value_counts(sort=False).to_dict()
        raise InputError(f"the subsets of {Path(annotation).name}, {found}", dict(parts), where=layout)
    return replace(annotated, place=order)


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 120 else text[:117] + "..."
