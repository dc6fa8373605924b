"""Hard partners: the rows that the current similarity confuses most, drawn at random."""

from __future__ import annotations

import torch
from torch import Tensor

from eqlib.errors import InputError
from eqlib.losses.checks import check_finite, check_similarity


def sample_hard_partners(sim: Tensor, num: int, *, generator: torch.Generator) -> Tensor:
    """For each row, ``num`` hard images for its caption, then ``num`` hard captions for its image: (B, 2 num) int64.

    ``sim`` (B, B) are logits (similarity times logit scale): drawn without replacement from softmax(S^T)[i], then from
    softmax(S)[i], the row itself left out. The two lists are joined, so a row may come up in both. ``generator`` lives
    on ``sim``'s device; the same state draws the same partners. No gradient. Raises InputError for ``num`` < 1 or
    ``num`` >= B. Source: the official ``compute_itm_hardneg``, whose multinomial refuses a row with fewer than ``num``
    probabilities that do not underflow; here such a row goes on in logits.
    """
    sim = check_similarity(sim.detach() if isinstance(sim, Tensor) else sim)
    check_finite(sim.sum(), "finite similarities")
    return draw_partners(sim, sim.T, num, 0, generator)


def draw_partners(rows: Tensor, cols: Tensor, num: int, offset: int, generator: torch.Generator) -> Tensor:
    """`sample_hard_partners` for the rows ``offset ...`` of a wider batch, both logits (b, B)."""
    width = rows.shape[1]
    if isinstance(num, bool) or not isinstance(num, int) or not 1 <= num < width:
        raise InputError(f"1 <= num < {width}, the number of pairs in the batch", num, where="hard partners")
    with torch.no_grad():
        scratch = torch.empty_like(rows, memory_format=torch.contiguous_format)
        return torch.cat([_draw(logits.detach(), num, offset, generator, scratch) for logits in (cols, rows)], dim=1)


def _draw(logits: Tensor, num: int, offset: int, generator: torch.Generator, scratch: Tensor) -> Tensor:
    """``num`` distinct columns a row, drawn one after the other from the softmax of the row without its own column.

    Independent draws, repeats skipped, are draws without replacement, and cost numbers for the draws instead of numbers
    for the matrix. A row in want of more goes on among its other columns by the largest perturbed logits.
    """
    count, width = logits.shape
    own = torch.arange(offset, offset + count, device=logits.device)[:, None]
    below = torch.softmax(logits, 1, out=scratch).scatter_(1, own, 0.0).cumsum_(1)
    tries = 4 * num + 8
    places = torch.rand(count, tries, generator=generator, dtype=logits.dtype, device=logits.device)
    drawn = torch.searchsorted(below, places * below[:, -1:], right=True)
    again = (drawn[:, :, None] == drawn[:, None, :]).tril(-1).any(2)
    fresh = ~again & (drawn < width)  # beyond the last column: nothing to draw, or a place rounded up to the end
    fresh &= fresh.cumsum(1) <= num
    wanting = fresh.sum(1) < num
    partners = torch.empty(count, num, dtype=torch.int64, device=logits.device)
    partners[~wanting] = drawn[~wanting][fresh[~wanting]].view(-1, num)
    if bool(wanting.any()):
        noise = torch.empty(int(wanting.sum()), width, dtype=logits.dtype, device=logits.device)
        noise.exponential_(generator=generator).clamp_(min=torch.finfo(noise.dtype).tiny)
        keys = logits[wanting] - noise.log_()
        row, column = torch.nonzero(fresh[wanting], as_tuple=True)
        keys[row, drawn[wanting][row, column]] = float("inf")  # drawn already: first
        partners[wanting] = keys.scatter_(1, own[wanting], float("-inf")).topk(num, dim=1).indices
    return partners
