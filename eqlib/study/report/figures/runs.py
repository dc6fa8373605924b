"""Fine-tuning: the terms of the loss step by step, and what it keeps, along a path or over the settings tried."""

import re
from itertools import cycle

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.path import Path
from matplotlib.ticker import MaxNLocator

from eqlib.study.report.style import INK, PAGE, QUIET, colours, in_order, label, legend, markers, panels
from eqlib.study.report.tried import WITHIN, means

TELEMETRY = {
    "eqsim_active": "EqSim hinge active",
    "mean_a2": r"mean $a^2$ in the batch",
    "mean_b2": r"mean $b^2$ in the batch",
    "mean_I": r"mean $I$ in the batch",
    "val_group": "Group score, validation",
    "logit_scale": "Logit scale",
    "lr": "Learning rate",
}

LEFT_OUT = re.compile(r"step|seed|pool|grad_norm|val_.*")

KEPT = {"recall": "R@1 (%)", "zero_shot_top1": "Zero-shot accuracy (%)"}
"""What fine-tuning may cost, by column of the path."""

FILLS = ("full", "none", "left", "top", "right", "bottom")
"""How the marks of a method's forms are filled."""

AROUND = [(1, 1), (0, 1), (0, -1), (-1, 1), (1, -1), (-1, -1), (1, 0), (-1, 0)]
HORIZONTAL, VERTICAL = {-1: "right", 0: "center", 1: "left"}, {-1: "top", 0: "center", 1: "bottom"}
"""Sides of a point, in the order in which words look for room."""


def logged(histories: pd.DataFrame) -> list[str]:
    """The columns with a curve to draw: terms of the loss, then TELEMETRY; other telemetry stays in the CSV."""
    numbers = [str(name) for name in histories.select_dtypes("number") if histories[name].notna().any()]
    terms = [name for name in numbers if name not in TELEMETRY and not LEFT_OUT.fullmatch(name)]
    return terms + [name for name in TELEMETRY if name in numbers]


def training(histories: pd.DataFrame) -> np.ndarray:
    """One panel a ``logged`` column of ``histories`` (method, seed, step, ...): line = mean over seeds, band = from the
    lowest seed to the highest."""
    columns, methods = logged(histories), in_order(histories["method"])
    across = min(4, len(columns))
    axes = panels(len(columns), 1.3, across=across)
    for number, (ax, column) in enumerate(zip(axes, columns, strict=True)):
        rows = histories.dropna(subset=[column])
        few = rows["step"].nunique() < 8  # validation comes rarely: a single point is no line
        look = {"hue": "method", "hue_order": methods, "palette": colours(methods), "legend": False}
        dots = {"marker": "o" if few else None, "markersize": 2.4, "markeredgewidth": 0}
        sns.lineplot(rows, x="step", y=column, errorbar=("pi", 100), err_kws={"linewidth": 0}, ax=ax, **look, **dots)
        ax.set_title(TELEMETRY.get(column, f"term: {column.replace('_', ' ')}"), fontweight="normal")
        ax.set(ylabel="", xlabel="step" if number >= len(columns) - across else "")
        ax.margins(x=0.03)
        if column.endswith("_active"):
            ax.set_ylim(0, 1.05)
        ax.xaxis.set_major_locator(MaxNLocator(4, integer=True))
        ax.yaxis.set_major_locator(MaxNLocator(4))
        ax.yaxis.set_major_formatter("{x:g}")
    legend(axes[0].figure, methods, line="-", mark=False)
    return axes


def tradeoff(path: pd.DataFrame) -> np.ndarray:
    """Group score against what is KEPT along ``path`` (method, seed, alpha in 0..1, group and the columns of KEPT, as
    proportions), from the pretrained model on."""
    axes = against(path.assign(form=""), along="alpha")
    legend(axes[0].figure, path["method"], line="-")
    first, last = (path[path["alpha"] == end] for end in (path["alpha"].min(), path["alpha"].max()))
    for ax, kept in zip(axes, shown(path), strict=True):
        start = 100 * first[kept].mean(), 100 * first["group"].mean()
        ax.plot(*start, marker="o", color=colours(["pretrained"])["pretrained"], zorder=4)
        ends = 100 * last.groupby("method")[[kept, "group"]].mean()
        note(
            ax, [(*start, "pretrained", INK), *((x, y, f"α = {path['alpha'].max():g}", QUIET) for x, y in ends.values)]
        )
    return axes


