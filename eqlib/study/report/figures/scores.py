"""Scores with the intervals that ``eqlib.scoring`` gives: by subset, as differences, by size of the change."""

import warnings
from collections.abc import Sequence

import numpy as np
import pandas as pd
import seaborn as sns
import seaborn.objects as so
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from eqlib.scoring import summarise
from eqlib.scoring.matching import CHANCE
from eqlib.study.evaluation.decomposition import PARTS
from eqlib.study.evaluation.kinds import MEASURES, SIDES
from eqlib.study.report.headline import alpha, change
from eqlib.study.report.study import part_label, parts, rows, with_part
from eqlib.study.report.style import COLUMN, INK, LINE, PAGE, QUIET, colours, in_order, label, legend, markers, panels

BINS = 4
"""Sizes of a change that a panel of ``dose`` tells apart."""

EQBEN = {
    "eqbenag": "Action Genome",
    "eqbenyoucook2": "YouCook2",
    "eqbengebc": "GEBC",
    "eqbenkubric_loc": "Kubric location",
    "eqbenkubric_cnt": "Kubric counting",
    "eqbenkubric_attr": "Kubric attribute",
    "eqbensd": "Stable Diffusion",
}


def marks(ax: Axes, table: pd.DataFrame, place: str, order: Sequence[str], *, lying: bool = False) -> Axes:
    """Each row of ``table`` (``place``, method, point) as a mark at its place, the methods of a place side by side.

    Optional columns: ``low`` and ``high``, an interval; ``single``, a small dot beside the mark (one seed); ``sure``,
    False for a hollow mark; ``said``, text at the right edge. ``lying``: places downward, points to the right.
    """
    at, along = ("y", "x") if lying else ("x", "y")
    methods = in_order(table["method"])
    table = table.assign(**{place: pd.Categorical(table[place], order)}).reset_index(drop=True)
    same = {"legend": False, "orient": at}
    beside = so.Dodge(empty="fill")
    plot = so.Plot(table, color="method", marker="method", **{at: place, along: "point"})
    if "low" in table and table["low"].notna().any():
        ends = {f"{along}min": "low", f"{along}max": "high"}
        plot = plot.add(so.Range(linewidth=1.5, artist_kws={"zorder": 1}), beside, **ends, **same)
    if "single" in table and table["single"].notna().any():
        dot, shift = so.Dot(marker="o", pointsize=2, alpha=0.6, edgewidth=0), so.Shift(**{at: 0.25 / len(methods)})
        plot = plot.add(dot, beside, shift, marker=None, **{along: "single"}, **same)
    if "sure" in table:  # white below, or the interval shows through a hollow mark
        plot = plot.add(so.Dot(pointsize=4.5, color="white"), beside, color=None, group="method", **same)
        plot = plot.add(so.Dot(pointsize=4.5), beside, fill="sure", **same).scale(fill=so.Boolean([True, False]))
    else:
        plot = plot.add(so.Dot(pointsize=4.5), beside, **same)
    if "said" in table:
        ends = table[["low", "high", "point"]].stack()
        margin = 0.05 * max(ends.max() - ends.min(), 1)
        write = so.Text(fontsize=5.8, halign="left", color=INK)
        text = {"text": "said", "color": None, "group": "method", along: [ends.max() + margin] * len(table)}
        plot = plot.add(write, beside, **text, **same)
        plot = plot.limit(**{along: (ends.min() - margin, ends.max() + margin)})
    shade, mark = colours(methods), markers(methods)
    plot = plot.scale(color=so.Nominal(shade, order=methods), marker=so.Nominal(mark, order=methods))
    with warnings.catch_warnings():  # seaborn 0.13 passes pandas 3 a keyword of pandas 2
        warnings.filterwarnings("ignore", "The copy keyword is deprecated")
        plot.label(**{at: None, along: None}).on(ax).plot()
    for text in ax.texts:
        text.set_clip_on(False)
    getattr(ax, f"set_{at}lim")(*((len(order) - 0.5, -0.5) if lying else (-0.5, len(order) - 0.5)))
    ax.grid(axis=along)
    ax.tick_params(axis=at, length=0)
    return ax


