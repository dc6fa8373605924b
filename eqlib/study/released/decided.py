"""Which quads a similarity decides at all, for the right assignment or for the wrong one.

``group`` is right where ``I > |a| + |b|``. The bound is the larger of what the picture alone and the caption alone do
to the score: ``|a| + |b| = max(|a - b|, |a + b|)``, where ``a - b`` is image 0 less image 1, summed over the captions,
and ``a + b`` caption 0 less caption 1, summed over the images.
"""

import numpy as np

from eqlib.quads import check_scores
from eqlib.scoring import matching
from eqlib.scoring.equivariance import components


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
