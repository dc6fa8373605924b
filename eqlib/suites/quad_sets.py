"""2 x 2 sets that are the generic quad format under other names: Winoground, Cola, BiVLC, ColorSwap."""

from dataclasses import replace
from functools import partial
from pathlib import Path

import pandas as pd

from eqlib.errors import InputError, shown
from eqlib.files import content_hash, read_json
from eqlib.suites.fields import Row, records_of
from eqlib.suites.quadfile import quad_record, read_quads
from eqlib.suites.suite import QuadSuite

WINOGROUND, COLA = 400, 210
"""Items of the whole sets."""


def read_winoground(path: str | Path, *, root: str | Path | None = None) -> QuadSuite:
    """From ``examples.jsonl`` with ``{id, image_0, image_1, caption_0, caption_1, tag, collapsed_tag, ...}``: a
    QuadSuite, one subset ``all``; tags are extra columns. Pictures are ``root/<image_0>.png``.

    ``path``: examples.jsonl or its folder. ``root``: default ``images`` beside it where that exists, else its folder.
    Raises InputError naming file and row.
    """
    path = Path(path)
    path = path / "examples.jsonl" if path.is_dir() else path
    images = path.parent / "images"
    root = root or (images if images.is_dir() else None)
    columns = ("image_0", "image_1", "caption_0", "caption_1")
    suite = read_quads(path, root=root, name="winoground", columns=columns)
    for key in ("image0", "image1"):  # the annotation names pictures without a suffix ("ex_0_img_0")
        names = suite.records[key]
        suite.records[key] = names.where(names.str.lower().str.endswith((".png", ".jpg")), names + ".png")
    every = f"{WINOGROUND} items"
    return replace(suite, edition=every if len(suite) == WINOGROUND else f"{len(suite)} of {every}")


def read_cola(path: str | Path, *, root: str | Path | None = None) -> QuadSuite:
    """Cola's multi-object benchmark, a list of ``[picture URL, caption, picture URL, caption]``, as a QuadSuite; a
    picture is ``root/<last part of its URL>``. Raises InputError naming file and row."""
    path = Path(path)
    quads = []
    for n, record in enumerate(records_of(read_json(path), path)):
        if not isinstance(record, list) or len(record) != 4 or not all(isinstance(v, str) for v in record):
            raise InputError("[picture URL, caption, picture URL, caption]", shown(record), where=path, row=n)
        fields = dict(zip(("image0", "caption0", "image1", "caption1"), record, strict=True))
        fields |= {key: fields[key].partition("?")[0].rpartition("/")[2] for key in ("image0", "image1")}
        quads.append(quad_record(Row(fields, path, n), str(n)))
    return QuadSuite("cola", "multi-object", content_hash(path), Path(root or path.parent), pd.DataFrame(quads))


# Both as files, once their pictures are.
BIVLC = ("image", "negative_image", "caption", "negative_caption", "type")
COLORSWAP = ("image_1", "image_2", "caption_1", "caption_2")
read_bivlc = partial(read_quads, name="bivlc", edition="test", columns=BIVLC)
read_colorswap = partial(read_quads, name="colorswap", edition="test", columns=COLORSWAP)