def percent(table: pd.DataFrame) -> pd.DataFrame:
    """``table`` with ``point``, ``low`` and ``high`` in percent and each subset's printed name as ``part``."""
    hundred = {name: 100 * table[name].astype(float) for name in ("point", "low", "high")}
    return table.assign(**hundred, part=table["subset"].map(part_label))


def main_result(summary: pd.DataFrame, items: pd.DataFrame) -> Axes:
    """Group score of one suite's ``summary`` (subset, method, point, low, high) in percent, the average over quads
    first; one small dot a seed from ``items`` (a bool column ``group``)."""
    table = percent(summary[summary["score"] == "group"])
    shown = parts(table)
    [ax] = panels(1, 2.15, width=PAGE if len(shown) > 2 else 0.72 * PAGE)
    every = pd.concat([items.assign(subset="micro"), items.astype({"subset": str})])
    seeds = every.groupby(["subset", "method", "seed"])["group"].mean().mul(100).rename("single").reset_index()
    seeds = seeds[seeds.groupby("method")["seed"].transform("nunique") > 1]
    table = pd.concat([table, seeds.assign(part=seeds["subset"].map(part_label))])
    marks(ax, table[table["subset"].isin(shown)], "part", [part_label(name) for name in shown])
    ax.set(ylim=(0, min(104, ax.get_ylim()[1] + 3)), ylabel="Group score (%)")
    for drawn in ax.collections:
        drawn.set_clip_on(False)  # or the axis cuts a mark at 0 in half
    ax.tick_params(axis="x", pad=4.5)  # below such a mark
    _chance(ax)
    if shown[0] == "micro" and len(shown) > 1:
        ax.axvspan(-0.5, 0.5, color="#f3f4f6", zorder=0, linewidth=0)
        ax.get_xticklabels()[0].set_fontweight("bold")
    legend(ax, in_order(table["method"]))
    return ax


def _chance(ax: Axes, *, lying: bool = False) -> None:
    at, quiet = 100 * CHANCE["group"], {"fontsize": 5.8, "color": QUIET, "textcoords": "offset points"}
    (ax.axvline if lying else ax.axhline)(at, color=QUIET, linewidth=0.7, linestyle=(0, (1.5, 2)), zorder=1)
    if lying:
        ax.annotate("chance", (at, 1), xycoords=("data", "axes fraction"), xytext=(2, -1), va="top", **quiet)
    else:
        ax.annotate("chance", (1, at), xycoords=("axes fraction", "data"), xytext=(2, 0), va="center", **quiet)


def forest(differences: pd.DataFrame, *, baseline: str) -> Axes:
    """Paired group score differences to ``baseline`` in percentage points: one row a subset and method.

    Filled marks: Holm-corrected p below 1 - level; hollow marks: not told apart from zero. Right: point and interval.
    """
    table = rows(differences, score="group", baseline=baseline)
    table = table[table["subset"].isin(shown := parts(table))]
    table = table.assign(sure=[row["p_holm"] < alpha(row) for _, row in table.iterrows()])
    ax = _about_zero(table, "subset", {name: part_label(name) for name in shown}, room=0.7, baseline=baseline)
    if shown[0] == "micro" and len(shown) > 1:
        ax.get_yticklabels()[0].set_fontweight("bold")
        ax.axhline(0.5, color=LINE, linewidth=0.5)
    return ax


def decomposition(table: pd.DataFrame, *, baseline: str) -> Axes:
    """Group score differences to ``baseline`` in percentage points over all quads of one suite, and what of them either
    part alone gives. ``table``: see ``eqlib.study.evaluation.decomposition.decompose``."""
    return _about_zero(rows(table, subset="micro"), "part", PARTS, room=0.6, baseline=baseline)


