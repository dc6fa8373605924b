"""How the similarities of a quad are distributed: the evidence against its threshold."""

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from eqlib.study.report.style import INK, QUIET, colours, in_order, label, panels

MASS = (0.95, 0.8, 0.6, 0.4, 0.2)
"""Share of the quads inside each contour, from the outermost in."""


def equivariance(items: pd.DataFrame) -> np.ndarray:
    """One panel a method: contours around 95, 80, 60, 40, 20 % of the quads (all seeds), I upward, abs(a) + abs(b) to
    the right; the dot is the mean.

    Above the diagonal the group score is right; between the diagonal and zero the right assignment wins but the group
    score is wrong: that band is the headroom of a more equivariant similarity.
    """
    methods, shades = in_order(items["method"]), colours(items["method"])
    down = -(-len(methods) // 4)
    axes = panels(len(methods), 2.1, across=-(-len(methods) // down), sharey=True)  # rows as even as can be
    items = items.assign(threshold=items["a"].abs() + items["b"].abs())
    right = float(items["threshold"].quantile(0.995))
    top, bottom = items["I"].quantile([0.995, 0.005])
    top, bottom = max(float(top), 0.6 * right), min(float(bottom), -0.2 * right)
    for ax, method in zip(axes, methods, strict=True):
        of = items[items["method"] == method]
        density(ax, of["threshold"], of["I"], (right, bottom, top), shades[method])
        ax.plot(of["threshold"].mean(), of["I"].mean(), "o", markersize=4.5, markerfacecolor="white",
                markeredgecolor=INK, zorder=4)  # fmt: skip
        ax.fill_between([0, right], 0, [0, right], color="#fff3d6", zorder=0, linewidth=0)
        ax.plot([0, right], [0, right], color=INK, linewidth=0.8, zorder=3)
        ax.axhline(0, color=QUIET, linewidth=0.6, zorder=3)
        group, match = 100 * of["group"].mean(), 100 * of["group_match"].mean()
        zero = -bottom / (top - bottom)
        for text, y, va, colour in (
            (f"group right {group:.1f} %", 0.97, "top", INK),
            (f"headroom {100 * (of['group_match'] > of['group']).mean():.1f} %", zero + 0.03, "bottom", "#8a5a00"),
            (f"assignment wrong {100 - match:.1f} %", 0.03, "bottom", QUIET),
        ):
            box = {"facecolor": "white", "alpha": 0.82, "edgecolor": "none", "pad": 1.2}
            ax.text(0.97, y, text, va=va, ha="right", color=colour, bbox=box, fontsize=6, transform=ax.transAxes)
        ax.set(xlim=(0, right), ylim=(bottom, top), xlabel=r"threshold $|a| + |b|$", ylabel=r"evidence $I$")
        ax.set_title(label(method), color=shades[method])
        ax.xaxis.set_major_locator(MaxNLocator(4, prune="upper"))
        ax.xaxis.set_major_formatter("{x:g}")  # a short 0: the panel beside ends with a number
        ax.grid(False)
    return axes


def density(ax: Axes, x: pd.Series, y: pd.Series, window: tuple[float, float, float], colour: str) -> Axes:
    """Contours of MASS in ``window`` (right, bottom, top). ``x`` is never negative: it is mirrored at zero, or a kernel
    would lose mass there; bandwidth is narrowed for the wider spread that this gives."""
    right, bottom, top = window
    both = pd.DataFrame({"x": np.concatenate([x, -x]), "y": np.concatenate([y, y])})
    sns.kdeplot(both, x="x", y="y", fill=True, cmap=sns.light_palette(colour, as_cmap=True), bw_adjust=0.75,
                gridsize=72, clip=((0, right), (bottom, top)), levels=[*(1 - share for share in MASS), 1], ax=ax,
                zorder=1)  # fmt: skip
    return ax
