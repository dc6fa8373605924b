"""The chapter on released systems: its figures and tables in order, and what it says, made from its numbers."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pandas as pd
from matplotlib.axes import Axes

from eqlib.study.released.chapter import Chapter
from eqlib.study.report.figures import (
    released_decided,
    released_pairs,
    released_plane,
    released_systems,
    released_trajectory,
)
from eqlib.study.report.style import style
from eqlib.study.report.typeset import Cell, Table, Words

FIGURES: dict[str, Callable[[Chapter], tuple]] = {
    "released_systems": released_systems.drawn,
    "released_plane": released_plane.drawn,
    "released_decided": released_decided.drawn,
    "released_trajectory": released_trajectory.drawn,
    "released_pairs": released_pairs.drawn,
}
NAMES = {"text": "Text", "image": "Image", "group": "Group", "group_match": "Group match", "headroom": "Headroom"}


def draw(chapter: Chapter, name: str) -> tuple[Axes | Sequence[Axes], Words]:
    """The figure ``name`` of FIGURES in the project's style, and its words: what ``typeset.publish`` takes."""
    with style():
        return FIGURES[name](chapter)


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
    matched = change.loc["group match"]
    bar = 100 * chapter.bars.set_index(["state", "score"])["value"]
    rise = bar["late", "group"] - bar["early", "group"]
    alone = 100 * (bar["a, b shrunk", "group"] - bar["early", "group"]) / rise
    median = chapter.trajectory[chapter.trajectory["score"] == "ratio"].sort_values("model")["point"]
    mean = chapter.pairs[chapter.pairs["label"].str.startswith("mean")].set_index(["set", "score"])
    trend = chapter.trends.set_index("with").loc["log ratio"]
    tuned, heads = (
        [_points(mean.loc[(which, score)]) for score in ("group", "group_match")] for which in ("tuned", "heads")
    )
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
        f"It is not noise. Quads won by the wrong assignment change by {_points(change.loc['mirrored, difference'])} "
        f"points, where noise would have brought them from {bar['early', 'mirrored']:.1f} to "
        f"{bar['+ noise', 'mirrored']:.1f} %; group ends {_points(change.loc['group - noise'])} points above noise. "
        "It is not equivariance alone: shrinking a and b in the first checkpoints gives "
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


def _times(row) -> str:
    return f"{row['change']:.2f} [{row['low']:.2f}, {row['high']:.2f}]"
