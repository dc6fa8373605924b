"""Draws of chance. Only ``rng.random()`` is used: NumPy keeps that stream, while its other methods may change."""

from collections.abc import Sequence
from typing import TypeVar

import numpy as np

Option = TypeVar("Option")


def pick(rng: np.random.Generator, options: Sequence[Option]) -> Option:
    """One of the options, each as likely."""
    return options[int(rng.random() * len(options))]


def between(rng: np.random.Generator, low: float, high: float) -> float:
    """A number in [low, high), to two decimals: what the ground truth's JSON says is what is drawn."""
    return round(low + (high - low) * rng.random(), 2)


def shuffled(rng: np.random.Generator, options: Sequence[Option]) -> list[Option]:
    """The options in a random order."""
    return [option for _, option in sorted(((rng.random(), i), option) for i, option in enumerate(options))]


def stream(*key: int) -> np.random.Generator:
    """The random stream of one item: (seed, split, number). Any item can be made alone, by any worker."""
    return np.random.default_rng(np.random.SeedSequence(list(key)))
