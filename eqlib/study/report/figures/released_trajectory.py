"""Thirty checkpoints of one pre-training, and what noise or equivariance alone would have given."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib.pyplot as plt
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes

from eqlib.scoring.matching import CHANCE
from eqlib.study.released.chapter import Chapter
from eqlib.study.released.trajectory import EARLY, LATE
from eqlib.study.report.style import LINE, PAGE, QUIET, RIGHT, WRONG
from eqlib.study.report.typeset import Words

SHADES = {"group_match": "#0072B2", "group": RIGHT, "mirrored": WRONG}
NAMES = {"group_match": "Group match", "group": "Group", "mirrored": "Mirrored"}


def released_trajectory(axes: Sequence[Axes], overview: pd.DataFrame, bars: pd.DataFrame) -> Sequence[Axes]:
    """Left: outcomes by epoch with intervals; middle: the median ratio; right: ``bars`` (state, score, value)."""
    epochs = overview.assign(epoch=overview["model"].str.extract(r"(\d+)$")[0].astype(int)).sort_values("epoch")
    for score, colour in SHADES.items():
        rows = epochs[epochs["score"] == score]
        axes[0].fill_between(
            rows["epoch"], 100 * rows["low"], 100 * rows["high"], color=colour, alpha=0.15, linewidth=0
        )
        axes[0].plot(rows["epoch"], 100 * rows["point"], color=colour)
        axes[0].annotate(NAMES[score], (29, 100 * rows["point"].iloc[-1]), xytext=(2, 0), textcoords="offset points",
                         va="center", fontsize=6, color=colour, annotation_clip=False)  # fmt: skip
        if score in CHANCE:
            axes[0].axhline(100 * CHANCE[score], color=colour, linewidth=0.6, linestyle=(0, (1.5, 2)))
    rows = epochs[epochs["score"] == "ratio"]
    axes[1].fill_between(rows["epoch"], rows["low"], rows["high"], color=LINE, alpha=0.25, linewidth=0)
    axes[1].plot(rows["epoch"], rows["point"], color=QUIET)
    axes[1].axhline(1.55, color=QUIET, linewidth=0.6, linestyle=(0, (1.5, 2)))
    for ax in axes[:2]:
        for span in (EARLY, LATE):
            ax.axvspan(span[0] - 0.4, span[-1] + 0.4, color="#f1f2f5", zorder=0)
        ax.set_xlabel("Epoch")
    axes[0].set(ylabel="Quads (%)", ylim=(0, 75))
    axes[1].set(ylabel="Median (|a| + |b|) / |I|, logits", ylim=(0, None))
    sns.barplot(bars, x="state", y="value", hue="score", palette=SHADES, ax=axes[2], legend=False, width=0.75)
    for bar in axes[2].patches:
        if bar.get_height() > 0:
            top = (bar.get_x() + bar.get_width() / 2, bar.get_height())
            axes[2].annotate(f"{top[1]:.1f}", top, xytext=(0, 1), textcoords="offset points", ha="center", fontsize=5.8)
    axes[2].set(xlabel="", ylabel="Quads (%)")
    axes[2].grid(visible=False)
    return axes


def drawn(chapter: Chapter) -> tuple[Sequence[Axes], Words]:
    """The figure at its printed size, and what is said of it."""
    found = chapter.endpoints.set_index("name")
    bars = chapter.bars.assign(value=100 * chapter.bars["value"])
    _, axes = plt.subplots(1, 3, figsize=(PAGE, 2.3), width_ratios=(1.25, 1, 1.35))
    released_trajectory(axes, chapter.trajectory, bars)
    noise = found.loc["group - noise"]
    return axes, Words(
        "released_trajectory",
        "One training, epoch by epoch",
        "ALBEF on 4 million pictures, 30 checkpoints on Winoground. Left, middle: outcomes and ratio with 95 % "
        "intervals; dotted: independent random scores; grey: the first and last five epochs, which the test compares. "
        "Right: group (green) and mirrored (red: the wrong assignment wins all four comparisons) of those epochs, and "
        "what the first five would give if as many quads were decided as in the last five, by independent noise in "
        f"every score or by shrinking a and b alone. Late group less noise: {100 * noise['change']:+.1f} "
        f"[{100 * noise['low']:+.1f}, {100 * noise['high']:+.1f}] points.",
        "Three panels: group, mirrored and group match by epoch; the median ratio by epoch; bars of four states.",
    )
