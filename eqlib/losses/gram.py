"""EqSim over all pairs from the features alone: three d x d matrices in place of the B x B one."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from eqlib.errors import InputError
from eqlib.losses.checks import at_least_float32, check_batch, check_features, check_finite
from eqlib.losses.criterion import Criterion
from eqlib.losses.eqsim import loss_of_means
from eqlib.losses.ranks import ALONE, Ranks

CHUNK = 4096
"""Rows converted to float64 at a time."""


def eqsim_all_pairs_from_features(
    image_features: Tensor, text_features: Tensor, *, across_ranks: bool = False, **criterion_options
) -> Tensor:
    """`eqsim_all_pairs` of ``image_features @ text_features.T``, both (B, d), without that matrix.

    O(B d^2) time and O(d^2) memory beside the features' gradients; it is the faster form from about B = 3.5 d on where
    nothing else needs the matrix (a contrastive loss that shares it makes EqSim nearly free: see `EqSimLoss`). Takes
    plain squares: text, image and group side, weight, margin after the mean. Features are centred and the d x d
    products accumulate in float64, so that a near-equivariant batch in float32 does not drown in rounding.

    ``across_ranks``: the batch is that of all ranks of the initialised process group, one all-reduce of three d x d
    matrices in place of a gather. Every rank returns the whole loss; as with a gather that carries gradient, the mean
    over ranks of the parameters' gradients (DistributedDataParallel's) is that of one process.

    Raises InputError for shapes that differ, B < 2, values that are not finite, ``normalize``, ``positive``,
    ``own_change`` or a margin before the mean. Source: the closed form of ``get_pairloss_itc``.
    """
    options = Criterion.of(criterion_options)
    if not options.quadratic:
        raise InputError(
            "plain squares with the margin after the mean", "normalize, positive, own_change or margin_before_mean"
        )
    ranks = Ranks.current() if across_ranks else ALONE
    check_features(image_features, text_features)
    check_batch(len(image_features) * ranks.world)
    features = Gram(at_least_float32(image_features), at_least_float32(text_features), ranks)
    with torch.autocast(image_features.device.type, enabled=False):
        return check_finite(loss_of_means(*features.pair_means(), options), "finite features")


def gram_pays(batch: int, width: int, ranks: Ranks = ALONE) -> bool:
    """Whether the Gram form is the faster one for ``batch`` rows a rank of ``width`` features.

    7 products of B d^2, of which 3 in float64, against 3 of B^2 d and the passes over B x B: measured on a CPU.
    """
    return batch * ranks.world > 3.5 * width


@dataclass(frozen=True)
class Gram:
    """The features of a batch, answering what all-pairs EqSim asks of a similarity (`eqlib.losses.similarity.Rows`)."""

    image: Tensor
    text: Tensor
    across: Ranks = field(default_factory=Ranks)
    ranks: Ranks = ALONE  # its means are whole on every rank, not shares

    @property
    def width(self) -> int:
        return len(self.image) * self.across.world

    def pair_means(self) -> tuple[Tensor, Tensor, Tensor]:
        """Means of a^2, b^2 and ab over all pairs."""
        return GramMeans.apply(self.image, self.text, self.across)

    def mean_gap(self) -> Tensor:
        """Mean of I over all pairs."""
        sums = torch.cat([(self.image * self.text).sum()[None], self.image.sum(0), self.text.sum(0)]).double()
        positives, image, text = self.across.total(sums).split([1, self.image.shape[1], self.text.shape[1]])
        return 2 * (self.width * positives[0] - image @ text) / (self.width * (self.width - 1))


class GramMeans(torch.autograd.Function):
    """Means of a^2, b^2 and ab over all pairs, from features (b, d) of each rank.

    With features centred, I = I' + m and T = T' + t, ``S - S^T = (S' - S'^T) + w_i - w_j`` where S' = I' T'^T has zero
    row and column sums and ``w = I' t - T' m``. So the two parts are orthogonal and, with d the centred diagonal of S,

        sum b^2 = [<I'^T I', T'^T T'> - <C, C^T>] + B sum w^2,   C = T'^T I'
        sum a^2 = B sum d^2,   sum ab = -B sum d w.

    What is left of cancellation is inside the bracket: float64.
    """

    @staticmethod
    def forward(ctx, image: Tensor, text: Tensor, ranks: Ranks) -> tuple[Tensor, Tensor, Tensor]:
        wide = torch.float64
        size = len(image) * ranks.world
        pairs = size * (size - 1) / 2
        width = image.shape[1]
        sums = ranks.total(torch.cat([image.sum(0, dtype=wide), text.sum(0, dtype=wide)])) / size
        image_mean, text_mean = sums.split(width)
        grams = torch.zeros(3, width, width, dtype=wide, device=image.device)
        diagonal, drift = [], []
        for image_part, text_part in zip(image.split(CHUNK), text.split(CHUNK), strict=True):
            image_part, text_part = image_part.to(wide), text_part.to(wide)
            diagonal.append((image_part * text_part).sum(1))
            image_part, text_part = image_part - image_mean, text_part - text_mean
            drift.append(image_part @ text_mean - text_part @ image_mean)
            grams[0].addmm_(image_part.T, image_part)
            grams[1].addmm_(text_part.T, text_part)
            grams[2].addmm_(text_part.T, image_part)
        diagonal, drift = torch.cat(diagonal), torch.cat(drift)
        grams = ranks.total(grams)
        diagonal = diagonal - ranks.total(diagonal.sum()) / size
        sums = torch.stack([diagonal.square().sum(), drift.square().sum(), torch.dot(diagonal, drift)])
        dd, ww, dw = ranks.total(sums)
        bracket = torch.sum(grams[0] * grams[1]) - torch.sum(grams[2] * grams[2].T)
        ctx.save_for_backward(image, text, grams.to(image.dtype), image_mean, text_mean, diagonal, drift)
        ctx.ranks = ranks
        means = torch.stack([size * dd, bracket.clamp(min=0) + size * ww, -size * dw]) / pairs
        return tuple(means.to(image.dtype).unbind())

    @staticmethod
    @once_differentiable
    def backward(ctx, *grads: Tensor) -> tuple[Tensor, Tensor, None]:
        image, text, grams, image_mean, text_mean, diagonal, drift = ctx.saved_tensors
        ranks = ctx.ranks
        size = len(image) * ranks.world
        pairs = size * (size - 1) / 2
        # Every rank holds the whole means, so this rank's features owe to the gradients of all of them.
        grad_a2, grad_b2, grad_ab = ranks.total(torch.stack(grads).double() / pairs)
        to_diagonal = size * (2 * grad_a2 * diagonal - grad_ab * drift)
        to_drift = size * (2 * grad_b2 * drift - grad_ab * diagonal)
        mean_shift = ranks.total(torch.cat([to_drift @ text.double(), to_drift @ image.double()])) / size
        dtype = image.dtype
        text_shift, image_shift = mean_shift.to(dtype).split(image.shape[1])
        to_diagonal, to_drift = to_diagonal.to(dtype)[:, None], to_drift.to(dtype)[:, None]
        image_mean, text_mean = image_mean.to(dtype), text_mean.to(dtype)
        scale = 2 * grad_b2.to(dtype)
        image_gram, text_gram, cross = grams.unbind()
        image_centred, text_centred = image - image_mean, text - text_mean
        # d bracket / d I = 2 (I' T'^T T' - T' I'^T T'), that is 2 (S' - S'^T) T'
        grad_image = torch.addmm(image_centred @ (scale * text_gram), text_centred, scale * cross.T, alpha=-1)
        grad_text = torch.addmm(text_centred @ (scale * image_gram), image_centred, scale * cross, alpha=-1)
        grad_image += to_diagonal * text + to_drift * text_mean - text_shift
        grad_text += to_diagonal * image - to_drift * image_mean + image_shift
        return grad_image, grad_text, None
