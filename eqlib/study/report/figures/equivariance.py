"""Equivariance panel: the evidence I against the threshold abs(a) + abs(b) that the group score puts on it."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.ticker import MaxNLocator
from scipy.ndimage import gaussian_filter

from eqlib.study.report.headline import scores_in_words
from eqlib.study.report.printed import Printed
from eqlib.study.report.study import Study
from eqlib.study.report.style import INK, PAGE, QUIET, colours, label

MASS = (0.95, 0.8, 0.6, 0.4, 0.2)
"""Share of the quads inside each contour, from the outermost in."""


def equivariance(axes: Sequence[Axes], items: pd.DataFrame, methods: Sequence[str]) -> Sequence[Axes]:
    """One panel a method: contours around 95, 80, 60, 40, 20 % of the quads (all seeds), I upward, abs(a) + abs(b) to
    the right; the dot is the mean.

    Above the diagonal the group score is right; between the diagonal and zero the right assignment wins but the group
    score is wrong: that band is the headroom of a more equivariant similarity.
    """
    shown = items[items["method"].isin(methods)]
    threshold = shown["a"].abs() + shown["b"].abs()
    right = float(threshold.quantile(0.995))
    top, bottom = float(shown["I"].quantile(0.995)), float(min(shown["I"].quantile(0.005), -0.2 * right))
    shades = colours(items["method"])
    for ax, method in zip(axes, methods, strict=True):
        of = items[items["method"] == method]
        x, y = (of["a"].abs() + of["b"].abs()).to_numpy(), of["I"].to_numpy()
        shade = LinearSegmentedColormap.from_list("", ["#ffffff", shades[method], "#15181d"])
        tones = [shade(tone) for tone in np.linspace(0.14, 0.66, len(MASS))]
        density, across, up = _density(x, y, (0, right), (bottom, top))
        ax.contourf(across, up, density, levels=[*_levels(density), np.inf], colors=tones, zorder=1)
        ax.plot(x.mean(), y.mean(), "o", markersize=4.5, markerfacecolor="white", markeredgecolor=INK, zorder=4)
        ax.fill_between([0, right], 0, [0, right], color="#fff3d6", zorder=0, linewidth=0)
        ax.plot([0, right], [0, right], color=INK, linewidth=0.8, zorder=3)
        ax.axhline(0, color=QUIET, linewidth=0.6, zorder=3)
        group, match = 100 * of["group"].mean(), 100 * of["group_match"].mean()
        place = {"fontsize": 6, "zorder": 4, "transform": ax.transAxes}
        box = {"facecolor": "white", "alpha": 0.82, "edgecolor": "none", "pad": 1.2}
        ax.text(0.97, 0.97, f"group right {group:.1f} %", ha="right", va="top", bbox=box, **place)
        at = (0 - bottom) / (top - bottom)
        ax.text(0.97, at + 0.03, f"headroom {match - group:.1f} %", ha="right", va="bottom", color="#8a5a00", bbox=box,
                **place)  # fmt: skip
        ax.text(0.97, 0.03, f"assignment wrong {100 - match:.1f} %", ha="right", va="bottom", color=QUIET, bbox=box,
                **place)  # fmt: skip
        ax.set(xlim=(0, right), ylim=(bottom, top), xlabel=r"threshold $|a| + |b|$")
        ax.set_title(label(method), color=shades[method])
        ax.xaxis.set_major_locator(MaxNLocator(4, prune="upper"))
        ax.grid(False)
    axes[0].set_ylabel(r"evidence $I$")
    for ax in axes[1:]:
        ax.tick_params(labelleft=False)
    return axes


def _density(x: np.ndarray, y: np.ndarray, x_range: tuple[float, float], y_range: tuple[float, float]):
    """A histogram smoothed by Scott's rule: contours of thousands of quads in milliseconds. The threshold is never
    negative, so mass is mirrored at zero and not lost there."""
    bins = (96, 72)
    counts, across, up = np.histogram2d(x, y, bins, (x_range, y_range))
    scott = len(x) ** (-1 / 6)
    cells = [n * np.std(v) * scott / (r[1] - r[0]) for n, v, r in zip(bins, (x, y), (x_range, y_range), strict=True)]
    smooth = gaussian_filter(counts, cells, mode=("reflect", "constant"))
    return smooth.T, (across[1:] + across[:-1]) / 2, (up[1:] + up[:-1]) / 2


def _levels(density: np.ndarray) -> list[float]:
    ranked = np.sort(density, axis=None)[::-1]
    inside = np.cumsum(ranked) / ranked.sum()
    return [float(ranked[np.searchsorted(inside, share)]) for share in MASS]


def printed(study: Study) -> Printed:
    """How the figure is printed."""
    methods = study.trio or study.methods[:3]
    figure, axes = plt.subplots(1, len(methods), figsize=(PAGE, 2.2), sharey=True, squeeze=False)
    equivariance(axes[0], study.of(), methods)
    return Printed(
        figure,
        "The equivariance panel",
        "Contours around 95, 80, 60, 40 and 20 % of the quads (all seeds), dot at the mean: evidence I upward, "
        "threshold |a| + |b| to the right. Above the diagonal the group score is right. In the shaded band the "
        "right assignment wins and the group score is still wrong: the headroom, which a smaller |a| + |b| at the same "
        "I would recover.",
        f"Density panels by method. Group right: {scores_in_words(study)}. Headroom: "
        f"{scores_in_words(study, 'headroom')}.",
    )
