"""Text, image, group and group match: which quads a similarity gets right.

Every function takes ``scores[n, image, caption]``, any real dtype, and answers per quad; a mean is the caller's.
Comparisons are strict, as in the official scorer (``src/eqben/eqben_acc.py``, ``text_correct`` and friends): a tie is
wrong. CLIP_benchmark takes an argmax instead, which gives a tie to index 0.
"""

import numpy as np

from eqlib.quads import check_scores

MATCHING = ("text", "image", "group", "group_match")
ONE_WAY = ("text_1way", "image_1way", "mean_1way")
CHANCE = {"text": 1 / 4, "image": 1 / 4, "group": 1 / 6, "group_match": 1 / 2}
"""What random scores without ties get."""


def matching(scores: object) -> dict[str, np.ndarray]:
    """The four scores by name (MATCHING), each (n,) bool.

    - ``text`` each image prefers its caption, ``s00 > s01 and s11 > s10``
    - ``image`` each caption prefers its image, ``s00 > s10 and s11 > s01``
    - ``group`` text and image both right
    - ``group_match`` the right assignment of the 2 x 2 block wins, ``I > 0``: no threshold enters, unlike in group

    >>> {name: right.tolist() for name, right in matching([[[0.4, 0.3], [0.35, 0.36]], [[2, 1], [1, 1]]]).items()}
    {'text': [True, False], 'image': [True, False], 'group': [True, False], 'group_match': [True, True]}
    """
    right, wrong, turned = _sides(scores)
    text, image = np.all(right > wrong, axis=1), np.all(right > turned, axis=1)
    return {"text": text, "image": image, "group": text & image, "group_match": interaction(scores) > 0}


def _sides(scores: object) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(n, 2) each: the right pairs s00 and s11; for each the same image's other caption; the same caption's other
    image."""
    s = check_scores(scores).reshape(-1, 4)
    return s[:, [0, 3]], s[:, [1, 2]], s[:, [2, 1]]


def interaction(scores: object) -> np.ndarray:
    """(n,) float64: ``I = s00 + s11 - s01 - s10``, by how much the right assignment beats the wrong one."""
    s = check_scores(scores).astype(np.float64)
    # Two differences, then their sum: a right text score then gives I > 0 in floating point too.
    return (s[:, 0, 0] - s[:, 0, 1]) + (s[:, 1, 1] - s[:, 1, 0])


def one_way(scores: object) -> dict[str, np.ndarray]:
    """The share of single comparisons that are right, (n,) float64 in {0, 1/2, 1}; chance 1/2.

    ``text_1way`` over the two images, ``image_1way`` over the two captions, ``mean_1way`` over all four: the columns
    published beside the Winoground scores of juletx/spatial-reasoning.
    """
    right, wrong, turned = _sides(scores)
    text, image = (right > wrong).mean(axis=1), (right > turned).mean(axis=1)
    return {"text_1way": text, "image_1way": image, "mean_1way": (text + image) / 2}


def tied(scores: object) -> np.ndarray:
    """(n,) bool: at least one of the quad's four comparisons is an exact tie."""
    right, wrong, turned = _sides(scores)
    return ((right == wrong) | (right == turned)).any(axis=1)


def tie_split(scores: object) -> dict[str, np.ndarray]:
    """The four scores with ties broken at random: (n,) float64, the expected value over all tie-breaks.

    Equal to ``matching`` without ties. A tied pair counts 1/2, four equal scores count 1/4, 1/4, 1/6, 1/2: chance.
    """
    right, wrong, turned = _sides(scores)
    text, image = (((right > other) + (right == other) / 2).prod(axis=1) for other in (wrong, turned))
    # Group is right where the least of the right pairs beats the most of the wrong: of k and l that tie, in one order
    # of (k + l choose k).
    least, most = right.min(axis=1, keepdims=True), wrong.max(axis=1, keepdims=True)
    orders = np.array([[1, 1, 1], [1, 2, 3], [1, 3, 6]])[(right == most).sum(axis=1), (wrong == least).sum(axis=1)]
    group = (least >= most)[:, 0] / orders
    balance = interaction(scores)
    return {"text": text, "image": image, "group": group, "group_match": (balance > 0) + (balance == 0) / 2}
