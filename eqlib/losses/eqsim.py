"""EqSim on a batch's similarity matrix: all pairs (``itc``), hard partners (v2) and the easy rest (v1).

``sim[i, j]`` is the similarity of image ``i`` with caption ``j``, matched pairs on the diagonal. Rows ``i`` and ``j``
make the quad ``[[S_ii, S_ij], [S_ji, S_jj]]``, so ``a = S_ii - S_jj`` and ``b = S_ji - S_ij``.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from eqlib.errors import InputError
from eqlib.losses.checks import check_finite, check_partners, check_similarity
from eqlib.losses.criterion import Criterion, quad_terms, reduce_terms
from eqlib.losses.ranks import ALONE, Ranks
from eqlib.losses.similarity import Whole


def eqsim_all_pairs(sim: Tensor, **criterion_options) -> Tensor:
    """EqSim over all B(B-1)/2 pairs of a batch. ``sim`` (B, B), B >= 2; returns a scalar >= 0.

    Options: see `Criterion`. Plain squares (no ``normalize``, ``positive``, ``own_change`` or margin before the mean)
    take the closed form ``text + image = [2 (B sum d^2 - (sum d)^2) + |S - S^T|^2] / n`` with d the diagonal, one pass
    forward and one backward; other options one dense pass an operation. Half precision computes in float32. Raises
    InputError where ``sim`` is not square, B < 2, a value is not finite, or an option is unknown.
    Source: ``get_pairloss_itc``.

    >>> sim = torch.tensor([[0.30, 0.20], [0.10, 0.20]])
    >>> round(eqsim_all_pairs(sim).item(), 6)  # a = 0.1, b = -0.1: 2 a^2 + 2 b^2
    0.04
    """
    options = Criterion.of(criterion_options)
    similarity = Whole.of(check_similarity(sim))
    if options.quadratic:
        loss = loss_of_means(*similarity.pair_means(), options)
    else:
        loss = reduce_terms(*similarity.pair_terms(options), options, similarity.pairs)
    return check_finite(loss, options.asks_for)


def loss_of_means(a2: Tensor, b2: Tensor, ab: Tensor, options: Criterion, ranks: Ranks = ALONE) -> Tensor:
    """The loss from the shares of the means of a^2, b^2 and ab: text (a + b)^2, image (a - b)^2, group b^2 twice."""
    margin = 0.0 if options.margin_before_mean else options.margin  # before the mean it is 0 here, see `quadratic`
    if options.text_side and options.image_side and margin == 0:
        loss = 2 * (a2 + b2)
    else:
        loss = torch.zeros_like(a2)
        if options.text_side:
            loss = loss + ranks.hinge(a2 + b2 + 2 * ab, margin)
        if options.image_side:
            loss = loss + ranks.hinge(a2 + b2 - 2 * ab, margin)
    if options.group_side:
        loss = loss + 2 * ranks.hinge(b2, margin)
    return options.factor * loss


def eqsim_hard(sim: Tensor, partners: Tensor, **criterion_options) -> Tensor:
    """EqSim over the quads (i, partners[i, k]) (EqSim v2). Returns a scalar >= 0.

    ``sim`` (G, G) over the gathered batch; ``partners`` (B, K) int64, row indices into it for its first B rows, with
    B <= G. A partner listed twice counts twice, as in the official list. Options: see `Criterion`. Raises InputError as
    `eqsim_all_pairs`, and for partners out of range or equal to their own row. Source: ``get_pairloss_itc_hard``.
    """
    options = Criterion.of(criterion_options)
    sim = check_similarity(sim)
    partners = check_partners(partners, len(sim), len(sim))
    quads = Whole.of(sim).hard_quads(partners)
    return check_finite(reduce_terms(*quad_terms(*quads, options), options, partners.numel()), options.asks_for)


def eqsim_easy(
    sim: Tensor, partners: Tensor, *, weight: float = 1.0, proportion: float = 1.0, margin: float = 0.0
) -> Tensor:
    """The symmetric term over the entries that ``partners`` leaves (EqSim v1): a scalar >= 0.

    ``weight / proportion * relu(mean over all G*G entries of m (S - S^T)^2 - margin)``, where m is 0 on (i, j) and
    (j, i) of every hard pair and 1 elsewhere. The mean divides by G*G, not by the number of ones. ``proportion`` > 0.
    Raises InputError as `eqsim_hard`. Source: ``get_pairloss_v1_itc_hard``.
    """
    check_easy(weight, proportion, margin)
    sim = check_similarity(sim)
    partners = check_partners(partners, len(sim), len(sim))
    mean = Whole.of(sim).easy_squares(partners) / sim.numel()
    return check_finite(weight / proportion * (mean - margin).relu(), "finite similarities")


def check_easy(weight: float, proportion: float, margin: float) -> None:
    """Raises InputError where a setting of the easy term is negative, not finite, or ``proportion`` zero."""
    for name, value in (("weight", weight), ("proportion", proportion), ("margin", margin)):
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if not number or not math.isfinite(value) or value < 0 or (name == "proportion" and value == 0):
            expected = "a finite number > 0" if name == "proportion" else "a finite number >= 0"
            raise InputError(expected, repr(value), where="easy term", row=name)
