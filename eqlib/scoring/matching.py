"""Text, image, group and group match: which quads a similarity gets right.

Every function takes ``scores[n, image, caption]``, any real dtype, and answers per quad; a mean is the caller's.
Comparisons are strict, as in the official scorer (``src/eqben/eqben_acc.py``, ``text_correct`` and friends): a tie is
wrong. CLIP_benchmark takes an argmax instead, which gives a tie to index 0.
"""

from itertools import permutations

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
    s = check_scores(scores)
    text = (s[:, 0, 0] > s[:, 0, 1]) & (s[:, 1, 1] > s[:, 1, 0])
    image = (s[:, 0, 0] > s[:, 1, 0]) & (s[:, 1, 1] > s[:, 0, 1])
    return {"text": text, "image": image, "group": text & image, "group_match": interaction(s) > 0}


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
    s = check_scores(scores)
    text = ((s[:, 0, 0] > s[:, 0, 1]) * 1.0 + (s[:, 1, 1] > s[:, 1, 0])) / 2
    image = ((s[:, 0, 0] > s[:, 1, 0]) * 1.0 + (s[:, 1, 1] > s[:, 0, 1])) / 2
    return {"text_1way": text, "image_1way": image, "mean_1way": (text + image) / 2}


def tied(scores: object) -> np.ndarray:
    """(n,) bool: at least one of the quad's four comparisons is an exact tie."""
    s = check_scores(scores)
    right, wrong = (s[:, 0, 0], s[:, 1, 1]), (s[:, 0, 1], s[:, 1, 0])
    return np.logical_or.reduce([a == b for a in right for b in wrong])


def tie_split(scores: object) -> dict[str, np.ndarray]:
    """The four scores with ties broken at random: (n,) float64, the expected value over all tie-breaks.

    Equal to ``matching`` without ties. A tied pair counts 1/2, four equal scores count 1/4, 1/4, 1/6, 1/2: chance.
    """
    s = check_scores(scores)
    credit = {name: right.astype(np.float64) for name, right in matching(s).items()}
    ties = np.flatnonzero(tied(s))
    if len(ties):
        distinct, where = np.unique(s[ties].reshape(-1, 4), axis=0, return_inverse=True)
        total = dict.fromkeys(("text", "image", "group"), np.zeros(len(distinct)))
        for order in permutations(range(4)):
            broken = np.argsort(np.lexsort((np.broadcast_to(order, distinct.shape), distinct)), axis=1)
            right = matching(broken.reshape(-1, 2, 2))
            total = {name: total[name] + right[name] for name in total}
        for name, value in total.items():
            credit[name][ties] = (value / 24)[where.ravel()]
    credit["group_match"][interaction(s) == 0] = 0.5
    return credit
