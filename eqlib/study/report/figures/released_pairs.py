"""Pairs of released systems with the same weights: heads, and before and after fine-tuning for retrieval."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes

from eqlib.study.released.chapter import Chapter
from eqlib.study.report.style import PAGE, QUIET, RIGHT
from eqlib.study.report.typeset import Words

SCORES = {"group": ("Group", RIGHT), "group_match": ("Group match", "#0072B2")}


def released_pairs(axes: Sequence[Axes], pairs: pd.DataFrame) -> Sequence[Axes]:
    """One axes a score of SCORES; rows ``label`` in order, a blank before each new ``set``. Filled: Holm's p < 0.05."""
    for ax, (score, (name, colour)) in zip(axes, SCORES.items(), strict=True):
        rows, y, ticks, last = pairs[pairs["score"] == score], 0.0, [], None
        for row in rows.itertuples():
            y += 0.7 if last not in (None, row.set) else 0
            last, mean = row.set, row.label.startswith("mean")
            ax.plot([100 * row.low, 100 * row.high], [y, y], color=colour, linewidth=1.8 if mean else 1)
            ax.plot(100 * row.point, y, "D" if mean else "o", color=colour, markersize=4.5 if mean else 3.5,
                    markerfacecolor=colour if row.p_holm < 0.05 else "white")  # fmt: skip
            ticks.append((y, row.label))
            y += 1
        ax.axvline(0, color=QUIET, linewidth=0.8, zorder=1)
        ax.set_yticks([at for at, _ in ticks], [label for _, label in ticks], fontsize=6)
        ax.set_ylim(y - 0.4, -0.6)
        ax.tick_params(axis="y", length=0)
        ax.grid(axis="x")
        ax.grid(axis="y", visible=False)
        ax.set_xlabel(f"{name}, difference (points)")
    return axes


def drawn(chapter: Chapter) -> tuple[Sequence[Axes], Words]:
    """The figure at its printed size, and what is said of it."""
    pairs = chapter.pairs
    _, axes = plt.subplots(1, 2, figsize=(PAGE, 3.6), sharex=True, sharey=True)
    released_pairs(axes, pairs)
    means = pairs[pairs["label"].str.startswith("mean")].set_index(["set", "score"])

    def told(which, score):
        row = means.loc[(which, score)]
        return f"{100 * row['point']:+.1f} [{100 * row['low']:+.1f}, {100 * row['high']:+.1f}]"

    return axes, Words(
        "released_pairs",
        "The same weights, another head, or fine-tuned for retrieval",
        "BLIP on Winoground, paired differences in points with 95 % intervals. Matching less contrastive head of the "
        f"same weights: group {told('heads', 'group')}, group match {told('heads', 'group_match')}. Fine-tuned for "
        "retrieval on COCO or Flickr30K less before: "
        f"group {told('tuned', 'group')}, group match {told('tuned', 'group_match')}. "
        "Filled: p < 0.05, by Holm over the eight pairs; diamonds: mean over the eight, quad by quad.",
        "Forest plot of the differences in group and group match between pairs of BLIP models.",
    )
