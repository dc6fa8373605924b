"""How far a similarity is from equivariant, per quad.

With ``a = s00 - s11``, ``b = s10 - s01`` and ``I = s00 + s11 - s01 - s10`` (of ``scores[n, image, caption]``) text is
right when ``I > |a + b|``, image when ``I > |a - b|``, group when ``I > |a| + |b|``. An equivariant similarity has
a = b = 0: it changes by the same amount whichever member of the pair is taken first. EqSim's text and image terms
(arXiv 2303.14465) sum to ``2 a^2 + 2 b^2``: they shrink the threshold of the group score and leave I alone.
"""

import numpy as np

from eqlib.quads import check_scores
from eqlib.scoring.matching import interaction, matching

EQUIVARIANCE = ("abs_a", "abs_b", "I", "text_inconsistency", "image_inconsistency")


def components(scores: object) -> dict[str, np.ndarray]:
    """``a``, ``b`` and ``I`` per quad, (n,) float64, signed, in the units of the scores."""
    s = check_scores(scores).astype(np.float64)
    return {"a": s[:, 0, 0] - s[:, 1, 1], "b": s[:, 1, 0] - s[:, 0, 1], "I": interaction(s)}


def equivariance(scores: object) -> dict[str, np.ndarray]:
    """The five quantities of EQUIVARIANCE per quad, (n,) float64, in the units of the scores; all but I are >= 0.

    ``text_inconsistency = |(s00 - s01) - (s11 - s10)| = |a + b|``: the captions are swapped before either image.
    ``image_inconsistency = |(s00 - s10) - (s11 - s01)| = |a - b|``: the images are swapped before either caption.
    Compare models only on one scale (cosine similarity, say): every quantity here grows with the scale of the scores.
    """
    a, b, i = components(scores).values()
    return {
        "abs_a": np.abs(a),
        "abs_b": np.abs(b),
        "I": i,
        "text_inconsistency": np.abs(a + b),
        "image_inconsistency": np.abs(a - b),
    }


def headroom(scores: object) -> np.ndarray:
    """(n,) bool: group match right, group wrong: quads that an equivariant similarity with the same I would win."""
    right = matching(scores)
    return right["group_match"] & ~right["group"]
