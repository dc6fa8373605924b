"""Score against the size of the change, with a fitted logistic and its band."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import statsmodels.api as sm
from matplotlib.axes import Axes
from scipy.stats import norm

from eqlib.report.style import colours, in_order, label, markers

BINS = 7


def with_change(items: pd.DataFrame, records: pd.DataFrame) -> pd.DataFrame | None:
    """``items`` joined with the records' numeric ``change`` by quad; None where there is none, or only one size."""
    if "change" not in records or not pd.api.types.is_numeric_dtype(records["change"]):
        return None
    joined = items.merge(records[["quad", "change"]], on="quad", how="inner").dropna(subset=["change"])
    return joined if joined["change"].nunique() > 2 else None


def dose(ax: Axes, items: pd.DataFrame, *, score: str = "group", name: str = "size of the change") -> Axes:
    """Draw ``score`` (bool) of ``items`` against ``change``, by method.

    Marks: means of equally filled bins with 95 % intervals. Lines: a logistic fit with its 95 % band, errors clustered
    by ``cluster``, as the quads of one scene and the seeds on one quad are not independent.
    """
    sizes = items["change"]
    logarithmic = sizes.min() > 0 and sizes.max() / sizes.min() > 30
    scale = np.log if logarithmic else np.asarray
    edges = np.unique(np.quantile(sizes, np.linspace(0, 1, BINS + 1)))
    methods = in_order(items["method"])
    shade, mark = colours(methods), markers(methods)
    grid = np.linspace(scale(edges[0]), scale(edges[-1]), 120)
    for method in methods:
        of = items[items["method"] == method]
        binned = of.groupby(np.digitize(of["change"], edges[1:-1]))
        mean, count = binned[score].mean(), binned["quad"].nunique()
        x = binned["change"].mean()
        half = 1.96 * np.sqrt(np.maximum(mean * (1 - mean), 0.25 / count) / count)
        ax.errorbar(x, 100 * mean, 100 * half, linestyle="none", marker=mark[method], markersize=3.2, linewidth=0.8,
                    color=shade[method], alpha=0.85)  # fmt: skip
        line = _logistic(scale(of["change"].to_numpy()), of[score].to_numpy(float), of["cluster"], grid)
        if line is not None:
            across = np.exp(grid) if logarithmic else grid
            ax.plot(across, 100 * line[0], color=shade[method], label=label(method))
            ax.fill_between(across, 100 * line[1], 100 * line[2], color=shade[method], alpha=0.13, linewidth=0)
    if logarithmic:
        ax.set_xscale("log")
    ax.set(xlabel=name, ylabel=f"{score.capitalize()} score (%)", ylim=(0, 100))
    ax.legend(loc="best")
    return ax


def _logistic(x: np.ndarray, y: np.ndarray, cluster: pd.Series, grid: np.ndarray):
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
    reach = norm.ppf(0.975) * spread
    return tuple(1 / (1 + np.exp(-value)) for value in (middle, middle - reach, middle + reach))
