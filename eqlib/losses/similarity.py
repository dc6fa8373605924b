"""A batch's similarities as EqSim reads them: a rank's rows and columns of the matrix over all ranks."""

from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from eqlib.losses.ranks import ALONE, Ranks


@dataclass(frozen=True)
class Rows:
    """Rows ``offset ...`` of S as ``rows[k, j] = S[offset + k, j]`` and ``cols[k, j] = S[j, offset + k]``, both (b, B).

    ``diagonal`` (B,) is S's own. One process holds all rows. Sums are this rank's shares (`Ranks`).
    """

    rows: Tensor
    cols: Tensor
    diagonal: Tensor
    ranks: Ranks

    @classmethod
    def of_matrix(cls, sim: Tensor) -> Self:
        return cls(sim, sim.T, sim.diagonal(), ALONE)

    @classmethod
    def of_features(cls, image: Tensor, text: Tensor, ranks: Ranks) -> Self:
        """Of this rank's features (b, d); those of the others are gathered with gradient."""
        if ranks.world == 1:
            return cls.of_matrix(image @ text.T)
        images, texts = ranks.all_gather(image), ranks.all_gather(text)
        return cls(image @ texts.T, text @ images.T, (images * texts).sum(1), ranks)

    @property
    def width(self) -> int:
        return len(self.diagonal)

    @property
    def pairs(self) -> int:
        return self.width * (self.width - 1) // 2

    @property
    def offset(self) -> int:
        return self.ranks.rank * len(self.rows)

    def times(self, scale: Tensor | float) -> "Rows":
        return Rows(scale * self.rows, scale * self.cols, scale * self.diagonal, self.ranks)

    def softmax(self) -> "Rows":
        """Row softmax of the whole matrix. A column needs the normaliser of every row, so these are gathered."""
        own = self.rows.logsumexp(1)
        every = self.ranks.all_gather(own)
        rows = (self.rows - own[:, None]).exp()
        return Rows(rows, (self.cols - every).exp(), (self.diagonal - every).exp(), self.ranks)

    def quads(self, row: Tensor, column: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """(c0_i0, c1_i0, c0_i1, c1_i1) of the quads (offset + row, column), two index tensors of one shape."""
        place = (row * self.width + column).flatten()
        c1_i0, c0_i1 = (side.reshape(-1).gather(0, place).view(row.shape) for side in (self.rows, self.cols))
        return self.diagonal[row + self.offset], c1_i0, c0_i1, self.diagonal[column]

    def of_partners(self, partners: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """`quads` of this rank's rows with ``partners`` (b, K), indices into the gathered batch."""
        return self.quads(torch.arange(len(partners), device=partners.device)[:, None].expand_as(partners), partners)

    def pair_means(self) -> Tensor:
        """Means of a^2, b^2, ab and I over all pairs, a = S_ii - S_jj, b = S_ji - S_ij, I = S_ii + S_jj - S_ij - S_ji.

        With d the diagonal, sum a^2 = B sum (d - mean)^2, sum b^2 = |S - S^T|^2 / 2, sum ab = sum_i d_i (column sum -
        row sum), sum I = B sum d - sum S.
        """
        own = slice(self.offset, self.offset + len(self.rows))
        away = self.diagonal - self.diagonal[0]  # differences of near values are exact, a mean is not
        centred = (away - away.mean())[own]
        difference = self.rows - self.cols
        a2, b2 = self.width * centred.square().sum(), difference.square().sum() / 2
        ab, change = -(centred @ difference.sum(1)), self.width * self.diagonal[own].sum() - self.rows.sum()
        return torch.stack([a2, b2, ab, change]) / self.pairs

    def squares_without(self, partners: Tensor) -> Tensor:
        """Sum of (S_ij - S_ji)^2 over the entries that no rank's ``partners`` (b, K) holds in either order."""
        column = self.ranks.all_gather(partners)
        row = torch.arange(len(column), device=column.device)[:, None].expand_as(column)
        row, column = torch.cat([row, column]) - self.offset, torch.cat([column, row])
        count = len(self.rows)
        # Fixed shapes, so that nothing waits for the device: entries of other ranks' rows go to a row past the last.
        kept = self.rows.new_ones(count + 1, self.width)
        kept[torch.where((row >= 0) & (row < count), row, count), column] = 0
        return ((self.rows - self.cols) * kept[:count]).square().sum()
