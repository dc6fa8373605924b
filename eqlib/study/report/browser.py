"""The item browser: a static page over a suite's items, their pictures, captions and scores under every method.

For a set and score tables of your own (``eqlib score --items`` or the evaluate notebook write them)::

    python -m eqlib.study.report.browser clip=clip.parquet ours=ours.parquet --quads my/quads.json --output browser.html
"""

import argparse
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from eqlib.errors import InputError
from eqlib.files import whole
from eqlib.quads import SCORE_COLUMNS
from eqlib.study.report.figures.examples import load, marked
from eqlib.study.report.inline import inline
from eqlib.study.report.render import environment
from eqlib.study.report.study import outcomes, with_measures
from eqlib.study.report.style import colours, in_order, label
from eqlib.suites import read
from eqlib.suites.score_files import read_table
from eqlib.suites.suite import AnySuite, FoilSuite, QuadSuite, RetrievalSuite

_HERE = Path(__file__).parent

SIDE = 160
"""Pixels of the longer side of a picture in the page."""

BUDGET = 4_500_000
"""Bytes of pictures in one page; fewer quads are shown where they would be more."""


class Kind(NamedTuple):
    """How a page speaks of one kind of suite: its item's noun and plural, what an item can be right in, the last of
    which decides, the columns of scores, and the heads of their rows and columns (none: the page shows a rank)."""

    noun: str
    plural: str
    checks: tuple[str, ...]
    scores: tuple[str, ...]
    images: tuple[str, ...] = ()
    captions: tuple[str, ...] = ()


QUADS = Kind("quad", "quads", ("text", "image", "group"), SCORE_COLUMNS, ("image 0", "image 1"),
             ("caption 0", "caption 1"))  # fmt: skip
FOILS = Kind("foil", "foils", ("accuracy",), ("s_caption", "s_foil"), ("image",), ("caption", "foil"))
QUERIES = Kind("query", "queries", ("R@10", "R@5", "R@1"), ())


def answers(items: pd.DataFrame) -> tuple[Kind, pd.DataFrame]:
    """The kind of a suite's score tables, and one row an item and method, index (quad, method): means over seeds of the
    scores, ``margin``, above 0 where the item is right (a query's is 1 less its rank), and the share of seeds right."""
    if set(SCORE_COLUMNS) <= set(items):
        return QUADS, outcomes(items)
    kind = FOILS if "pairwise" in items else QUERIES
    means = items.rename(columns={"pairwise": "accuracy"}).groupby(["quad", "method"])
    means = means[[*kind.scores, *kind.checks, *(["rank"] if kind is QUERIES else [])]].mean()
    margin = 1 - means["rank"] if kind is QUERIES else means["s_caption"] - means["s_foil"]
    return kind, means.assign(margin=margin)


def sides(suite: AnySuite, item: str) -> list[tuple[str, list]]:
    """The pictures of ``item``, each with its captions as words (``examples.marked``)."""
    if isinstance(suite, RetrievalSuite):
        kind, number = item.split()
        image = int(number) if kind == "image" else suite.image_of_caption[int(number)]
        own = np.flatnonzero(suite.image_of_caption == image) if kind == "image" else [int(number)]
        return [(suite.images[image], [[(word, 0) for word in suite.captions[n].split()] for n in own])]
    record = suite.records.set_index(suite.ID).loc[item]
    said = [[(word, int(new)) for word, new in side] for side in marked(*(str(record[c]) for c in suite.CAPTIONS))]
    images = [record[name] for name in suite.IMAGES]
    return list(zip(images, [[side] for side in said] if len(images) > 1 else [said], strict=True))


def choose(items: pd.DataFrame, most: int) -> list[str]:
    """At most ``most`` items, one in turn from every subset and every pattern of which methods are right, so that rare
    disagreements are there; in the suite's order within each.
    """
    kind, table = answers(items)
    right = table[kind.checks[-1]].gt(0.5).unstack("method")
    first = items.drop_duplicates("quad").set_index("quad")
    table = pd.DataFrame({"subset": first["subset"], "pattern": right.reindex(first.index).apply(tuple, axis=1)})
    turn = table.groupby(["subset", "pattern"]).cumcount()
    return [str(quad) for quad in turn.sort_values(kind="stable").index[:most]]


