"""Selection heat map: the validation score by weight and margin of EqSim."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from eqlib.report.printed import Printed
from eqlib.report.study import Study
from eqlib.report.style import COLUMN, INK


def selection(ax: Axes, grid: pd.DataFrame, *, score: str = "Group score") -> Axes:
    """Draw ``grid`` (weight, margin, point as a proportion; several seeds are averaged); the best cell is framed."""
    table = grid.pivot_table(index="margin", columns="weight", values="point", aggfunc="mean").sort_index(
        ascending=False
    )
    values = 100 * table.to_numpy()
    mesh = ax.imshow(values, cmap="cividis", aspect="auto")
    low, high = np.nanmin(values), np.nanmax(values)
    for (row, column), value in np.ndenumerate(values):
        if np.isfinite(value):
            dark = (value - low) < 0.55 * max(high - low, 1e-9)
            ax.text(column, row, f"{value:.1f}", ha="center", va="center", fontsize=6, color="white" if dark else INK)
    row, column = np.unravel_index(np.nanargmax(values), values.shape)
    ax.add_patch(Rectangle((column - 0.5, row - 0.5), 1, 1, fill=False, edgecolor="#D55E00", linewidth=1.8))
    ax.set_xticks(range(table.shape[1]), [f"{value:g}" for value in table.columns])
    ax.set_yticks(range(table.shape[0]), [f"{value:g}" for value in table.index])
    ax.set(xlabel="weight", ylabel="margin")
    ax.grid(False)
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    bar = ax.figure.colorbar(mesh, ax=ax, pad=0.02, aspect=14)
    bar.set_label(f"{score}, validation (%)")
    bar.outline.set_visible(False)
    return ax


def printed(study: Study) -> Printed | None:
    """How the figure is printed; None where the study lacks its input."""
    if study.selection is None:
        return None
    figure, ax = plt.subplots(figsize=(COLUMN, 1.9))
    selection(ax, study.selection)
    return Printed(
        figure,
        "Choosing weight and margin on validation",
        "Validation score of EqSim by weight and margin; the frame marks the setting chosen. No test quad was used.",
        "Heat map of the validation score, weight across and margin down.",
    )
