"""Score against the size of the change, with a fitted logistic and its band."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import statsmodels.api as sm
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator
from scipy.stats import norm

from eqlib.study.report.headline import intervals
from eqlib.study.report.printed import Printed
from eqlib.study.report.study import Study, part_label
from eqlib.study.report.style import COLUMN, PAGE, colours, in_order, label, markers

BINS = 6


def with_change(items: pd.DataFrame, records: pd.DataFrame) -> pd.DataFrame | None:
    """``items`` joined with the records' numeric ``change`` by quad, where a part has three sizes or more.

    Adds ``part``: the subset, with the records' ``aspect`` where the subset has several. None where no part has three
    sizes. A size means something else in every part (a colour distance, a share of a number, a way across the picture),
    so sizes are never pooled over parts.
    """
    if "change" not in records or not pd.api.types.is_numeric_dtype(records["change"]):
        return None
    columns = ["quad", "change", *records.columns.intersection(["aspect"])]
    joined = items.merge(records[columns], on="quad", how="inner").dropna(subset=["change"])
    joined["part"] = joined["subset"].map(part_label)
    if "aspect" in joined:
        several = joined.groupby("subset")["aspect"].transform("nunique") > 1
        joined.loc[several, "part"] += ": " + joined["aspect"]
    graded = joined.groupby("part")["change"].nunique()
    joined = joined[joined["part"].isin(graded.index[graded > 2])]
    return None if joined.empty else joined


def dose(axes: Sequence[Axes], items: pd.DataFrame, *, level: float, score: str = "group") -> Sequence[Axes]:
    """One panel a ``part`` (see `with_change`): ``score`` (bool) of ``items`` against ``change``, by method.

    Marks: means of about equally filled bins with intervals at ``level``. Lines: a logistic fit with its band, errors
    clustered by ``cluster``, as the quads of one scene and the seeds on one quad are not independent.
    """
    methods = in_order(items["method"])
    shade, mark = colours(methods), markers(methods)
    for ax, (name, part) in zip(axes, items.groupby("part"), strict=True):
        sizes = np.unique(part["change"])
        if len(sizes) > BINS:
            edges = np.unique(np.quantile(part["change"], np.linspace(0, 1, BINS + 1)))
        else:  # few sizes: a bin each
            edges = np.concatenate([sizes[:1], (sizes[1:] + sizes[:-1]) / 2, sizes[-1:]])
        grid = np.linspace(edges[0], edges[-1], 100)
        for method in methods:
            of = part[part["method"] == method]
            binned = of.groupby(np.digitize(of["change"], edges[1:-1]))
            mean, count = binned[score].mean(), binned["quad"].nunique()
            half = norm.ppf((1 + level) / 2) * np.sqrt(np.maximum(mean * (1 - mean), 0.25 / count) / count)
            mean, half, look = 100 * mean, 100 * half, {"color": shade[method], "marker": mark[method]}
            ax.errorbar(binned["change"].mean(), mean, half, ls="none", ms=2.8, lw=0.7, label=label(method), **look)
            line = _logistic(of["change"].to_numpy(), of[score].to_numpy(float), of["cluster"], grid, level)
            if line is not None:
                ax.plot(grid, 100 * line[0], color=shade[method])
                ax.fill_between(grid, 100 * line[1], 100 * line[2], color=shade[method], alpha=0.13, linewidth=0)
        ax.set_title(name)
        ax.set(xlabel="size of the change", ylim=(0, 100))
        ax.xaxis.set_major_locator(MaxNLocator(4))
    axes[0].set_ylabel(f"{score.capitalize()} score (%)")
    for ax in axes[1:]:
        ax.tick_params(labelleft=False)
    axes[-1].legend(loc="best")
    return axes


def _logistic(x: np.ndarray, y: np.ndarray, cluster: pd.Series, grid: np.ndarray, level: float):
    if y.min() == y.max():
        return None
    groups = pd.factorize(cluster)[0]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # perfect separation is reported by the check below
        model = sm.GLM(y, sm.add_constant(x), family=sm.families.Binomial())
        fit = model.fit(cov_type="cluster", cov_kwds={"groups": groups})
    design = sm.add_constant(grid)
    middle, spread = design @ fit.params, np.sqrt(np.einsum("ni,ij,nj->n", design, fit.cov_params(), design))
    if not np.isfinite(spread).all():
        return None
    reach = norm.ppf((1 + level) / 2) * spread
    return tuple(1 / (1 + np.exp(-value)) for value in (middle, middle - reach, middle + reach))


def printed(study: Study) -> Printed | None:
    """How the figure is printed; None where the study lacks its input."""
    suite = study.pictures()
    joined = None if suite is None else with_change(study.of(), suite.records)
    if joined is None:
        return None
    panels = joined["part"].nunique()
    width = PAGE if panels > 1 else COLUMN
    figure, axes = plt.subplots(1, panels, figsize=(width, 1.9 if panels > 1 else 2.3), sharey=True, squeeze=False)
    dose(axes[0], joined[joined["method"].isin(study.trio)] if study.trio else joined, level=study.level)
    return Printed(
        figure,
        "Group score against the size of the change",
        "Parts of the suite whose changes come in sizes; a size has its own unit in each. Marks: means of about "
        f"equally filled bins; lines: logistic fit, errors clustered by scene; both with {intervals(study)}.",
        "Group score against the size of the visual change, one panel a kind of change, one curve a method.",
    )
