"""The pages in a real browser: sort, filter, open an item; no console error, no request."""

from __future__ import annotations

import base64
import io
import json
import os
import shutil
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import nbformat
import pandas as pd
import pytest
from drawn import FIGURES
from PIL import Image

from eqlib.study.report import browser
from eqlib.study.report.browser import choose, render
from eqlib.study.report.content import gather
from eqlib.study.report.notebooks import Body, body
from eqlib.study.report.render import html
from eqlib.study.report.study import outcomes, with_measures
from eqlib.study.report.tables import tables
from eqlib.study.report.typeset import publish, write

PHONE, DESK = {"width": 390, "height": 844}, {"width": 1280, "height": 900}


@pytest.fixture(scope="module")
def pages(study, tmp_path_factory) -> Path:
    """index.html and browser.html of the stand-in."""
    root = tmp_path_factory.mktemp("pages")
    for name in ("main_result", "motivation"):
        publish(*FIGURES[name](study), root / "figures" / "figures")
    for table in tables(study):
        write(table, root / "figures" / "tables")
    facts = {"tables (SHA-256)": 64 * "a"}
    content = gather(study, root, facts=facts, parameters=f"long: {80 * 'x'}")
    content = replace(content, cells={"figure-motivation": ("wide", "b")})
    text = html(content, root, notebooks=[_notebook(root)], browser="browser.html")
    (root / "index.html").write_text(text)
    (root / "browser.html").write_text(render(study.pictures(), study.of(), report="index.html"))
    return root


def _notebook(root: Path) -> Body:
    """One with all that is wider than a phone: a table, a picture, a formula, a line of output, code."""
    picture = io.BytesIO()
    Image.new("RGB", (1500, 80)).save(picture, "png")
    wide = "<table><tr>" + "".join(f"<td>a wide column {n}</td>" for n in range(20)) + "</tr></table>"
    data = [
        {"text/html": wide},
        {"image/png": base64.b64encode(picture.getvalue()).decode()},
        {"text/plain": 300 * "x"},
        {"text/latex": "$$" + " + ".join(f"b_{{{n}}}" for n in range(60)) + "$$"},
    ]
    outputs = [nbformat.v4.new_output("display_data", entry) for entry in data]
    outputs.append(
        nbformat.v4.new_output("display_data", {"text/plain": "x"}, metadata={"anchor": "figure-motivation"})
    )
    cells = [
        nbformat.v4.new_markdown_cell("# Wide\n\nThe rule $I > |a| + |b|$.", id="a"),
        nbformat.v4.new_code_cell(f"x = '{300 * 'y'}'", id="b", execution_count=1, outputs=outputs),
    ]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), root / "wide.ipynb")
    return body(root / "wide.ipynb", "wide", {"figure-motivation": "Figure 1. Motivation"})


@pytest.fixture(scope="module")
def chromium():
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed (extra dev)")
    found = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    if not found:
        pytest.skip("no chromium on this machine (Debian: apt-get install chromium; or CHROMIUM names one)")
    with api.sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield launched
        launched.close()


@pytest.fixture
def visit(chromium, pages):
    """Opens a page of the stand-in; at the end, whatever it asked for or complained about fails the test."""
    heard, contexts = [], []

    def open_page(name: str, *, viewport: dict = DESK, scheme: str = "light"):
        contexts.append(chromium.new_context(viewport=viewport, color_scheme=scheme))
        tab = contexts[-1].new_page()
        tab.on("console", lambda message: heard.append(message.text))
        tab.on("pageerror", lambda error: heard.append(str(error)))
        allowed = ("data:", (pages / name).as_uri())
        tab.on("request", lambda asked: None if asked.url.startswith(allowed) else heard.append(asked.url))
        tab.goto((pages / name).as_uri())
        return tab

    yield open_page
    for context in contexts:
        context.close()
    assert heard == []


@pytest.mark.parametrize("viewport", [DESK, PHONE], ids=["desk", "phone"])
@pytest.mark.parametrize("name", ["index.html", "browser.html"])
def test_nothing_hangs_over_the_edge(visit, name, viewport):
    tab = visit(name, viewport=viewport)
    assert tab.evaluate("document.documentElement.scrollWidth") <= viewport["width"]
    assert tab.locator("h1").is_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("viewport", [DESK, PHONE], ids=["desk", "phone"])
def test_what_is_wide_scrolls_in_its_own_box(visit, viewport, scheme):
    tab = visit("index.html", viewport=viewport, scheme=scheme)
    tab.evaluate("document.querySelectorAll('details').forEach((fold) => { fold.open = true; })")
    assert tab.evaluate("document.documentElement.scrollWidth") <= viewport["width"]
    scrolls = "(box) => box.scrollWidth > box.clientWidth && getComputedStyle(box).overflowX === 'auto'"
    assert tab.locator(".notebook .wide").first.evaluate(scrolls)
    assert tab.locator("#table-main .wide").evaluate(scrolls) == (viewport is PHONE)


