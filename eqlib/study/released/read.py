"""The committed scores of released systems, and one scale for them."""

from pathlib import Path

import numpy as np
import pandas as pd

from eqlib.errors import InputError
from eqlib.quads import SCORE_COLUMNS

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
