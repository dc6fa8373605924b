"""Selection heat map: the validation score of EqSim by weight and margin, one panel a variant."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from eqlib.study.report.headline import percent
from eqlib.study.report.printed import Printed
from eqlib.study.report.study import BASELINE, TREATMENT, Study
from eqlib.study.report.style import COLUMN, INK, PAGE


def settings(table: pd.DataFrame) -> pd.DataFrame:
    """The rows of EqSim in ``table`` (weight, margin, point; perhaps method, variant, seed), best first.

    Seeds are averaged; two forms of the similarity or of the hinge are two variants. Of equal scores the smaller
    weight, then the smaller margin comes first, as in the selection notebook.
    """
    rows = table[table["method"] == TREATMENT] if "method" in table else table
    rows = rows.assign(variant=rows.get("variant", ""))
    if "similarity" in rows:  # a row that names none has the loss's default
        other = rows["similarity"].fillna("cosine")
        rows = rows.assign(variant=rows["variant"] + np.where(other != "cosine", ", " + other, ""))
    if "own_change" in rows:
        own = rows["own_change"].fillna(False).astype(bool)
        rows = rows.assign(variant=rows["variant"] + np.where(own, ", own change", ""))
    rows = rows.groupby(["variant", "weight", "margin"], as_index=False)["point"].mean()
    return rows.sort_values(["point", "weight", "margin"], ascending=[False, True, True], kind="stable")


def selection(axes: Sequence[Axes], grid: pd.DataFrame) -> Sequence[Axes]:
    """One axes a variant of ``grid`` (``settings``): the score in percent by weight and margin; the best is framed."""
    low, high, chosen = 100 * grid["point"].min(), 100 * grid["point"].max(), grid.iloc[0]
    for ax, (variant, rows) in zip(axes, grid.groupby("variant"), strict=True):
        table = rows.pivot(index="margin", columns="weight", values="point").sort_index(ascending=False)
        mesh = ax.imshow(100 * table.to_numpy(), cmap="cividis", aspect="auto", vmin=low, vmax=max(high, low + 1e-6))
        for (row, column), value in np.ndenumerate(100 * table.to_numpy()):
            if np.isfinite(value):
                colour = "white" if value - low < 0.55 * (high - low) else INK
                ax.text(column, row, f"{value:.1f}", ha="center", va="center", fontsize=6, color=colour)
        if variant == chosen["variant"]:
            row, column = table.index.get_loc(chosen["margin"]), table.columns.get_loc(chosen["weight"])
            ax.add_patch(Rectangle((column - 0.5, row - 0.5), 1, 1, fill=False, edgecolor="#D55E00", linewidth=1.8))
        ax.set_xticks(range(table.shape[1]), [f"{value:g}" for value in table.columns])
        ax.set_yticks(range(table.shape[0]), [f"{value:g}" for value in table.index])
        ax.set(xlabel="weight", title=str(variant).replace("_", " "))
        ax.grid(False)
        ax.tick_params(length=0)
        ax.spines[:].set_visible(False)
    axes[0].set_ylabel("margin")
    bar = axes[-1].figure.colorbar(mesh, ax=list(axes), pad=0.02, aspect=14)
    bar.set_label("Group score (%)")
    bar.outline.set_visible(False)
    return axes


def printed(study: Study) -> Printed | None:
    """How the figure is printed; None where the study lacks its input."""
    if study.selection is None:
        return None
    grid = settings(study.selection)
    panels, rows = grid["variant"].nunique(), grid["margin"].nunique()
    size = (COLUMN if panels == 1 else PAGE, 0.75 + 0.38 * rows)
    figure, axes = plt.subplots(1, panels, figsize=size, squeeze=False)
    selection(axes[0], grid)
    without = ""
    if "method" in study.selection and (study.selection["method"] == BASELINE).any():
        point = study.selection.loc[study.selection["method"] == BASELINE, "point"].mean()
        without = f" Without EqSim: {percent(float(point))}."
    same = study.main == study.validation
    read = "These are also the quads reported here." if same else "No quad reported here was read."
    return Printed(
        figure,
        "Choosing weight and margin on validation",
        f"Group score of EqSim on validation quads, the best setting framed.{without} Neighbours on the grid "
        f"may differ by chance alone. {read}",
        "Heat map of the validation score, weight across and margin down.",
    )
