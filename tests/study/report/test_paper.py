"""The report as PDF: what the page says, with its figures and tables, letters as letters, the same bytes twice."""

from __future__ import annotations

import re
import zlib
from dataclasses import replace
from pathlib import Path

import pytest
from drawn import FIGURES

from eqlib.study.report import render
from eqlib.study.report.content import Content, caveats, gather, runs
from eqlib.study.report.tables import tables
from eqlib.study.report.typeset import Cell, Table, publish, write

SHOWN = ("motivation", "main_result", "tradeoff", "frontier")
HOSTILE = r"""#panic("x") $x^2$ @nobody \ < > *b* _i_ `r` [c] // /* {} <figure-motivation> "quoted" ~ --- #let"""


@pytest.fixture(scope="module")
def folder_of(study, tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("paper")
    for name in SHOWN:
        publish(*FIGURES[name](study), root / "figures" / "figures")
    for table in tables(study):
        write(table, root / "figures" / "tables")
    return root


@pytest.fixture(scope="module")
def content(study, folder_of) -> Content:
    facts = {"tables (SHA-256)": 64 * "a"}
    return gather(study, folder_of, facts=facts, parameters="study:\n  seeds: 1 # one")


@pytest.fixture(scope="module")
def made(content, folder_of) -> bytes:
    return render.pdf(content, folder_of)


def plain(pdf: bytes) -> bytes:
    """The file and all it holds compressed."""
    parts = [pdf]
    for stream in re.findall(rb"stream\r?\n(.*?)\r?\nendstream", pdf, re.DOTALL):
        try:
            parts.append(zlib.decompress(stream))
        except zlib.error:
            continue
    return b"\n".join(parts)


def words(element) -> str:
    """All text in an element as Typst's query gives it."""
    if isinstance(element, dict):
        if element.get("func") == "space":
            return " "
        return "".join(words(part) for name, part in element.items() if name in ("text", "body", "children", "child"))
    return "".join(map(words, element)) if isinstance(element, list) else element if isinstance(element, str) else ""


def test_the_same_bytes_twice_and_small(made, content, folder_of):
    assert made == render.pdf(content, folder_of)
    assert made.startswith(b"%PDF-")
    assert len(made) < 1_500_000
    assert str(folder_of).encode() not in plain(made)


def test_methods_stand_with_the_formulas_of_the_study_s_losses(content, folder_of):
    """A formula for each method that has one, and three of the geometry."""
    headings = {words(found["body"]) for found in render.query(content, folder_of, "heading")}
    assert {"Methods", "The geometry of a quad", "Discussion", "Limitations"} <= headings
    assert content.losses == ["pretrained", "contrastive", "eqsim"]
    formulas = [found for found in render.query(content, folder_of, "math.equation") if found["block"]]
    assert len(formulas) == 3
    tuned = replace(content, methods=[{"title": "Fine-tuning", "text": runs("Words.")}])
    formulas = [found for found in render.query(tuned, folder_of, "math.equation") if found["block"]]
    assert len(formulas) == 3 + 2


def test_every_page_is_counted(made, content, folder_of):
    [pages] = render.query(content, folder_of, "<pages>")
    assert len(re.findall(rb"/Type\s*/Page\b(?!s)", plain(made))) == pages["value"]
    assert 3 <= pages["value"] <= 8


def test_fonts_are_inside_and_texts_for_those_who_cannot_see(made, content):
    inside = plain(made)
    assert inside.count(b"/FontFile") >= 3
    assert b"/Type3" not in inside
    assert inside.count(b"/ToUnicode") >= 3  # without it no letter can be copied or searched for
    assert inside.count(b"/Alt") >= len(content.figures)
    assert b"/Lang" in inside
    assert b"/StructTreeRoot" in inside


def test_every_figure_and_table_is_there_with_its_words(content, folder_of):
    figures = render.query(content, folder_of, "figure.where(kind: image)")
    assert [figure["label"] for figure in figures] == [f"<figure-{figure['name']}>" for figure in content.figures]
    for found, given in zip(figures, content.figures, strict=True):
        assert words(found["caption"]["body"]) == f"{given['title']}. {given['caption']}"
        assert found["body"]["width"] == f"0% + {72 * given['inches'][0]:g}pt"
        assert found["body"]["alt"] == given["alt"]
    found = render.query(content, folder_of, "figure.where(kind: table)")
    assert [table["label"] for table in found] == [f"<table-{table['name']}>" for table in content.tables]


def test_numbers_name_their_table_and_figures_their_cell(content, folder_of):
    """The abstract's and the tiles' tables by number; what a cell made, in a list behind the ids of the code."""
    made = replace(content, cells={"figure-frontier": ("60_#figures", "frontier"), "table-main": ("60_#figures", "t")})
    found = [element["target"] for element in render.query(made, folder_of, "ref")]
    there = {table["name"] for table in content.tables}
    shown = [*(name for names in content.sources for name in names), *(tile.table for tile in content.tiles)]
    shown = [name for name in shown if name in there]
    assert {"differences", "main", "equivariance"} <= set(shown)
    assert sorted(found) == sorted([f"<table-{name}>" for name in shown] + ["<figure-frontier>", "<table-main>"])


def test_hostile_letters_stay_letters(content, folder_of):
    table = Table("bad", HOSTILE, HOSTILE, ["a", HOSTILE], [[Cell(HOSTILE, HOSTILE), Cell("1", value=1.0)]], None)
    rows = [[vars(cell) for cell in row] for row in table.rows]
    given = {"chapter": "", "name": table.name, "title": HOSTILE, "caption": HOSTILE, "columns": table.columns}
    hostile = replace(
        content,
        abstract=[HOSTILE, HOSTILE],
        caveats=[HOSTILE],
        methods=[{"title": HOSTILE, "text": runs(HOSTILE)}],
        discussion=[HOSTILE],
        figures=[figure | {"title": HOSTILE, "caption": HOSTILE, "alt": HOSTILE} for figure in content.figures],
        tables=[given | {"rows": rows}],
        facts={HOSTILE: HOSTILE},
        parameters=HOSTILE,
    )
    figures = render.query(hostile, folder_of, "figure")
    assert len(figures) == len(content.figures) + 1
    assert all(words(figure["caption"]["body"]) == f"{HOSTILE}. {HOSTILE}" for figure in figures)
    assert render.pdf(hostile, folder_of).startswith(b"%PDF-")


def test_a_study_without_figures_or_tables_is_still_a_paper(content, folder_of):
    none = {
        name: [] for name in ("figures", "tables", "tiles", "caveats", "methods", "losses", "discussion", "elsewhere")
    }
    bare = replace(content, **none, parameters="", abstract=["Nothing."])
    assert render.query(bare, folder_of, "figure") == []
    [pages] = render.query(bare, folder_of, "<pages>")
    assert pages["value"] == 2


def test_a_long_table_goes_over_pages(content, folder_of):
    rows = [[vars(Cell(f"row {n}")), vars(Cell(str(n), value=float(n)))] for n in range(150)]
    long = {
        "chapter": "",
        "name": "long",
        "title": "Long",
        "caption": "Many rows.",
        "columns": ["a", "b"],
        "rows": rows,
    }
    short = replace(content, figures=[], tables=[long | {"rows": rows[:3]}])
    count = lambda c: render.query(c, folder_of, "<pages>")[0]["value"]  # noqa: E731
    assert count(replace(short, tables=[long])) > count(short)


def test_pieces_of_a_paragraph():
    assert runs("`a < b`, **so**\n there") == (
        ("code", "a < b"),
        ("plain", ", "),
        ("strong", "so"),
        ("plain", " there"),
    )


def test_caveats_follow_the_study(study):
    said = " ".join(caveats(study))
    assert "not those of EqBen" in said
    assert "3 seeds" in said
    assert "validation" in said
    assert "the control" not in said
    assert "Tried: EqSim 10; chosen: EqSim (hard, weight 8)." in said
    controlled = study.items.assign(method=study.items["method"].replace("contrastive", "pairwise"))
    assert "Pairwise is the control" in " ".join(caveats(replace(study, items=controlled)))
    own = replace(study, main="eqben", selection=None, items=study.items[study.items["seed"] == 0])
    said = " ".join(caveats(own))
    assert "not those of EqBen" not in said
    assert "One seed" in said
    assert "validation" not in said
