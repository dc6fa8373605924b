"""EqSim on a similarity matrix: all pairs (``itc``), hard partners (v2), the easy rest (v1); and on a head's scores.

``sim[i, j]`` is the similarity of image ``i`` with caption ``j``, matched pairs on the diagonal. Rows ``i`` and ``j``
make the quad ``[[S_ii, S_ij], [S_ji, S_jj]]``, so ``a = S_ii - S_jj`` and ``b = S_ji - S_ij``.

A public function takes one tensor and returns one scalar >= 0; `EqSimLoss` takes features and names its terms. Options:
see `Criterion`. Half precision computes in float32. Raises InputError where a shape, dtype or option is wrong or B < 2,
and on the CPU where a value is not finite or a partner out of range or its own row.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from eqlib.errors import InputError
from eqlib.losses.checks import (
    at_least_float32,
    check_finite,
    check_number,
    check_partners,
    check_similarity,
    check_tensor,
    readable,
)
from eqlib.losses.criterion import SIMILARITIES, Criterion, eqsim_criterion, loss_of_means, loss_of_quads
from eqlib.losses.similarity import Rows

ACTIVATIONS = (None, "linear", "sigmoid", "softmax")
Scalars = dict[str, Tensor]


def eqsim_all_pairs(sim: Tensor, **criterion_options) -> Tensor:
    """EqSim over all n = B(B-1)/2 pairs of ``sim`` (B, B). Source: ``get_pairloss_itc``.

    Plain squares (no ``normalize``, ``positive``, ``own_change`` or margin before the mean) take the closed form
    ``text + image = [2 (B sum d^2 - (sum d)^2) + |S - S^T|^2] / n`` with d the diagonal; other options list the quads.

    >>> sim = torch.tensor([[0.30, 0.20], [0.10, 0.20]])
    >>> round(eqsim_all_pairs(sim).item(), 6)  # a = 0.1, b = -0.1: 2 a^2 + 2 b^2
    0.04
    """
    options = Criterion.from_options(criterion_options)
    loss, _ = all_pairs_share(Rows.of_matrix(check_similarity(sim)), options)
    return check_finite(loss, SIMILARITIES)


def eqsim_hard(sim: Tensor, partners: Tensor, **criterion_options) -> Tensor:
    """EqSim over the quads (i, partners[i, k]) (EqSim v2). Source: ``get_pairloss_itc_hard``.

    ``sim`` (G, G) over the gathered batch; ``partners`` (B, K) int64, row indices into it for its first B rows, with
    B <= G. A partner listed twice counts twice, as in the official list.
    """
    options = Criterion.from_options(criterion_options)
    sim = check_similarity(sim)
    loss, _ = hard_share(Rows.of_matrix(sim), check_partners(partners, len(sim), len(sim)), options)
    return check_finite(loss, SIMILARITIES)


def eqsim_easy(
    sim: Tensor, partners: Tensor, *, weight: float = 1.0, proportion: float = 1.0, margin: float = 0.0
) -> Tensor:
    """The symmetric term over the entries that ``partners`` leaves (EqSim v1). Source: ``get_pairloss_v1_itc_hard``.

    ``weight / proportion * relu(mean over all G*G entries of m (S - S^T)^2 - margin)``, where m is 0 on (i, j) and
    (j, i) of every hard pair and 1 elsewhere. The mean divides by G*G, not by the number of ones. ``proportion`` > 0.
    """
    check_easy(weight, proportion, margin)
    sim = check_similarity(sim)
    partners = check_partners(partners, len(sim), len(sim))
    return check_finite(easy_share(Rows.of_matrix(sim), partners, weight, proportion, margin), SIMILARITIES)


def eqsim_itm(
    scores: Tensor, *, activation: Literal["linear", "sigmoid", "softmax"] | None = None, **criterion_options
) -> Tensor:
    """EqSim of (B, 4) matching scores: (image, text), (hard image, text), (image, hard text), (hard image, hard text).

    The hard image and the hard text of a row belong together: they are the second matched pair of its quad.
    ``activation``: None takes the scores as they come, ``linear`` maps the batch's least and greatest score to 0 and 1,
    ``sigmoid`` each score, ``softmax`` the four of a row. Equal scores have no ``linear``: an InputError on the CPU.
    Source: ``get_pairloss_itm``.
    """
    if activation not in ACTIVATIONS:
        raise InputError(f"an activation among {', '.join(map(str, ACTIVATIONS))}", repr(activation))
    check_tensor(scores, "scores (B, 4) of a matching head", None, 4)
    scores = at_least_float32(scores)
    if activation == "linear":
        low, high = scores.min(), scores.max()
        if readable(scores) and low == high:
            raise InputError("scores that differ, to map them to [0, 1]", f"{low.item()} everywhere")
        scores = (scores - low) / (high - low)
    elif activation == "sigmoid":
        scores = scores.sigmoid()
    elif activation == "softmax":
        scores = scores.softmax(1)
    c0_i0, c0_i1, c1_i0, c1_i1 = scores.unbind(1)
    return eqsim_criterion(c0_i0, c1_i0, c0_i1, c1_i1, **criterion_options)


def all_pairs_share(sim: Rows, options: Criterion) -> tuple[Tensor, Scalars]:
    """This rank's share of the loss over all pairs, and the telemetry of `EqSimLoss`."""
    if not options.quadratic:
        row, column = torch.triu_indices(len(sim.rows), sim.width, sim.offset + 1, device=sim.rows.device)
        return _share_of_quads(sim, row, column, options, sim.pairs)
    a2, b2, ab, change = sim.pair_means()
    # text (a + b)^2, image (a - b)^2, group b^2 twice
    text, image = (options.text_side, a2 + b2 + 2 * ab), (options.image_side, a2 + b2 - 2 * ab)
    group = (options.group_side, b2)
    means = torch.stack([mean for on, mean in (text, image, group, group) if on])
    loss, active = loss_of_means(means, options, sim.ranks)
    return loss, _telemetry(sim, active, a2, b2, change)


