"""Training curves: each term of the loss and what it acts on, mean and range over seeds."""

from __future__ import annotations

import re
from collections.abc import Sequence

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from eqlib.study.report.headline import seeds_in_words
from eqlib.study.report.printed import Printed
from eqlib.study.report.study import Study
from eqlib.study.report.style import PAGE, colours, in_order, label

TITLES = {
    "contrastive": "Contrastive term",
    "siglip": "SigLIP term",
    "eqsim_all_pairs": "EqSim term, all pairs",
    "pairwise": "Pairwise term",
    "eqsim_hard": "EqSim term, partners",
    "eqsim_easy": "EqSim term, easy",
    "cyclip_cross_modal": "CyCLIP term, cross-modal",
    "cyclip_in_modal": "CyCLIP term, in-modal",
}
"""The terms that methods log; one that is not here is shown after these, under its own name."""

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


def logged(histories: pd.DataFrame) -> list[str]:
    """The columns with a curve to draw: terms of the loss, then TELEMETRY; other telemetry stays in the CSV."""
    numbers = [str(name) for name in histories.select_dtypes("number") if histories[name].notna().any()]
    terms = [name for name in numbers if name not in TELEMETRY and not LEFT_OUT.fullmatch(name)]
    known = list(TITLES)
    terms.sort(key=lambda name: (known.index(name) if name in known else len(known), name))
    return terms + [name for name in TELEMETRY if name in numbers]


def training(axes: Sequence[Axes], histories: pd.DataFrame, columns: Sequence[str]) -> Sequence[Axes]:
    """One panel a column of ``histories`` (method, seed, step, ...): line = mean over seeds, band = their range."""
    methods = in_order(histories["method"])
    shades = colours(methods)
    for ax, column in zip(axes, columns, strict=True):
        for method in methods:
            runs = histories[histories["method"] == method].dropna(subset=[column])
            if runs.empty:
                continue
            by_step = runs.groupby("step")[column]
            mean, low, high = by_step.mean(), by_step.min(), by_step.max()
            few = "." if len(mean) < 8 else ""  # validation comes rarely: a single point is no line
            ax.plot(mean.index, mean, color=shades[method], marker=few, label=label(method))
            ax.fill_between(mean.index, low, high, color=shades[method], alpha=0.18, linewidth=0)
        ax.set_title((TITLES | TELEMETRY).get(column, column.replace("_", " ")), fontweight="normal")
        ax.margins(x=0)
        if column.endswith("_active"):
            ax.set_ylim(0, 1.05)
        ax.xaxis.set_major_locator(MaxNLocator(4, integer=True))
        ax.yaxis.set_major_locator(MaxNLocator(4))
        ax.yaxis.set_major_formatter("{x:g}")
    named = axes[0].get_legend_handles_labels()
    axes[0].figure.legend(*named, loc="outside upper right", ncols=len(methods))  # within a panel it hides the curves
    return axes


def printed(study: Study) -> Printed | None:
    """How the figure is printed; None where the study lacks its input."""
    if study.histories is None:
        return None
    columns = logged(study.histories)
    if not columns:
        return None
    across = min(4, len(columns))
    down = -(-len(columns) // across)
    figure, axes = plt.subplots(down, across, figsize=(PAGE, 0.4 + 1.25 * down), squeeze=False, sharex=True)
    training(axes.ravel()[: len(columns)], study.histories, columns)
    for ax in axes.ravel()[len(columns) :]:
        ax.remove()
    for column in range(across):
        ax = axes[(len(columns) - 1 - column) // across, column]
        ax.set_xlabel("step")
        ax.tick_params(labelbottom=True)
    return Printed(
        figure,
        "Training curves, term by term",
        f"Each term of the loss and what it acts on in the batch. Line: mean over {seeds_in_words(study)}; band: "
        "their range.",
        f"Small line plots over training steps of {', '.join(name.replace('_', ' ') for name in columns)}.",
    )
