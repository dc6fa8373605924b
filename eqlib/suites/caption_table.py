"""Captioned pictures as a table: CSV, parquet or JSONL with the columns ``path``, ``caption`` and, where wanted,
``split``, ``group`` (the minimal pair that a picture belongs to) and ``negative`` (a hard negative of the caption).
Several rows with one path are several captions of that picture."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from eqlib.errors import InputError
from eqlib.files import content_hash
from eqlib.suites.fields import Row
from eqlib.suites.pairs import group_numbers, group_of, some
from eqlib.suites.quadfile import read_records
from eqlib.suites.suite import RetrievalSuite


def read_caption_table(
    path: str | Path,
    *,
    split: str | None = None,
    root: str | Path | None = None,
    name: str | None = None,
    limit: int | None = None,
) -> RetrievalSuite:
    """A RetrievalSuite from the rows of one ``split`` (None takes every row), images in order of first appearance.

    Paths are relative to ``root``, by default the table's folder. ``limit`` keeps the first so many images. Raises
    InputError naming file and row: a cell that is empty, a path that leaves its root, a picture in two splits or two
    groups, or a split asked of a table without that column, which would train and validate on the same rows.
    """
    path = Path(path)
    split_of: dict[str, str] = {}
    group: dict[str, str | None] = {}
    found: dict[str, list[tuple[str, str]]] = {}
    for number, record in enumerate(read_records(path)):
        row = Row(record, path, number)
        image, caption = row.image("path"), row.text("caption")
        here = row.optional_label("split", "") if split is None else row.label("split")
        if split_of.setdefault(image, here) != here:
            raise row.fail(f"{image} in one split ({split_of[image]!r})", here)
        if group.setdefault(image, group_of(row)) != group_of(row):
            raise row.fail(f"{image} in one group ({group[image]!r})", group_of(row))
        if split is None or here == split:
            negative = row.text("negative") if row.record.get("negative") else ""
            found.setdefault(image, []).append((caption, negative))
    if not found:
        raise InputError(f"rows of split {split!r}", f"splits {sorted(set(split_of.values()))}", where=path)
    images = list(found)[:limit]
    edition = split or "all"
    return RetrievalSuite(
        name or path.stem,
        edition if limit is None else f"{edition}-first{limit}",
        content_hash(path),
        Path(root or path.parent),
        images,
        [caption for image in images for caption, _ in found[image]],
        np.repeat(np.arange(len(images)), [len(found[image]) for image in images]),
        groups=group_numbers([group[image] for image in images]),
        negatives=some([negative for image in images for _, negative in found[image]]),
    )
