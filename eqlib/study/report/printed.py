"""A figure as it goes to print, with the words beside it."""

from __future__ import annotations

from dataclasses import dataclass

from matplotlib.figure import Figure


@dataclass(frozen=True)
class Printed:
    """A drawn figure, its title and caption, and a text for those who cannot see it.

    ``pictures``: it shows photographs or renderings, which must not be recoloured for a dark page.
    """

    figure: Figure
    title: str
    caption: str
    alt: str
    pictures: bool = False
