"""Markup, quotes, right-to-left marks and emoji in titles, captions, names and figures stay text in every form."""

from dataclasses import replace
from html.parser import HTMLParser

import pandas as pd
import pytest
from drawn import FIGURES

from eqlib.study.report import render
from eqlib.study.report.content import gather
from eqlib.study.report.typeset import Cell, Table, latex, markdown, publish

MARKUP = [
    "</title></script><img src=x onerror=alert(1)><b>cube",
    "<!--<script> -->",
    "\" onload='x' &lt;b&gt; `code` $x^2$ #panic(1) \\input{x} %s {{ 7 * 7 }}",
    "\u202eebuc \U0001f415\u200d\U0001f9ba 日本 ʼ",
]


class Tags(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.tags, self.words = [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, sorted(name for name, _ in attributes)))
        self.words += [value for _, value in attributes if value]

    def handle_data(self, data):
        self.words.append(data)


@pytest.fixture(scope="module")
def page(study, tmp_path_factory):
    """The content of a report in which every text is the one given, and its folder."""
    folder = tmp_path_factory.mktemp("markup")
    publish(*FIGURES["main_result"](study), folder / "figures" / "figures")
    content = gather(study, folder, facts={"a": "b"}, parameters="a: 1")

    def of(text):
        table = {"chapter": "", "name": "bad", "title": text, "caption": text, "columns": ["a", text]}
        rows = [[vars(Cell(text, text)), vars(Cell("1", value=1.0))]]
        return replace(
            content,
            abstract=[text],
            caveats=[text],
            figures=[figure | {"title": text, "caption": text, "alt": text} for figure in content.figures],
            tables=[table | {"rows": rows}],
            facts={text: text},
            parameters=text,
        )

    return of, folder


@pytest.mark.parametrize("text", MARKUP)
def test_text_stays_text_on_the_page(page, text):
    of, folder = page
    made, plain = (Tags(render.html(of(given), folder, notebooks=[])) for given in (text, "plain"))
    assert made.tags == plain.tags
    assert sum(text in words for words in made.words) >= sum("plain" in words for words in plain.words) > 5


@pytest.mark.parametrize("text", MARKUP)
def test_text_stays_text_in_the_paper(page, text):
    of, folder = page
    assert render.pdf(of(text), folder).startswith(b"%PDF-")
    [figure, _table] = render.query(of(text), folder, "figure")
    plain = [part["caption"] for part in render.query(of("plain"), folder, "figure")]
    assert str(figure["caption"]).count("'func'") == str(plain[0]).count("'func'")


@pytest.mark.parametrize("text", MARKUP)
def test_text_stays_text_in_latex_and_markdown(text):
    table = Table("bad", text, text, ["a", text], [[Cell(text, text), Cell("1", value=1.0)]], pd.DataFrame({"a": [1]}))
    made = latex(table)
    assert made.count("{") - made.count(r"\{") == made.count("}") - made.count(r"\}")
    assert "\\input{" not in made
    assert not [n for n, letter in enumerate(made) if letter in "%#&" and made[n - 1] not in "\\ "]
    assert markdown(table).count("\n") == 7