def hard_share(sim: Rows, partners: Tensor, options: Criterion) -> tuple[Tensor, Scalars]:
    """`all_pairs_share` of the quads (i, partners[i, k])."""
    row = torch.arange(len(partners), device=partners.device)[:, None].expand_as(partners)
    return _share_of_quads(sim, row, partners, options, partners.numel() * sim.ranks.world)


def easy_share(sim: Rows, partners: Tensor, weight: float, proportion: float, margin: float) -> Tensor:
    """This rank's share of the easy term."""
    return weight / proportion * sim.ranks.hinge(sim.squares_without(partners) / sim.width**2, margin)


def check_easy(weight: float, proportion: float, margin: float) -> None:
    """Raises InputError where a setting of the easy term is negative, not finite, or ``proportion`` zero."""
    for name, value in (("weight", weight), ("proportion", proportion), ("margin", margin)):
        check_number(value, name, "easy term", above_zero=name == "proportion")


def _share_of_quads(sim: Rows, row: Tensor, column: Tensor, options: Criterion, count: int) -> tuple[Tensor, Scalars]:
    c0_i0, c1_i0, c0_i1, c1_i1 = quads = sim.quads(row, column)
    loss, active = loss_of_quads(*quads, options, count, sim.ranks)
    sums = ((c0_i0 - c1_i1).square(), (c0_i1 - c1_i0).square(), c0_i0 + c1_i1 - c1_i0 - c0_i1)
    return loss, _telemetry(sim, active, *(values.detach().sum() / count for values in sums))


def _telemetry(sim: Rows, active: Tensor, a2: Tensor, b2: Tensor, change: Tensor) -> Scalars:
    a2, b2, change = sim.ranks.all_reduce(torch.stack([a2, b2, change]))
    return {"eqsim_active": active, "mean_a2": a2, "mean_b2": b2, "mean_I": change}
