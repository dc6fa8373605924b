"""Data parallel: a loss's share of one rank, and how shares make the loss of one process."""

from dataclasses import dataclass
from typing import Self

import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed.nn.functional import all_gather


@dataclass(frozen=True)
class Ranks:
    """This process among ``world`` equal ones. A share is what its rows add to a sum or mean over the whole batch."""

    rank: int = 0
    world: int = 1

    @classmethod
    def current(cls) -> Self:
        """From torch.distributed where a process group is initialised, else one process."""
        if dist.is_available() and dist.is_initialized():
            return cls(dist.get_rank(), dist.get_world_size())
        return cls()

    def all_reduce(self, share: Tensor) -> Tensor:
        """The sum of ``share`` over ranks, detached, equal on all."""
        share = share.detach()
        if self.world > 1:
            share = share.clone()
            dist.all_reduce(share)
        return share

    def all_gather(self, values: Tensor) -> Tensor:
        """``values`` (B, ...) of all ranks as (world B, ...). Backward sums the gradients that every rank has for these
        rows. Ranks must hold batches of one size."""
        return torch.cat(all_gather(values.contiguous())) if self.world > 1 else values

    def hinge(self, share: Tensor, margin: float) -> Tensor:
        """This rank's share of ``relu(sum over ranks of share - margin)``: the hinge is the whole batch's."""
        idle = self.all_reduce(share) <= margin  # nan stays nan
        return torch.where(idle, torch.zeros_like(share), share - margin / self.world)


ALONE = Ranks()
