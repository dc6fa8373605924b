"""Executed notebooks as HTML: nbconvert with a template of ours, their code folded away."""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass
from pathlib import Path

import nbformat
from jinja2 import FileSystemLoader
from nbconvert import HTMLExporter
from pygments.formatters import HtmlFormatter

from eqlib.errors import InputError

_HERE = Path(__file__).parent


@dataclass(frozen=True)
class Body:
    """One notebook in the page. ``name``: its file's; ``title``: its first heading; ``question``: what it asks."""

    name: str
    title: str
    question: str
    html: str


def body(path: str | Path, name: str) -> Body:
    """The notebook at ``path`` (executed) as HTML without ids, scripts or foreign addresses."""
    try:
        notebook = nbformat.read(path, as_version=4)
    except Exception as error:  # nbformat raises its own, jsonschema's and json's errors
        raise InputError("an executed notebook", f"{type(error).__name__}: {error}", where=path) from error
    first = next((cell.source for cell in notebook.cells if cell.cell_type == "markdown"), "")
    title = re.search(r"^# +(.+)$", first, re.MULTILINE)
    question = re.search(r"\*\*Question\.?\*\*\s*(.+?)(?:\n\s*\n|\Z)", first, re.DOTALL)
    exporter = HTMLExporter(
        template_name="basic",
        template_file="notebook.html.j2",
        extra_loaders=[FileSystemLoader(_HERE)],
        exclude_input_prompt=True,
        exclude_output_prompt=True,
        exclude_anchor_links=True,
    )
    exporter.log.setLevel(logging.ERROR)  # it asks for alt texts that only an author can give
    html, _ = exporter.from_notebook_node(notebook)
    return Body(name, title[1] if title else name, " ".join(question[1].split()) if question else "", _fit(html))


def highlight_css() -> str:
    """Colours of the code, light and dark."""
    light = HtmlFormatter(style="friendly").get_style_defs(".highlight")
    dark = HtmlFormatter(style="nord").get_style_defs('[data-theme="dark"] .highlight')
    rules = [line for line in (light + "\n" + dark).split("\n") if ".highlight ." in line]
    return "\n".join(re.sub(r" */\*.*?\*/", "", line) for line in rules)


def _fit(html: str) -> str:
    """Headings two levels down, as the page has its own; no ids that two notebooks share; no style of pandas' own."""
    html = re.sub(r"<style scoped[^>]*>.*?</style>", "", html, flags=re.DOTALL)
    html = re.sub(r"<(/?)h([1-4])\b[^>]*>", lambda tag: f"<{tag[1]}h{min(int(tag[2]) + 2, 6)}>", html)
    html = re.sub(r'<table border="1" class="dataframe">', '<table class="dataframe">', html)
    html = re.sub(r"""(<[a-z][^<>]*?)\s+id=(?:"[^"]*"|'[^']*')""", r"\1", html)
    html = re.sub(r"<img(?![^>]*\balt=)", '<img alt=""', html)
    html = html.replace("<table", '<div class="wide"><table').replace("</table>", "</table></div>")
    return re.sub(r"\n\s*\n+", "\n", html)
