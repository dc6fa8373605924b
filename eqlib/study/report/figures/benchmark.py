"""Benchmark overview: one quad of each subset, with its captions."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes

from eqlib.study.report.figures.caption import caption, lines
from eqlib.study.report.figures.picture import picture
from eqlib.study.report.printed import Printed
from eqlib.study.report.study import Study
from eqlib.study.report.style import PAGE, QUIET
from eqlib.study.report.words import marked
from eqlib.suites.suite import QuadSuite

BEFORE, AFTER = "#0072B2", "#D55E00"


def examples(suite: QuadSuite, most: int = 8) -> pd.DataFrame:
    """Records to show, by subset: of those that change fewest words, the ones nearest the median caption length.

    One a subset, more where the suite has fewer than four subsets.
    """
    records = suite.records
    pairs = zip(records["caption0"], records["caption1"], strict=True)
    words = [sum(changed for side in marked(*pair) for _, changed in side) for pair in pairs]
    length = records["caption0"].str.len() + records["caption1"].str.len()
    # The median length, not the shortest: a picture of what the subset asks, not of its easiest item.
    distance = (length - length.groupby(records["subset"]).transform("median")).abs()
    order = ["subset", "_words", "_far", "quad"]
    ranked = records.assign(_words=words, _far=distance).sort_values(order, kind="stable")
    each = max(1, 4 // ranked["subset"].nunique())
    return ranked.groupby("subset", sort=True).head(each).head(most)[list(records.columns)]


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


def printed(study: Study) -> Printed | None:
    """How the figure is printed; None where the study lacks its input."""
    suite = study.pictures()
    if suite is None:
        return None
    records = examples(suite)
    across = 4
    down = -(-len(records) // across)
    side = PAGE / across / 2 - 0.085
    text = max(
        len(lines(words, side * 72, 5.8))
        for pair in zip(records["caption0"], records["caption1"], strict=True)
        for words in marked(*pair)
    )
    tall = side + 0.24 + min(text, 4) * 5.8 * 1.28 / 72 + 0.08
    figure = plt.figure(figsize=(PAGE, down * tall))
    figure.set_layout_engine("none")
    axes = []
    for number in range(len(records)):
        row, column = divmod(number, across)
        x = column * PAGE / across + 0.03
        y = (down - row) * tall - 0.2 - side
        for half in (0, 1):
            box = ((x + half * (side + 0.04)) / PAGE, y / (down * tall), side / PAGE, side / (down * tall))
            axes.append(figure.add_axes(box))
    benchmark(axes, suite, records, width=side * 72)
    number = len(suite.counts())
    kinds = "one subset" if number == 1 else f"{number} subsets"
    return Printed(
        figure,
        "The benchmark",
        f"{len(suite):,} quads of {kinds}, changed words in bold. Left picture with left caption and right with right "
        "are the matched pairs. Shown are the quads that change fewest words, of median caption length.",
        "Pairs of pictures that differ by one small change: "
        + "; ".join(f"{r['subset']}: “{r['caption0']}” and “{r['caption1']}”" for _, r in records.iterrows())
        + ".",
        pictures=True,
    )
