"""Hard partners: the rows that the current similarity confuses most, drawn at random."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from eqlib.errors import InputError
from eqlib.losses import checks


def sample_hard_partners(sim: Tensor, num: int, *, generator: torch.Generator) -> Tensor:
    """For each row, ``num`` hard images for its caption, then ``num`` hard captions for its image: (B, 2 num) int64.

    ``sim`` (B, B) are logits (similarity times logit scale): drawn without replacement from softmax(S^T)[i], then from
    softmax(S)[i], the row itself left out. The two lists are joined, so a row may come up in both. ``generator`` lives
    on ``sim``'s device; the same state draws the same partners. No gradient. Raises InputError for ``num`` < 1 or
    ``num`` >= B. Source: the official ``compute_itm_hardneg``, whose multinomial refuses a row with fewer than ``num``
    probabilities that do not underflow; here such a row goes on in logits.
    """
    sim = checks.similarity(sim.detach() if isinstance(sim, Tensor) else sim)
    checks.finite(sim.sum(), "finite similarities")
    return draw_partners(sim, sim.T, 0, num, lambda *shape: torch.rand(shape, generator=generator, device=sim.device))


def draw_partners(rows: Tensor, cols: Tensor, offset: int, num: int, uniform: Callable[..., Tensor]) -> Tensor:
    """`sample_hard_partners` for the rows ``offset ...`` of a wider batch, both logits (b, B).

    ``uniform(*shape)`` gives the random numbers, those of the whole batch whatever rows are asked for.
    """
    width = rows.shape[1]
    if isinstance(num, bool) or not isinstance(num, int) or not 1 <= num < width:
        raise InputError(f"1 <= num < {width}, the number of pairs in the batch", num, where="hard partners")
    noise = uniform(2, width, 4 * num + 9).to(rows.dtype)
    return torch.cat([_draw(*one, offset, num) for one in zip((cols.detach(), rows.detach()), noise, strict=True)], 1)


def _draw(logits: Tensor, noise: Tensor, offset: int, num: int) -> Tensor:
    """``num`` distinct columns a row, one after the other from the softmax of the row without its own column.

    Independent draws, repeats skipped, are draws without replacement, and cost numbers for the draws instead of numbers
    for the matrix. A row in want of more goes on among its other columns by the largest logits plus Gumbel noise, the
    same for every row: the last number of each column. All shapes are fixed, so no step waits for the device.
    """
    count, width = logits.shape
    own = torch.arange(offset, offset + count, device=logits.device)[:, None]
    places, gumbel = noise[offset : offset + count, :-1], -(-noise[:, -1].clamp(min=1e-30).log()).log()
    below = logits.softmax(1).scatter(1, own, 0.0).cumsum(1)
    drawn = torch.searchsorted(below, places * below[:, -1:], right=True)
    # A column that is not drawn has at most 17, a drawn one above 100, the earlier the more. A place that is rounded up
    # to the row's end, or a row without any probability left, draws nothing.
    turn = torch.arange(100 + places.shape[1], 100, -1, dtype=logits.dtype, device=logits.device)
    turn = torch.where(drawn < width, turn, -torch.inf)
    keys = (logits.log_softmax(1) + gumbel).scatter_reduce(1, drawn.clamp(max=width - 1), turn, "amax")
    return keys.scatter(1, own, -torch.inf).topk(num, dim=1).indices


class StepGenerator(nn.Module):
    """Random numbers from a seed and the number of draws (steps) so far, which ``state_dict()`` holds.

    They are the same on every rank, so that one rank's state restores all, on any number of ranks.
    """

    def __init__(self, seed: int):
        super().__init__()
        self.seed = seed
        self.steps = torch.zeros((), dtype=torch.int64)  # no buffer: it stays on the CPU, where reading it is free

    def uniform(self, *shape: int, device: torch.device) -> Tensor:
        """Uniform numbers in [0, 1), float32."""
        self.steps += 1
        return _uniform(self.seed, self.steps, shape, device)

    def generator(self, device: torch.device) -> torch.Generator:
        self.steps += 1
        return _generator(self.seed, self.steps, device)

    def get_extra_state(self) -> dict[str, int]:
        return {"steps": int(self.steps)}

    def set_extra_state(self, state: dict[str, int]) -> None:
        self.steps = torch.tensor(state["steps"])


def _generator(seed: int, steps: Tensor, device: torch.device) -> torch.Generator:
    mixed = np.random.SeedSequence((seed, int(steps))).generate_state(1, np.uint64)
    return torch.Generator(device).manual_seed(int(mixed[0]))


# An operator of its own, because torch.compile cannot trace a generator.
@torch.library.custom_op("eqlib::uniform", mutates_args=())
def _uniform(seed: int, steps: Tensor, shape: list[int], device: torch.device) -> Tensor:
    return torch.rand(shape, generator=_generator(seed, steps, device), device=device)


@_uniform.register_fake
def _(seed, steps, shape, device):
    return torch.empty(shape, device=device)
