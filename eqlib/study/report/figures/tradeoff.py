"""Trade-off: group score against what is kept (R@1, zero-shot classes) on the path from pretrained to fine-tuned."""

from __future__ import annotations

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes

from eqlib.study.report.printed import Printed
from eqlib.study.report.study import Study
from eqlib.study.report.style import COLUMN, INK, PAGE, QUIET, colours, in_order, label, markers

KEPT = {"recall": "R@1 (%)", "zero_shot_top1": "Zero-shot accuracy (%)"}
"""What fine-tuning may cost, by column of the path."""


def tradeoff(ax: Axes, path: pd.DataFrame, kept: str = "recall") -> Axes:
    """Draw ``path`` (method, seed, alpha in 0..1, group and ``kept`` as proportions): mean over seeds, thin: seeds."""
    methods = in_order(path["method"])
    shade, mark = colours(methods), markers(methods)
    for method in methods:
        of = path[path["method"] == method]
        for _, run in of.groupby("seed"):
            run = run.sort_values("alpha")
            ax.plot(100 * run[kept], 100 * run["group"], color=shade[method], linewidth=0.6, alpha=0.3)
        mean = of.groupby("alpha")[[kept, "group"]].mean() * 100
        ax.plot(mean[kept], mean["group"], color=shade[method], marker=mark[method], markersize=3.5,
                markevery=slice(1, None), label=label(method))  # fmt: skip
        end = mean.iloc[-1]
        ax.annotate(f"α = {mean.index[-1]:g}", (end[kept], end["group"]), xytext=(4, 3), textcoords="offset points",
                    fontsize=5.8, color=QUIET)  # fmt: skip
    start = path[path["alpha"] == path["alpha"].min()][[kept, "group"]].mean() * 100
    ax.plot(start[kept], start["group"], marker="o", color=colours(["pretrained"])["pretrained"], zorder=4)
    at = (start[kept], start["group"])
    ax.annotate("pretrained", at, xytext=(5, -7), textcoords="offset points", fontsize=5.8, color=INK)
    ax.grid(axis="both")
    ax.margins(0.12)
    ax.set(xlabel=KEPT[kept], ylabel="Group score (%)")
    return ax


def printed(study: Study) -> Printed | None:
    """How the figure is printed; None where the study lacks its input."""
    if study.path is None:
        return None
    shown = [name for name in KEPT if name in study.path]
    figure, axes = plt.subplots(1, len(shown), figsize=(COLUMN if len(shown) == 1 else PAGE, 2.3), squeeze=False)
    for ax, name in zip(axes[0], shown, strict=True):
        tradeoff(ax, study.path, name)
    for ax in axes[0][1:]:
        ax.set_ylabel("")
    lines, names = axes[0][0].get_legend_handles_labels()
    figure.legend(lines, names, loc="outside upper right", ncols=len(names))
    classes = "Zero-shot accuracy: pictures of one thing alone, by name. " if "zero_shot_top1" in shown else ""
    return Printed(
        figure,
        "Group score against what is kept",
        "From the pretrained weights (α = 0) to the fine-tuned ones (α = 1) by interpolation, on the validation split; "
        f"R@1 is the mean of both directions. {classes}Up and to the right is better in both. "
        f"{'One seed a method: exploratory.' if study.path['seed'].nunique() == 1 else 'Thin lines: seeds.'}",
        "Curves of the group score against recall at 1 (and zero-shot accuracy), one a method, from a common start.",
    )
