"""EqBen's submission (one score a row of the shuffled annotation) and its annotation as a score table.

The annotation is 180 MB of JSON: it is read as a stream, a row at a time, and only arrays are kept. Order and names are
those of the official ``evaluate_eqben_locally.py``: ``sample_cnt`` counts quads over the whole set, ``name`` is
caption then image (``c1i0`` is ``scores[:, 0, 1]``).
"""

import warnings
from array import array
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from eqlib.errors import InputError, UnclusteredWarning
from eqlib.files import read_json, stream_json
from eqlib.quads import score_table
from eqlib.suites.fields import Row, joined, records_of, unique
from eqlib.suites.quadfile import rows_of
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
class Rows:
    """The rows of a submission in the order of its scores: where each belongs, and its picture and caption where an
    annotation tells them."""

    place: np.ndarray  # (rows,) 4 * quad + cell
    quad: np.ndarray  # (quads,) sample_cnt
    subset: np.ndarray  # (quads,) names
    image: list[str] = field(default_factory=list)  # (rows,)
    caption: list[object] = field(default_factory=list)  # (rows,) unchecked

    def blocks(self, column: list) -> np.ndarray:
        """A column of the rows as [quad, image, caption]."""
        cells = np.empty(len(column), dtype=object)
        cells[self.place] = column
        return cells.reshape(-1, 2, 2)

    @cached_property
    def first(self) -> list[str]:
        """(quads,) the first picture of each; none without an annotation."""
        return self.blocks(self.image)[:, 0, 0].tolist() if self.image else []

    @property
    def cluster(self) -> list[str] | None:
        """(quads,) names, where pictures are known."""
        return list(map(cluster_of, self.first, self.subset, self.quad.tolist())) or None


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
    what ``clusters`` says, a table (.csv, .parquet, .jsonl, .json) with columns quad and cluster, as ``eqlib score
    --items`` writes. Where neither an annotation nor ``clusters`` tells which quads share a video, UnclusteredWarning:
    their intervals will be too narrow.

    Raises InputError naming file and row on a malformed or missing row, a cell that comes twice, a subset that EqBen
    does not have, a quad without cluster, or a score file of another length.
    """
    values = read_scores(scores)
    if layout is not None:
        parts = _parts(Path(layout))
        if values.shape != (sum(parts.values()), 4):  # before room is made for them
            expected = f"an array ({sum(parts.values())}, 4), as in {Path(layout).name}"
            raise InputError(expected, f"shape {values.shape}", where=scores)
        rows = _laid_out(Path(layout), parts, annotation, index, info)
    else:
        rows = read_rows(annotation, index, info)
        if values.shape not in ((n := len(rows.place),), (n, 1)):
            expected = f"{n:,} scores, one a row of {Path(str(annotation or info)).name}"
            raise InputError(expected, f"shape {values.shape}", where=scores)
    natural = np.empty(values.size, dtype=values.dtype)
    natural[rows.place] = values.ravel()
    quad = list(map(str, rows.quad.tolist()))
    cluster = rows.cluster if clusters is None else _clusters(Path(clusters), quad)
    if cluster is None and (videos := sorted({*VIDEOS} & {*rows.subset})):
        warnings.warn(
            f"quads of {', '.join(videos)} are cut from videos and nothing here says which share one: "
            "intervals are too narrow; give an annotation, or clusters",
            UnclusteredWarning,
            stacklevel=2,
        )
    return score_table(
        natural.reshape(-1, 2, 2),
        suite="eqben",
        edition=edition or edition_of(rows.subset, rows.first),
        subset=rows.subset,
        quad=quad,
        cluster=cluster,
    )


def _clusters(path: Path, quads: list[str]) -> list[str]:
    """The cluster of each of ``quads`` from a table of quad and cluster."""
    rows = ((row, row.label("quad"), "cluster", row.label("cluster")) for row in rows_of(path))
    found = joined(rows, ("cluster",), path)
    if lacking := next((quad for quad in quads if quad not in found), None):
        raise InputError(f"a cluster of quad {lacking!r}", "none", where=path)
    return [found[quad][0] for quad in quads]


def read_rows(annotation: str | Path | None, index: str | Path | None, info: str | Path | None) -> Rows:
    """The rows of an annotation with ``private_info``; or by ``index`` and ``info``, with an older annotation beside
    them or without. Raises InputError as ``eqben_table``."""
    if index is None or info is None:
        if annotation is None or index is not info:
            got = "index or info alone, or none of these"
            raise InputError("an annotation, index and info files, or a layout", got, where=annotation)
        keys, image, caption = _stream(Path(annotation), keyed=True, texts=True)
        return replace(_placed(keys, Path(annotation)), image=image, caption=caption)
    natural = _placed(_stream(Path(info), keyed=True, texts=False)[0], Path(info))
    order = read_scores(index)
    n = len(natural.place)
    if order.shape != (n,) or order.dtype.kind not in "iu" or not np.array_equal(np.sort(order), np.arange(n)):
        raise InputError(f"each of 0 .. {n - 1} once, as in {Path(info).name}", f"shape {order.shape}", where=index)
    rows = replace(natural, place=natural.place[order])  # official: natural = submission[argsort(order)]
    if annotation is None:
        return rows
    _, image, caption = _stream(Path(annotation), keyed=False, texts=True)
    if len(image) != n:
        raise InputError(f"{n:,} rows, as in {Path(info).name}", f"{len(image):,}", where=annotation)
    return replace(rows, image=image, caption=caption)


def _stream(path: Path, *, keyed: bool, texts: bool) -> tuple[np.ndarray, list[str], list[object]]:
    """Keys (28 * sample_cnt + 4 * subset + cell), pictures and captions of the rows of an annotation (``texts``), or of
    bare ``private_info`` records; ``keyed`` where the rows say where they belong."""
    codes = {name: 4 * code for code, name in enumerate(QUADS)}
    keys, images, captions = array("q"), [], []
    known: dict[object, Any] = {}
    for number, row in enumerate(stream_json(path)):
        try:  # a million rows: one lookup a field, and one object a text, for the set repeats each of them
            if keyed:
                info = row["private_info"] if texts else row
                sample = info["sample_cnt"]
                if type(sample) is not int or not 0 <= sample < 1 << 58:
                    raise TypeError
                keys.append(4 * len(codes) * sample + codes[info["dataset"]] + CELLS[info["name"]])
            if texts:
                image, caption = row["image"], row.get("caption")
                if type(image) is not str:
                    raise TypeError
                images.append(known.setdefault(image, image))
                captions.append(known.setdefault(caption, caption))
        except (KeyError, TypeError, AttributeError):
            raise _malformed(Row(row, path, f"row {number}"), texts) from None
    return np.asarray(keys), images, captions


def _malformed(row: Row, texts: bool) -> InputError:
    """What is wrong with a row that could not be placed."""
    if texts:
        row.text("image")
        if isinstance(row.record.get("caption"), list | dict):
            row.text("caption")
        if row.row == "row 0" and "private_info" not in row.record:
            return row.fail("private_info in each row, or index and info files beside it", "neither")
    known = f"dataset: one of {', '.join(QUADS)}; name: one of {', '.join(CELLS)}; sample_cnt: a count"
    return row.fail(f"{{{known}}}", row.record.get("private_info") if texts else row.record)


def _placed(keys: np.ndarray, path: Path) -> Rows:
    names = list(QUADS)
    if not len(keys):
        raise InputError("at least one row", "none", where=path)
    count, part, cell = keys // (4 * len(names)), keys // 4 % len(names), keys % 4
    quad, of_row = np.unique(count, return_inverse=True)
    place = 4 * of_row + cell
    seen = np.bincount(place, minlength=4 * len(quad))
    if (seen != 1).any():
        odd = int(np.flatnonzero(seen != 1)[0])
        rows = np.flatnonzero(place == odd)
        expected, got = f"one row {list(CELLS)[odd % 4]} of quad {quad[odd // 4]}", len(rows) or "none"
        raise InputError(expected, got, where=path, row=f"row {rows[1]}" if len(rows) else None)
    subset = np.empty(len(quad), dtype=np.int64)
    subset[of_row] = part
    if (torn := np.flatnonzero(subset[of_row] != part)).size:
        row = int(torn[0])
        expected = f"subset {names[subset[of_row[row]]]!r} as in the other rows of quad {count[row]}"
        raise InputError(expected, repr(names[part[row]]), where=path, row=f"row {row}")
    return Rows(place, quad, np.array(names, dtype=object)[subset])


def cluster_of(image: str, subset: str, quad: int | str) -> str:
    folder = image.rpartition("/")[0]
    return folder if subset in VIDEOS and folder.strip("/") not in ("", subset) else f"{subset}/{quad}"


def edition_of(subset: np.ndarray, images: list[str]) -> str:
    """``full`` or the number of quads, and the suffix of the pictures (YouCook2's frames are .npy in every edition)."""
    counts = pd.Series(subset).value_counts().to_dict()
    size = "full" if counts == QUADS else f"{len(subset)} quads"
    ends = {image[-5:] for image in images}  # few: a suffix and a digit
    suffixes = sorted({end.rpartition(".")[2].lower() for end in ends} - {"npy"})
    return f"{size}, {' + '.join(suffixes)}" if suffixes else size


def _parts(layout: Path) -> dict[str, int]:
    """Subset -> quads in the order of the array that ``layout`` describes."""
    parts = records_of(Row(read_json(layout), layout, None).get("subsets"), layout)
    rows = [Row(part, layout, f"subsets[{n}]") for n, part in enumerate(parts)]
    unique([row.label("name") for row in rows], "name", layout)
    return {row.label("name"): row.count("quads") for row in rows}


def _laid_out(layout: Path, parts: dict[str, int], annotation, index, info) -> Rows:
    """The rows of an array in natural order; with the pictures of an annotation, which must have the same subsets."""
    subset = np.repeat(np.array([*parts], dtype=object), [*parts.values()])
    order = np.arange(4 * len(subset))
    if annotation is None:
        return Rows(order, np.arange(len(subset)), subset)
    annotated = read_rows(annotation, index, info)
    if not np.array_equal(annotated.subset, subset):
        found = pd.Series(annotated.subset).value_counts(sort=False).to_dict()
        raise InputError(f"the subsets of {Path(annotation).name}, {found}", parts, where=layout)
    return replace(annotated, place=order, image=annotated.blocks(annotated.image).ravel().tolist())
