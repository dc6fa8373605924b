"""The report: one page that holds everything it shows, and asks nothing of the network."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from eqlib.files import read_json
from eqlib.report.headline import abstract, difference, percent, points, probability, value, verdict
from eqlib.report.notebooks import Body, highlight_css
from eqlib.report.study import Study
from eqlib.report.style import label

_HERE = Path(__file__).parent

BIBTEX = """@inproceedings{wang2023equivariant,
  title     = {Equivariant Similarity for Vision-Language Foundation Models},
  author    = {Wang, Tan and Lin, Kevin and Li, Linjie and Lin, Chung-Ching and Yang, Zhengyuan and
               Zhang, Hanwang and Liu, Zicheng and Wang, Lijuan},
  booktitle = {Proceedings of the IEEE/CVF International Conference on Computer Vision (ICCV)},
  year      = {2023},
  note      = {arXiv:2303.14465}
}"""


@dataclass(frozen=True)
class Tile:
    """A number at the top of the page: what, how much, how sure."""

    name: str
    figure: str
    evidence: str
    kind: str  # higher, lower, none, or "" for a number that is no difference


def render(
    study: Study,
    figures: str | Path,
    tables: str | Path,
    *,
    notebooks: list[Body],
    facts: dict[str, str],
    parameters: str = "",
    browser: str = "",
) -> str:
    """The page as HTML.

    ``figures``, ``tables``: folders written by ``catalogue.publish`` and ``typeset.write``; ``facts``: the provenance;
    ``parameters``: the text of params.yaml; ``browser``: address of the item browser, relative to the page.
    """
    return environment().get_template("page.html.j2").render(
        abstract=abstract(study),
        tiles=tiles(study),
        figures=[{**words, "data": inline(Path(figures) / f"{words['name']}.png")} for words in _words(figures)],
        tables=_words(tables),
        notebooks=notebooks,
        facts=facts,
        parameters=parameters,
        bibtex=BIBTEX,
        browser=browser,
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
    """A picture file as a data address."""
    path = Path(path)
    kind = {".png": "png", ".jpg": "jpeg", ".webp": "webp"}[path.suffix]
    return f"data:image/{kind};base64,{base64.b64encode(path.read_bytes()).decode()}"


def tiles(study: Study) -> list[Tile]:
    """Up to four numbers: the treatment's group score, its difference to the baseline, and what moved."""
    made = []
    row = value(study, study.treatment) if study.treatment else None
    if row is not None:
        interval = f"95 % interval {points(row['low'], signed=False)} to {points(row['high'], signed=False)}"
        made.append(Tile(f"Group score, {label(study.treatment)}", percent(float(row["point"])), interval, ""))
    against = f"to {label(study.baseline).lower()}" if study.baseline else ""
    for score, name in (("group", "Group score"), ("headroom", "Headroom")):
        row = difference(study, score)
        if row is not None:
            evidence = f"{points(row['low'])} to {points(row['high'])}; {probability(float(row['p_holm']))}"
            made.append(Tile(f"{name}, difference {against}", f"{points(row['point'])} pt", evidence, verdict(row)))
    moved, start = difference(study, "abs_b"), value(study, study.baseline, "abs_b") if study.baseline else None
    if moved is not None and start is not None and float(start["point"]) > 0:
        low, point, high = (100 * float(moved[name]) / float(start["point"]) for name in ("low", "point", "high"))
        evidence = f"{low:+.0f} to {high:+.0f} %; {probability(float(moved['p_holm']))}".replace("-", "−")
        figure = f"{point:+.0f} %".replace("-", "−")
        made.append(Tile(f"Mean |b|, relative {against}", figure, evidence, verdict(moved)))
    return made


def _words(folder: str | Path) -> list[dict]:
    return sorted((read_json(path) for path in Path(folder).glob("*.json")), key=lambda words: words["order"])
