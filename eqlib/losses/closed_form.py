"""Closed forms on the whole matrix: autograd functions that keep S - S^T alone, their gradient but for its scale."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable


class AllPairsMeans(torch.autograd.Function):
    """Means of a^2, b^2 and ab over all pairs of ``sim`` (B, B), with d its diagonal and a = d_i - d_j.

    Over pairs, sum a^2 = B sum d^2 - (sum d)^2, sum b^2 = |S - S^T|^2 / 2, sum ab = sum_i d_i (column sum - row sum).
    One pass over B x B forward, one backward.
    """

    @staticmethod
    def forward(ctx, sim: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        size = len(sim)
        pairs = size * (size - 1) / 2
        difference = less_transpose(sim)
        centred = centre(sim.diagonal())  # a is a difference, and the centred sum of squares does not cancel
        drift = difference.sum(1)  # row sum - column sum
        ctx.save_for_backward(difference, centred, drift)
        ctx.set_materialize_grads(False)
        a2 = size * centred.square().sum() / pairs
        b2 = sum_of_squares(difference) / (2 * pairs)
        return a2, b2, -torch.dot(centred, drift) / pairs

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


class EasySquares(torch.autograd.Function):
    """Sum of (S_ij - S_ji)^2 over the entries of ``sim`` (G, G) that ``partners`` (B, K) leaves in neither order."""

    @staticmethod
    def forward(ctx, sim: Tensor, partners: Tensor) -> Tensor:
        difference = less_transpose(sim)
        row = torch.arange(len(partners), device=sim.device)[:, None].expand_as(partners)
        difference[row, partners] = 0
        difference[partners, row] = 0
        ctx.save_for_backward(difference)
        return sum_of_squares(difference)

    @staticmethod
    @once_differentiable
    def backward(ctx, grad: Tensor) -> tuple[Tensor, None]:
        (difference,) = ctx.saved_tensors
        return difference * (4 * grad), None


class Scaled(torch.autograd.Function):
    """``scale * sim`` for a scalar tensor ``scale``; its gradient is one dot product instead of a B x B one."""

    @staticmethod
    def forward(ctx, sim: Tensor, scale: Tensor) -> Tensor:
        ctx.save_for_backward(sim, scale)
        return sim * scale

    @staticmethod
    @once_differentiable
    def backward(ctx, grad: Tensor) -> tuple[Tensor, Tensor]:
        sim, scale = ctx.saved_tensors
        return grad * scale, torch.einsum("ij,ij->", grad, sim).reshape(scale.shape).to(scale.dtype)


def less_transpose(sim: Tensor) -> Tensor:
    """S - S^T. The transpose copied first: reading it in place, against the rows, takes twice the time."""
    transpose = sim.T.contiguous()
    return torch.sub(sim, transpose, out=transpose)


def hard_quads(sim: Tensor, partners: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """(c0_i0, c1_i0, c0_i1, c1_i1), each (B, K), of the quads (i, partners[i, k]) of ``sim`` (G, G)."""
    size = len(sim)
    row = torch.arange(len(partners), device=sim.device)[:, None].expand_as(partners)
    places = torch.stack([row * (size + 1), row * size + partners, partners * size + row, partners * (size + 1)])
    # One flat selection: each separate gather would allocate its own G x G gradient.
    return sim.reshape(-1).index_select(0, places.reshape(-1)).reshape(places.shape).unbind(0)


def centre(values: Tensor) -> Tensor:
    """``values`` less their mean, the first taken off before: differences of near values are exact, a mean is not."""
    values = values - values[0]
    return values - values.mean()


def sum_of_squares(values: Tensor) -> Tensor:
    """Without the temporary that ``square().sum()`` makes. One row a sum, then the rows: the rounding of a long sum."""
    return torch.linalg.vector_norm(values, dim=1).square().sum()
