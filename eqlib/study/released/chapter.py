"""What the committed scores say, gathered for the notebook, the figures and the report."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from eqlib.quads import scores_of
from eqlib.scoring import summarise
from eqlib.study.released.read import TRAJECTORY, on_log_scale, read_released, with_outcomes
from eqlib.study.released.systems import HEADS, TUNED, mean_paired, neighbours, overview, paired, shares
from eqlib.study.released.trajectory import EARLY, LATE, endpoints, means, shrunk, trends, with_noise

PLANES = ("CLIP L/14", "BLIP B ITC", "BLIP B ITM", "OFA huge")
"""Drawn in full: a head of each kind, two of them on the same weights."""

ELSEWHERE = {
    "eqben": ("group", "group_match"),
    "bivlc": ("group",),
    "colorswap": ("group",),
    "sugarcrepe": ("pairwise",),
    "valse": ("pairwise",),
    "vsr": ("accuracy",),
}
"""The scores shown of the other benchmarks; where scores were not published, right or wrong was."""


@dataclass(frozen=True)
class Chapter:
    """``systems``, ``trajectory``: ``overview`` of the released systems and of the checkpoints; ``endpoints``,
    ``trends``, ``shares``: as the functions of these names; ``bars``: state, score and value (share of quads) of the
    early and late checkpoints and of both nulls; ``pairs``: ``paired`` with ``set`` (heads, tuned) and ``label``;
    ``ranks``: ``paired`` of neighbours by group; ``planes``: the score tables of PLANES; ``others``: ``summarise`` of
    ELSEWHERE."""

    systems: pd.DataFrame
    trajectory: pd.DataFrame
    endpoints: pd.DataFrame
    trends: pd.DataFrame
    shares: pd.DataFrame
    bars: pd.DataFrame
    pairs: pd.DataFrame
    ranks: pd.DataFrame
    planes: pd.DataFrame
    others: pd.DataFrame


def gather(*, level: float = 0.95) -> Chapter:
    """All of it from the committed scores, intervals at ``level``; some 15 s on one core."""
    table = with_outcomes(on_log_scale(read_released("winoground")))
    checkpoints, released = table[table["family"] == TRAJECTORY], table[table["family"] != TRAJECTORY]
    systems, trajectory = (overview(part, level=level) for part in (released, checkpoints))
    logits = np.stack([scores_of(part) for _, part in checkpoints.groupby("model")])
    return Chapter(
        systems=systems,
        trajectory=trajectory,
        endpoints=endpoints(logits, level=level),
        trends=trends(trajectory),
        shares=shares(systems),
        bars=_bars(logits),
        pairs=_pairs(released, level),
        ranks=paired(released, neighbours(systems), scores=("group",), level=level),
        planes=released[released["model"].isin(PLANES)],
        others=_others(level),
    )


def _bars(logits):
    early, late = (logits[list(epochs)] for epochs in (EARLY, LATE))
    share = means(late)["decided"].mean()
    states = {"early": means(early), "+ noise": with_noise(early, share), "a, b shrunk": shrunk(early, share)}
    states["late"] = means(late)
    rows = [(state, score, found[score].mean()) for state, found in states.items() for score in ("group", "mirrored")]
    return pd.DataFrame(rows, columns=["state", "score", "value"])


def _pairs(released, level):
    found = []
    for name, pairs in (("heads", HEADS), ("tuned", TUNED)):
        each = paired(released, pairs, level=level)
        label = each["method"].str.removeprefix("BLIP ")
        label = label.str.removesuffix(" ITM") + ": ITM - ITC" if name == "heads" else label + " - before"
        mean = mean_paired(released, pairs, level=level).assign(label=f"mean of {len(pairs)}")
        found.append(pd.concat([each.assign(label=label), mean]).assign(set=name))
    return pd.concat(found, ignore_index=True)


def _others(level):
    found = []
    for benchmark, scores in ELSEWHERE.items():
        table = read_released(benchmark)
        if benchmark == "valse":
            table["pairwise"] = table["s_caption"] > table["s_foil"]
        summary = summarise(table, scores=scores, level=level)
        found.append(summary[summary["subset"].isin(["micro", "macro7", "macro5"])])
    return pd.concat(found, ignore_index=True)
