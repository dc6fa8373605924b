"""The plane of I against |a| + |b|, in the units of each score."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes

from eqlib.quads import scores_of
from eqlib.scoring import matching
from eqlib.scoring.equivariance import components
from eqlib.study.released.chapter import PLANES, Chapter
from eqlib.study.report.figures.released_systems import FAMILIES
from eqlib.study.report.style import PAGE, QUIET, WRONG
from eqlib.study.report.typeset import Words

UNITS = {"probability": "logit", "1 / loss": "log-likelihood"}


def released_plane(ax: Axes, table: pd.DataFrame) -> Axes:
    """One system's score table: a dot a quad. Below the lines the quad is won (right: group) or lost to the wrong
    assignment in all four comparisons (left: mirrored), above them undecided. Few quads lie outside the axes."""
    parts = components(scores_of(table))
    bound = np.abs(parts["a"]) + np.abs(parts["b"])
    group = matching(scores_of(table))["group"]
    where = np.select([group, table["mirrored"].to_numpy()], ["group", "mirrored"], "undecided")
    _, colour, _ = FAMILIES[table["family"].iloc[0]]
    shades = {"undecided": "#b9bec7", "mirrored": WRONG, "group": colour}
    sns.scatterplot(x=parts["I"], y=bound, hue=where, palette=shades, hue_order=list(shades), s=5, linewidth=0, ax=ax,
                    legend=False)  # fmt: skip
    wide, high = np.quantile(np.abs(parts["I"]), 0.98), np.quantile(bound, 0.98)
    ax.plot([-1.15 * high, 0, 1.15 * high], [1.15 * high, 0, 1.15 * high], color=QUIET, linewidth=0.7)
    ax.set(xlim=(-1.1 * wide, 1.1 * wide), ylim=(0, 1.3 * high))
    ax.grid(visible=False)
    for x, name in ((0.02, "mirrored"), (0.98, "group")):  # above the dots
        ax.text(x, 0.98, f"{name} {100 * (where == name).mean():.1f} %", transform=ax.transAxes, fontsize=6, va="top",
                ha="left" if x < 0.5 else "right", color=shades[name])  # fmt: skip
    return ax


def drawn(chapter: Chapter) -> tuple[Sequence[Axes], Words]:
    """The figure at its printed size, and what is said of it."""
    tables = dict(list(chapter.planes.groupby("model")))
    shown = [(model, tables[model]) for model in PLANES]
    _, axes = plt.subplots(1, len(shown), figsize=(PAGE, 2.0))
    for ax, (model, table) in zip(axes, shown, strict=True):
        released_plane(ax, table)
        ax.set_title(model, color=FAMILIES[table["family"].iloc[0]][1])
        kind = table["kind"].iloc[0]
        ax.set_xlabel(f"I ({UNITS.get(kind, kind)})")
    axes[0].set_ylabel("|a| + |b|")
    found = chapter.systems[(chapter.systems["score"] == "group_match")].set_index("model")["point"]
    right = 100 * found[[model for model, _ in shown]]
    return axes, Words(
        "released_plane",
        "What a quad is decided by",
        "One dot a quad, each system in the units of its own score. Below the lines |I| > |a| + |b|: the right "
        "assignment wins all four comparisons (right) or the wrong one does (left, red). Grey: undecided, because the "
        "picture alone or the caption alone moves the score by more than I. Most dots lie right of 0 (group match, "
        f"{right.min():.0f} to {right.max():.0f} %) and above the lines. Few quads lie outside the axes.",
        f"Scatter plots of I against |a| + |b| for {', '.join(model for model, _ in shown)}.",
    )
