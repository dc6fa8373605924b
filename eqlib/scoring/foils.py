"""One image, its caption and a foil: pairwise accuracy, and VALSE's scores where they mean something.

Foil accuracy per category (SugarCrepe, VALSE) is ``summarise(foil_table(...), scores=("pairwise",))``.
"""

import numpy as np
import pandas as pd

from eqlib.errors import InputError
from eqlib.quads import item_table


def pairwise(caption: object, foil: object) -> np.ndarray:
    """(n,) bool: the caption scores higher than its foil, strictly. Any scale of scores; chance 1/2."""
    caption, foil = _scores(caption, foil)
    return caption > foil


def valse(caption: object, foil: object) -> dict[str, np.ndarray]:
    """VALSE's outcomes per item on probabilities (official ``cal_valse_score``), each (n,) float64.

    ``acc`` mean over caption and foil of being on the right side of 0.5 (0, 1/2 or 1); ``p_c`` caption above 0.5;
    ``p_f`` foil below 0.5; ``pairwise`` p(caption) > p(foil). VALSE's ``min(p_c, p_f)`` is the smaller of two means:
    take it after averaging. Raises InputError for scores outside [0, 1]: on cosine similarities the
    threshold 0.5 has no meaning, so only ``pairwise`` may be reported for them.
    """
    caption, foil = _scores(caption, foil)
    for name, values in (("caption", caption), ("foil", foil)):
        if len(odd := np.flatnonzero((values < 0) | (values > 1))):
            raise InputError("probabilities in [0, 1]", f"{name} {values[odd[0]]}", row=f"item {odd[0]}")
    right_c, right_f = (caption > 0.5).astype(np.float64), (foil < 0.5).astype(np.float64)
    ahead = (caption > foil).astype(np.float64)
    return {"acc": (right_c + right_f) / 2, "p_c": right_c, "p_f": right_f, "pairwise": ahead}


def foil_table(
    caption: object,
    foil: object,
    *,
    suite: str,
    edition: str,
    subset: object = "all",
    item: object = None,
    cluster: object = None,
) -> pd.DataFrame:
    """A table for ``summarise``, ``compare`` and ``score_record`` with ``scores=("pairwise",)``: one row an item.

    Columns suite, edition, subset, quad, cluster, ``s_caption``, ``s_foil``, and bool ``pairwise`` and ``tied``: a foil
    that scores as its caption is wrong. ``quad`` holds the item's name (default 0 .. n-1); ``cluster``, the unit of
    sampling, is best the picture, which several foils share (default: the item).
    """
    caption, foil = _scores(caption, foil)
    item = np.arange(len(caption)).astype(str) if item is None else item
    keys: dict = {"suite": suite, "edition": edition, "subset": subset, "quad": item, "cluster": cluster}
    return item_table(**keys, s_caption=caption, s_foil=foil, pairwise=caption > foil, tied=caption == foil)


def _scores(caption: object, foil: object) -> tuple[np.ndarray, np.ndarray]:
    caption, foil = np.asarray(caption), np.asarray(foil)
    if caption.ndim != 1 or caption.shape != foil.shape or not len(caption):
        raise InputError("caption and foil scores (n,) of one length", f"{caption.shape} and {foil.shape}")
    for name, values in (("caption", caption), ("foil", foil)):
        if values.dtype.kind not in "fiu":
            raise InputError("real numbers as scores", f"{values.dtype} ({name})")
        if len(odd := np.flatnonzero(~np.isfinite(values))):
            raise InputError("finite scores", f"{name} {values[odd[0]]}", row=f"item {odd[0]}")
    return caption, foil
