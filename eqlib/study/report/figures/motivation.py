"""Motivation: one quad, and how the similarity follows its change before and after EqSim."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from eqlib.quads import SCORE_COLUMNS
from eqlib.study.report.figures.benchmark import AFTER, BEFORE
from eqlib.study.report.figures.caption import caption, lines
from eqlib.study.report.figures.picture import picture
from eqlib.study.report.printed import Printed
from eqlib.study.report.study import Study, with_measures
from eqlib.study.report.style import PAGE, QUIET, RIGHT, WRONG, colours, label
from eqlib.study.report.words import marked
from eqlib.suites.suite import QuadSuite

SIZE = 6.2
"""Points of a caption's letters."""


def example(items: pd.DataFrame, before: Sequence[str], after: str) -> str | None:
    """The quad to show, on scores averaged over seeds: right under ``after``, wrong under every method of ``before``.

    How clear a quad is: the least distance of I from abs(a) + abs(b) under any of them. The one taken is clearer than
    nine in ten, not the clearest. None where there is no such quad.
    """
    means = items.groupby(["quad", "method"])[list(SCORE_COLUMNS)].mean().reset_index()
    means = with_measures(means)
    means = means.assign(margin=means["I"] - means["a"].abs() - means["b"].abs())
    margin = means.pivot(index="quad", columns="method", values="margin").dropna()
    clear = np.minimum(margin[after], -margin[list(before)].max(axis=1))
    clear = clear[clear > 0].sort_index().sort_values(kind="stable")
    return None if clear.empty else str(clear.index[int(0.9 * (len(clear) - 1))])


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
        caption(ax, words[side], width, colour=(BEFORE, AFTER)[side], size=SIZE)
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
        ax.text(0.5, -0.17, f"I = {gap:.2f} {sign} {a + b:.2f} = |a| + |b|".replace("-", "−"), transform=ax.transAxes,
                ha="center", va="top", fontsize=6, color=QUIET)  # fmt: skip
        ax.text(0.5, -0.29, "group right" if right else "group wrong", transform=ax.transAxes, ha="center", va="top",
                fontsize=6.2, fontweight="bold", color=RIGHT if right else WRONG)  # fmt: skip
        ax.set(xlim=(-0.55, 1.55), ylim=(values.min() - room, values.max() + room), yticks=[])
        ax.set_xticks([0, 1], ["image 0", "image 1"])
        ax.spines["left"].set_visible(False)
        ax.grid(False)
        for x in (0, 1):
            ax.axvline(x, color="#e6e8ec", linewidth=0.8, zorder=0)
    axes[2].set_ylabel("similarity")
    return axes


def printed(study: Study) -> Printed | None:
    """How the figure is printed; None where the study lacks its input."""
    suite, after = study.pictures(), study.treatment
    if suite is None or after is None or study.baseline is None:
        return None
    before = [method for method in study.trio if method != after]
    quad = example(study.of(), before, after)
    if quad is None:
        return None
    record = suite.records.set_index("quad").loc[quad]
    side, gap, top, methods = 1.2, 0.06, 0.19, study.trio
    words = marked(record["caption0"], record["caption1"])
    rows = max(len(lines(caption, side * 72, SIZE)) for caption in words)
    below = max(0.44, (min(rows, 4) * SIZE * 1.28 + 6) / 72)
    tall = top + side + below
    figure = plt.figure(figsize=(PAGE, tall))
    figure.set_layout_engine("none")

    def axes(left: float, bottom: float, width: float, height: float) -> Axes:
        return figure.add_axes((left / PAGE, bottom / tall, width / PAGE, height / tall))

    pictures = [axes(0.04 + number * (side + gap), below, side, side) for number in (0, 1)]
    left = 2 * side + gap + 0.34
    step = (PAGE - left) / len(methods)
    panels = [
        axes(left + number * step, tall - top - 0.86 * side, step * 0.92, 0.86 * side) for number in range(len(methods))
    ]
    motivation([*pictures, *panels], suite, study.of(), quad, methods, width=side * 72)
    for panel in panels[1:]:
        panel.set_ylabel("")
    return Printed(
        figure,
        "One small change, and what the similarity makes of it",
        f"A quad of the subset {record['subset']}. Each arrow follows one caption's similarity from image 0 to "
        "image 1 (mean over seeds). An equivariant similarity answers the change with mirrored arrows; the group "
        "score is right when the evidence I exceeds |a| + |b|, by which the arrows miss mirroring each other. Chosen "
        f"by rule: of the quads wrong under {' and '.join(map(label, before))} and right under {label(after)}, one "
        "that is clearer than nine in ten.",
        f"Two pictures, “{record['caption0']}” and “{record['caption1']}”, and for each of "
        f"{', '.join(map(label, methods))} a panel of two arrows: the similarity of each caption with both pictures.",
        pictures=True,
    )
