"""The chapter on released systems: its figures, tables and sentences, with their numbers from the committed scores."""

import numpy as np
import pandas as pd

from eqlib.scoring import CHANCE
from eqlib.study.released.chapter import PLANES, Chapter
from eqlib.study.report.figures import released as figures
from eqlib.study.report.typeset import Cell, Table, Words

NAMES = {"text": "Text", "image": "Image", "group": "Group", "group_match": "Group match", "headroom": "Headroom"}


def _systems(chapter):
    found = chapter.systems
    count = found["model"].nunique()
    group, match = (found[found["score"] == score] for score in ("group", "group_match"))
    above = int((group["low"] > CHANCE["group"]).sum())
    return figures.systems(found), Words(
        "released_systems",
        "Released systems on Winoground",
        f"{count} systems, scores as published, 400 quads. Group is {_span(group)}, for {above} of them above chance "
        f"({100 * CHANCE['group']:.1f} %, dotted) with the whole interval; group match is {_span(match)}. Bars: 95 % "
        "intervals. Right: how much larger |a| + |b| is than |I| in the median quad; group needs less than 1 (line), "
        "and I > 0. Group match and the ratio are on logits where the published score is a probability.",
        f"Dot plot of group score, group match and median ratio of {count} systems, sorted by group score.",
    )


def _plane(chapter):
    match = chapter.systems[(chapter.systems["score"] == "group_match") & chapter.systems["model"].isin(PLANES)]
    shown = [chapter.planes[chapter.planes["model"] == model] for model in PLANES]
    return figures.planes(shown), Words(
        "released_plane",
        "What a quad is decided by",
        "One dot a quad, each system in the units of its own score. Below the lines |I| > |a| + |b|: the right "
        "assignment wins all four comparisons (right) or the wrong one does (left, red). Grey: undecided, because the "
        "picture alone or the caption alone moves the score by more than I. Most dots lie right of 0 (group match, "
        f"{_span(match)}) and above the lines. Few quads lie outside the axes.",
        f"Scatter plots of I against |a| + |b| for {', '.join(PLANES)}.",
    )


def _decided(chapter):
    share = 100 * chapter.shares.set_index(["kind", "part"])["value"]["share"]
    return figures.decided(pd.concat([chapter.systems, chapter.trajectory])), Words(
        "released_decided",
        "Systems differ in how many quads they decide",
        "Group score = share of quads decided x share of those that are right (dashed: equal group score). Independent "
        "random scores decide 33 % and are right in half. Of the variance of log group between the systems "
        f"{share['decided']:.0f} % goes with the first factor, {share['right among decided']:.0f} % with the second. "
        "Grey: 30 checkpoints of one training.",
        "Scatter plot of the share decided against the share right among decided, one mark a system.",
    )


def _trajectory(chapter):
    noise = chapter.endpoints.set_index("name").loc["group - noise"]
    return figures.trajectory(chapter.trajectory, chapter.bars), Words(
        "released_trajectory",
        "One training, epoch by epoch",
        "ALBEF on 4 million pictures, 30 checkpoints on Winoground. Left, middle: outcomes and ratio with 95 % "
        "intervals; dotted: independent random scores; grey: the first and last five epochs, which the test compares. "
        "Right: group (green) and mirrored (red: the wrong assignment wins all four comparisons) of those epochs, and "
        "what the first five would give if as many quads were decided as in the last five, by independent noise in "
        f"every score or by shrinking a and b alone. Late group less noise: {_points(noise)} points.",
        "Three panels: group, mirrored and group match by epoch; the median ratio by epoch; bars of four states.",
    )


def _pairs(chapter):
    tuned, heads = (_means(chapter, which) for which in ("tuned", "heads"))
    return figures.pairs(chapter.pairs), Words(
        "released_pairs",
        "The same weights, another head, or fine-tuned for retrieval",
        "BLIP on Winoground, paired differences in points with 95 % intervals. Matching less contrastive head of the "
        f"same weights: group {heads[0]}, group match {heads[1]}. Fine-tuned for retrieval on COCO or Flickr30K less "
        f"before: group {tuned[0]}, group match {tuned[1]}. Filled: p < 0.05, by Holm over the eight pairs; diamonds: "
        "mean over the eight, quad by quad.",
        "Forest plot of the differences in group and group match between pairs of BLIP models.",
    )


def _elsewhere(chapter):
    shown = chapter.others[chapter.others["score"].isin(["group", "pairwise", "accuracy"])]
    shown = shown[shown["subset"] == np.where(shown["suite"] == "eqben", "macro7", "micro")]
    shown = shown[shown.groupby("suite")["method"].transform("nunique") > 1]
    return figures.elsewhere(shown), Words(
        "released_elsewhere",
        "Released systems on other benchmarks",
        "Percent with 95 % intervals: group on EqBen (mean of its seven subsets) and BiVLC, the caption above its foil "
        "on SugarCrepe and VALSE, right answers on VSR. Chance is 16.7, 16.7, 50, 50 and 50.",
        f"Dot plots of the systems scored on {', '.join(shown['suite'].unique())}.",
    )


FIGURES = {
    "released_systems": _systems,
    "released_plane": _plane,
    "released_decided": _decided,
    "released_trajectory": _trajectory,
    "released_pairs": _pairs,
    "released_elsewhere": _elsewhere,
}
"""Name to axes and words of a figure of the chapter: what ``typeset.publish`` takes."""


