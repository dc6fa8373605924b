"""The committed scores of released systems, one scale for them, and which quads they decide.

``group`` is right where ``I > |a| + |b|``. The bound is the larger of what the picture alone and the caption alone do
to the score: ``|a| + |b| = max(|a - b|, |a + b|)``, where ``a - b`` is image 0 less image 1, summed over the captions,
and ``a + b`` caption 0 less caption 1, summed over the images.
"""

from pathlib import Path

import numpy as np
import pandas as pd

from eqlib.errors import InputError
from eqlib.quads import SCORE_COLUMNS, check_scores, scores_of
from eqlib.scoring import matching
from eqlib.scoring.equivariance import components

HERE = Path(__file__).parent
FILES = (
    "winoground.parquet",
    "eqben.parquet",
    "valse.parquet",
    "vsr.parquet",
    "bivlc.parquet",
    "sugarcrepe.parquet",
    "colorswap.parquet",
)
TRAJECTORY = "trajectory"
"""The family of the 30 checkpoints; every other family is of released systems."""


def read_released(benchmark: str) -> pd.DataFrame:
    """The table of one benchmark, as ``convert`` wrote it: a score table (or outcomes) with the system of each row in
    ``model``, ``family``, ``kind``, ``source``, ``commit`` and ``licence``; ``method`` is the model."""
    file = f"{benchmark}.parquet"
    if file not in FILES:
        raise InputError(f"one of {', '.join(FILES)}", file)
    table = pd.read_parquet(HERE / file)
    table["quad"] = table["quad"].astype(str)
    words = table.select_dtypes("category").columns
    return table.astype(dict.fromkeys(words, str)).assign(method=table["model"].astype(str))


def on_log_scale(table: pd.DataFrame) -> pd.DataFrame:
    """``table`` with scores that are not squeezed: probabilities as logits, ClipCap's 1 / loss as minus the loss (the
    mean log-likelihood of a word); cosines, logits and log-probabilities as they are. No order changes, so text, image
    and group stay; group match and the ratio may not.

    float32 holds a probability near 1 in steps of 6e-8: a logit above 16 could not be told from a tie. None is.
    """
    scores = table[list(SCORE_COLUMNS)].astype(np.float64)
    probability, inverse = table["kind"] == "probability", table["kind"] == "1 / loss"
    scores[probability] = np.log(scores[probability]) - np.log1p(-scores[probability])
    scores[inverse] = -1 / scores[inverse]
    return table.assign(**scores)


def with_outcomes(table: pd.DataFrame) -> pd.DataFrame:
    """A score table with the bool columns of ``decided`` and the float column ``ratio``."""
    scores = scores_of(table)
    return table.assign(**decided(scores), ratio=ratio(scores))


def decided(scores: object) -> dict[str, np.ndarray]:
    """``mirrored``: the wrong assignment wins all four comparisons (group, with the captions exchanged);
    ``decided``: one of the two does, ``|I| > |a| + |b|``. Each (n,) bool; chance 1/6 and 1/3."""
    scores = check_scores(scores)
    mirrored = matching(scores[:, :, ::-1])["group"]
    return {"mirrored": mirrored, "decided": mirrored | matching(scores)["group"]}


def ratio(scores: object) -> np.ndarray:
    """``(|a| + |b|) / |I|``, (n,) float64 >= 0, without unit; decided below 1. Infinite where I = 0. Independent normal
    scores have the median 1.55."""
    parts = components(scores)
    bound, size = np.abs(parts["a"]) + np.abs(parts["b"]), np.abs(parts["I"])
    return np.divide(bound, size, out=np.full(len(size), np.inf), where=size > 0)