def _about_zero(table: pd.DataFrame, place: str, names: dict[str, str], *, room: float, baseline: str) -> Axes:
    """The differences of ``table``, a row a place (a key of ``names``) and method, their numbers at the right;
    ``room``: inches above and below."""
    said = [change(row).replace(" ", "  ", 1) for _, row in table.iterrows()]
    table = percent(table.assign(said=said)).assign(part=table[place].map(names))
    methods = in_order(table["method"])
    [ax] = panels(1, room + 0.17 * len(names) * max(len(methods), 1.5), width=PAGE * 0.72)
    marks(ax, table, "part", list(names.values()), lying=True)
    ax.axvline(0, color=QUIET, linewidth=0.8, zorder=1)
    ax.spines["left"].set_visible(False)
    ax.set_xlabel(f"group score, difference to {label(baseline)} (points)")
    legend(ax, methods, line="-", loc="lower left", bbox_to_anchor=(0, 1), ncols=min(len(methods), 4))
    return ax


def foils(summary: pd.DataFrame) -> np.ndarray:
    """One panel a suite of foils in ``summary``: accuracy in percent over all and by subset, a mark a method."""
    shown = percent(rows(summary, score="pairwise"))
    names, methods = sorted(set(shown["suite"])), in_order(shown["method"])
    deep = shown.groupby("suite")["subset"].nunique().max()
    axes = panels(len(names), 0.7 + 0.1 * deep * max(len(methods), 1.5), across=min(len(names), 3))
    for ax, name in zip(axes, names, strict=True):
        table = rows(shown, suite=name).replace({"part": {part_label("micro"): "All foils"}})
        order = [part_label(part) if part != "micro" else "All foils" for part in parts(table)]
        marks(ax, table[table["part"].isin(order)], "part", order, lying=True)
        ax.set(title=name, xlabel="Accuracy (%)")
        ax.axvline(50, color=QUIET, linewidth=0.7, linestyle=(0, (1.5, 2)), zorder=1)
    legend(axes[0].figure, methods)
    return axes


def sizes(items: pd.DataFrame, records: pd.DataFrame) -> pd.DataFrame | None:
    """``items`` by quad with the records' numeric ``change`` and their ``part`` (``with_part``), where a part has three
    sizes or more; None where none has.

    A size means something else in every part (a colour distance, a share of a number, a way across the picture), so
    sizes are never pooled over parts.
    """
    if "change" not in records or not pd.api.types.is_numeric_dtype(records["change"]):
        return None
    joined = with_part(items, records).dropna(subset=["change"])
    graded = joined.groupby("part")["change"].nunique()
    joined = joined[joined["part"].isin(graded.index[graded > 2])]
    return None if joined.empty else joined


def by_aspect(items: pd.DataFrame, *, level: float) -> pd.DataFrame:
    """The group score of every aspect in ``items`` (``Study.aspects``), as ``summarise`` gives a subset."""
    table = summarise(items, scores=("group",), level=level)
    return table[table["subset"].isin(items["subset"])]


def by_size(items: pd.DataFrame, *, level: float) -> pd.DataFrame:
    """Mean group score of ``items`` (see ``sizes``) in BINS about equally filled bins of each part's ``change``.

    One row a part, bin and method, with the interval at ``level`` that ``summarise`` gives a subset; ``change`` is the
    bin's mean.
    """
    tables = []
    for part, of in items.groupby("part"):
        bins = pd.qcut(of["change"], BINS, duplicates="drop").cat.codes
        binned = of.assign(subset=bins.map("{:02d}".format))
        table = summarise(binned, scores=("group",), level=level)
        middle = binned.groupby("subset")["change"].mean()
        tables.append(table[table["subset"].isin(middle.index)].assign(part=part, change=table["subset"].map(middle)))
    return pd.concat(tables, ignore_index=True)


