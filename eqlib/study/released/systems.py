"""Released systems side by side: their scores, tests of pairs of them, and what a difference in group consists of."""

from itertools import pairwise

import numpy as np
import pandas as pd
from scipy.stats import binom

from eqlib.quads import scores_of
from eqlib.scoring import compare, holm, matching, summarise

SCORES = ("text", "image", "group", "group_match", "headroom", "decided", "mirrored")
PAIRED = ("group", "group_match", "decided", "mirrored")
HEADS = tuple(
    (f"BLIP {kind} ITM", f"BLIP {kind} ITC")
    for kind in ("B", "B 14M", "B CapFilt-L", "B COCO", "B Flickr30K", "L", "L COCO", "L Flickr30K")
)
"""The matching and the contrastive head of the same weights."""
TUNED = tuple(
    (f"BLIP {size} {data} {head}", f"BLIP {size} {head}")
    for head in ("ITC", "ITM")
    for size in ("B", "L")
    for data in ("COCO", "Flickr30K")
)
"""Fine-tuned for retrieval, and the weights before."""


def overview(table: pd.DataFrame, *, level: float = 0.95) -> pd.DataFrame:
    """One row a system and score of SCORES, as ``summarise``, and the median ``ratio`` with the interval of a median
    (order statistics). Columns model, family, score, point, low, high, n."""
    found = summarise(table, scores=SCORES, level=level)
    found = found[found["subset"] == "micro"].rename(columns={"method": "model"})
    n = len(table) // table["model"].nunique()
    ends = binom.ppf([(1 - level) / 2, (1 + level) / 2], n, 0.5).astype(int)
    medians = []
    for model, part in table.groupby("model", sort=False):
        ordered = np.sort(part["ratio"].to_numpy())
        point, (low, high) = np.median(ordered), ordered[ends]
        medians.append({"model": model, "score": "ratio", "point": point, "low": low, "high": high, "n": n})
    found = pd.concat([found, pd.DataFrame(medians)], ignore_index=True)
    found["family"] = found["model"].map(table.drop_duplicates("model").set_index("model")["family"])
    return found[["model", "family", "score", "point", "low", "high", "n"]]


def neighbours(overview: pd.DataFrame) -> list[tuple[str, str]]:
    """Each system beside the next lower by group score."""
    ranked = overview[overview["score"] == "group"].sort_values("point", ascending=False, kind="stable")["model"]
    return list(pairwise(ranked))


def paired(
    table: pd.DataFrame, pairs: list[tuple[str, str]] | tuple, *, scores: tuple[str, ...] = PAIRED, level: float = 0.95
) -> pd.DataFrame:
    """``compare`` of each (ours, theirs) of ``pairs``, ours - theirs on the same quads; ``p_holm`` over the pairs, a
    score at a time."""
    parts = _outcomes(table, scores)
    rows = [compare(pd.concat([parts[a], parts[b]]), baseline=b, scores=scores, level=level) for a, b in pairs]
    found = pd.concat(rows, ignore_index=True)
    found = found[found["subset"] == "micro"].reset_index(drop=True)
    for _, family in found.groupby("score"):
        found.loc[family.index, "p_holm"] = holm(family["p"])
    return found


def mean_paired(
    table: pd.DataFrame, pairs: list[tuple[str, str]] | tuple, *, scores: tuple[str, ...] = PAIRED, level: float = 0.95
) -> pd.DataFrame:
    """``compare`` of the means over ``pairs``, quad by quad: these pairs on other quads, not other pairs."""
    parts = _outcomes(table, scores)
    sides = []
    for side, method in enumerate(("ours", "theirs")):
        runs = [parts[pair[side]].set_index("quad") for pair in pairs]
        means = sum(run[list(scores)].astype(float) for run in runs) / len(runs)
        sides.append(runs[0].assign(**means, method=method).reset_index())
    found = compare(pd.concat(sides), baseline="theirs", scores=scores, level=level)
    return found[found["subset"] == "micro"].reset_index(drop=True)


def _outcomes(table, scores):
    columns = ["suite", "edition", "subset", "quad", "cluster", "method", *scores]
    table = table.assign(**matching(scores_of(table)))[columns]
    return dict(iter(table.groupby("method", sort=False)))


def shares(overview: pd.DataFrame) -> pd.DataFrame:
    """What the differences in log group between systems consist of, since ``group = decided * right among decided`` and
    ``group = group match * group among matched``: each factor's covariance with log group over the variance of log
    group. The two of a pair sum to 1. Also R2 of log group on log group match and on the log median ratio, alone and
    together. Descriptive: the systems are those that were published, and many share weights."""
    wide = overview.pivot(index="model", columns="score", values="point")
    group = np.log(wide["group"])
    factors = {
        "decided": np.log(wide["decided"]),
        "right among decided": np.log(wide["group"] / wide["decided"]),
        "group match": np.log(wide["group_match"]),
        "group among matched": np.log(wide["group"] / wide["group_match"]),
    }
    rows = [{"part": name, "kind": "share", "value": x.cov(group) / group.var()} for name, x in factors.items()]
    sides = {"group match": [factors["group match"]], "ratio": [np.log(wide["ratio"])]}
    sides["both"] = sides["group match"] + sides["ratio"]
    for name, columns in sides.items():
        x = np.column_stack([np.ones(len(group)), *columns])
        left = group - x @ np.linalg.lstsq(x, group, rcond=None)[0]
        rows.append({"part": name, "kind": "R2", "value": 1 - left.var() / group.var()})
    return pd.DataFrame(rows).assign(systems=len(wide))