def test_formulas_are_set_and_repeated_figures_are_links(visit):
    tab = visit("index.html")
    tab.locator("#notebook-wide > summary").click()
    formula = tab.locator("#notebook-wide math").first
    assert formula.text_content() in ("I>|a|+|b|", "I>∣a∣+∣b∣")
    assert 40 < formula.bounding_box()["width"] < 200
    tab.locator("#notebook-wide a", has_text="Figure 1. Motivation").click()
    tab.wait_for_function("location.hash === '#figure-motivation'")
    assert tab.locator("#figure-motivation").is_visible()


def test_a_figure_leads_to_the_open_code_of_its_cell(visit):
    tab = visit("index.html")
    tab.locator("#figure-motivation .made a").first.click()
    cell = tab.locator("#code-wide-b")
    assert cell.locator(".source pre").is_visible()
    tab.wait_for_function("Math.abs(document.getElementById('code-wide-b').getBoundingClientRect().top) < 400")


def test_figures_keep_one_size_of_letters_on_a_phone(visit):
    tab = visit("index.html", viewport=PHONE)
    per_inch = tab.evaluate(
        "[...document.querySelectorAll('.zoom.broad img')].map((img) => "
        "img.getBoundingClientRect().width / img.style.getPropertyValue('--inches'))"
    )
    assert len(per_inch) == 2
    assert max(per_inch) == pytest.approx(min(per_inch), rel=0.01)


def test_a_table_sorts_by_number_and_back(visit):
    tab = visit("index.html")
    rows = "#table-main tbody tr td:first-child"
    before = tab.locator(rows).all_inner_texts()
    button = tab.locator("#table-main th button", has_text="Headroom")
    button.click()
    values = [float(text.split()[0]) for text in tab.locator("#table-main tbody tr td:last-child").all_inner_texts()]
    assert values == sorted(values, reverse=True)
    assert tab.locator("#table-main th[aria-sort=descending]").count() == 1
    button.click()
    values = [float(text.split()[0]) for text in tab.locator("#table-main tbody tr td:last-child").all_inner_texts()]
    assert values == sorted(values)
    button.click()
    assert tab.locator(rows).all_inner_texts() == before


def test_light_dark_and_the_switch(visit):
    tab = visit("index.html", scheme="dark")
    paper = "getComputedStyle(document.body).backgroundColor"
    assert tab.evaluate(paper) == "rgb(18, 21, 26)"
    tab.locator("#theme").click()
    assert tab.evaluate(paper) == "rgb(255, 255, 255)"


def test_a_figure_enlarges_and_closes(visit):
    tab = visit("index.html", viewport=PHONE)
    tab.locator(".zoom").first.click()
    assert tab.locator("#large").is_visible()
    tab.keyboard.press("Escape")
    assert tab.locator("#large").is_hidden()


def test_filters_show_what_the_table_holds(visit, study):
    tab = visit("browser.html")
    table = outcomes(study.of())
    subset = study.of().drop_duplicates("quad").set_index("quad")["subset"]
    eqsim = table.xs("eqsim", level="method")
    counted = lambda: int(tab.locator("#count").inner_text().split()[0])  # noqa: E731
    assert counted() == len(eqsim) == 120

    tab.select_option("[name=subset]", "location")
    assert counted() == (subset == "location").sum()

    tab.select_option("[name=outcome]", "text")
    wrong = (eqsim["text"] <= 0.5) & (eqsim["image"] > 0.5) & (eqsim["group"] <= 0.5)
    assert counted() == (wrong & (subset.reindex(wrong.index) == "location")).sum()

    tab.locator("button[type=reset]").click()
    tab.select_option("[name=other]", "contrastive")
    differ = (eqsim["group"] > 0.5) != (table.xs("contrastive", level="method")["group"] > 0.5)
    tab.wait_for_function(f"document.getElementById('count').textContent.startsWith('{differ.sum()} ')")

    tab.select_option("[name=order]", "low")
    first = tab.locator(".card").first.get_attribute("data-quad")
    assert first == eqsim.loc[differ[differ].index, "margin"].round(4).idxmin()


def test_the_margin_slider_narrows(visit):
    tab = visit("browser.html")
    tab.locator("[name=margin]").fill("10")
    few = int(tab.locator("#count").inner_text().split()[0])
    assert 0 < few < 120


