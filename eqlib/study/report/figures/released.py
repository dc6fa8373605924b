"""Released systems: six figures of their published scores. ``overview`` is ``eqlib.study.released.systems.overview``'s
table: model, family, score, point, low, high."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes

from eqlib.quads import scores_of
from eqlib.scoring import CHANCE
from eqlib.scoring.equivariance import components
from eqlib.study.released.trajectory import EARLY, LATE
from eqlib.study.report.style import LINE, PAGE, QUIET, RIGHT, WRONG, panels

FAMILIES = {
    "matching": ("Matching head", "#D55E00", "D"),
    "contrastive": ("Contrastive head", "#0072B2", "o"),
    "generative": ("Generative", "#009E73", "^"),
    "trajectory": ("ALBEF, epoch by epoch", "#7A7F87", "."),
}
"""Name, colour and mark of each family of systems."""

OUTCOMES = {"group_match": ("Group match", "#0072B2"), "group": ("Group", RIGHT), "mirrored": ("Mirrored", WRONG)}
DOTTED = {"linewidth": 0.7, "linestyle": (0, (1.5, 2)), "zorder": 1}
UNITS = {"probability": "logit", "1 / loss": "log-likelihood"}


def systems(overview: pd.DataFrame) -> np.ndarray:
    """One row a system, by group score. Left: group (filled) and group match (hollow) in percent with intervals; right:
    the median ratio."""
    order = overview[overview["score"] == "group"].sort_values("point", ascending=False, kind="stable")["model"]
    place = {model: number for number, model in enumerate(order)}
    axes = panels(2, 0.6 + 0.115 * len(order), width_ratios=(2, 1), sharey=True)
    for (score, family), rows in overview.groupby(["score", "family"], sort=False):
        if score not in ("group", "group_match", "ratio"):
            continue
        ax, scale = (axes[1], 1) if score == "ratio" else (axes[0], 100)
        name, colour, mark = FAMILIES[family]
        y = rows["model"].map(place)
        ax.hlines(y, scale * rows["low"], scale * rows["high"], color=colour, linewidth=0.8)
        ax.plot(scale * rows["point"], y, mark, color=colour, markersize=3, markeredgewidth=0.8,
                markerfacecolor="white" if score == "group_match" else colour,
                label=name if score == "group" else None)  # fmt: skip
    for score in ("group", "group_match"):
        axes[0].axvline(100 * CHANCE[score], color=QUIET, **DOTTED)
    axes[1].axvline(1, color=QUIET, linewidth=0.7, zorder=1)
    axes[0].set(xlabel="Group (filled), group match (hollow), %", xlim=(0, 85))
    axes[1].set(xlabel="Median (|a| + |b|) / |I|", xscale="log", xlim=(0.9, 11))
    axes[1].set_xticks([1, 2, 4, 8], ["1", "2", "4", "8"])
    axes[1].minorticks_off()
    axes[0].set_yticks(range(len(order)), order, fontsize=5.6)
    axes[0].set_ylim(len(order) - 0.4, -0.6)
    for ax in axes:
        ax.tick_params(axis="y", length=0)
        ax.grid(axis="x")
    axes[0].legend(loc="lower left", bbox_to_anchor=(0, 1.0), ncols=3)
    return axes


def planes(tables: Sequence[pd.DataFrame]) -> np.ndarray:
    """A panel a system of ``tables``, its score table with the outcomes of ``decided``: a dot a quad, I to the right,
    abs(a) + abs(b) upward. Below the lines the quad is won (right: group) or lost in all four comparisons (left:
    mirrored). Few lie outside."""
    axes = panels(len(tables), 2.0)
    for ax, table in zip(axes, tables, strict=True):
        _plane(ax, table)
    axes[0].set_ylabel("|a| + |b|")
    return axes


def _plane(ax: Axes, table: pd.DataFrame) -> None:
    parts = components(scores_of(table))
    bound = np.abs(parts["a"]) + np.abs(parts["b"])
    won = (table["decided"] & ~table["mirrored"]).to_numpy()
    where = np.select([won, table["mirrored"].to_numpy()], ["group", "mirrored"], "undecided")
    colour, kind = FAMILIES[table["family"].iloc[0]][1], table["kind"].iloc[0]
    shades = {"undecided": "#b9bec7", "mirrored": WRONG, "group": colour}
    sns.scatterplot(x=parts["I"], y=bound, hue=where, palette=shades, hue_order=list(shades), s=5, linewidth=0, ax=ax,
                    legend=False)  # fmt: skip
    wide, high = 1.1 * np.quantile(np.abs(parts["I"]), 0.98), 1.3 * np.quantile(bound, 0.98)
    ax.plot([-high, 0, high], [high, 0, high], color=QUIET, linewidth=0.7)
    ax.set(xlim=(-wide, wide), ylim=(0, high), xlabel=f"I ({UNITS.get(kind, kind)})")
    ax.set_title(table["model"].iloc[0], color=colour)
    ax.grid(visible=False)
    for x, side, name in ((0.02, "left", "mirrored"), (0.98, "right", "group")):
        ax.text(x, 0.98, f"{name} {100 * (where == name).mean():.1f} %", transform=ax.transAxes, fontsize=6, va="top",
                ha=side, color=shades[name], bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.8})  # fmt: skip


def decided(overview: pd.DataFrame) -> Axes:
    """A mark a system, and the checkpoints as a path: the share decided, and the share of these that are right;
    dashed: equal group score."""
    wide = 100 * overview.pivot(index=["family", "model"], columns="score", values="point")
    wide = wide.assign(right=100 * wide["group"] / wide["decided"]).reset_index()
    [ax], x = panels(1, 3.4, width=0.72 * PAGE), np.linspace(3, 27, 200)
    for group in (2, 5, 10, 15, 20):
        ax.plot(x, 100 * group / x, color=LINE, linewidth=0.5, linestyle=(0, (4, 3)), zorder=0)
        start = max(3.2, group / 0.995)
        ax.annotate(f"group {group} %", (start, 100 * group / start), xytext=(1, 1), textcoords="offset points",
                    fontsize=5.6, color=QUIET)  # fmt: skip
    path = wide[wide["family"] == "trajectory"].sort_values("model")
    ax.plot(path["decided"], path["right"], color=FAMILIES["trajectory"][1], linewidth=0.5, zorder=1)
    for row, end, away in ((path.iloc[0], "first", (-6, -10)), (path.iloc[-1], "last", (4, -7))):
        ax.annotate(end, (row["decided"], row["right"]), xytext=away, textcoords="offset points", fontsize=6)
    marks = {family: mark.replace(".", "o") for family, (_, _, mark) in FAMILIES.items()}
    sns.scatterplot(wide, x="decided", y="right", hue="family", style="family", markers=marks, s=22, zorder=2, ax=ax,
                    palette={family: colour for family, (_, colour, _) in FAMILIES.items()},
                    hue_order=list(FAMILIES), style_order=list(FAMILIES))  # fmt: skip
    handles, labels = ax.get_legend_handles_labels()
    legend = ax.legend(handles, [FAMILIES[name][0] for name in labels], loc="lower right", frameon=True, framealpha=1)
    legend.get_frame().set_linewidth(0)
    ax.set(xlabel="Decided: one assignment wins all four comparisons (%)", ylabel="Of these, the right one (%)")
    ax.set(xlim=(3, 26), ylim=(40, 102))
    return ax


def trajectory(overview: pd.DataFrame, bars: pd.DataFrame) -> np.ndarray:
    """Left: outcomes by epoch with intervals; middle: the median ratio; right: ``bars`` (state, score, value)."""
    epochs = overview.assign(epoch=overview["model"].str.extract(r"(\d+)$")[0].astype(int)).sort_values("epoch")
    axes = panels(3, 2.3, width_ratios=(1.25, 1, 1.35))
    shades = {score: colour for score, (_, colour) in OUTCOMES.items()}
    drawn = [(axes[0], score, shades[score], 100, 100 * CHANCE.get(score, CHANCE["group"])) for score in OUTCOMES]
    for ax, score, colour, scale, chance in (*drawn, (axes[1], "ratio", QUIET, 1, 1.55)):
        rows = epochs[epochs["score"] == score]
        ax.fill_between(rows["epoch"], scale * rows["low"], scale * rows["high"], color=colour, alpha=0.15, linewidth=0)
        ax.plot(rows["epoch"], scale * rows["point"], color=colour)
        ax.axhline(chance, color=colour, **DOTTED)
        if score in OUTCOMES:
            last = (29, scale * rows["point"].iloc[-1])
            ax.annotate(OUTCOMES[score][0], last, xytext=(2, 0), textcoords="offset points", va="center", fontsize=6,
                        color=colour, annotation_clip=False)  # fmt: skip
    for ax in axes[:2]:
        for span in (EARLY, LATE):
            ax.axvspan(span[0] - 0.4, span[-1] + 0.4, color="#f1f2f5", zorder=0)
    axes[0].set(xlabel="Epoch", ylabel="Quads (%)", ylim=(0, 75))
    axes[1].set(xlabel="Epoch", ylabel="Median (|a| + |b|) / |I|, logits", ylim=(0, None))
    bars = bars.assign(value=100 * bars["value"])
    sns.barplot(bars, x="state", y="value", hue="score", palette=shades, ax=axes[2], legend=False, width=0.75)
    for bar in axes[2].containers:
        axes[2].bar_label(bar, fmt="%.1f", fontsize=5.8, padding=1)
    axes[2].set(xlabel="", ylabel="Quads (%)")
    axes[2].grid(visible=False)
    return axes


def pairs(differences: pd.DataFrame) -> np.ndarray:
    """Left group, right group match: rows ``label`` in order, a gap before a new ``set``. Filled: Holm's p < 0.05."""
    axes = panels(2, 3.6, sharex=True, sharey=True)
    for ax, score in zip(axes, ("group", "group_match"), strict=True):
        name, colour = OUTCOMES[score]
        rows = differences[differences["score"] == score].reset_index(drop=True)
        y = rows.index + 0.7 * (rows["set"] != rows["set"].shift()).cumsum()
        for at, row in zip(y, rows.itertuples(), strict=True):
            mean = row.label.startswith("mean")
            ax.plot([100 * row.low, 100 * row.high], [at, at], color=colour, linewidth=1.8 if mean else 1)
            ax.plot(100 * row.point, at, "D" if mean else "o", color=colour, markersize=4.5 if mean else 3.5,
                    markerfacecolor=colour if row.p_holm < 0.05 else "white")  # fmt: skip
        ax.axvline(0, color=QUIET, linewidth=0.8, zorder=1)
        ax.set_yticks(y, rows["label"], fontsize=6)
        ax.set_ylim(y.max() + 0.6, y.min() - 0.6)
        ax.tick_params(axis="y", length=0)
        ax.grid(axis="x")
        ax.grid(axis="y", visible=False)
        ax.set_xlabel(f"{name}, difference (points)")
    return axes


def elsewhere(others: pd.DataFrame) -> np.ndarray:
    """A panel a benchmark of ``others`` (suite, method, point, low, high): its systems in percent, best at the top."""
    count = others.groupby("suite")["method"].nunique()
    axes = panels(len(count), 0.7 + 0.12 * count.max())
    for ax, (suite, rows) in zip(axes, others.groupby("suite", sort=False), strict=True):
        rows = rows.sort_values("point")
        ends = 100 * np.stack([rows["point"] - rows["low"], rows["high"] - rows["point"]])
        ax.errorbar(
            100 * rows["point"], rows["method"], xerr=ends, fmt="o", color="#0072B2", markersize=3, linewidth=0.8
        )
        ax.set(title=suite, xlabel="%", ylim=(-0.6, len(rows) - 0.4))
        ax.tick_params(axis="y", length=0, labelsize=5.6)
        ax.grid(axis="x")
    return axes
