"""Data parallel: a loss's share of one rank, and how shares make the loss of one process."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import Tensor


@dataclass(frozen=True)
class Ranks:
    """This process among ``world`` equal ones. A share is what its rows add to a sum or mean over the whole batch."""

    rank: int = 0
    world: int = 1

    @classmethod
    def current(cls) -> Ranks:
        """From torch.distributed where a process group is initialised, else one process."""
        if dist.is_available() and dist.is_initialized():
            return cls(dist.get_rank(), dist.get_world_size())
        return cls()

    def total(self, share: Tensor) -> Tensor:
        """The sum of ``share`` over ranks, detached, equal on all."""
        share = share.detach()
        if self.world > 1:
            share = share.clone()
            dist.all_reduce(share)
        return share

    def hinge(self, share: Tensor, margin: float) -> Tensor:
        """This rank's share of ``relu(sum over ranks of share - margin)``: the hinge is the whole batch's."""
        if self.world == 1:
            return (share - margin).relu()
        paid = share - margin / self.world
        return torch.where(self.total(share) <= margin, torch.zeros_like(share), paid)  # nan stays nan

    def gather(self, *features: Tensor) -> list[Tensor]:
        """Each of ``features`` (B, ...) from all ranks as (world B, ...), with gradient, by open_clip's own gather.

        Backward sums the gradients that every rank has for these rows. Ranks must hold batches of one size.
        """
        if self.world == 1:
            return list(features)
        from open_clip.loss import gather_features

        pairs = [features[place : place + 2] for place in range(0, len(features), 2)]
        gathered = []
        for first, *second in pairs:
            both = gather_features(
                first.contiguous(),
                (second[0] if second else first[:0]).contiguous(),
                gather_with_grad=True,
                rank=self.rank,
                world_size=self.world,
            )
            gathered += both[: 1 + len(second)]
        return gathered

    def gather_indices(self, indices: Tensor) -> Tensor:
        """Integers from all ranks along the first dimension; no gradient."""
        if self.world == 1:
            return indices
        parts = [torch.empty_like(indices) for _ in range(self.world)]
        dist.all_gather(parts, indices.contiguous())
        return torch.cat(parts)


ALONE = Ranks()
