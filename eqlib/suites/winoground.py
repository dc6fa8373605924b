"""Winoground: ``examples.jsonl`` with ``{id, image_0, image_1, caption_0, caption_1, tag, collapsed_tag, ...}``."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from eqlib.files import content_hash
from eqlib.suites.fields import Row, image_path, unique
from eqlib.suites.quadfile import read_records
from eqlib.suites.suite import QuadSuite

ITEMS = 400


def read_winoground(path: str | Path, *, root: str | Path | None = None) -> QuadSuite:
    """A QuadSuite, one subset ``all``; tags are extra columns. Pictures are ``root/<image_0>.png``.

    ``path``: examples.jsonl or its folder. ``root``: default ``images`` beside it where that exists, else its folder.
    Raises InputError naming file and row.
    """
    path = Path(path)
    path = path / "examples.jsonl" if path.is_dir() else path
    records = pd.DataFrame([_quad(Row(record, path, n)) for n, record in enumerate(read_records(path))])
    unique(records["quad"], "id", path)
    images = path.parent / "images"
    base = Path(root) if root else images if images.is_dir() else path.parent
    edition = f"{ITEMS} items" if len(records) == ITEMS else f"{len(records)} of {ITEMS} items"
    return QuadSuite("winoground", edition, content_hash(path), base, records)


def _quad(row: Row) -> dict[str, str]:
    quad = row.label("id")
    names = [row.text(key) for key in ("image_0", "image_1")]
    # The annotation names pictures without a suffix ("ex_0_img_0").
    images = [image_path(n if n.lower().endswith((".png", ".jpg")) else f"{n}.png", **row.place) for n in names]
    return {
        "quad": quad,
        "subset": "all",
        "cluster": quad,
        "image0": images[0],
        "image1": images[1],
        "caption0": row.text("caption_0"),
        "caption1": row.text("caption_1"),
        **{key: row.optional_label(key, "") for key in ("tag", "secondary_tag", "collapsed_tag") if key in row.record},
    }
