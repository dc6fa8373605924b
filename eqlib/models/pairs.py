"""What a call of a scorer holds: n pairs, in which pictures and captions come again."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import TypeVar

Item = TypeVar("Item")


def distinct(
    items: Sequence[Item], key: Callable[[Item], Hashable] = lambda item: item
) -> tuple[list[Item], list[int]]:
    """The distinct of ``items`` in the order they come, and the position among them of each of ``items``.

    Pictures are told apart by ``key=id``: one that is asked for twice is the same object twice.
    """
    found: dict[Hashable, tuple[int, Item]] = {}
    places = [found.setdefault(key(item), (len(found), item))[0] for item in items]
    return [item for _, item in found.values()], places


def firsts(items: Iterable[Item]) -> dict[Item, int]:
    """Each distinct of ``items`` and where it stands first, in the order they come."""
    found: dict[Item, int] = {}
    for n, item in enumerate(items):
        found.setdefault(item, n)
    return found


def batches(items: Sequence, size: int) -> list:
    """``items`` in slices of ``size``, the last of what is left."""
    return [items[start : start + size] for start in range(0, len(items), size)]
