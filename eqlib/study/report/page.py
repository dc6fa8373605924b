"""The report as one page that holds everything it shows, and asks nothing of the network."""

from __future__ import annotations

import base64
import io
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from PIL import Image

from eqlib.study.report.content import Content
from eqlib.study.report.notebooks import Body, highlight_css

_HERE = Path(__file__).parent


def render(content: Content, figures: str | Path, *, notebooks: list[Body], browser: str = "", paper: str = "") -> str:
    """The page. ``figures``: folder of the figures' PNG; ``browser``, ``paper``: addresses of the item browser and of
    the PDF, relative to the page.
    """
    return environment().get_template("page.html.j2").render(
        content=content,
        figures=[{**words, "data": inline(Path(figures) / f"{words['name']}.png")} for words in content.figures],
        notebooks=notebooks,
        browser=browser,
        paper=paper,
        css=(_HERE / "page.css").read_text(encoding="utf-8") + highlight_css(),
        js=(_HERE / "page.js").read_text(encoding="utf-8"),
    )  # fmt: skip


def environment() -> Environment:
    """The templates of this room; an unknown name in one is an error, text is escaped."""
    return Environment(
        loader=FileSystemLoader(_HERE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )


def inline(path: str | Path) -> str:
    """A PNG as a data address: lossless WebP, the same pixels in half the bytes."""
    buffer = io.BytesIO()
    with Image.open(path) as picture:
        picture.convert("RGB").save(buffer, "webp", lossless=True, method=4)
    return f"data:image/webp;base64,{base64.b64encode(buffer.getvalue()).decode()}"
