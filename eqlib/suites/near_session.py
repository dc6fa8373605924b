"""Pairs of photographs from one session, five captions each: natural quads found by a script, not hand-checked.

``[{image0, image1, captions0: [5], captions1: [5], hist, id_gap, splits: [2]}]``; a Karpathy-style file in the same
folder says where each picture lies.
"""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from eqlib.errors import InputError
from eqlib.files import content_hash, read_json
from eqlib.suites.fields import Row, image_path, records_of
from eqlib.suites.suite import QuadSuite


def read_near_session(
    path: str | Path,
    *,
    index: str | Path | None = None,
    captions: str = "first",
    splits: tuple[str, ...] | list[str] | None = None,
    root: str | Path | None = None,
) -> QuadSuite:
    """A QuadSuite of photograph pairs. Each pair's photos are ``image0`` and ``image1``.

    ``captions``: "first" takes the first caption of each photo (one quad a pair), "all" every combination (25 quads a
    pair). ``splits`` keeps the pairs with both photos in these splits of ``index`` (the Karpathy file, default
    ``dataset_*.json`` in the same folder): a model trained on the train split has seen most pairs. ``cluster``: pairs
    that share photos, directly or through others. Raises InputError naming file and row, also for a photo that
    ``index`` lacks.
    """
    path = Path(path)
    if captions not in ("first", "all"):
        raise InputError("captions 'first' or 'all'", repr(captions))
    index = Path(index) if index else _index_beside(path)
    where = photo_index(index)
    quads, seen = [], 0
    for n, record in enumerate(records_of(read_json(path), path)):
        row = Row(record, path, n)
        photos = [_find(row, key, where, index) for key in ("image0", "image1")]
        texts = [row.texts(key) for key in ("captions0", "captions1")]
        seen += 1
        if splits is not None and not all(split in splits for _, split in photos):
            continue
        choices = itertools.product(*(list(enumerate(t)) for t in texts))
        for (c0, caption0), (c1, caption1) in itertools.islice(choices, 1 if captions == "first" else None):
            quads.append(
                {
                    "quad": str(n) if captions == "first" else f"{n}-{c0}{c1}",
                    "subset": "-".join(sorted({split for _, split in photos})),
                    "image0": photos[0][0],
                    "image1": photos[1][0],
                    "caption0": caption0,
                    "caption1": caption1,
                }
            )
    if not quads:
        raise InputError(f"pairs with both photos in {splits}", f"none of {seen}", where=path)
    records = pd.DataFrame(quads)
    records.insert(2, "cluster", _sessions(records))
    edition = f"{captions}-captions" + ("" if splits is None else "-" + "-".join(splits))
    digest = content_hash([path, index])
    return QuadSuite(
        "near_session", edition, digest, Path(root or path.parent), records, _notes(captions, splits, quads)
    )


def photo_index(path: Path) -> dict[str, tuple[str, str]]:
    """File name -> (path relative to the root, split) from a Karpathy-style file."""
    content = read_json(path)
    images = content.get("images") if isinstance(content, dict) else content
    photos = {}
    for n, record in enumerate(records_of(images, path)):
        row = Row(record, path, f"images[{n}]")
        folder, name = row.optional_label("filepath", ""), row.image("filename")
        photos[name] = (image_path(f"{folder}/{name}" if folder else name, **row.place), row.text("split"))
    return photos


def _index_beside(path: Path) -> Path:
    found = sorted(path.parent.glob("dataset_*.json"))
    if len(found) != 1:
        raise InputError(
            "one dataset_*.json beside the pairs (or the option index)", f"{len(found)}", where=path.parent
        )
    return found[0]


def _find(row: Row, key: str, where: dict[str, tuple[str, str]], index: Path) -> tuple[str, str]:
    name = row.image(key)
    if name not in where:
        raise row.fail(f"a photo of {index.name} under {key!r}", name)
    return where[name]


def _sessions(records: pd.DataFrame) -> list[str]:
    names, codes = np.unique(records[["image0", "image1"]].to_numpy().ravel(), return_inverse=True)
    first, second = codes.reshape(-1, 2).T
    graph = coo_array((np.ones(len(first)), (first, second)), shape=(len(names), len(names)))
    return [f"session-{label}" for label in connected_components(graph, directed=False)[1][first]]


def _notes(captions: str, splits: object, quads: list) -> tuple[str, ...]:
    chosen = "the first caption of each photo" if captions == "first" else "every combination of captions"
    return (f"{chosen}; {len(quads)} quads; pairs found by a script", *([f"splits {splits}"] if splits else []))
