"""Which scenes belong to which split, and a check that proves that none belongs to two.

A scene's *place* (backdrop, light, camera: what no edit touches) is drawn from a grid of about 2 million cells; a hash
of the cell names its split. So two splits cannot share a scene, whatever the seed and the sizes. Colour-kind
combinations are held out too: each picture of the compositional split holds at least one, every other picture none.
"""

import hashlib
from collections import Counter
from collections.abc import Iterable
from functools import lru_cache

import numpy as np

from eqlib.errors import InputError
from eqlib.study.scenes.compose import draw_place
from eqlib.study.scenes.dials import Dials
from eqlib.study.scenes.scene import Place, check_known
from eqlib.study.scenes.vocabulary import COLOURS, KINDS

SHARES = {"pretrain": 9, "train": 5, "val": 2, "test": 2, "compositional": 2}
"""Of twenty cells of places, how many belong to each split."""

HELD_OUT = 7
"""One colour-kind combination in so many is never trained on."""


def split_of(place: Place) -> str:
    """The one split that a place belongs to."""
    text = f"{place.backdrop} {place.palette} {place.mood} {place.light} {place.horizon} {place.detail}"
    cells = [split for split, share in SHARES.items() for _ in range(share)]
    return cells[hashlib.sha256(text.encode()).digest()[0] % len(cells)]


def place_in(split: str, rng: np.random.Generator, dials: Dials) -> Place:
    """A random place of a split. Raises InputError for an unknown split."""
    check_known("split", split, SHARES)
    while split_of(place := draw_place(rng, dials)) != split:
        pass
    return place


@lru_cache(maxsize=1)
def held_out() -> frozenset[tuple[str, str]]:
    """The (kind, colour) combinations that only the compositional split holds: a Latin-square diagonal, so every kind
    and every colour is seen in training, but not together."""
    return frozenset(
        (kind, colour)
        for row, kind in enumerate(KINDS)
        for column, colour in enumerate(COLOURS)
        if (row * 3 + column) % HELD_OUT == 0
    )


def check_splits(scenes: Iterable[tuple[str, str, dict]]) -> dict[str, int]:
    """Prove from written ground truth that no scene and no held-out combination leaked.

    ``scenes``: (split, item, record as scene.to_dict writes it). Returns the number of scenes in each split.
    Raises InputError naming the item whose place belongs to another split, or that holds a held-out combination.
    """
    counts: Counter[str] = Counter()
    for split, item, record in scenes:
        owner = split_of(Place(**record["place"]))
        if owner != split:
            raise InputError(f"a place of {split}", f"one of {owner}", row=item)
        pairs = {(thing["kind"], thing["colour"]) for thing in record["things"] if thing["group"] >= 0}
        unseen = {(thing["kind"], thing["colour"]) for thing in record["things"]} & held_out()
        if split == "compositional":
            if not pairs & held_out():
                raise InputError("a colour-kind combination never trained on", sorted(pairs), row=item)
        elif unseen:
            raise InputError("only combinations that may be trained on", sorted(unseen), row=item)
        counts[split] += 1
    return dict(counts)
