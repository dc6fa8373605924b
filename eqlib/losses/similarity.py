"""A batch's similarities as EqSim reads them: the whole matrix, or one rank's rows and columns of it.

Both classes answer the same questions with shares (`Ranks`); the whole matrix is the case of one rank, where autograd
functions that know the closed form replace the general operations.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from eqlib.losses.closed_form import AllPairsMeans, EasySquares, Scaled, centre, hard_quads
from eqlib.losses.criterion import Criterion, quad_terms
from eqlib.losses.ranks import Ranks


@dataclass(frozen=True)
class Rows:
    """Rows ``offset ...`` of S as ``rows[k, j] = S[offset + k, j]`` and ``cols[k, j] = S[j, offset + k]``, both (b, B).

    ``diagonal`` (B,) is S's own.
    """

    rows: Tensor
    cols: Tensor
    diagonal: Tensor
    ranks: Ranks = field(default_factory=Ranks)

    @property
    def width(self) -> int:
        return len(self.diagonal)

    @property
    def pairs(self) -> int:
        return self.width * (self.width - 1) // 2

    @property
    def offset(self) -> int:
        return self.ranks.rank * len(self.rows)

    @property
    def own(self) -> slice:
        return slice(self.offset, self.offset + len(self.rows))

    def times(self, scale: Tensor | float) -> Rows:
        return type(self)(scale * self.rows, scale * self.cols, scale * self.diagonal, self.ranks)

    def softmax(self) -> Rows:
        """Row softmax of the whole matrix: a column needs the normaliser of every row, so these are gathered."""
        normaliser = self.rows.logsumexp(1)
        (normalisers,) = self.ranks.gather(normaliser)
        rows = (self.rows - normaliser[:, None]).exp()
        return type(self)(rows, (self.cols - normalisers).exp(), (self.diagonal - normalisers).exp(), self.ranks)

    def pair_means(self) -> tuple[Tensor, Tensor, Tensor]:
        """Means of a^2, b^2 and ab over all pairs."""
        centred = centre(self.diagonal)[self.own]
        difference = self.rows - self.cols
        a2 = self.width * centred.square().sum() / self.pairs
        b2 = difference.square().sum() / (2 * self.pairs)
        return a2, b2, -torch.dot(centred, difference.sum(1)) / self.pairs

    def pair_terms(self, options: Criterion) -> tuple[list[Tensor], list[Tensor]]:
        """`quad_terms` of the pairs i < j, dense, zero elsewhere."""
        own = self.diagonal[self.own, None].expand_as(self.rows)
        squares, wanted = quad_terms(own, self.rows, self.cols, self.diagonal.expand_as(self.rows), options)
        upper = self.offset + 1
        return [square.triu(upper) for square in squares], [difference.triu(upper) for difference in wanted]

    def hard_quads(self, partners: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """(c0_i0, c1_i0, c0_i1, c1_i1), each (b, K), of the quads (offset + k, partners[k, :])."""
        own = self.diagonal[self.own, None].expand(partners.shape)
        return own, self.rows.gather(1, partners), self.cols.gather(1, partners), self.diagonal[partners]

    def easy_squares(self, partners: Tensor) -> Tensor:
        """Sum of (S_ij - S_ji)^2 over the entries that no rank's ``partners`` holds."""
        everyone = self.ranks.gather_indices(partners)
        row = torch.arange(self.width, device=partners.device)[:, None].expand_as(everyone)
        left = torch.ones(self.rows.shape, dtype=torch.bool, device=partners.device)
        left.scatter_(1, partners, False)
        mine = (everyone >= self.offset) & (everyone < self.offset + len(self.rows))
        left[everyone[mine] - self.offset, row[mine]] = False
        return ((self.rows - self.cols) * left).square().sum()

    def mean_gap(self) -> Tensor:
        """Mean of I over all pairs."""
        return (self.width * self.diagonal[self.own].sum() - self.rows.sum()) / self.pairs


class Whole(Rows):
    """The whole matrix, in one process. ``cols`` is a view of its transpose."""

    @classmethod
    def of(cls, sim: Tensor) -> Whole:
        return cls(sim, sim.T, sim.diagonal())

    def times(self, scale: Tensor | float) -> Whole:
        return Whole.of(Scaled.apply(self.rows, scale) if isinstance(scale, Tensor) else scale * self.rows)

    def softmax(self) -> Whole:
        return Whole.of(self.rows.softmax(1))

    def pair_means(self) -> tuple[Tensor, Tensor, Tensor]:
        return AllPairsMeans.apply(self.rows)

    def hard_quads(self, partners: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        return hard_quads(self.rows, partners)

    def easy_squares(self, partners: Tensor) -> Tensor:
        return EasySquares.apply(self.rows, partners)


def similarity_of(image_features: Tensor, text_features: Tensor, ranks: Ranks, local: bool) -> Rows:
    """S of the features of all ranks: whole on every rank, or (``local``) this rank's rows and columns of it."""
    if ranks.world == 1:
        return Whole.of(image_features @ text_features.T)
    every_image, every_text = ranks.gather(image_features, text_features)
    if not local:
        return Whole.of(every_image @ every_text.T)
    diagonal = (every_image * every_text).sum(1)
    return Rows(image_features @ every_text.T, text_features @ every_image.T, diagonal, ranks)
