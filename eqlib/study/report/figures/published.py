"""Published models on the subsets of EqBen, and the study's methods with them where they were scored on it."""

from __future__ import annotations

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes

from eqlib.scoring.matching import CHANCE
from eqlib.study.report.headline import intervals
from eqlib.study.report.printed import Printed
from eqlib.study.report.study import Study
from eqlib.study.report.style import PAGE, QUIET, colours, in_order, label, markers

ORDER = ("eqbenag", "eqbenyoucook2", "eqbengebc", "eqbenkubric_loc", "eqbenkubric_cnt", "eqbenkubric_attr", "eqbensd")
NAMES = (
    "Action Genome",
    "YouCook2",
    "GEBC",
    "Kubric location",
    "Kubric counting",
    "Kubric attribute",
    "Stable Diffusion",
)


def eqben(published: pd.DataFrame) -> pd.DataFrame:
    """The rows of ``published`` (benchmark, subset, model, metric, value in %) that are group scores of EqBen."""
    table = published[(published["benchmark"] == "eqben") & (published["metric"] == "group")]
    return table[table["subset"].isin(ORDER)]


def published(ax: Axes, table: pd.DataFrame, summary: pd.DataFrame | None = None) -> Axes:
    """A mark a model and subset, group score in percent; the study's methods (``summary`` of suite eqben) in colour.

    Up to eight models have a mark of their own, more are drawn as one crowd.
    """
    place = {name: number for number, name in enumerate(ORDER)}
    means = table.groupby("model")["value"].mean().sort_values(ascending=False, kind="stable")
    shown = list(means.index) if len(means) <= 8 else [None]
    for mark_of, model in zip("os^vDPX*", shown, strict=False):
        rows = table if model is None else table[table["model"] == model]
        name = f"{len(means)} published models" if model is None else model
        ax.scatter(rows["value"], rows["subset"].map(place), s=15, marker=mark_of, facecolors="none", edgecolors=QUIET,
                   linewidths=0.7, label=name, zorder=2)  # fmt: skip
    if summary is not None:
        methods = in_order(summary["method"])
        shade, mark = colours(methods), markers(methods)
        for method in methods:
            rows = summary[
                (summary["method"] == method) & (summary["score"] == "group") & summary["subset"].isin(ORDER)
            ]
            y = rows["subset"].map(place)
            ax.hlines(y, 100 * rows["low"], 100 * rows["high"], color=shade[method], linewidth=1.5)
            ax.plot(100 * rows["point"], y, mark[method], color=shade[method], label=label(method), zorder=3)
    ax.axvline(100 * CHANCE["group"], color=QUIET, linewidth=0.7, linestyle=(0, (1.5, 2)), zorder=1)
    ax.annotate("chance", (100 * CHANCE["group"], 1), xycoords=("data", "axes fraction"), xytext=(2, -1),
                textcoords="offset points", va="top", fontsize=5.8, color=QUIET)  # fmt: skip
    ax.set_yticks(range(len(ORDER)), NAMES)
    ax.set_ylim(len(ORDER) - 0.5, -0.5)
    ax.grid(axis="x")
    ax.tick_params(axis="y", length=0)
    ax.set(xlabel="Group score (%)", xlim=(0, 100))
    ax.legend(loc="center left", bbox_to_anchor=(1.01, 0.5))
    return ax


def printed(study: Study) -> Printed | None:
    """How the figure is printed; None where the study lacks its input."""
    table = None if study.published is None else eqben(study.published)
    if table is None or table.empty:
        return None
    scored = study.summary[study.summary["suite"] == "eqben"]
    figure, ax = plt.subplots(figsize=(PAGE, 2.3))
    published(ax, table, None if scored.empty else scored)
    models = sorted(table["model"].unique())
    return Printed(
        figure,
        "Published models on EqBen",
        f"Group score by subset, as published ({'; '.join(sorted(map(str, table['source'].unique())))}). "
        f"{_editions(table)} {_ours(study) if scored.empty else f'In colour: this study, {intervals(study)}.'} "
        "Dotted line: chance.",
        f"Dot plot of the published group scores of {len(models)} models on the subsets of EqBen: {', '.join(models)}.",
    )


def _editions(table: pd.DataFrame) -> str:
    """Which rows are of another edition than most: editions differ in size and picture format."""
    edition = table["edition"].fillna("").replace("", "not stated")
    usual = edition.mode().iloc[0]
    names = dict(zip(ORDER, NAMES, strict=True))
    other = [
        f"{row.model} on {names[row.subset]} ({kind})"
        for row, kind in zip(table.itertuples(), edition, strict=True)
        if kind != usual
    ]
    return f"Edition: {'; but '.join([usual, ', '.join(other)] if other else [usual])}."


def _ours(study: Study) -> str:
    return (
        f"The study's own models are not here: they were scored on {study.main}, whose quads are not EqBen's, and "
        "beside these marks they would look compared."
    )
