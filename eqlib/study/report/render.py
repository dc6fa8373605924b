"""The report's content as one HTML page and as a PDF in the form of a paper."""

import json
from dataclasses import asdict
from pathlib import Path

import matplotlib
import typst
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from PIL import Image

from eqlib.study.report.content import Content
from eqlib.study.report.inline import inline
from eqlib.study.report.notebooks import Body, highlight_css
from eqlib.study.report.style import COLUMN

_HERE = Path(__file__).parent

FONTS = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
"""DejaVu, the letters of the figures. Everything else is set in the fonts inside typst's wheel: none of the machine's
own is read, so that the PDF is the same file everywhere."""


def html(content: Content, build: str | Path, *, notebooks: list[Body], browser: str = "") -> str:
    """The page: it holds everything it shows and asks nothing of the network. ``build``: the folder that the figures'
    ``file`` is relative to; ``browser``: address of the item browser, relative to the page."""
    return environment().get_template("page.html.j2").render(
        content=content,
        figures=[words | {"data": _figure(words, build)} for words in content.figures],
        numbers={table["name"]: number for number, table in enumerate(content.tables, 1)},
        notebooks=notebooks,
        browser=browser,
        css=(_HERE / "page.css").read_text(encoding="utf-8") + highlight_css(),
        js=(_HERE / "page.js").read_text(encoding="utf-8"),
    )  # fmt: skip


def _figure(words: dict, build: str | Path) -> str:
    with Image.open(Path(build) / f"{words['file']}.png") as picture:
        return inline(picture, photo=words["pictures"])


def environment() -> Environment:
    """The templates of this room; an unknown name in one is an error, text is escaped. ``frame``: what pages share."""
    made = Environment(
        loader=FileSystemLoader(_HERE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    made.globals["frame"] = "frame.html.j2"
    return made


def pdf(content: Content, build: str | Path) -> bytes:
    """The paper, set by Typst, without TeX. ``build``: as in ``html``; figures are set at their own printed width.

    Every string reaches Typst as data: ``#``, ``$`` or ``@`` in a caption is a letter there. Tagged, with the figures'
    alternative texts. No date is written: the same content gives the same bytes.
    """
    return typst.compile(format="pdf", timestamp=0, **_source(content, build))


def query(content: Content, build: str | Path, selector: str) -> list[dict]:
    """The elements of the set paper that match Typst's ``selector``, as in ``typst query``."""
    return json.loads(typst.query(selector=selector, format="json", **_source(content, build)))


def _source(content: Content, build: str | Path) -> dict:
    words = asdict(content)
    words["figures"] = [figure | {"broad": figure["inches"][0] > COLUMN + 0.1} for figure in content.figures]
    words["facts"] = list(content.facts.items())
    return {
        "input": (_HERE / "paper.typ").read_bytes(),
        "root": str(build),
        "font_paths": [str(FONTS)],
        "ignore_system_fonts": True,
        "sys_inputs": {"content": json.dumps(words)},
    }
