"""The item browser inside a notebook, as an ipywidgets view."""

from __future__ import annotations

from html import escape

import ipywidgets
import pandas as pd

from eqlib.study.report.browser import inline_picture, outcomes
from eqlib.study.report.style import colours, in_order, label
from eqlib.study.report.words import marked
from eqlib.suites.suite import QuadSuite

OUTCOMES = ("any", "group right", "only text wrong", "only image wrong", "text and image wrong")
ORDERS = ("as in the suite", "closest to the threshold", "most wrong first", "most right first")


def select(
    table: pd.DataFrame,
    subset_of: pd.Series,
    *,
    method: str,
    subset: str = "all",
    outcome: str = "any",
    other: str = "",
    order: str = ORDERS[0],
) -> list[str]:
    """The quads of ``table`` (``browser.outcomes``) that pass every filter, in ``order``.

    ``subset_of``: quad to subset, in the suite's order; ``other``: keep those on which it and ``method`` disagree
    about the group score.
    """
    of = table.xs(method, level="method").reindex(subset_of.index).dropna(subset=["margin"])
    text, image, group = (of[name] > 0.5 for name in ("text", "image", "group"))
    wanted = {
        "group right": group,
        "only text wrong": ~text & image & ~group,
        "only image wrong": text & ~image & ~group,
        "text and image wrong": ~group & (text == image),
    }
    keep = wanted.get(outcome, pd.Series(True, of.index))
    if subset != "all":
        keep &= subset_of.reindex(of.index) == subset
    if other:
        keep &= group != (table.xs(other, level="method")["group"] > 0.5).reindex(of.index)
    margin = of["margin"][keep]
    if order == ORDERS[1]:
        margin = margin.sort_values(key=abs, kind="stable")
    elif order != ORDERS[0]:
        margin = margin.sort_values(ascending=order == ORDERS[2], kind="stable")
    return [str(quad) for quad in margin.index]


def card(suite: QuadSuite, table: pd.DataFrame, quad: str) -> str:
    """One quad as HTML: pictures, captions with the changed words marked, a 2 x 2 block a method."""
    record = suite.records.set_index("quad").loc[quad]
    words = marked(record["caption0"], record["caption1"])
    runs = table.loc[quad]
    shade = colours(runs.index)

    def side(number: int) -> str:
        parts = [f"<b>{escape(word)}</b>" if changed else escape(word) for word, changed in words[number]]
        picture = inline_picture(suite, record[f"image{number}"])
        style = "padding:4px;vertical-align:top;width:170px"
        return f'<td style="{style}"><img src="{picture}" width="160"><br>{" ".join(parts)}</td>'

    def block(method: str) -> str:
        row = runs.loc[method]
        marks = " ".join(f"{'✓' if row[name] > 0.5 else '✗'} {name}" for name in ("text", "image", "group"))
        return (
            f'<td style="padding:4px 14px;vertical-align:top;border-top:3px solid {shade[method]}">'
            f"<b>{escape(label(method))}</b><br><code>{row['s00']:.3f} {row['s01']:.3f}<br>"
            f"{row['s10']:.3f} {row['s11']:.3f}</code><br>{marks}<br>margin {row['margin']:.3f}</td>"
        )

    title = f"{escape(str(record['subset']))} · {escape(quad)}"
    blocks = "".join(block(method) for method in in_order(runs.index))
    return f"<p>{title}</p><table><tr>{side(0)}{side(1)}{blocks}</tr></table>"


def browse(suite: QuadSuite, items: pd.DataFrame) -> ipywidgets.Widget:
    """A view over ``items`` (score tables with ``method``, ``seed`` and ``study.with_measures``) of ``suite``: filters
    above, one quad below. Works for any suite with pictures.
    """
    table = outcomes(items)
    subset_of = items.drop_duplicates("quad").set_index("quad")["subset"].astype(str)
    methods = in_order(items["method"])
    named = [(label(method), method) for method in methods]
    fields = {
        "method": ipywidgets.Dropdown(options=named, value=methods[-1], description="method"),
        "subset": ipywidgets.Dropdown(options=["all", *sorted(set(subset_of))], description="subset"),
        "outcome": ipywidgets.Dropdown(options=OUTCOMES, description="outcome"),
        "other": ipywidgets.Dropdown(options=[("–", ""), *named], description="differs from"),
        "order": ipywidgets.Dropdown(options=ORDERS, description="order"),
    }
    number = ipywidgets.IntSlider(min=1, max=1, description="quad", continuous_update=False)
    view, found = ipywidgets.HTML(), []

    def draw(_=None) -> None:
        view.value = card(suite, table, found[number.value - 1]) if found else "<p>No quad passes these filters.</p>"

    def refilter(_=None) -> None:
        found[:] = select(table, subset_of, **{name: field.value for name, field in fields.items()})
        number.value = 1
        number.max = max(len(found), 1)
        draw()

    for field in fields.values():
        field.observe(refilter, "value")
    number.observe(draw, "value")
    refilter()
    return ipywidgets.VBox([ipywidgets.HBox(list(fields.values()), layout={"flex_flow": "row wrap"}), number, view])
