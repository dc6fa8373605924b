"""The report as a PDF in the form of a paper, from the same content as the page; set by Typst, without TeX."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import matplotlib
import typst

from eqlib.study.report.content import Content
from eqlib.study.report.style import COLUMN

TEMPLATE = Path(__file__).with_name("paper.typ")

FONTS = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
"""DejaVu, the letters of the figures. Everything else is set in the fonts inside typst's wheel: none of the machine's
own is read, so that the paper is the same file everywhere."""


def render(content: Content, figures: str | Path) -> bytes:
    """The PDF. ``figures``: folder of the figures' PDF, set at their own printed width.

    Every string reaches Typst as data: ``#``, ``$`` or ``@`` in a caption is a letter there. Tagged, with the figures'
    alternative texts. No date is written: the same content gives the same bytes.
    """
    return typst.compile(format="pdf", timestamp=0, **_source(content, figures))


def query(content: Content, figures: str | Path, selector: str) -> list[dict]:
    """The elements of the set paper that match Typst's ``selector``, as in ``typst query``."""
    return json.loads(typst.query(selector=selector, format="json", **_source(content, figures)))


def _source(content: Content, figures: str | Path) -> dict:
    words = asdict(content) | {name: getattr(content, name) for name in ("reading", "made", "citing")}
    words["figures"] = [figure | {"broad": figure["inches"][0] > COLUMN + 0.1} for figure in content.figures]
    words["facts"] = list(content.facts.items())
    return {
        "input": TEMPLATE.read_bytes(),
        "root": str(figures),
        "font_paths": [str(FONTS)],
        "ignore_system_fonts": True,
        "sys_inputs": {"content": json.dumps(words)},
    }
