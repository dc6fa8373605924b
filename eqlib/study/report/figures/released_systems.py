"""Every released system: group score, group match and the ratio that stands between them."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes

from eqlib.scoring.matching import CHANCE
from eqlib.study.released.chapter import Chapter
from eqlib.study.report.style import PAGE, QUIET
from eqlib.study.report.typeset import Words

FAMILIES = {
    "matching": ("Matching head", "#D55E00", "D"),
    "contrastive": ("Contrastive head", "#0072B2", "o"),
    "generative": ("Generative", "#009E73", "^"),
    "trajectory": ("ALBEF, epoch by epoch", "#7A7F87", "."),
}
"""Name, colour and mark of each family, in every figure of released systems."""


def released_systems(axes: Sequence[Axes], overview: pd.DataFrame) -> Sequence[Axes]:
    """``overview`` of ``eqlib.study.released.systems``: one row a system, by group score. Left: group (filled) and
    group match (hollow) in percent with intervals; right: the median ratio, on a logarithmic axis."""
    order = overview[overview["score"] == "group"].sort_values("point", ascending=False, kind="stable")["model"]
    place = {model: number for number, model in enumerate(order)}
    for score, ax in (("group", axes[0]), ("group_match", axes[0]), ("ratio", axes[1])):
        scale = 1 if score == "ratio" else 100
        for family, (name, colour, mark) in FAMILIES.items():
            rows = overview[(overview["score"] == score) & (overview["family"] == family)]
            y = rows["model"].map(place)
            ax.hlines(y, scale * rows["low"], scale * rows["high"], color=colour, linewidth=0.8)
            face = "white" if score == "group_match" else colour
            ax.plot(scale * rows["point"], y, mark, color=colour, markerfacecolor=face, markersize=3,
                    markeredgewidth=0.8, label=name if score == "group" and len(rows) else None)  # fmt: skip
    for score in ("group", "group_match"):
        axes[0].axvline(100 * CHANCE[score], color=QUIET, linewidth=0.7, linestyle=(0, (1.5, 2)), zorder=1)
    axes[1].axvline(1, color=QUIET, linewidth=0.7, zorder=1)
    axes[0].set(xlabel="Group (filled), group match (hollow), %", xlim=(0, 85))
    axes[1].set(xlabel="Median (|a| + |b|) / |I|", xscale="log", xlim=(0.9, 11))
    axes[1].set_xticks([1, 2, 4, 8], ["1", "2", "4", "8"])
    axes[1].minorticks_off()
    for ax in axes:
        ax.set_yticks(range(len(order)), order, fontsize=5.6)
        ax.set_ylim(len(order) - 0.4, -0.6)
        ax.tick_params(axis="y", length=0)
        ax.grid(axis="x")
    axes[0].legend(loc="lower left", bbox_to_anchor=(0, 1.0), ncols=3)
    return axes


def drawn(chapter: Chapter) -> tuple[Sequence[Axes], Words]:
    """The figure at its printed size, and what is said of it."""
    found = chapter.systems
    count = found["model"].nunique()
    _, axes = plt.subplots(1, 2, figsize=(PAGE, 0.6 + 0.115 * count), width_ratios=(2, 1), sharey=True)
    released_systems(axes, found)
    group, match = (100 * found[found["score"] == score]["point"] for score in ("group", "group_match"))
    above = int((found[found["score"] == "group"]["low"] > CHANCE["group"]).sum())
    return axes, Words(
        "released_systems",
        "Released systems on Winoground",
        f"{count} systems, scores as published, 400 quads. Group is {group.min():.1f} to {group.max():.1f} %, for "
        f"{above} of them above chance ({100 * CHANCE['group']:.1f} %, dotted) with the whole interval; group match is "
        f"{match.min():.1f} to {match.max():.1f} %. Bars: 95 % intervals. Right: how much larger |a| + |b| is than |I| "
        "in the median quad; group needs less than 1 (line) and I > 0. Group match and the ratio are on logits where "
        "the published score is a probability.",
        f"Dot plot of group score, group match and median ratio of {count} systems, sorted by group score.",
    )
