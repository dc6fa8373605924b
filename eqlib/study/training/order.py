"""Which images a step takes: a pure function of seed and step, with the members of a group in one batch."""

from bisect import bisect_right
from collections import Counter, deque

import numpy as np

from eqlib.errors import InputError

ORDER = 0
"""The random stream of the order; captions and augmentation have others of the same seed."""


def permutation(images: int, epoch: int, *, seed: int) -> np.ndarray:
    return np.random.default_rng([seed, ORDER, epoch]).permutation(images)


class Order:
    """``order.at(step)``: which images a step takes. Every epoch is one seeded permutation cut into whole batches; what
    is left over waits for the next permutation.

    With ``groups`` (images,) int64, as in RetrievalSuite, an epoch permutes groups and fills one batch after the other:
    each takes the next group in line after which the batch can still be filled to the last place, and passes over the
    others, which stay first in line. The epoch ends when no exact filling is left, so its number of steps may differ
    from the next one's. Groups of one image each give the order without groups.

    Raises InputError where a group is larger than the batch, or no whole groups make one batch.
    """

    def __init__(self, images: int, batch: int, *, seed: int, groups: np.ndarray | None = None):
        self.images, self.batch, self.seed, self.members = images, batch, seed, None
        if groups is None:
            return
        self.members = members_of(groups)
        sizes = Counter(map(len, self.members))
        if max(sizes) > batch:
            raise InputError(f"a batch of at least {max(sizes)}, the largest group of images", batch)
        if not fills(batch, sizes):
            raise InputError(f"a batch that groups of {', '.join(map(str, sorted(sizes)))} images fill", batch)
        self._first, self._epoch, self._batches = [0], -1, []  # the first step of each epoch so far, and one beyond

    def at(self, step: int) -> tuple[int, np.ndarray]:
        """The epoch of ``step`` and its ``batch`` distinct image indices (int64)."""
        if self.members is None:
            epoch, place = divmod(step, self.images // self.batch)
            return epoch, permutation(self.images, epoch, seed=self.seed)[place * self.batch :][: self.batch]
        while self._first[-1] <= step:
            self._pack(len(self._first) - 1)
            self._first.append(self._first[-1] + len(self._batches))
        epoch = bisect_right(self._first, step) - 1
        if epoch != self._epoch:
            self._pack(epoch)
        return epoch, self._batches[step - self._first[epoch]]

    def _pack(self, epoch: int) -> None:
        line = permutation(len(self.members), epoch, seed=self.seed)
        self._epoch, self._batches = epoch, packed([self.members[group] for group in line], self.batch)


def members_of(groups: np.ndarray) -> list[np.ndarray]:
    """The image indices (int64, rising) of each group, groups in order of their number."""
    order = np.argsort(groups, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(groups[order])) + 1)


def mates(groups: np.ndarray) -> np.ndarray:
    """For each image of a batch the place in it of the next one of its group, round and round: (B, 1) int64.

    Of a pair each is the other's. Raises InputError where an image stands alone.
    """
    found = np.empty((len(groups), 1), np.int64)
    for places in members_of(groups):
        if len(places) < 2:
            raise InputError("images in groups of two or more", f"one alone, at place {places[0]} of a batch")
        found[places, 0] = np.roll(places, -1)
    return found


def packed(line: list[np.ndarray], batch: int) -> list[np.ndarray]:
    """Batches of exactly ``batch`` images from whole groups, taken greedily in the order of ``line``."""
    queue, ahead, batches = deque(line), Counter(map(len, line)), []
    while fills(batch, ahead):
        space, chosen, passed = batch, [], []
        while space:
            group = queue.popleft()
            ahead[len(group)] -= 1
            if len(group) <= space and fills(space - len(group), ahead):
                chosen.append(group)
                space -= len(group)
            else:
                passed.append(group)
        queue.extendleft(reversed(passed))
        ahead.update(map(len, passed))
        batches.append(np.concatenate(chosen))
    return batches


def fills(space: int, sizes: Counter) -> bool:
    """Whether some of the groups, ``sizes[size]`` of each size, fill ``space`` places exactly."""
    if sizes[1] >= space:
        return True
    reached = 1  # bit n: n places can be filled
    for size, count in sizes.items():
        count, step = min(count, space // size), 1
        while count > 0:  # 1, 2, 4, ... groups at once: every number up to the count is a sum of these
            step = min(step, count)
            reached |= reached << size * step
            count, step = count - step, 2 * step
    return bool(reached >> space & 1)
