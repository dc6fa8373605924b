"""Quads, foils and retrieval sets: what each kind of suite is scored by, and how that is printed."""

from typing import NamedTuple

import pandas as pd

from eqlib.quads import SCORE_COLUMNS
from eqlib.scoring import SCORES
from eqlib.scoring.retrieval import DIRECTIONS, KS


class Measure(NamedTuple):
    """One number of a whole suite: ``score`` over ``subset`` as ``summarise`` names them, its printed ``title``, its
    ``key`` in metrics.json, and whether it ``leads``: stands for the suite where there is room for little."""

    score: str
    subset: str
    title: str
    key: str
    leads: bool


SIDES = dict(zip(DIRECTIONS, ("I→T", "T→I"), strict=True))
MEASURES = (
    Measure("text", "micro", "Text", "text", False),
    Measure("image", "micro", "Image", "image", False),
    Measure("group", "micro", "Group", "group", True),
    Measure("group_match", "micro", "Group match", "group_match", False),
    Measure("pairwise", "micro", "Accuracy", "accuracy", True),
    *(Measure(f"R@{k}", side, f"{short} R@{k}", f"{side}_r{k}", k == KS[0])
      for side, short in SIDES.items() for k in KS),
)  # fmt: skip


RETRIEVAL = "retrieval"
"""The validation captions, as a suite of the study: what a gain elsewhere may cost."""


def scores_in(table: pd.DataFrame) -> tuple[str, ...]:
    """What ``summarise`` and ``compare`` take of a score table of one suite: quads, foils or retrieval."""
    if set(SCORE_COLUMNS) <= set(table):
        return SCORES
    return ("pairwise",) if "pairwise" in table else tuple(f"R@{k}" for k in KS)
