"""Winoground: ``examples.jsonl`` with ``{id, image_0, image_1, caption_0, caption_1, tag, collapsed_tag, ...}``."""

from dataclasses import replace
from pathlib import Path

from eqlib.suites.quadfile import COLUMNS, read_quads
from eqlib.suites.suite import QuadSuite

ITEMS = 400


def read_winoground(path: str | Path, *, root: str | Path | None = None) -> QuadSuite:
    """A QuadSuite, one subset ``all``; tags are extra columns. Pictures are ``root/<image_0>.png``.

    ``path``: examples.jsonl or its folder. ``root``: default ``images`` beside it where that exists, else its folder.
    Raises InputError naming file and row.
    """
    path = Path(path)
    path = path / "examples.jsonl" if path.is_dir() else path
    images = path.parent / "images"
    suite = read_quads(
        path, root=root or (images if images.is_dir() else None), name="winoground", columns=COLUMNS["winoground"]
    )
    for key in ("image0", "image1"):  # the annotation names pictures without a suffix ("ex_0_img_0")
        names = suite.records[key]
        suite.records[key] = names.where(names.str.lower().str.endswith((".png", ".jpg")), names + ".png")
    return replace(suite, edition=f"{ITEMS} items" if len(suite) == ITEMS else f"{len(suite)} of {ITEMS} items")
