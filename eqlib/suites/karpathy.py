"""Karpathy-style retrieval splits: Flickr8k, Flickr30k, COCO and sets built in this form.

``{dataset?, images: [{filepath?, filename, split, sentences: [{raw}], negatives?, group?}]}``; a picture is
``root/filepath/filename``. ``negatives`` lists one hard-negative caption for each sentence, ``group`` names the minimal
pair that the picture belongs to.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from eqlib.errors import InputError
from eqlib.files import content_hash, read_json
from eqlib.suites.fields import Row, image_path, records_of
from eqlib.suites.pairs import group_numbers, group_of, negatives_of, some
from eqlib.suites.suite import RetrievalSuite


def read_karpathy(
    path: str | Path,
    *,
    split: str | None = "test",
    root: str | Path | None = None,
    name: str | None = None,
    captions_per_image: int | None = None,
    limit: int | None = None,
) -> RetrievalSuite:
    """A RetrievalSuite from one split of a Karpathy-style file (``split=None`` takes every image).

    ``captions_per_image`` keeps the first so many captions of an image: published COCO and Flickr retrieval uses 5,
    while a few COCO images carry 6 or 7. ``limit`` keeps the first so many images. Raises InputError naming file and
    row.
    """
    path = Path(path)
    images, captions, owner, groups, negatives = [], [], [], [], []
    splits = set()
    for row in _rows(path):
        here = row.text("split")
        splits.add(here)
        if split is not None and here != split:
            continue
        folder = row.optional_label("filepath", "")
        image = image_path(f"{folder}/{row.image('filename')}" if folder else row.image("filename"), **row.place)
        texts = [Row(s, path, row.row).text("raw") for s in _sentences(row)]
        negatives += negatives_of(row, len(texts))[:captions_per_image]
        groups.append(group_of(row))
        texts = texts[:captions_per_image]
        owner += [len(images)] * len(texts)
        captions += texts
        images.append(image)
        if limit is not None and len(images) == limit:
            break
    if not images:
        raise InputError(f"images of split {split!r}", f"splits {sorted(splits)}", where=path)
    edition = split or "all"
    digest = content_hash(path)
    return RetrievalSuite(
        name or path.stem.removeprefix("dataset_"),
        edition if limit is None else f"{edition}-first{limit}",
        digest,
        Path(root or path.parent),
        images,
        captions,
        np.asarray(owner, dtype=np.int64),
        groups=group_numbers(groups),
        negatives=some(negatives),
    )


def _rows(path: Path) -> list[Row]:
    content = read_json(path)
    if not isinstance(content, dict) or "images" not in content:
        raise InputError("an object with a list 'images'", type(content).__name__, where=path)
    return [Row(record, path, f"images[{n}]") for n, record in enumerate(records_of(content["images"], path))]


def _sentences(row: Row) -> list:
    sentences = row.get("sentences")
    if not isinstance(sentences, list) or not sentences:
        raise row.fail("a list of sentences", sentences)
    return sentences
