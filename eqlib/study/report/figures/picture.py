"""A picture of a quad in an axes of its own."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from PIL import Image

from eqlib.files import under
from eqlib.suites.images import open_image
from eqlib.suites.suite import QuadSuite


def load(suite: QuadSuite, name: str, *, side: int = 320) -> Image.Image:
    """The picture ``name`` of ``suite`` in RGB, at most ``side`` pixels wide or high (``open_image``)."""
    picture = open_image(under(suite.root, name))
    picture.thumbnail((side, side))
    return picture


def picture(ax: Axes, suite: QuadSuite, name: str, *, frame: str = "#c9cdd4") -> Axes:
    """Show the picture ``name`` without ticks, in a thin frame."""
    ax.imshow(np.asarray(load(suite, name)), aspect="equal", interpolation="none")
    ax.set(xticks=[], yticks=[])
    ax.grid(False)
    for spine in ax.spines.values():
        spine.set(visible=True, color=frame, linewidth=0.7)
    return ax
