"""How many quads a system decides, and how many of those rightly: their product is the group score."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes

from eqlib.study.released.chapter import Chapter
from eqlib.study.report.figures.released_systems import FAMILIES
from eqlib.study.report.style import LINE, PAGE, QUIET
from eqlib.study.report.typeset import Words


def released_decided(ax: Axes, systems: pd.DataFrame, trajectory: pd.DataFrame) -> Axes:
    """A mark a system, and the checkpoints as a path; hyperbolas of equal group score. Both tables: ``overview``."""
    wide = pd.concat([systems, trajectory]).pivot(index=["family", "model"], columns="score", values="point")
    wide = (100 * wide).reset_index()
    wide["right"] = 100 * wide["group"] / wide["decided"]
    x = np.linspace(3, 27, 200)
    for group in (2, 5, 10, 15, 20):
        ax.plot(x, 100 * group / x, color=LINE, linewidth=0.5, linestyle=(0, (4, 3)), zorder=0)
        start = max(3.2, group / 0.995)
        ax.annotate(f"group {group} %", (start, 100 * group / start), xytext=(1, 1), textcoords="offset points",
                    fontsize=5.6, color=QUIET)  # fmt: skip
    path = wide[wide["family"] == "trajectory"].sort_values("model")
    ax.plot(path["decided"], path["right"], color=FAMILIES["trajectory"][1], linewidth=0.5, zorder=1)
    names, marks = ({family: part[i] for family, part in FAMILIES.items()} for i in (1, 2))
    sns.scatterplot(wide, x="decided", y="right", hue="family", style="family", palette=names,
                    hue_order=list(FAMILIES), style_order=list(FAMILIES), ax=ax, zorder=2, s=22,
                    markers={family: "o" if mark == "." else mark for family, mark in marks.items()})  # fmt: skip
    for row, side in ((path.iloc[0], "first"), (path.iloc[-1], "last")):
        ax.annotate(side, (row["decided"], row["right"]), xytext=(4, -7), textcoords="offset points", fontsize=6)
    handles, labels = ax.get_legend_handles_labels()
    legend = ax.legend(handles, [FAMILIES[name][0] for name in labels], loc="lower right", frameon=True, framealpha=1)
    legend.get_frame().set_linewidth(0)
    ax.set(xlabel="Decided: one assignment wins all four comparisons (%)", ylabel="Of these, the right one (%)")
    ax.set(xlim=(3, 26), ylim=(40, 102))
    return ax


def drawn(chapter: Chapter) -> tuple[Axes, Words]:
    """The figure at its printed size, and what is said of it."""
    _, ax = plt.subplots(figsize=(0.72 * PAGE, 3.4))
    released_decided(ax, chapter.systems, chapter.trajectory)
    share, systems = chapter.shares.set_index(["kind", "part"])["value"], chapter.systems["model"].nunique()
    return ax, Words(
        "released_decided",
        "Systems differ in how many quads they decide",
        "Group score = share of quads decided x share of those that are right (dashed: equal group score). Independent "
        f"random scores decide 33 % and are right in half. Of the variance of log group between the {systems} systems "
        f"{100 * share['share', 'decided']:.0f} % goes with the first factor, "
        f"{100 * share['share', 'right among decided']:.0f} % with the second. Grey: 30 checkpoints of one training.",
        "Scatter plot of the share decided against the share right among decided, one mark a system.",
    )
