"""Hard partners: the rows that the current similarity confuses most, drawn at random."""

from __future__ import annotations

import torch
from torch import Tensor

from eqlib.errors import InputError
from eqlib.losses.checks import at_least_float32, check_finite, check_similarity


def sample_hard_partners(sim: Tensor, num: int, *, generator: torch.Generator) -> Tensor:
    """For each row, ``num`` hard images for its caption, then ``num`` hard captions for its image: (B, 2 num) int64.

    ``sim`` (B, B) are logits (similarity times logit scale): drawn without replacement from softmax(S^T)[i], then from
    softmax(S)[i], the row itself left out. The two lists are joined, so a row may come up in both. ``generator`` lives
    on ``sim``'s device; the same state draws the same partners. No gradient. Raises InputError for ``num`` < 1 or
    ``num`` >= B. Source: the official ``compute_itm_hardneg``. Its softmax may underflow to fewer than ``num``
    candidates; the perturbed logits used here (Gumbel top-k, the same distribution) cannot.
    """
    sim = check_similarity(sim.detach() if isinstance(sim, Tensor) else sim)
    check_finite(sim.sum(), "finite similarities")
    return draw_partners(sim, sim.T, num, 0, generator)


def draw_partners(rows: Tensor, cols: Tensor, num: int, offset: int, generator: torch.Generator) -> Tensor:
    """`sample_hard_partners` for the rows ``offset ...`` of a wider batch, both logits (b, B)."""
    count, width = rows.shape
    if isinstance(num, bool) or not isinstance(num, int) or not 1 <= num < width:
        raise InputError(f"1 <= num < {width}, the number of pairs in the batch", num, where="hard partners")
    own = torch.arange(count, device=rows.device)[:, None]
    drawn = []
    with torch.no_grad():
        for logits in (cols, rows):
            logits = at_least_float32(logits)
            noise = torch.empty(logits.shape, dtype=logits.dtype, device=logits.device)
            noise.exponential_(generator=generator).clamp_(min=torch.finfo(noise.dtype).tiny)
            keys = (logits - noise.log_()).scatter_(1, own + offset, float("-inf"))
            drawn.append(keys.topk(num, dim=1).indices)
    return torch.cat(drawn, dim=1)
