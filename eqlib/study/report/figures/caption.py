"""A caption under a picture, wrapped, with the words that changed in bold."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import text_to_path

from eqlib.study.report.style import INK


def lines(words: Sequence[tuple[str, bool]], width: float, size: float) -> list[list[tuple[str, bool, float]]]:
    """``words`` (word, changed) in lines of at most ``width`` points at font ``size``: (word, changed, x in points)."""
    space = _width(" ", size, False)
    rows: list[list[tuple[str, bool, float]]] = [[]]
    x = 0.0
    for word, changed in words:
        long = _width(word, size, changed)
        if rows[-1] and x + long > width:
            rows.append([])
            x = 0.0
        rows[-1].append((word, changed, x))
        x += long + space
    return rows


def caption(
    ax: Axes, words: Sequence[tuple[str, bool]], width: float, *, colour: str, size: float = 6.2, most: int = 4
) -> Axes:
    """Write ``words`` below ``ax``, ``width`` points wide from its left edge; changed words bold in ``colour``."""
    rows = lines(words, width, size)
    if len(rows) > most:
        rows = rows[:most]
        rows[-1] = [*rows[-1][:-1], ("…", False, rows[-1][-1][2])]
    for number, row in enumerate(rows):
        for word, changed, x in row:
            ax.annotate(
                word,
                (0, 0),
                xycoords="axes fraction",
                xytext=(x, -3 - number * size * 1.28),
                textcoords="offset points",
                va="top",
                fontsize=size,
                fontweight="bold" if changed else "normal",
                color=colour if changed else INK,
                annotation_clip=False,
            )
    return ax


def _width(text: str, size: float, bold: bool) -> float:
    family = plt.rcParams["font.family"]
    prop = FontProperties(family=family, size=size, weight="bold" if bold else "normal")
    return text_to_path.get_text_width_height_descent(text, prop, ismath=False)[0]
