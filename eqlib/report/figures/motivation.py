"""Motivation: one quad, and how the similarity follows its change before and after EqSim."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from eqlib.report.figures.benchmark import AFTER, BEFORE
from eqlib.report.figures.caption import caption
from eqlib.report.figures.picture import picture
from eqlib.report.style import QUIET, RIGHT, WRONG, colours, label
from eqlib.report.words import marked
from eqlib.suites.suite import QuadSuite


def example(items: pd.DataFrame, before: str, after: str) -> str | None:
    """The quad to show: of those wrong by ``before`` and right by ``after`` in most seeds, with the right
    assignment won by both, the one whose abs(a) + abs(b) shrank by the median amount. None where there is no such quad.
    """
    table = items[items["method"].isin([before, after])]
    table = table.assign(threshold=table["a"].abs() + table["b"].abs())
    means = table.groupby(["quad", "method"])[["group", "group_match", "threshold"]].mean().unstack("method").dropna()
    repaired = (means["group", before] < 0.5) & (means["group", after] > 0.5) & (means["group_match"].min(axis=1) > 0.5)
    shrunk = (means["threshold", before] - means["threshold", after])[repaired]
    shrunk = shrunk[shrunk > 0].reset_index().set_axis(["quad", "by"], axis=1).sort_values(["by", "quad"])
    return None if shrunk.empty else str(shrunk["quad"].iloc[len(shrunk) // 2])


def motivation(
    axes: Sequence[Axes], suite: QuadSuite, items: pd.DataFrame, quad: str, methods: Sequence[str], *, width: float
) -> Sequence[Axes]:
    """Two pictures, then one panel a method: each caption's similarity with image 0 and image 1 (mean over seeds).

    The change from one image to the other should raise one caption as much as it lowers the other: mirrored arrows.
    """
    record = suite.records.set_index("quad").loc[quad]
    words = marked(record["caption0"], record["caption1"])
    for side, ax in enumerate(axes[:2]):
        picture(ax, suite, record[f"image{side}"])
        ax.set_title(f"Image {side}")
        caption(ax, words[side], width, colour=(BEFORE, AFTER)[side], size=6.2)
    means = items[items["quad"] == quad].groupby("method")[["s00", "s01", "s10", "s11"]].mean()
    values = means.loc[list(methods)].to_numpy()
    room = 0.16 * np.ptp(values)
    shades = colours(items["method"])
    for ax, method in zip(axes[2:], methods, strict=True):
        s = means.loc[method].to_numpy().reshape(2, 2)
        right = s[0, 0] > s[0, 1] and s[1, 1] > s[1, 0] and s[0, 0] > s[1, 0] and s[1, 1] > s[0, 1]
        for c, colour in enumerate((BEFORE, AFTER)):
            ax.annotate("", (1, s[1, c]), (0, s[0, c]), arrowprops={"arrowstyle": "-|>,head_width=.18,head_length=.35",
                        "color": colour, "linewidth": 1.5, "shrinkA": 0, "shrinkB": 0})  # fmt: skip
            ax.plot(0, s[0, c], "o", color=colour, markersize=3)
        for i in (0, 1):
            # The two numbers at one picture stand apart, the higher one above.
            upper = int(s[i, 1] > s[i, 0])
            for c in (0, 1):
                ax.annotate(f"{s[i, c]:.2f}", (i, s[i, c]), xytext=((-4, 4)[i], 3 if c == upper else -3),
                            textcoords="offset points", ha=("right", "left")[i], va="bottom" if c == upper else "top",
                            fontsize=6, color=(BEFORE, AFTER)[c])  # fmt: skip
        a, b = abs(s[0, 0] - s[1, 1]), abs(s[1, 0] - s[0, 1])
        gap = s[0, 0] + s[1, 1] - s[0, 1] - s[1, 0]
        sign = ">" if gap > a + b else "≤"
        ax.set_title(label(method), color=shades[method])
        ax.text(0.5, -0.2, f"I = {gap:.2f} {sign} {a + b:.2f} = |a| + |b|".replace("-", "−"), transform=ax.transAxes,
                ha="center", va="top", fontsize=6, color=QUIET)  # fmt: skip
        ax.text(0.5, -0.33, "group right" if right else "group wrong", transform=ax.transAxes, ha="center", va="top",
                fontsize=6.2, fontweight="bold", color=RIGHT if right else WRONG)  # fmt: skip
        ax.set(xlim=(-0.55, 1.55), ylim=(values.min() - room, values.max() + room), yticks=[])
        ax.set_xticks([0, 1], ["image 0", "image 1"])
        ax.spines["left"].set_visible(False)
        ax.grid(False)
        for x in (0, 1):
            ax.axvline(x, color="#e6e8ec", linewidth=0.8, zorder=0)
    axes[2].set_ylabel("similarity of a caption")
    return axes
