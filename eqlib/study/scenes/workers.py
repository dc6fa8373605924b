"""Numbered jobs in several processes: results in order, few of them in memory."""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from itertools import chain
from multiprocessing import get_context
from typing import Self, TypeVar

from eqlib.errors import InputError
from eqlib.progress import progress
from eqlib.study.parent import end_with

Result = TypeVar("Result")
CHUNK = 16  # jobs that go to a process at once
BLOCK = 2048  # jobs that are handed out before the first of them is asked for: bounds memory at any length


class Workers:
    """A pool of ``workers`` processes, or this process where it is 1. Raises InputError for less."""

    def __init__(self, workers: int):
        if workers < 1:
            raise InputError("at least one worker", workers, row="workers")
        # Spawned, not forked: a forked child of a process with threads (Jupyter, torch) may hang.
        spawn = {"mp_context": get_context("spawn"), "initializer": end_with, "initargs": (os.getpid(),)}
        self._pool = ProcessPoolExecutor(workers, **spawn) if workers > 1 else None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        if self._pool:
            self._pool.shutdown(cancel_futures=True)

    def run(self, make: Callable[[int], Result], n: int, what: str) -> Iterator[Result]:
        """``make(0), make(1), ... make(n - 1)``, in this order, with a progress bar named ``what``."""
        each = partial(self._pool.map, chunksize=CHUNK) if self._pool else map
        blocks = (each(make, range(n)[start : start + BLOCK]) for start in range(0, n, BLOCK))
        yield from progress(chain.from_iterable(blocks), total=n, desc=what, leave=False)