def test_an_item_opens_with_its_block_of_scores(visit, study):
    tab = visit("browser.html")
    card = tab.locator(".card").first
    quad = card.get_attribute("data-quad")
    card.click()
    item = tab.locator("#item")
    assert item.is_visible()
    assert item.locator(".block").count() == 3
    row = outcomes(study.of()).loc[(quad, "eqsim")]
    cells = item.locator(".block").last.locator("td").all_inner_texts()
    assert cells == [f"{row[name]:.3f}".replace("-", "−") for name in ("s00", "s01", "s10", "s11")]
    marked = item.locator("mark").all_inner_texts()
    record = study.pictures().records.set_index("quad").loc[quad]
    assert all(word in f"{record['caption0']} {record['caption1']}" for word in marked)
    item.locator(".close").click()
    assert item.is_hidden()


def test_more_items_on_demand(visit):
    tab = visit("browser.html")
    assert tab.locator(".card").count() == 24
    tab.locator("#more").click()
    assert tab.locator(".card").count() == 48


def test_rare_patterns_are_chosen(study):
    items = study.of()
    right = outcomes(items)["group"].gt(0.5).unstack("method").apply(tuple, axis=1)
    subset = items.drop_duplicates("quad").set_index("quad")["subset"]
    kinds = set(zip(subset.reindex(right.index), right, strict=True))
    chosen = choose(items, len(kinds))
    assert {(subset[quad], right[quad]) for quad in chosen} == kinds


class Payload(HTMLParser):
    """What a browser takes for the data of the page, and the names of the elements behind it."""

    def __init__(self, text):
        super().__init__()
        self.inside, self.data, self.behind = False, "", []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.inside = ("id", "payload") in attributes
        self.behind += [tag] if self.data else []

    def handle_data(self, data):
        self.data += data if self.inside else ""

    def handle_endtag(self, tag):
        self.inside = False


@pytest.mark.parametrize(
    "markup",
    [
        "</script><img src=x onerror=alert(1)> cube",
        "<!--<script> cube",
        "--> ]]> &lt;b&gt; \"quoted\" 'single' \\ cube",
        "\u202eebuc \u2028 🐕\u200d🦺 日本",
    ],
)
def test_markup_in_a_caption_or_a_name_stays_text(study, markup):
    suite, items = study.pictures(), study.of()
    names = {quad: f"{quad} {markup}" for quad in items["quad"].unique()}
    records = suite.records.assign(caption0=markup, subset=markup, quad=suite.records["quad"].map(names))
    hostile = type(suite)(markup, suite.edition, suite.digest, suite.root, records)
    text = render(hostile, items.assign(quad=items["quad"].map(names), subset=markup), most=4)
    found = Payload(text)
    assert "<" not in found.data  # "<!--<script>" would swallow the end of the element
    item = json.loads(found.data)["items"][0]
    assert item["id"].endswith(markup)
    assert item["subset"] == markup
    assert [word for word, _ in item["sides"][0]["captions"][0]] == markup.split()
    assert found.behind == Payload(render(suite, items, most=4)).behind


def test_pictures_stay_within_the_budget(study, monkeypatch):
    monkeypatch.setattr(browser, "BUDGET", 10_000)
    text = render(study.pictures(), study.of())
    assert text.count("data:image/") * 100 < len(text)
    assert text.count('"id":') < 120


def test_outcomes_by_hand():
    rows = [("q", "m", 0, 5.0, 1.0, 3.0, 4.0), ("q", "m", 1, 3.0, 3.0, 1.0, 4.0)]
    items = with_measures(pd.DataFrame(rows, columns=["quad", "method", "seed", "s00", "s01", "s10", "s11"]))
    row = outcomes(items).loc[("q", "m")]
    # means 4, 2, 2, 4: I = 4, a = b = 0; the second seed ties s00 with s01, so text and group are wrong there
    assert row["margin"] == 4
    assert (row["text"], row["image"], row["group"]) == (0.5, 1.0, 0.5)


def test_a_set_and_scores_of_ones_own(folder, study, tmp_path, capsys):
    quads = str(folder / "data" / "quads" / "test.json")
    for method in ("contrastive", "eqsim"):
        items = study.of()
        items[(items["method"] == method) & (items["seed"] == 0)].to_parquet(tmp_path / f"{method}.parquet")
    given = [f"mine={tmp_path / 'eqsim.parquet'}", f"theirs={tmp_path / 'contrastive.parquet'}"]
    assert browser.main([*given, "--quads", quads, "--output", str(tmp_path / "own.html")]) == 0
    text = (tmp_path / "own.html").read_text()
    assert "120 of 120 quads" in text
    assert '"label":"mine"' in text
    capsys.readouterr()

    study.of().iloc[:1].assign(quad="elsewhere").to_parquet(tmp_path / "x.parquet")
    for bad, expected in (("x.parquet", "x.parquet"), (f"m={tmp_path / 'x.parquet'}", "scores of items of test")):
        assert browser.main([bad, "--quads", quads, "--output", str(tmp_path / "bad.html")]) == 1
        assert expected in capsys.readouterr().err
    assert not (tmp_path / "bad.html").exists()