def dose(table: pd.DataFrame) -> np.ndarray:
    """One panel a part of ``table`` (part, change, method, point, low, high: see ``by_size``): score in percent against
    the size of the change."""
    methods, names = in_order(table["method"]), sorted(set(table["part"]))
    axes = panels(len(names), 1.95, width=PAGE if len(names) > 1 else COLUMN, sharey=True)
    shade, mark = colours(methods), markers(methods)
    for ax, name in zip(axes, names, strict=True):
        part = percent(table[table["part"] == name])
        step = 0.012 * np.ptp(part["change"])  # or the intervals of one size lie on each other
        aside = part["method"].map({method: step * number for number, method in enumerate(methods)})
        part = part.assign(change=part["change"] + aside - aside.mean())
        sns.lineplot(part, x="change", y="point", hue="method", style="method", hue_order=methods, style_order=methods,
                     palette=shade, markers=mark, dashes=False, markeredgewidth=0, markersize=3.4, linewidth=0.9,
                     legend=False, clip_on=False, ax=ax)  # fmt: skip
        ax.vlines(part["change"], part["low"], part["high"], color=part["method"].map(shade), linewidth=0.8, alpha=0.7)
        ax.set(title=name, xlabel="size of the change", ylabel="Group score (%)", ylim=(0, 103))
        ax.xaxis.set_major_locator(MaxNLocator(4))
    legend(axes[0].figure, methods, line="-")
    return axes


def retrieval(summary: pd.DataFrame) -> np.ndarray:
    """One row a retrieval set in ``summary``, one panel a direction and k: recall in percent by method. All axes span
    the same number of points, not from zero, so that differences can be seen and compared."""
    shown = percent(summary[summary["subset"].isin(SIDES)])
    shown = shown.assign(name=shown["method"].map(label))
    methods, names = in_order(shown["method"]), sorted(set(shown["suite"]))
    places = [(name, m) for name in names for m in MEASURES if m.subset in SIDES]
    axes = panels(len(places), 0.62 + 0.17 * len(methods), across=len(places) // len(names), sharey=True)
    panel = shown.groupby(["suite", "subset", "score"])
    reach = 0.55 * (panel[["high", "point"]].max().max(axis=1) - panel[["low", "point"]].min().min(axis=1)).max() + 0.5
    for ax, (name, measure) in zip(axes, places, strict=True):
        of = rows(shown, suite=name, subset=measure.subset, score=measure.score)
        marks(ax, of, "name", [label(method) for method in methods], lying=True)
        ends = of[["low", "point", "high"]].stack()
        middle = (ends.max() + ends.min()) / 2
        ax.set(xlim=(middle - reach, middle + reach), xlabel=f"{measure.title} (%)")
        ax.set_title(name if measure == places[0][1] else "")
        ax.tick_params(labelleft=measure == places[0][1])
        ax.xaxis.set_major_locator(MaxNLocator(3, integer=True))
    return axes


def published(table: pd.DataFrame, summary: pd.DataFrame | None = None) -> Axes:
    """Published group scores of EqBen in percent (``table``: subset, model, value), a grey mark a model; the study's
    own methods in colour where ``summary`` holds them. Up to eight models have each a mark, more share one."""
    [ax] = panels(1, 2.9)
    if summary is not None:
        own = percent(summary[(summary["score"] == "group") & summary["subset"].isin(EQBEN)])
        marks(ax, own.assign(part=own["subset"].map(EQBEN)), "part", list(EQBEN.values()), lying=True)
    means = table.groupby("model")["value"].mean().sort_values(ascending=False, kind="stable")
    shown = list(means.index) if len(means) <= 8 else [None]
    aside = np.linspace(-0.36, 0.36, len(shown)) if len(shown) > 1 else [0]  # or near scores hide each other
    for mark, model, shift in zip("os^vDPX*", shown, aside, strict=False):
        of = table if model is None else rows(table, model=model)
        ax.scatter(of["value"], of["subset"].map(list(EQBEN).index) + shift, s=15, marker=mark, facecolors="none",
                   edgecolors=QUIET, linewidths=0.7, label=model or f"{len(means)} published models")  # fmt: skip
    _chance(ax, lying=True)
    ax.set(xlabel="Group score (%)", xlim=(0, 100), ylim=(len(EQBEN) - 0.5, -0.5))
    ax.set_yticks(range(len(EQBEN)), EQBEN.values())
    ax.grid(axis="x")
    ax.grid(axis="y", visible=False)
    ax.tick_params(axis="y", length=0)
    methods, models = [] if summary is None else summary["method"], ax.get_legend_handles_labels()[0]
    legend(ax, methods, also=models, loc="center left", bbox_to_anchor=(1.01, 0.5), ncols=1)
    return ax
