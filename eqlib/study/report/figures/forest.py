"""Forest plot: paired differences between a method and a baseline."""

from __future__ import annotations

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes

from eqlib.study.report.headline import alpha, between, difference, intervals, points
from eqlib.study.report.printed import Printed
from eqlib.study.report.study import PRETRAINED, Study, part_label, parts
from eqlib.study.report.style import LINE, PAGE, QUIET, colours, in_order, label, markers


def forest(ax: Axes, differences: pd.DataFrame, *, baseline: str, score: str = "group") -> Axes:
    """Draw ``score`` differences to ``baseline`` in percentage points: one row a subset and method.

    Filled marks: Holm-corrected p below 1 - level; hollow marks: not told apart from zero. Right: point and interval.
    """
    table = differences[(differences["score"] == score) & (differences["baseline"] == baseline)]
    methods, shown = in_order(table["method"]), parts(table)
    shade, mark = colours(methods), markers(methods)
    y, ticks = 0.0, []
    for part in shown:
        average = part == "micro"
        start = y
        for method in methods:
            row = table[(table["subset"] == part) & (table["method"] == method)]
            if row.empty:
                continue
            point, low, high = (100 * float(row[name].iloc[0]) for name in ("point", "low", "high"))
            sure = float(row["p_holm"].iloc[0]) < alpha(row.iloc[0])
            ax.plot([low, high], [y, y], color=shade[method], linewidth=1.5, zorder=2)
            ax.plot(point, y, marker=mark[method], color=shade[method], markersize=5 if average else 4,
                    markerfacecolor=shade[method] if sure else "white", markeredgewidth=1, zorder=3)  # fmt: skip
            text = f"{points(point / 100)}  {between(row.iloc[0], sign='+')}"
            ax.annotate(text, (1.02, y), xycoords=("axes fraction", "data"), va="center", fontsize=5.8,
                        fontweight="bold" if average else "normal", annotation_clip=False)  # fmt: skip
            y += 1
        ticks.append(((start + y - 1) / 2, part_label(part)))
        if average and len(shown) > 1:
            ax.axhline(y - 0.35, color=LINE, linewidth=0.5)
            y += 0.3
        y += 0.35 if len(methods) > 1 else 0
    ax.axvline(0, color=QUIET, linewidth=0.8, zorder=1)
    ax.set_yticks([at for at, _ in ticks], [name for _, name in ticks])
    if shown[0] == "micro":
        ax.get_yticklabels()[0].set_fontweight("bold")
    ax.tick_params(axis="y", length=0)
    ax.spines["left"].set_visible(False)
    ax.grid(axis="x")
    ax.grid(axis="y", visible=False)
    ax.set_ylim(y - 0.4, -0.7)
    name = score.replace("_", " ")
    ax.set_xlabel(f"{name} score, difference to {label(baseline)} (points)")
    if len(methods) > 1:
        handles = [ax.plot([], [], marker=mark[m], color=shade[m], linewidth=1.5, label=label(m))[0] for m in methods]
        ax.legend(handles=handles, loc="lower left", bbox_to_anchor=(0, 1.0), ncols=min(len(methods), 3))
    return ax


def printed(study: Study) -> Printed | None:
    """How the figure is printed; None where the study lacks its input."""
    table = study.differences[study.differences["suite"] == study.main]
    table = table[(table["baseline"] == study.baseline) & (table["score"] == "group") & (table["method"] != PRETRAINED)]
    if table.empty:
        return None
    rows = table["subset"].nunique() * table["method"].nunique()
    figure, ax = plt.subplots(figsize=(PAGE * 0.72, 0.75 + 0.17 * rows))
    forest(ax, table, baseline=study.baseline)
    row = difference(study)
    told = "" if row is None else f" All quads: {points(row['point'])} {between(row, sign='+')}."
    return Printed(
        figure,
        f"Paired differences to {label(study.baseline).lower()}",
        "The same quads and seeds under both methods, so the difference is paired; "
        f"{intervals(study)}. Filled: Holm-corrected p < {alpha(table.iloc[0]):g}; hollow: not told apart from "
        f"zero.{told}",
        f"Forest plot of differences in group score by subset, with numbers at the right.{told}",
    )
