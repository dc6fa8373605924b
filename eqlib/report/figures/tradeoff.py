"""Trade-off: group score against R@1 along the path from the pretrained weights to the fine-tuned ones."""

from __future__ import annotations

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes

from eqlib.report.printed import Printed
from eqlib.report.study import Study
from eqlib.report.style import COLUMN, INK, QUIET, colours, in_order, label, markers


def tradeoff(ax: Axes, path: pd.DataFrame) -> Axes:
    """Draw ``path`` (method, seed, alpha in 0..1, group, recall as proportions): mean over seeds, thin: seeds."""
    methods = in_order(path["method"])
    shade, mark = colours(methods), markers(methods)
    for method in methods:
        of = path[path["method"] == method]
        for _, run in of.groupby("seed"):
            run = run.sort_values("alpha")
            ax.plot(100 * run["recall"], 100 * run["group"], color=shade[method], linewidth=0.6, alpha=0.3)
        mean = of.groupby("alpha")[["recall", "group"]].mean() * 100
        ax.plot(mean["recall"], mean["group"], color=shade[method], marker=mark[method], markersize=3.5,
                markevery=slice(1, None), label=label(method))  # fmt: skip
        end = mean.iloc[-1]
        ax.annotate(f"α = {mean.index[-1]:g}", (end["recall"], end["group"]), xytext=(4, 3), textcoords="offset points",
                    fontsize=5.8, color=QUIET)  # fmt: skip
    start = path[path["alpha"] == path["alpha"].min()][["recall", "group"]].mean() * 100
    ax.plot(start["recall"], start["group"], marker="o", color=colours(["pretrained"])["pretrained"], zorder=4)
    at = (start["recall"], start["group"])
    ax.annotate("pretrained", at, xytext=(5, -7), textcoords="offset points", fontsize=5.8, color=INK)
    ax.grid(axis="both")
    ax.margins(0.12)
    ax.set(xlabel="R@1 (%)", ylabel="Group score (%)")
    ax.legend(loc="upper left")
    return ax


def printed(study: Study) -> Printed | None:
    """How the figure is printed; None where the study lacks its input."""
    if study.path is None:
        return None
    figure, ax = plt.subplots(figsize=(COLUMN, 2.3))
    tradeoff(ax, study.path)
    return Printed(
        figure,
        "Group score against retrieval",
        "From the pretrained weights (α = 0) to the fine-tuned ones (α = 1) by interpolation, on the validation split; "
        "R@1 is the mean of both directions. Up and to the right is better in both. "
        f"{'One seed a method: a map, no result.' if study.path['seed'].nunique() == 1 else 'Thin lines: seeds.'}",
        "Curves of the group score against recall at 1, one a method, from a common start.",
    )