def tables(chapter: Chapter) -> list[Table]:
    """Every system on Winoground, and the other benchmarks."""
    systems = chapter.systems.set_index(["model", "score"])
    order = chapter.systems[chapter.systems["score"] == "group"].sort_values("point", ascending=False, kind="stable")
    rows = []
    for row in order.itertuples():
        cells = [_percent(systems.loc[(row.model, score)]) for score in NAMES]
        last = systems.loc[(row.model, "ratio")]
        small = f"[{last['low']:.1f}, {last['high']:.1f}]"
        ratio = Cell(f"{last['point']:.1f}", small, value=float(last["point"]))
        rows.append([Cell(row.model), Cell(row.family), *cells, ratio])
    every = Table(
        "released_systems",
        "Released systems on Winoground",
        "Percent of 400 quads with 95 % intervals, by group score. Last column: median (|a| + |b|) / |I|. Scores, "
        "repositories, commits and licences are in eqlib/study/released.",
        ["System", "Family", *NAMES.values(), "Ratio"],
        rows,
        chapter.systems,
    )
    others = [[Cell(row["suite"]), Cell(row["subset"]), Cell(row["method"]), Cell(row["score"].replace("_", " ")),
               _percent(row), Cell(f"{row['n']:,}")] for row in chapter.others.to_dict("records")]  # fmt: skip
    elsewhere = Table(
        "released_elsewhere",
        "Released systems on other benchmarks",
        "Percent with 95 % intervals; micro is over items. EqBen: the order of rows of the two CLIP files was "
        "inferred, and which quads share a video is not known, so its intervals are too narrow.",
        ["Benchmark", "Average", "System", "Score", "Value", "Items"],
        others,
        chapter.others,
    )
    return [every, elsewhere]


def findings(chapter: Chapter) -> list[str]:
    """What stands, in sentences made from the chapter's numbers."""
    group, match = (chapter.systems[chapter.systems["score"] == score] for score in ("group", "group_match"))
    apart = int((chapter.ranks["p_holm"] < 0.05).sum())
    share = 100 * chapter.shares.set_index(["kind", "part"])["value"]["share"]
    change = chapter.endpoints.set_index("name")
    matched, noise = change.loc["group match"], change.loc["group - noise"]
    bar = 100 * chapter.bars.set_index(["state", "score"])["value"]
    rise = bar["late", "group"] - bar["early", "group"]
    alone = 100 * (bar["a, b shrunk", "group"] - bar["early", "group"]) / rise
    median = chapter.trajectory[chapter.trajectory["score"] == "ratio"].sort_values("model")["point"]
    trend = chapter.trends.set_index("with").loc["log ratio"]
    tuned, heads = (_means(chapter, which) for which in ("tuned", "heads"))
    return [
        f"{len(group)} released systems on Winoground match {_span(match)} of the quads and win {_span(group)}. Of the "
        f"{len(chapter.ranks)} neighbouring pairs by group score {apart or 'none'} can be told apart (Holm). "
        f"{share['decided']:.0f} % of the variance of log group goes with how many quads a system decides at all, "
        f"{share['right among decided']:.0f} % with how many of these it gets right. Split the other way, "
        f"{share['group match']:.0f} % goes with group match.",
        f"One training of 30 epochs, first and last five: group rises from {bar['early', 'group']:.1f} to "
        f"{bar['late', 'group']:.1f} %. {_times(change.loc['decided'])} times as many quads are decided, and the share "
        f"of these that are right is {_times(change.loc['right among decided'])} times as large. The median ratio on "
        f"logits falls from {median.iloc[0]:.1f} in the first epoch to {median.iloc[-1]:.1f} in the last; group match "
        f"rises from {100 * matched['early']:.1f} to {100 * matched['late']:.1f} %.",
        f"{'It is not noise' if noise['low'] > 0 else 'It may be noise'}. Quads won by the wrong assignment change by "
        f"{_points(change.loc['mirrored, difference'])} points, where noise would have brought them from "
        f"{bar['early', 'mirrored']:.1f} to {bar['+ noise', 'mirrored']:.1f} %; group ends {_points(noise)} points "
        "above noise. Shrinking a and b alone in the first checkpoints gives "
        f"{bar['a, b shrunk', 'group']:.1f} %, {alone:.0f} % of the rise. The correlation of group with the log ratio "
        f"over the epochs, {trend['values']:.2f}, says little, since through a training most things rise or fall "
        f"together: of their changes from one epoch to the next it is {trend['changes']:.2f}.",
        f"Fine-tuning BLIP for retrieval changes group by {tuned[0]} points, group match by {tuned[1]}. Its matching "
        f"head, in place of the contrastive head of the same weights, changes group by {heads[0]} and group match by "
        f"{heads[1]}.",
    ]


def _percent(row) -> Cell:
    point, low, high = (100 * float(row[name]) for name in ("point", "low", "high"))
    return Cell(f"{point:.1f}", f"[{low:.1f}, {high:.1f}]", value=point)


def _span(rows: pd.DataFrame) -> str:
    return f"{100 * rows['point'].min():.1f} to {100 * rows['point'].max():.1f} %"


def _points(row) -> str:
    return (
        f"{100 * row['point' if 'point' in row else 'change']:+.1f} [{100 * row['low']:+.1f}, {100 * row['high']:+.1f}]"
    )


def _means(chapter: Chapter, which: str) -> list[str]:
    """Group and group match of the mean over a set of pairs."""
    rows = chapter.pairs[(chapter.pairs["set"] == which) & chapter.pairs["label"].str.startswith("mean")]
    rows = rows.set_index("score")
    return [_points(rows.loc[score]) for score in ("group", "group_match")]


def _times(row) -> str:
    return f"{row['change']:.2f} [{row['low']:.2f}, {row['high']:.2f}]"
