"""Distribution of the two sides' inconsistency: how far a swap of captions (images) misses being mirrored."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from scipy.stats import gaussian_kde

from eqlib.study.report.printed import Printed
from eqlib.study.report.study import Study
from eqlib.study.report.style import PAGE, QUIET, colours, in_order, label

SIDES = {
    "text_gap": ("Text side", r"$(s_{00}-s_{01})-(s_{11}-s_{10}) = a+b$"),
    "image_gap": ("Image side", r"$(s_{00}-s_{10})-(s_{11}-s_{01}) = a-b$"),
}


def inconsistency(axes: Sequence[Axes], items: pd.DataFrame) -> Sequence[Axes]:
    """Two panels, text and image side: density of the signed inconsistency by method, its RMS in the legend."""
    methods = in_order(items["method"])
    shades = colours(methods)
    reach = float(items[list(SIDES)].abs().quantile(0.995).max())
    grid = np.linspace(-reach, reach, 241)
    for ax, (column, (title, formula)) in zip(axes, SIDES.items(), strict=True):
        for number, method in enumerate(methods):
            values = items.loc[items["method"] == method, column].to_numpy()
            if np.ptp(values) == 0:
                continue
            density = gaussian_kde(values)(grid)
            rms = float(np.sqrt(np.mean(values**2)))
            ax.plot(grid, density, color=shades[method], label=f"{label(method)} (RMS {rms:.3f})", zorder=3 + number)
            ax.fill_between(grid, density, color=shades[method], alpha=0.07, linewidth=0)
        ax.axvline(0, color=QUIET, linewidth=0.6, linestyle=(0, (1.5, 2)))
        ax.set(
            xlim=(-reach, reach), ylim=(0, ax.get_ylim()[1] * (1.1 + 0.09 * len(methods))), yticks=[], xlabel=formula
        )
        ax.spines["left"].set_visible(False)
        ax.grid(False)
        ax.set_title(title)
        ax.legend(loc="upper right", handlelength=1)
    return axes


def _widest(study: Study) -> str:
    """Which method is narrowest and widest, beside the one of the highest group score: they need not agree."""
    items = study.of()
    spread = (items[list(SIDES)] ** 2).groupby(items["method"]).mean().mean(axis=1)
    best = items.groupby("method")["group"].mean().idxmax()
    narrow, wide = label(spread.idxmin()), label(spread.idxmax())
    return f"Over both sides {narrow} is narrowest and {wide} widest; the highest group score is {label(best)}'s."


def printed(study: Study) -> Printed:
    """How the figure is printed."""
    figure, axes = plt.subplots(1, 2, figsize=(PAGE, 1.75))
    inconsistency(axes, study.of())
    return Printed(
        figure,
        "How far the two sides are from mirrored",
        "Density of the signed inconsistency over quads (all seeds). Zero: swapping the captions (left) or the "
        "images (right) changes the similarity by the same amount on both members of the pair. "
        f"{_widest(study)}",
        "Two density plots centred at zero, one curve a method, for the text side and the image side.",
    )
