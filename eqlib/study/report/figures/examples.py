"""Quads as they are: pictures, captions with the words that changed in bold, and the similarities of one."""

from collections.abc import Sequence
from difflib import SequenceMatcher

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import text_to_path
from PIL import Image

from eqlib.files import under
from eqlib.quads import SCORE_COLUMNS
from eqlib.study.report.study import outcomes
from eqlib.study.report.style import INK, PAGE, QUIET, RIGHT, WRONG, colours, in_order, label, panels, style
from eqlib.suites.images import open_image
from eqlib.suites.suite import QuadSuite

SIDES = ("#0072B2", "#D55E00")
"""Colours of the first and the second caption."""

SIZE = 6.0
"""Points of a caption's letters."""

ROWS = 4
"""Lines of a caption at most."""


def marked(caption0: str, caption1: str) -> tuple[list[tuple[str, bool]], list[tuple[str, bool]]]:
    """Both captions as words, each with True where it is not shared with the other caption.

    >>> marked("a red cube", "a blue cube")
    ([('a', False), ('red', True), ('cube', False)], [('a', False), ('blue', True), ('cube', False)])
    """
    first, second = caption0.split(), caption1.split()
    # Full stops and capitals are not a change of meaning. autojunk would drop frequent words of long captions.
    plain = [[word.strip(".,;:!?\"'").lower() for word in words] for words in (first, second)]
    changed0, changed1 = [True] * len(first), [True] * len(second)
    for block in SequenceMatcher(None, *plain, autojunk=False).get_matching_blocks():
        changed0[block.a : block.a + block.size] = [False] * block.size
        changed1[block.b : block.b + block.size] = [False] * block.size
    return list(zip(first, changed0, strict=True)), list(zip(second, changed1, strict=True))


def load(suite: QuadSuite, name: str, *, side: int = 320) -> Image.Image:
    """The picture ``name`` of ``suite`` in RGB, at most ``side`` pixels wide or high (``open_image``)."""
    picture = open_image(under(suite.root, name))
    picture.thumbnail((side, side))
    return picture


def lines(words: Sequence[tuple[str, bool]], width: float) -> list[list[tuple[str, bool, float]]]:
    """``words`` (word, changed) in lines of at most ``width`` points at SIZE: (word, changed, x in points)."""

    def long(text: str, bold: bool) -> float:
        font = FontProperties(family=plt.rcParams["font.family"], size=SIZE, weight="bold" if bold else "normal")
        return text_to_path.get_text_width_height_descent(text, font, ismath=False)[0]

    rows: list[list[tuple[str, bool, float]]] = [[]]
    x = 0.0
    for word, changed in words:
        if rows[-1] and x + long(word, changed) > width:
            rows.append([])
            x = 0.0
        rows[-1].append((word, changed, x))
        x += long(word, changed) + long(" ", False)
    return rows


def pair(axes: Sequence[Axes], suite: QuadSuite, record: pd.Series) -> None:
    """The two pictures of ``record``, its captions below, changed words in bold; axes already at their final size."""
    for side, words in enumerate(marked(record["caption0"], record["caption1"])):
        ax = axes[side]
        ax.imshow(np.asarray(load(suite, record[f"image{side}"])), aspect="equal", interpolation="none")
        ax.set(xticks=[], yticks=[])
        ax.grid(False)
        ax.spines[:].set(visible=True, color="#c9cdd4", linewidth=0.7)
        rows = lines(words, 72 * ax.get_position().width * ax.figure.get_figwidth())
        if len(rows) > ROWS:
            rows = [*rows[: ROWS - 1], [*rows[ROWS - 1][:-1], ("…", False, rows[ROWS - 1][-1][2])]]
        for number, row in enumerate(rows):
            for word, changed, x in row:
                ax.annotate(word, (0, 0), xycoords="axes fraction", xytext=(x, -3 - number * SIZE * 1.28), va="top",
                            textcoords="offset points", fontsize=SIZE, fontweight="bold" if changed else "normal",
                            color=SIDES[side] if changed else INK, annotation_clip=False)  # fmt: skip


