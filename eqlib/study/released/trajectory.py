"""Thirty checkpoints of one pre-training: does the group score rise because the similarity becomes equivariant?

A quad is *decided* where ``|I| > |a| + |b|``, whichever sign I has: one of the two assignments then wins all four
comparisons. ``group`` is decided for the right assignment, ``mirrored`` (chance 1/6, as group) for the wrong one. The
ratio ``(|a| + |b|) / |I|`` says how many quads are decided and knows nothing of right and wrong. Scores that become
more alike to independent noise come to be decided in 1/3 of the quads, right in half of those.

Decided before any checkpoint between the first and the last was looked at, on the logits:

1. ``group = decided * right among decided``; also ``group = group match * group among matched``. Endpoint: the change
   of each factor between the means over epochs EARLY and LATE.
2. Refutation by noise: the change of ``mirrored``. If the fall of the ratio were noise, ``group`` and ``mirrored``
   would rise alike. Endpoint: the change of ``group - mirrored``.
3. Refutation by simulation: EARLY's logits with independent noise in each cell, scaled so that the share of decided
   quads is LATE's. Endpoint: LATE's group minus that of the simulation.

The checkpoints share 400 quads and a training: intervals resample quads and keep a quad's checkpoints together. They
speak about other quads, never about another training: there is one. The three endpoints are adjusted by Holm.

Decided, group and mirrored ask only for the order of scores: logits and probabilities give the same. Group match and
the ratio do not: of a probability near 1 or 0 little is left to differ by.
"""

import numpy as np
import pandas as pd

from eqlib.scoring import holm, matching
from eqlib.scoring.equivariance import components
from eqlib.study.released.read import decided, ratio

EARLY, LATE = tuple(range(5)), tuple(range(25, 30))
DRAWS = 4000


def endpoints(logits: np.ndarray, *, seed: int = 0, level: float = 0.95) -> pd.DataFrame:
    """The endpoints of ``logits`` (checkpoints, n, 2, 2), in this order: rows of name, early, late, change, low, high,
    p, p_holm. Factors change by a ratio (no change: 1), outcomes by a difference (0).

    ``low``, ``high`` and the two-sided ``p`` come from DRAWS resamples of quads; ``p_holm`` is given for the three
    endpoints alone: right among decided, group - mirrored, group - noise.
    """
    early, late = (means(logits[list(epochs)]) for epochs in (EARLY, LATE))
    noise = with_noise(logits[list(EARLY)], late["decided"].mean(), seed=seed)
    n = logits.shape[1]
    drawn = np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), DRAWS)
    weights = np.concatenate([np.ones((1, n)), drawn]) / n  # first: the quads themselves
    early, late, noise = ({name: weights @ value for name, value in part.items()} for part in (early, late, noise))
    rows = []
    for name, (top, bottom) in FACTORS.items():
        before, after = (part[top] / (part[bottom] if bottom else 1) for part in (early, late))
        rows.append(_row(name, before, after, after / before, level, null=1.0))
    for name in ("mirrored", "group"):
        rows.append(_row(f"{name}, difference", early[name], late[name], late[name] - early[name], level))
    net = [part["group"] - part["mirrored"] for part in (early, late)]
    rows.append(_row("group - mirrored", *net, net[1] - net[0], level))
    rows.append(_row("group - noise", noise["group"], late["group"], late["group"] - noise["group"], level))
    table = pd.DataFrame(rows).set_index("name")
    tested = ["right among decided", "group - mirrored", "group - noise"]
    table.loc[tested, "p_holm"] = holm(table.loc[tested, "p"])
    return table.reset_index()


FACTORS = {
    "group": ("group", None),
    "decided": ("decided", None),
    "right among decided": ("group", "decided"),
    "group match": ("group_match", None),
    "group among matched": ("group", "group_match"),
}


def with_noise(logits: np.ndarray, share: float, *, draws: int = 40, seed: int = 0) -> dict[str, np.ndarray]:
    """``logits`` (checkpoints, n, 2, 2) with independent normal noise in every cell, its size a checkpoint's own and
    such that the ``share`` of quads is decided: the outcomes per quad, (n,) means over checkpoints and draws."""
    noise, found = np.random.default_rng(seed).normal(size=(draws, *logits.shape[1:])), []
    for scores in logits:
        spread = components(scores)["I"].std()
        low, high = 0.0, 30.0
        for _ in range(25):  # the share of decided quads grows with the noise, up to 1/3
            middle = (low + high) / 2
            least = np.mean([decided(scores + middle * spread * part)["decided"].mean() for part in noise])
            low, high = (middle, high) if least < share else (low, middle)
        found.append(means(scores + low * spread * noise))
    return _mean(found)


def shrunk(logits: np.ndarray, share: float) -> dict[str, np.ndarray]:
    """``logits`` with a and b of every quad shrunk by one factor a checkpoint, I untouched, so that the ``share`` of
    quads is decided: group and mirrored as ``with_noise``. What equivariance alone would give."""
    found = []
    for scores in logits:
        evidence, bound = components(scores)["I"], ratio(scores)
        won = bound * (1 / np.quantile(bound, share)) < 1
        found.append({"group": won & (evidence > 0), "mirrored": won & (evidence < 0)})
    return _mean(found)


def trends(overview: pd.DataFrame) -> pd.DataFrame:
    """Correlation over the checkpoints of ``systems.overview`` of group with group match and with the logarithms of the
    median ratio and of the share decided: of the values, and of their changes from one epoch to the next. Descriptive:
    whatever rises through training goes with whatever else does; the changes are free of that, and noisier."""
    wide = overview.pivot(index="model", columns="score", values="point").sort_index()
    sides = {
        "group match": wide["group_match"],
        "log ratio": np.log(wide["ratio"]),
        "log decided": np.log(wide["decided"]),
    }
    group = wide["group"]
    rows = [(name, side.corr(group), side.diff().corr(group.diff())) for name, side in sides.items()]
    return pd.DataFrame(rows, columns=["with", "values", "changes"])


def means(runs: np.ndarray) -> dict[str, np.ndarray]:
    """Outcomes per quad, (n,) means over ``runs`` (runs, n, 2, 2)."""
    return _mean([matching(scores) | decided(scores) for scores in runs])


def _mean(parts: list[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    return {name: np.mean([part[name] for part in parts], axis=0) for name in parts[0]}


def _row(name, before, after, change, level, null=0.0):
    """The first entry of each is the estimate, the others its resamples."""
    low, high = np.quantile(change[1:], [(1 - level) / 2, (1 + level) / 2])
    tail = min((change[1:] <= null).sum(), (change[1:] >= null).sum())
    p = min(1.0, 2 * (tail + 1) / len(change))
    return {"name": name, "early": before[0], "late": after[0], "change": change[0], "low": low, "high": high, "p": p}
