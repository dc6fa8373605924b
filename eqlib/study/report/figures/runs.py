"""Fine-tuning: the terms of the loss step by step, and what is kept on the way from the pretrained model."""

import re

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.ticker import MaxNLocator

from eqlib.study.report.style import COLUMN, INK, PAGE, QUIET, colours, in_order, legend, markers, panels

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
    proportions): one panel each, marks at the mean over seeds, thin lines for the seeds."""
    methods, shown = in_order(path["method"]), [name for name in KEPT if name in path]
    axes = panels(len(shown), 2.3, width=COLUMN if len(shown) == 1 else PAGE, sharey=True)
    hundred = path.assign(**{name: 100 * path[name] for name in ("group", *shown)})
    means = hundred.groupby(["method", "alpha"], as_index=False)[["group", *shown]].mean()
    start = means[means["alpha"] == means["alpha"].min()][["group", *shown]].mean()
    look = {"y": "group", "hue": "method", "hue_order": methods, "palette": colours(methods), "sort": False}
    for ax, kept in zip(axes, shown, strict=True):
        along = {"x": kept, "estimator": None, "legend": False, "ax": ax, **look}
        if path["seed"].nunique() > 1:
            sns.lineplot(hundred.sort_values("alpha"), units="seed", linewidth=0.6, alpha=0.35, **along)
        sns.lineplot(means, style="method", markers=markers(methods), dashes=False, markeredgewidth=0, **along)
        ax.plot(start[kept], start["group"], marker="o", color=colours(["pretrained"])["pretrained"], zorder=4)
        ends = means[means["alpha"] == means["alpha"].max()]
        named = [(row[kept], row["group"], f"α = {row['alpha']:g}", QUIET) for _, row in ends.iterrows()]
        for x, y, text, colour in [*named, (start[kept], start["group"], "pretrained", INK)]:
            place = {"xytext": (5, 3), "textcoords": "offset points", "va": "bottom"}
            if text == "pretrained":
                place |= {"xytext": (5, -3), "va": "top"}
            ax.annotate(text, (x, y), fontsize=5.8, color=colour, **place)
        ax.grid(axis="both")
        ax.margins(0.12)
        ax.set(xlabel=KEPT[kept], ylabel="Group score (%)")
    legend(axes[0].figure, methods, line="-")
    return axes