def examples(suite: QuadSuite, most: int = 8) -> pd.DataFrame:
    """Records to show, by subset: of those that change fewest words, the ones nearest the median caption length.

    One a subset, more where the suite has fewer than four subsets.
    """
    records = suite.records
    pairs = zip(records["caption0"], records["caption1"], strict=True)
    words = [sum(changed for side in marked(*captions) for _, changed in side) for captions in pairs]
    length = records["caption0"].str.len() + records["caption1"].str.len()
    # The median length, not the shortest: a picture of what the subset asks, not of its easiest item.
    distance = (length - length.groupby(records["subset"]).transform("median")).abs()
    order = ["subset", "_words", "_far", "quad"]
    ranked = records.assign(_words=words, _far=distance).sort_values(order, kind="stable")
    each = max(1, 4 // ranked["subset"].nunique())
    return ranked.groupby("subset", sort=True).head(each).head(most)[list(records.columns)]


def benchmark(suite: QuadSuite, records: pd.DataFrame) -> np.ndarray:
    """The quads of ``records`` (see ``examples``), two axes each: pictures, captions below, changed words in bold."""
    gap, side = 0.04, PAGE / 8 - 0.05
    texts = [words for _, r in records.iterrows() for words in marked(r["caption0"], r["caption1"])]
    tall = side + 0.3 + min(ROWS, max(len(lines(words, 72 * side)) for words in texts)) * SIZE * 1.28 / 72
    axes = panels(2 * len(records), tall, across=8, layout="none")
    down = -(-len(records) // 4)
    for number, (_, record) in enumerate(records.iterrows()):
        of = axes[2 * number : 2 * number + 2]
        for half, ax in enumerate(of):
            x = (number % 4) * PAGE / 4 + half * (side + gap) + 0.03
            y = (down - number // 4) * tall - 0.2 - side
            ax.set_position((x / PAGE, y / (down * tall), side / PAGE, side / (down * tall)))
        pair(of, suite, record)
        of[0].set_title(str(record["subset"]), fontsize=7)
        count = f"{suite.counts()[record['subset']]:,} quads"
        of[1].set_title(count, loc="right", fontsize=5.8, color=QUIET, fontweight="normal")
    return axes


def example(items: pd.DataFrame, before: Sequence[str], after: str) -> str | None:
    """The quad to show, on scores averaged over seeds: right under ``after``, wrong under every method of ``before``.

    How clear a quad is: the least distance of I from abs(a) + abs(b) under any of them. The one taken is clearer than
    nine in ten, not the clearest. None where there is no such quad.
    """
    margin = outcomes(items)["margin"].unstack("method").dropna()
    clear = np.minimum(margin[after], -margin[list(before)].max(axis=1))
    clear = clear[clear > 0].sort_index().sort_values(kind="stable")
    return None if clear.empty else str(clear.index[int(0.9 * (len(clear) - 1))])


def motivation(suite: QuadSuite, items: pd.DataFrame, quad: str) -> np.ndarray:
    """The two pictures of ``quad``, then one panel a method: each caption's similarity with both images (mean over
    seeds). Arrows that rise and fall by the same amount are what an equivariant similarity gives."""
    means = items[items["quad"] == quad].groupby("method")[list(SCORE_COLUMNS)].mean()
    methods, shades = in_order(means.index), colours(items["method"])
    down = -(-len(methods) // 4)
    across = -(-len(methods) // down)  # rows as even as can be
    side, tall = 1.12, 1.78
    with style():
        figure = plt.figure(figsize=(PAGE, down * tall))
        figure.set_layout_engine("none")

    def axes(left: float, top: float, width: float, height: float) -> Axes:
        return figure.add_axes((left / PAGE, 1 - (top + height) / (down * tall), width / PAGE, height / (down * tall)))

    pictures = [axes(0.04 + number * (side + 0.06), 0.2, side, side) for number in (0, 1)]
    pair(pictures, suite, suite.records.set_index("quad").loc[quad])
    for number, ax in enumerate(pictures):
        ax.set_title(f"Image {number}")
    left = 2 * side + 0.32
    step = (PAGE - left) / across
    room = 0.16 * np.ptp(means.to_numpy())
    drawn = []
    for number, method in enumerate(methods):
        ax = axes(left + number % across * step, 0.2 + number // across * tall, 0.94 * step, 1.0)
        _arrows(ax, means.loc[method].to_numpy().reshape(2, 2))
        ax.set_title(label(method), color=shades[method])
        ax.set(ylim=(means.to_numpy().min() - room, means.to_numpy().max() + room), yticks=[])
        drawn.append(ax)
    drawn[0].set_ylabel("similarity", labelpad=0)
    return np.array([*pictures, *drawn])


def _arrows(ax: Axes, s: np.ndarray) -> None:
    """Two arrows, one a caption, from image 0 to image 1, for the block ``s[image, caption]``; the verdict below."""
    for c, colour in enumerate(SIDES):
        head = {"arrowstyle": "-|>,head_width=.18,head_length=.35", "shrinkA": 0, "shrinkB": 0}
        ax.annotate("", (1, s[1, c]), (0, s[0, c]), arrowprops={**head, "color": colour, "linewidth": 1.5})
        ax.plot(0, s[0, c], "o", color=colour, markersize=3)
    for i, c in np.ndindex(2, 2):  # the two numbers at one picture stand apart, the higher one above
        above = s[i, c] > s[i, 1 - c] or (s[i, c] == s[i, 1 - c] and c == 0)
        ax.annotate(f"{s[i, c]:.2f}", (i, s[i, c]), xytext=((-3, 3)[i], 3 if above else -3), fontsize=5.8,
                    textcoords="offset points", ha=("right", "left")[i], va="bottom" if above else "top",
                    color=SIDES[c])  # fmt: skip
    evidence, threshold = s[0, 0] + s[1, 1] - s[0, 1] - s[1, 0], abs(s[0, 0] - s[1, 1]) + abs(s[1, 0] - s[0, 1])
    right = evidence > threshold
    said = (
        (f"I = {evidence:.2f}".replace("-", "−"), "normal", QUIET),
        (f"|a| + |b| = {threshold:.2f}", "normal", QUIET),
        (f"group {'right' if right else 'wrong'}", "bold", RIGHT if right else WRONG),
    )
    for row, (text, weight, colour) in enumerate(said):
        ax.annotate(text, (0.5, 0), xycoords="axes fraction", xytext=(0, -14.5 - 8 * row), textcoords="offset points",
                    ha="center", va="top", fontsize=6, fontweight=weight, color=colour)  # fmt: skip
    ax.set(xlim=(-0.6, 1.6))
    ax.set_xticks([0, 1], ["image 0", "image 1"])
    ax.spines["left"].set_visible(False)
    ax.grid(False)
    for x in (0, 1):
        ax.axvline(x, color="#e6e8ec", linewidth=0.8, zorder=0)
