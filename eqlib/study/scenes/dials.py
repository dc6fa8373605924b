"""How hard the benchmark is: one frozen record of dials."""

from dataclasses import dataclass, field, fields
from typing import Any

from eqlib.errors import InputError
from eqlib.study.scenes.vocabulary import COLOURS, KINDS


def dial(default: float, low: float, high: float) -> Any:
    """A field with the range that it may have."""
    return field(default=default, metadata={"range": (low, high)})


@dataclass(frozen=True)
class Dials:
    """Difficulty. Raises InputError where a dial is out of its range."""

    kinds: int = dial(8, 8, len(KINDS))
    """How many kinds of thing, in the vocabulary's order."""
    colours: int = dial(6, 3, len(COLOURS))
    """How many colours."""
    clutter: int = dial(0, 0, 6)
    """At most so many things that no caption mentions."""
    count: int = dial(4, 2, 6)
    """Largest number of equal things."""
    vigour: float = dial(1.0, 0.2, 1)
    """How far sizes, colours and states differ, from hardly to fully."""
    overlap: float = dial(0.12, 0, 0.4)
    """Largest share of a thing's box that another may cover."""
    variety: float = dial(0.5, 0, 1)
    """Share of pictures with a backdrop, light and camera of their own; the others stand in a studio at noon."""
    sensor: float = dial(0.02, 0, 0.3)
    """Standard deviation of the pixel noise, as a share of the range."""

    def __post_init__(self) -> None:
        for each in fields(self):
            value, (low, high) = getattr(self, each.name), each.metadata["range"]
            if not low <= value <= high:
                raise InputError(f"{low} to {high}", value, row=each.name)
