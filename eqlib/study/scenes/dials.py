"""How hard the benchmark is: one frozen record of dials."""

from dataclasses import dataclass

from eqlib.errors import InputError
from eqlib.study.scenes.vocabulary import COLOURS, KINDS


@dataclass(frozen=True)
class Dials:
    """Difficulty. Raises InputError where a dial is out of its range."""

    kinds: int = 8
    """How many kinds of thing, in the vocabulary's order (8..20)."""
    colours: int = 6
    """How many colours (3..10)."""
    clutter: int = 0
    """At most so many things that no caption mentions."""
    count: int = 4
    """Largest number of equal things (2..6)."""
    vigour: float = 1.0
    """How far sizes, colours and states differ, from hardly (0.2) to fully (1)."""
    overlap: float = 0.12
    """Largest share of a thing's box that another may cover (0..0.4)."""
    variety: float = 0.5
    """Share of pictures with a backdrop, light and camera of their own; the others stand in a studio at noon."""
    sensor: float = 0.02
    """Standard deviation of the pixel noise, as a share of the range (0..0.3)."""

    def __post_init__(self) -> None:
        for name, low, high in (
            ("kinds", 8, len(KINDS)),
            ("colours", 3, len(COLOURS)),
            ("clutter", 0, 6),
            ("count", 2, 6),
            ("vigour", 0.2, 1),
            ("overlap", 0, 0.4),
            ("variety", 0, 1),
            ("sensor", 0, 0.3),
        ):
            value = getattr(self, name)
            if not low <= value <= high:
                raise InputError(f"{low} to {high}", value, row=name)
