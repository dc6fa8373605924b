"""Executed notebooks as HTML: nbconvert with a template of ours, code folded away, formulas as MathML."""

import base64
import io
import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from pathlib import Path

import nbformat
from jinja2 import FileSystemLoader, pass_context
from latex2mathml.converter import convert
from nbconvert import HTMLExporter
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath
from PIL import Image
from pygments.formatters import HtmlFormatter

from eqlib.files import reading
from eqlib.study.report.inline import inline

_HERE = Path(__file__).parent

_UNDESCRIBED = 'alt="No description has been provided for this image"'


@dataclass(frozen=True)
class Body:
    """One notebook in the page. ``name``: its file's; ``title``: its first heading; ``question``: what it asks;
    ``made``: anchor of what the page shows to the id of the cell that made it."""

    name: str
    title: str
    question: str
    html: str
    made: Mapping[str, str]


class _Exporter(HTMLExporter):
    @pass_context
    def markdown2html(self, context, source: str) -> str:
        """As the parent's, with formulas for which the page needs no script."""
        cell = context.get("cell", {})
        renderer = _Renderer(escape=False, exclude_anchor_links=True, attachments=cell.get("attachments", {}))
        return MarkdownWithMath(renderer=renderer).render(source)


class _Renderer(IPythonRenderer):
    def block_math(self, body: str) -> str:
        return mathml(body, display="block")

    def inline_math(self, body: str) -> str:
        return mathml(body)

    def latex_environment(self, name: str, body: str) -> str:
        return mathml(rf"\begin{{{name}}}{body}\end{{{name}}}", display="block")


def mathml(tex: str, *, display: str = "inline") -> str:
    """TeX mathematics as MathML (``display``: inline or block); the TeX itself where it cannot be read."""
    try:
        made = convert(tex.strip(), display=display)
    except Exception:  # latex2mathml raises its own errors, and Python's on malformed TeX
        return f"<code>{escape(tex)}</code>"
    bar = '<mo stretchy="false">&#x0007C;</mo>'  # of |a|: spaced as an operator unless told otherwise
    made = made.replace(bar, bar.replace("false", 'false" lspace="0" rspace="0', 1))
    return made.replace(' xmlns="http://www.w3.org/1998/Math/MathML"', "")


def body(path: str | Path, name: str, shown: Mapping[str, str] | None = None) -> Body:
    """The notebook at ``path`` (executed) as HTML without scripts or foreign addresses. Ids are those of its code cells
    alone, ``code-NAME-ID``.

    ``shown``: anchor to title of what the page shows already (``figure-forest``). An output whose metadata name one
    (``anchor``) becomes a link to it, or the page would hold every figure and table twice.
    """
    with reading(path, "an executed notebook", Exception):  # nbformat raises its own, jsonschema's and json's errors
        notebook = nbformat.read(path, as_version=4)
    made, shown = {}, shown or {}
    for cell, output in ((one, output) for one in notebook.cells for output in one.get("outputs", [])):
        if (anchor := output.get("metadata", {}).get("anchor")) in shown:
            made[anchor] = cell.id
            link = f'<p><a href="#{escape(anchor)}">{escape(shown[anchor])}</a></p>'
            output["data"] = {"text/html": link}
    first = next((cell.source for cell in notebook.cells if cell.cell_type == "markdown"), "")
    title = re.search(r"^# +(.+)$", first, re.MULTILINE)
    question = re.search(r"\*\*Question\.?\*\*\s*(.+?)(?:\n\s*\n|\Z)", first, re.DOTALL)
    exporter = _Exporter(
        template_name="basic",
        template_file="notebook.html.j2",
        extra_loaders=[FileSystemLoader(_HERE)],
        exclude_input_prompt=True,
        exclude_output_prompt=True,
        exclude_anchor_links=True,
    )
    exporter.log.setLevel(logging.ERROR)  # it asks for alt texts that only an author can give
    html, _ = exporter.from_notebook_node(notebook, resources={"metadata": {"name": name}})
    heading = title[1] if title else name
    html = html.replace(_UNDESCRIBED, f'alt="A picture of the notebook {escape(heading)}"')
    return Body(name, heading, " ".join(question[1].split()) if question else "", _fit(html), made)


def linked(html: str, places: Mapping[str, str]) -> str:
    """``html`` in which a notebook's link to another leads to its name's place, and is its text where it has none."""

    def found(link: re.Match) -> str:
        return f'<a href="{places[link[1]]}">{link[2]}</a>' if link[1] in places else link[2]

    return re.sub(r'<a href="(\w+)\.ipynb">(.*?)</a>', found, html)


def highlight_css() -> str:
    """Colours of the code, light and dark."""
    light = HtmlFormatter(style="friendly").get_style_defs(".highlight")
    dark = HtmlFormatter(style="nord").get_style_defs('[data-theme="dark"] .highlight')
    rules = [line for line in (light + "\n" + dark).split("\n") if ".highlight ." in line]
    return "\n".join(re.sub(r" */\*.*?\*/", "", line) for line in rules)


def _fit(html: str) -> str:
    """Headings two levels down, as the page has its own; no ids but the cells'; no style of pandas' own."""
    html = re.sub(r"<style scoped[^>]*>.*?</style>", "", html, flags=re.DOTALL)
    html = re.sub(r"<(/?)h([1-4])\b[^>]*>", lambda tag: f"<{tag[1]}h{min(int(tag[2]) + 2, 6)}>", html)
    html = re.sub(r'<table border="1" class="dataframe">', '<table class="dataframe">', html)
    html = re.sub(r"""(<[a-z][^<>]*?)\s+id=(?:"(?!code-)[^"]*"|'[^']*')""", r"\1", html)
    html = re.sub(r"<img(?![^>]*\balt=)", '<img alt=""', html)
    html = html.replace("<table", '<div class="wide"><table').replace("</table>", "</table></div>")
    html = re.sub(r"data:image/(png|jpeg);base64,([^\"]+)", _lighter, html)
    return re.sub(r"\n\s*\n+", "\n", html)


def _lighter(address: re.Match) -> str:
    with Image.open(io.BytesIO(base64.b64decode(address[2]))) as picture:  # a kernel leaves photographs as JPEG
        return inline(picture, photo=address[1] == "jpeg")
