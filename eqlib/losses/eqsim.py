"""EqSim on a batch's similarity matrix: all pairs (``itc``), hard partners (v2) and the easy rest (v1).

``sim[i, j]`` is the similarity of image ``i`` with caption ``j``, matched pairs on the diagonal. Rows ``i`` and ``j``
make the quad ``[[S_ii, S_ij], [S_ji, S_jj]]``, so ``a = S_ii - S_jj`` and ``b = S_ji - S_ij``.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from eqlib.errors import InputError
from eqlib.losses.checks import check_finite, check_partners, check_similarity
from eqlib.losses.criterion import Criterion, quad_terms, reduce_terms


def eqsim_all_pairs(sim: Tensor, **criterion_options) -> Tensor:
    """EqSim over all B(B-1)/2 pairs of a batch. ``sim`` (B, B), B >= 2; returns a scalar >= 0.

    Options: see `Criterion`. Plain squares (no ``normalize``, ``positive`` or margin before the mean) take the closed
    form: ``text + image = [2 (B sum d^2 - (sum d)^2) + |S - S^T|^2] / n`` with d the diagonal, forward and backward
    one pass each; the other options one dense pass an operation. Half precision computes in float32. Raises InputError
    where ``sim`` is not square, B < 2, a value is not finite, or an option is unknown. Source: ``get_pairloss_itc``.

    >>> sim = torch.tensor([[0.30, 0.20], [0.10, 0.20]])
    >>> round(eqsim_all_pairs(sim).item(), 6)  # a = 0.1, b = -0.1: 2 a^2 + 2 b^2
    0.04
    """
    options = Criterion.of(criterion_options)
    sim = check_similarity(sim)
    if options.quadratic:
        loss = loss_of_means(*AllPairsMeans.apply(sim), options)
    else:
        loss = dense_pairs(sim, sim.T, sim.diagonal(), 0, options)
    return check_finite(loss, "similarities")


class AllPairsMeans(torch.autograd.Function):
    """Means of a^2, b^2 and ab over all pairs of ``sim`` (B, B), by the closed form.

    Keeps the difference S - S^T, which is the gradient but for its scale: one pass forward, one backward.
    """

    @staticmethod
    def forward(ctx, sim: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        pairs = sim.shape[0] * (sim.shape[0] - 1) / 2
        difference = sim - sim.T
        centred = centre(sim.diagonal())
        drift = difference.sum(1)  # row sum - column sum
        ctx.save_for_backward(difference, centred, drift)
        ctx.set_materialize_grads(False)
        a2 = sim.shape[0] * centred.square().sum() / pairs
        b2 = torch.linalg.vector_norm(difference).square() / (2 * pairs)
        ab = -torch.dot(centred, drift) / pairs
        return a2, b2, ab

    @staticmethod
    @once_differentiable
    def backward(ctx, grad_a2: Tensor | None, grad_b2: Tensor | None, grad_ab: Tensor | None) -> Tensor:
        difference, centred, drift = ctx.saved_tensors
        size = len(centred)
        pairs = size * (size - 1) / 2
        grad = torch.zeros_like(difference) if grad_b2 is None else difference * (2 / pairs * grad_b2)
        diagonal = grad.diagonal()
        if grad_a2 is not None:
            diagonal += 2 * size / pairs * grad_a2 * centred
        if grad_ab is not None:  # only where the two sides differ: their sum is free of ab
            scaled = grad_ab / pairs * centred
            grad += scaled
            grad -= scaled[:, None]
            diagonal -= grad_ab / pairs * drift
        return grad


def centre(values: Tensor) -> Tensor:
    """``values`` less their mean, the first taken off before: differences of near values are exact, a mean is not."""
    values = values - values[0]
    return values - values.mean()


def loss_of_means(a2: Tensor, b2: Tensor, ab: Tensor, options: Criterion) -> Tensor:
    """The loss from the means of a^2, b^2 and ab: text (a + b)^2, image (a - b)^2, group b^2 twice."""
    weight, margin = options.factor, options.margin if not options.margin_before_mean else 0.0
    loss = torch.zeros_like(a2)
    if options.text_side and options.image_side and margin == 0:
        loss = loss + 2 * (a2 + b2)
    else:
        if options.text_side:
            loss = loss + (a2 + b2 + 2 * ab - margin).relu()
        if options.image_side:
            loss = loss + (a2 + b2 - 2 * ab - margin).relu()
    if options.group_side:
        loss = loss + 2 * (b2 - margin).relu()
    return weight * loss


def dense_pairs(rows: Tensor, cols: Tensor, diagonal: Tensor, offset: int, options: Criterion) -> Tensor:
    """Any criterion over the pairs i < j with i in the given rows, divided by all pairs of the batch.

    ``rows[k, j] = S[offset + k, j]``, ``cols[k, j] = S[j, offset + k]``, both (b, B); ``diagonal`` (B,).
    """
    size = len(diagonal)
    own = diagonal[offset : offset + len(rows)]
    quads = (own[:, None].expand_as(rows), rows, cols, diagonal.expand_as(rows))
    squares, wanted = quad_terms(*quads, options)
    upper = [values.triu(offset + 1) for values in (*squares, *wanted)]
    return reduce_terms(upper[: len(squares)], upper[len(squares) :], options, size * (size - 1) // 2)


def eqsim_hard(sim: Tensor, partners: Tensor, **criterion_options) -> Tensor:
    """EqSim over the quads (i, partners[i, k]) (EqSim v2). Returns a scalar >= 0.

    ``sim`` (G, G) over the gathered batch; ``partners`` (B, K) int64, row indices into it for its first B rows, with
    B <= G. A partner listed twice counts twice, as in the official list. Options: see `Criterion`. Raises InputError as
    `eqsim_all_pairs`, and for partners out of range or equal to their own row. Source: ``get_pairloss_itc_hard``.
    """
    options = Criterion.of(criterion_options)
    sim = check_similarity(sim)
    check_partners(partners, sim.shape[0])
    quads = hard_quads(sim, partners)
    return check_finite(reduce_terms(*quad_terms(*quads, options), options, partners.numel()), "similarities")


def hard_quads(sim: Tensor, partners: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """(c0_i0, c1_i0, c0_i1, c1_i1), each (B, K), of the quads (i, partners[i, k])."""
    size = sim.shape[0]
    partners = partners.long()
    row = torch.arange(len(partners), device=sim.device)[:, None].expand_as(partners)
    places = torch.stack([row * size + row, row * size + partners, partners * size + row, partners * (size + 1)])
    # One flat selection: each separate gather would allocate its own G x G gradient.
    return sim.reshape(-1).index_select(0, places.reshape(-1)).reshape(places.shape).unbind(0)


def eqsim_easy(
    sim: Tensor, partners: Tensor, *, weight: float = 1.0, proportion: float = 1.0, margin: float = 0.0
) -> Tensor:
    """The symmetric term over the entries that ``partners`` leaves (EqSim v1): a scalar >= 0.

    ``weight / proportion * relu(mean over all G*G entries of m (S - S^T)^2 - margin)``, where m is 0 on (i, j) and
    (j, i) of every hard pair and 1 elsewhere. The mean divides by G*G, not by the number of ones. ``proportion`` > 0.
    Raises InputError as `eqsim_hard`. Source: ``get_pairloss_v1_itc_hard``.
    """
    sim = check_similarity(sim)
    check_partners(partners, sim.shape[0])
    check_easy(weight, proportion, margin)
    mean = EasySquares.apply(sim, partners.long()) / sim.numel()
    return check_finite(weight / proportion * (mean - margin).relu(), "similarities")


def check_easy(weight: float, proportion: float, margin: float) -> None:
    for name, value, valid in (("weight", weight, weight >= 0), ("margin", margin, margin >= 0)):
        if not valid or value == float("inf"):
            raise InputError("a finite number >= 0", value, where="eqsim_easy", row=name)
    if not 0 < proportion < float("inf"):
        raise InputError("a finite number > 0", proportion, where="eqsim_easy", row="proportion")


class EasySquares(torch.autograd.Function):
    """Sum of (S_ij - S_ji)^2 over the entries that ``partners`` leaves; the difference kept is the gradient's form."""

    @staticmethod
    def forward(ctx, sim: Tensor, partners: Tensor) -> Tensor:
        difference = sim - sim.T
        row = torch.arange(len(partners), device=sim.device)[:, None].expand_as(partners)
        difference[row, partners] = 0
        difference[partners, row] = 0
        ctx.save_for_backward(difference)
        return torch.linalg.vector_norm(difference).square()

    @staticmethod
    @once_differentiable
    def backward(ctx, grad: Tensor) -> tuple[Tensor, None]:
        (difference,) = ctx.saved_tensors
        return difference * (4 * grad), None
