"""Retrieval: recall at 1, 5 and 10 in both directions, so that a gain on quads is not bought with retrieval unseen."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from eqlib.study.report.headline import seeds_in_words
from eqlib.study.report.printed import Printed
from eqlib.study.report.study import Study
from eqlib.study.report.style import PAGE, colours, in_order, label, markers

DIRECTIONS = {"image_to_text": "Image to text", "text_to_image": "Text to image"}


def recalls(table: pd.DataFrame) -> pd.DataFrame:
    """One row a run, direction and k (method, seed, direction, k, recall) from ``table`` (... r1, r5, r10)."""
    names = [name for name in table if str(name).startswith("r") and str(name)[1:].isdigit()]
    long = table.melt(["method", "seed", "direction"], names, "k", "recall")
    return long.assign(k=long["k"].str[1:].astype(int)).dropna(subset=["recall"])


def retrieval(axes: Sequence[Axes], table: pd.DataFrame) -> Sequence[Axes]:
    """Two panels, one a direction: R@k in percent by method (``recalls``), mean over seeds and every seed."""
    methods, ks = in_order(table["method"]), sorted(table["k"].unique())
    shade, mark = colours(methods), markers(methods)
    step = 0.66 / max(len(methods), 1)
    for ax, (direction, title) in zip(axes, DIRECTIONS.items(), strict=True):
        for number, method in enumerate(methods):
            rows = table[(table["method"] == method) & (table["direction"] == direction)]
            x = np.arange(len(ks)) + (number - (len(methods) - 1) / 2) * step
            mean = 100 * rows.groupby("k")["recall"].mean().reindex(ks)
            ax.plot(x, mean, mark[method], color=shade[method], label=label(method), zorder=3)
            for place, k in zip(x, ks, strict=True):
                seeds = 100 * rows.loc[rows["k"] == k, "recall"]
                if len(seeds) > 1:
                    ax.scatter(np.full(len(seeds), place + 0.3 * step), seeds, s=3.5, color=shade[method], alpha=0.55,
                               linewidths=0)  # fmt: skip
        ax.set_xticks(range(len(ks)), [f"R@{k}" for k in ks])
        ax.tick_params(axis="x", length=0)
        ax.set_title(title)
        ax.set(ylim=(0, 100), xlim=(-0.5, len(ks) - 0.5))
    axes[0].set_ylabel("Recall (%)")
    axes[0].legend(loc="best")
    for ax in axes[1:]:
        ax.tick_params(labelleft=False)
    return axes


def printed(study: Study) -> Printed | None:
    """How the figure is printed; None where the study lacks its input."""
    if study.retrieval is None:
        return None
    table = recalls(study.retrieval)
    figure, axes = plt.subplots(1, 2, figsize=(PAGE, 1.75), sharey=True)
    retrieval(axes, table)
    return Printed(
        figure,
        "Retrieval",
        "Recall at 1, 5 and 10 on the retrieval set, in both directions: whether a gain on quads costs retrieval. "
        f"Large marks: mean over {seeds_in_words(study)}; small dots: single seeds.",
        "Dot plot of recall at 1, 5 and 10 by method, image to text and text to image.",
    )