def frontier(runs: pd.DataFrame, *, baseline: str) -> np.ndarray:
    """Group score against what is KEPT of every setting in ``runs`` (`eqlib.study.report.tried.tried`): a line a method
    and form over its weights. ``baseline``, without a weight, is a cross; shaded: at most WITHIN below its own."""
    lines = runs[runs["method"] != baseline]
    axes = against(lines, along="weight")
    handles = [
        Line2D([], [], **look, label=": ".join(filter(None, [label(method), form])))
        for (method, form), look in _look(lines).items()
    ]
    legend(axes[0].figure, [], also=handles, loc="outside upper left", ncols=2)
    start = runs[runs["method"] == baseline].mean(numeric_only=True)
    for ax, kept in zip(axes, shown(runs), strict=True):
        ends = [of.loc[of["weight"].idxmax()] for _, of in means(lines).groupby(["method", "form"]) if len(of) > 1]
        said = [(100 * end[kept], 100 * end["group"], f"weight {end['weight']:g}", QUIET) for end in ends]
        if len(start.dropna()):
            ax.plot(100 * start[kept], 100 * start["group"], "P", color=colours([baseline])[baseline], markersize=6,
                    zorder=4)  # fmt: skip
            said.append((100 * start[kept], 100 * start["group"], label(baseline).lower(), INK))
            ends = ax.get_xlim()
            ax.axvspan(100 * (start[kept] - WITHIN), ends[1] + 100, color="#f3f4f6", zorder=0, linewidth=0)
            ax.set_xlim(ends)
        note(ax, said)
    return axes


def shown(table: pd.DataFrame) -> list[str]:
    """The columns of KEPT that ``table`` has."""
    return [name for name in KEPT if name in table]


def against(table: pd.DataFrame, *, along: str) -> np.ndarray:
    """Group score in percent against each column of KEPT in ``table`` (method, form, seed, group, as proportions): a
    line a method and form in the order of ``along``, marks at the mean over seeds, faint lines for the seeds. Axes span
    what is there."""
    axes = panels(len(shown(table)), 2.6, width=PAGE * (0.72 if len(shown(table)) == 1 else 1), sharey=True)
    table = table.sort_values(along, kind="stable")
    several = table["seed"].nunique() > 1
    for ax, kept in zip(axes, shown(table), strict=True):
        for (method, form), look in _look(table).items():
            of = table[(table["method"] == method) & (table["form"] == form)]
            if several:
                for _, run in of.groupby("seed"):
                    ax.plot(100 * run[kept], 100 * run["group"], color=look["color"], linewidth=0.6, alpha=0.3)
            of = of.groupby(along, dropna=False)[[kept, "group"]].mean()
            ax.plot(100 * of[kept], 100 * of["group"], **look)
        ax.grid(axis="both")
        ax.margins(0.12)
        ax.set(xlabel=KEPT[kept], ylabel="Group score (%)" if ax is axes[0] else "")
    return axes


def _look(table: pd.DataFrame) -> dict[tuple[str, str], dict]:
    """Of each line, the methods in their order, colour and mark, the method's, and how the marks are filled, the
    form's."""
    shade, mark = colours(table["method"]), markers(table["method"])
    return {
        (method, form): {"color": shade[method], "marker": mark[method], "fillstyle": fill,
                         "markerfacecoloralt": "white", "markeredgewidth": 0.8}
        for method in shade
        for form, fill in zip(sorted(set(table.loc[table["method"] == method, "form"])), cycle(FILLS))
    }  # fmt: skip


def note(ax: Axes, said: list[tuple[float, float, str, str]]) -> None:
    """A few words beside each point (x, y, words, colour) of a finished ``ax``, inside, and on the side where they lie
    on no line, mark or other words, or on the fewest."""
    ax.figure.draw_without_rendering()  # where the layout puts the axes
    paths = [line.get_path().transformed(line.get_transform()) for line in ax.lines]
    points = np.concatenate([line.get_transform().transform(line.get_xydata()) for line in ax.lines])
    for x, y, words, colour in said:
        tried = []
        for across, up in AROUND:
            made = ax.annotate(words, (x, y), xytext=(5 * across, 5 * up), textcoords="offset points", fontsize=5.8,
                               ha=HORIZONTAL[across], va=VERTICAL[up], color=colour)  # fmt: skip
            box = made.get_window_extent()
            made.remove()
            hits = sum(path.intersects_bbox(box.padded(4), filled=False) for path in paths)
            outside = 4 - ax.bbox.count_contains(box.corners())
            tried.append((hits + box.padded(5).count_contains(points) + outside, made, box))
        _, made, box = min(tried, key=lambda one: one[0])
        ax.add_artist(made)
        paths.append(Path(box.corners()[[0, 1, 3, 2, 0]]))
