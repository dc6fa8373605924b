"""COCO captions: the official ``captions_*.json``, and the list form in which BLIP ships the Karpathy test split.

Official: ``{images: [{id, file_name}], annotations: [{image_id, caption}]}``. List: ``[{image, caption: [..]}]``.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from eqlib.errors import InputError
from eqlib.files import content_hash, read_json
from eqlib.suites.fields import Row, records_of, unique
from eqlib.suites.suite import RetrievalSuite


def read_coco(
    path: str | Path, *, root: str | Path | None = None, captions_per_image: int | None = None
) -> RetrievalSuite:
    """A RetrievalSuite in the file's order of images.

    ``captions_per_image`` keeps the first so many: published retrieval uses 5, while a few images carry 6 or 7. Raises
    InputError naming file and row; also for a caption whose image is not listed, and for an image without captions.
    """
    path = Path(path)
    content = read_json(path)
    texts = _from_list(content, path) if isinstance(content, list) else _official(content, path)
    texts = {image: captions[:captions_per_image] for image, captions in texts.items()}
    owner = np.repeat(np.arange(len(texts)), [len(captions) for captions in texts.values()])
    return RetrievalSuite(
        "coco",
        path.stem + (f", {captions_per_image} captions an image" if captions_per_image else ""),
        content_hash(path),
        Path(root or path.parent),
        list(texts),
        [caption for captions in texts.values() for caption in captions],
        owner.astype(np.int64),
    )


def _from_list(content: list, path: Path) -> dict[str, list[str]]:
    rows = [Row(record, path, n) for n, record in enumerate(records_of(content, path))]
    names = [row.image("image") for row in rows]
    unique(names, "image", path)
    return {name: row.texts("caption") for name, row in zip(names, rows, strict=True)}


def _official(content: object, path: Path) -> dict[str, list[str]]:
    if not isinstance(content, dict) or not {"images", "annotations"} <= set(content):
        raise InputError("{images, annotations}, or a list of {image, caption}", type(content).__name__, where=path)
    names: dict[int, str] = {}
    for n, record in enumerate(records_of(content["images"], path)):
        row = Row(record, path, f"images[{n}]")
        if row.number("id") in names:
            raise row.fail("an id of its own", row.number("id"))
        names[row.number("id")] = row.image("file_name")
    unique(names.values(), "file_name", path)
    texts: dict[str, list[str]] = {name: [] for name in names.values()}
    for n, record in enumerate(records_of(content["annotations"], path)):
        row = Row(record, path, f"annotations[{n}]")
        if row.number("image_id") not in names:
            raise row.fail("the id of an image in the file", row.number("image_id"))
        texts[names[row.number("image_id")]].append(row.text("caption"))
    bare = next((name for name, captions in texts.items() if not captions), None)
    if bare is not None:
        raise InputError("a caption for every image", "none", where=path, row=bare)
    return texts
