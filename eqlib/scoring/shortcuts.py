"""Probes for models that are right, or wrong, for the wrong reason.

Captions alone, on captions and foils: score them beside one meaningless picture (or with a language model), give those
scores to ``foil_table``, and ``compare(..., baseline="captions alone")`` shows what the pictures add. On quads captions
alone cannot win - each is right once - but they can decide every answer, and so can the order; these functions show it.
"""

import numpy as np

from eqlib.quads import check_scores

SHORTCUTS = ("same_caption", "same_image", "first_caption", "first_image")


def shortcuts(scores: object) -> dict[str, np.ndarray]:
    """What a model's choices owe to one side alone, from ``scores[n, image, caption]``; (n,) each.

    - ``same_caption`` bool: both images prefer the same caption (text is then wrong whatever the pictures show)
    - ``same_image`` bool: both captions prefer the same image
    - ``first_caption`` float64 in {0, 1/4, 1/2, 3/4, 1}: share of the two images' choices that fall on caption 0, ties
      half; its mean is 1/2 where order plays no part (an answer "(A)" whatever is asked gives 1)
    - ``first_image`` the same for the two captions' choices
    """
    s = check_scores(scores)
    by_image = np.sign(s[:, :, 0].astype(np.float64) - s[:, :, 1])  # (n, image): +1 caption 0, -1 caption 1
    by_caption = np.sign(s[:, 0, :].astype(np.float64) - s[:, 1, :])
    return {
        "same_caption": by_image.prod(axis=1) > 0,
        "same_image": by_caption.prod(axis=1) > 0,
        "first_caption": (by_image.mean(axis=1) + 1) / 2,
        "first_image": (by_caption.mean(axis=1) + 1) / 2,
    }
