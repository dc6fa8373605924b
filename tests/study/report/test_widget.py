"""The item browser in a notebook: the same filters as the page, without a browser."""

from __future__ import annotations

import pytest

from eqlib.study.report.browser import outcomes
from eqlib.study.report.widget import ORDERS, OUTCOMES, browse, card, select


@pytest.fixture(scope="module")
def table(study):
    return outcomes(study.of())


@pytest.fixture(scope="module")
def subset_of(study):
    return study.of().drop_duplicates("quad").set_index("quad")["subset"]


def test_outcomes_divide_the_quads(table, subset_of):
    found = [select(table, subset_of, method="eqsim", outcome=outcome) for outcome in OUTCOMES]
    assert sorted(quad for quads in found[1:] for quad in quads) == sorted(found[0])
    assert sum(map(len, found[1:])) == len(found[0]) == 120


def test_filters_meet(table, subset_of):
    found = select(table, subset_of, method="eqsim", subset="count", other="contrastive", order=ORDERS[2])
    ours, theirs = (table.xs(method, level="method") for method in ("eqsim", "contrastive"))
    assert all(subset_of[quad] == "count" for quad in found)
    assert all((ours.loc[quad, "group"] > 0.5) != (theirs.loc[quad, "group"] > 0.5) for quad in found)
    margins = [ours.loc[quad, "margin"] for quad in found]
    assert margins == sorted(margins)


def test_a_card_shows_pictures_words_and_scores(study, table):
    text = card(study.pictures(), table, "q0")
    assert text.count("data:image/") == 2
    assert f"{table.loc[('q0', 'eqsim'), 's00']:.3f}" in text
    assert "<b>" in text


def test_the_view_follows_its_fields(study):
    view = browse(study.pictures(), study.of())
    fields, number, shown = view.children
    first = shown.value
    assert number.max == 120
    next(field for field in fields.children if field.description == "subset").value = "object"
    assert number.max == 30
    assert shown.value != first
    number.value = 2
    assert "object" in shown.value
