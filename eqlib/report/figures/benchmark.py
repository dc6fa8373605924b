"""Benchmark overview: one quad of each subset, with its captions."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
from matplotlib.axes import Axes

from eqlib.report.figures.caption import caption
from eqlib.report.figures.picture import picture
from eqlib.report.style import QUIET
from eqlib.report.words import marked
from eqlib.suites.suite import QuadSuite

BEFORE, AFTER = "#0072B2", "#D55E00"


def examples(suite: QuadSuite, most: int = 8) -> pd.DataFrame:
    """One record a subset (by name): of those that change fewest words, the one of median caption length."""
    records = suite.records
    words = [
        sum(c for side in marked(*pair) for _, c in side)
        for pair in zip(records["caption0"], records["caption1"], strict=True)
    ]
    length = records["caption0"].str.len() + records["caption1"].str.len()
    # The median length, not the shortest: a picture of what the subset asks, not of its easiest item.
    distance = (length - length.groupby(records["subset"]).transform("median")).abs()
    ranked = records.assign(_words=words, _far=distance).sort_values(
        ["subset", "_words", "_far", "quad"], kind="stable"
    )
    return ranked.groupby("subset", sort=True).head(1).head(most)[list(records.columns)]


def benchmark(axes: Sequence[Axes], suite: QuadSuite, records: pd.DataFrame, *, width: float) -> Sequence[Axes]:
    """Two axes a record, its pictures; captions below, ``width`` points wide, changed words in bold."""
    counts = suite.counts()
    for number, (_, record) in enumerate(records.iterrows()):
        sides = axes[2 * number : 2 * number + 2]
        words = marked(record["caption0"], record["caption1"])
        for side, ax in enumerate(sides):
            picture(ax, suite, record[f"image{side}"])
            caption(ax, words[side], width, colour=(BEFORE, AFTER)[side], size=5.8)
        sides[0].set_title(str(record["subset"]), fontsize=7)
        sides[1].set_title(
            f"{counts[record['subset']]:,} quads", loc="right", fontsize=5.8, color=QUIET, fontweight="normal"
        )
    return axes
