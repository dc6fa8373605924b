"""Main result: a score by subset and method, with intervals and every seed."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from eqlib.scoring.matching import CHANCE
from eqlib.study.report.headline import headline, intervals, scores_in_words, seeds_in_words
from eqlib.study.report.printed import Printed
from eqlib.study.report.study import Study, part_label, parts
from eqlib.study.report.style import COLUMN, PAGE, QUIET, colours, in_order, label, markers


def main_result(ax: Axes, summary: pd.DataFrame, items: pd.DataFrame | None = None, *, score: str = "group") -> Axes:
    """Draw ``score`` of one suite's ``summary`` (subset, method, point, low, high) in percent.

    ``items`` with a bool column ``score`` adds one small point a seed. The average over
    quads comes first.
    """
    table = summary[summary["score"] == score]
    methods, shown = in_order(table["method"]), parts(table)
    average = shown[0] == "micro" and len(shown) > 1
    colour, marker = colours(methods), markers(methods)
    step = 0.74 / max(len(methods), 1)
    for number, method in enumerate(methods):
        rows = table[table["method"] == method].set_index("subset").reindex(shown)
        x = np.arange(len(shown)) + (number - (len(methods) - 1) / 2) * step
        point, low, high = (100 * rows[name].to_numpy(float) for name in ("point", "low", "high"))
        ax.vlines(x, low, high, color=colour[method], linewidth=1.6, alpha=0.9)
        ax.plot(x, point, linestyle="none", marker=marker[method], color=colour[method], label=label(method), zorder=3)
        if items is not None:
            _seeds(ax, items[items["method"] == method], shown, x + step * 0.3, colour[method], score)
    if score in CHANCE:
        ax.axhline(100 * CHANCE[score], color=QUIET, linewidth=0.7, linestyle=(0, (1.5, 2)), zorder=1)
        ax.annotate("chance", (1, 100 * CHANCE[score]), xycoords=("axes fraction", "data"), xytext=(-1, 2),
                    textcoords="offset points", ha="right", fontsize=5.8, color=QUIET)  # fmt: skip
    if average:
        ax.axvspan(-0.5, 0.5, color="#f3f4f6", zorder=0, linewidth=0)
    ax.set_xticks(range(len(shown)), [part_label(name) for name in shown])
    ax.tick_params(axis="x", length=0)
    if average:
        ax.get_xticklabels()[0].set_fontweight("bold")
    ax.set(
        xlim=(-0.5, len(shown) - 0.5),
        ylim=(0, min(104, ax.get_ylim()[1] + 3)),
        ylabel=f"{score.replace('_', ' ').capitalize()} score (%)",
    )
    ax.legend(ncols=len(methods), loc="lower right", bbox_to_anchor=(1, 1.0))
    return ax


def _seeds(ax: Axes, items: pd.DataFrame, shown: list[str], x: np.ndarray, colour: str, score: str) -> None:
    for place, part in zip(x, shown, strict=True):
        of = items if part == "micro" else items[items["subset"] == part]
        seeds = 100 * of.groupby("seed")[score].mean()
        if len(seeds) > 1:
            ax.scatter(np.full(len(seeds), place), seeds, s=3.5, color=colour, alpha=0.55, linewidths=0, zorder=2)


def printed(study: Study) -> Printed:
    """How the figure is printed."""
    table = study.summary[study.summary["suite"] == study.main]
    figure, ax = plt.subplots(figsize=(PAGE if len(parts(table)) > 2 else COLUMN, 2.15))
    main_result(ax, table, study.of())
    return Printed(
        figure,
        "Group score by subset and method",
        f"{headline(study)} Large marks: mean over {seeds_in_words(study)} with {intervals(study)}; "
        "small dots: single seeds; dotted line: chance.",
        f"Dot plot of the group score with intervals. All quads: {scores_in_words(study)}.",
    )
