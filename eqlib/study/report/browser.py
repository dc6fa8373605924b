"""The item browser: a static page over the quads, their pictures, captions and scores under every method.

For a set and score tables of your own (``eqlib score --items`` or the evaluate notebook write them)::

    python -m eqlib.study.report.browser clip=clip.parquet ours=ours.parquet --quads my/quads.json --output browser.html
"""

import argparse
import base64
import io
import json
import sys
from pathlib import Path

import pandas as pd

from eqlib.errors import InputError
from eqlib.files import whole
from eqlib.quads import SCORE_COLUMNS
from eqlib.study.report.figures.examples import load, marked
from eqlib.study.report.render import environment
from eqlib.study.report.study import outcomes, with_measures
from eqlib.study.report.style import colours, in_order, label
from eqlib.suites import read
from eqlib.suites.score_files import read_table
from eqlib.suites.suite import QuadSuite

_HERE = Path(__file__).parent

SIDE = 160
"""Pixels of the longer side of a picture in the page."""

BUDGET = 4_500_000
"""Bytes of pictures in one page; fewer quads are shown where they would be more."""


def choose(items: pd.DataFrame, most: int) -> list[str]:
    """At most ``most`` quads, one in turn from every subset and every pattern of which methods are right, so that rare
    disagreements are there; in the suite's order within each.
    """
    right = outcomes(items)["group"].gt(0.5).unstack("method")
    first = items.drop_duplicates("quad").set_index("quad")
    table = pd.DataFrame({"subset": first["subset"], "pattern": right.reindex(first.index).apply(tuple, axis=1)})
    turn = table.groupby(["subset", "pattern"]).cumcount()
    return [str(quad) for quad in turn.sort_values(kind="stable").index[:most]]


def render(suite: QuadSuite, items: pd.DataFrame, *, most: int = 400, report: str = "") -> str:
    """The page for one suite, pictures inlined up to BUDGET.

    ``items``: its score tables with ``method``, ``seed`` and the measures of ``study.with_measures``; ``most``:
    quads at most; ``report``: address of the report, relative to the page.
    """
    methods = in_order(items["method"])
    table, shade = outcomes(items), colours(methods)
    records = suite.records.set_index("quad")
    entries, spent = [], 0
    for quad in choose(items[items["quad"].isin(records.index)], most):
        record = records.loc[quad]
        pictures = [inline_picture(suite, record[name]) for name in suite.IMAGES]
        spent += sum(map(len, pictures))
        if spent > BUDGET:
            break
        rows = {method: table.loc[(quad, method)] for method in methods if (quad, method) in table.index}
        entries.append(
            {
                "id": quad,
                "subset": str(record["subset"]),
                "pictures": pictures,
                "captions": [
                    [[word, int(changed)] for word, changed in side]
                    for side in marked(*(str(record[name]) for name in suite.CAPTIONS))
                ],
                "runs": {
                    method: {
                        "s": [round(float(row[name]), 4) for name in SCORE_COLUMNS],
                        "right": [round(float(row[name]), 2) for name in ("text", "image", "group")],
                        "margin": round(float(row["margin"]), 4),
                    }
                    for method, row in rows.items()
                },
            }
        )
    total = int(items["quad"].nunique())
    payload = {
        "methods": [{"name": m, "label": label(m), "colour": shade[m]} for m in methods],
        "subsets": sorted({entry["subset"] for entry in entries}),
        "items": entries,
    }
    return environment().get_template("browser.html.j2").render(
        suite=suite.name,
        shown=len(entries),
        total=total,
        methods=payload["methods"],
        subsets=payload["subsets"],
        report=report,
        # "</" would end the script element inside a caption, "<!--<script>" would keep it from ending
        payload=json.dumps(payload, ensure_ascii=False, sort_keys=True, separators=(",", ":")).replace("<", "\\u003c"),
        css=(_HERE / "page.css").read_text(encoding="utf-8") + (_HERE / "browser.css").read_text(encoding="utf-8"),
        js=(_HERE / "browser.js").read_text(encoding="utf-8"),
    )  # fmt: skip


def inline_picture(suite: QuadSuite, name: str) -> str:
    """The picture as a data address, at most SIDE pixels: PNG or JPEG, whichever is smaller."""
    picture = load(suite, name, side=SIDE)
    encoded = {}
    for kind, options in (("png", {"optimize": True}), ("jpeg", {"quality": 88})):
        buffer = io.BytesIO()
        picture.save(buffer, kind, **options)
        encoded[kind] = buffer.getvalue()
    kind = min(encoded, key=lambda name: (len(encoded[name]), name))
    return f"data:image/{kind};base64,{base64.b64encode(encoded[kind]).decode()}"


def read_items(tables: list[str], suite: QuadSuite) -> pd.DataFrame:
    """Score tables given as ``method=FILE`` (``read_table``), with their measures; only quads of ``suite`` are kept.

    Raises InputError for a file that is no score table, or shares no quad with the suite.
    """
    parts = []
    for given in tables:
        method, _, path = given.partition("=")
        if not (method and path):
            raise InputError("method=FILE", repr(given))
        table = read_table(path)
        table = table[table["quad"].isin(suite.records["quad"])]
        if table.empty:
            raise InputError(f"scores of quads of {suite.name}", "none", where=path)
        parts.append(table.assign(method=method, seed=0))
    return with_measures(pd.concat(parts, ignore_index=True))


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m eqlib.study.report.browser", description=__doc__.splitlines()[0])
    parser.add_argument("tables", nargs="+", metavar="METHOD=FILE", help="a score table and the name to print")
    parser.add_argument("--quads", required=True, help="the set, in a form that --reader reads")
    parser.add_argument("--reader", default="quads", help="a reader of eqlib.suites that gives quads")
    parser.add_argument("--output", type=Path, default=Path("browser.html"))
    given = parser.parse_args(arguments)
    try:
        suite = read(given.reader, given.quads)
        if not isinstance(suite, QuadSuite):
            raise InputError("a reader of quads", given.reader)
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
