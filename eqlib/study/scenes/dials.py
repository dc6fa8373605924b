"""How hard the benchmark is: one frozen record of dials."""

from typing import Annotated

from pydantic import Field

from eqlib.study.parameters import record
from eqlib.study.scenes.vocabulary import COLOURS, KINDS


@record
class Dials:
    """Difficulty. Raises InputError where a dial is out of its range."""

    kinds: Annotated[int, Field(ge=8, le=len(KINDS))] = 8
    """How many kinds of thing, in the vocabulary's order."""
    colours: Annotated[int, Field(ge=3, le=len(COLOURS))] = 6
    """How many colours."""
    clutter: Annotated[int, Field(ge=0, le=6)] = 0
    """At most so many things that no caption mentions."""
    count: Annotated[int, Field(ge=2, le=6)] = 4
    """Largest number of equal things."""
    vigour: Annotated[float, Field(ge=0.2, le=1)] = 1.0
    """How far sizes, colours and states differ, from hardly to fully."""
    overlap: Annotated[float, Field(ge=0, le=0.4)] = 0.12
    """Largest share of a thing's box that another may cover."""
    variety: Annotated[float, Field(ge=0, le=1)] = 0.5
    """Share of pictures with a backdrop, light and camera of their own; the others stand in a studio at noon."""
    sensor: Annotated[float, Field(ge=0, le=0.3)] = 0.02
    """Standard deviation of the pixel noise, as a share of the range."""