def render(
    suite: AnySuite, items: pd.DataFrame, *, most: int = 400, report: str = "", pages: Mapping[str, str] | None = None
) -> str:
    """The page for one suite, pictures inlined up to BUDGET.

    ``items``: its score tables with ``method`` and ``seed``, of quads with the measures of ``study.with_measures``;
    ``most``: items at most; ``report``: address of the report, relative to the page; ``pages``: suite to address of
    this page's neighbours and of itself.
    """
    methods = in_order(items["method"])
    (kind, table), shade = answers(items), colours(methods)
    subsets = items.drop_duplicates("quad").set_index("quad")["subset"].astype(str)
    entries, spent = [], 0
    for item in choose(items, most):
        shown = [
            {"picture": inline(load(suite, picture, side=SIDE), photo=True), "captions": said}
            for picture, said in sides(suite, item)
        ]
        spent += sum(len(side["picture"]) for side in shown)
        if spent > BUDGET:
            break
        runs = {
            method: {
                "s": [round(float(row[name]), 4) for name in kind.scores],
                "right": [round(float(row[name]), 2) for name in kind.checks],
                "margin": round(float(row["margin"]), 4),
            }
            for method, row in table.loc[item].iterrows()
        }
        entries.append({"id": item, "subset": subsets[item], "sides": shown, "runs": runs})
    payload = {
        "kind": kind._asdict(),
        "methods": [{"name": m, "label": label(m), "colour": shade[m]} for m in methods],
        "subsets": sorted({entry["subset"] for entry in entries}),
        "items": entries,
    }
    return environment().get_template("browser.html.j2").render(
        suite=suite.name,
        kind=kind,
        shown=len(entries),
        total=int(items["quad"].nunique()),
        methods=payload["methods"],
        subsets=payload["subsets"],
        report=report,
        pages=pages or {},
        # "</" would end the script element inside a caption, "<!--<script>" would keep it from ending
        payload=json.dumps(payload, ensure_ascii=False, sort_keys=True, separators=(",", ":")).replace("<", "\\u003c"),
        css=(_HERE / "page.css").read_text(encoding="utf-8") + (_HERE / "browser.css").read_text(encoding="utf-8"),
        js=(_HERE / "browser.js").read_text(encoding="utf-8"),
    )  # fmt: skip


def read_items(tables: list[str], suite: QuadSuite | FoilSuite) -> pd.DataFrame:
    """Score tables given as ``method=FILE`` (``read_table``), of quads with their measures; only items of ``suite`` are
    kept.

    Raises InputError for a file that is no score table, or shares no item with the suite.
    """
    parts = []
    for given in tables:
        method, _, path = given.partition("=")
        if not (method and path):
            raise InputError("method=FILE", repr(given))
        table = read_table(path)
        table = table[table["quad"].isin(suite.records[suite.ID])]
        if table.empty:
            raise InputError(f"scores of items of {suite.name}", "none", where=path)
        parts.append(table.assign(method=method, seed=0))
    items = pd.concat(parts, ignore_index=True)
    return with_measures(items) if suite.ID == "quad" else items.assign(pairwise=items["s_caption"] > items["s_foil"])


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m eqlib.study.report.browser", description=__doc__.splitlines()[0])
    parser.add_argument("tables", nargs="+", metavar="METHOD=FILE", help="a score table and the name to print")
    parser.add_argument("--quads", required=True, help="the set, in a form that --reader reads")
    parser.add_argument("--reader", default="quads", help="a reader of eqlib.suites that gives quads or foils")
    parser.add_argument("--output", type=Path, default=Path("browser.html"))
    given = parser.parse_args(arguments)
    try:
        suite = read(given.reader, given.quads)
        if isinstance(suite, RetrievalSuite):
            raise InputError("a reader of quads or foils", given.reader)
        text = render(suite, read_items(given.tables, suite))
        with whole(given.output) as draft:
            draft.write_text(text, encoding="utf-8")
    except InputError as error:
        print(error, file=sys.stderr)
        return 1
    print(given.output)
    return 0


if __name__ == "__main__":
    sys.exit(main())
