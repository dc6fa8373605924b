"""One style, one colour and mark a method, the printed sizes."""

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from itertools import cycle
from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from eqlib.files import whole

COLUMN, PAGE = 3.25, 6.875
"""Widths in inches of a column and of the page, as CVPR, ICCV and ECCV papers print them."""

STYLE = Path(__file__).with_name("style.mplstyle")

INK, QUIET, LINE = "#1d2128", "#646b77", "#8a909a"
RIGHT, WRONG = "#00805D", "#B3372B"

# Contrast with white is at least 3:1. The default study's five stay apart with every common colour blindness: blue and
# vermilion of Okabe & Ito (2008), a grey, a dark purple and a dark green. The others also differ by their mark.
METHODS = {
    "pretrained": ("Pretrained", "#7A7F87", "o"),
    "contrastive": ("Contrastive", "#0072B2", "s"),
    "pairwise": ("Pairwise", "#6B1F73", "X"),
    "eqsim": ("EqSim", "#D55E00", "D"),
    "relative": ("Relative EqSim", "#24520F", "^"),
    "separate": ("Separate term", "#007A8A", "d"),
    "rank": ("Rank hinge", "#9C5A1E", "H"),
    "cyclip": ("CyCLIP", "#009E73", "h"),
    "negclip": ("NegCLIP", "#CC79A7", "v"),
    "eqsim_negclip": ("EqSim + NegCLIP", "#8C4A6B", "*"),
    "siglip": ("SigLIP", "#004D3A", "p"),
    "itm": ("Matching head", "#8C6D1F", "<"),
    "eqsim_itm": ("EqSim on the head", "#B2182B", ">"),
    "released": ("EqSim, released recipe", "#5A3A00", "P"),
}
SPARE = ("#3B7A57", "#A87900", "#4C4C8A", "#A65E2E", "#4E8F87")


def style() -> AbstractContextManager:
    """``with style(): ...`` draws in the project's style and leaves matplotlib's own settings alone."""
    return mpl.rc_context(mpl.rc_params_from_file(STYLE, use_default_template=False))


def use_style() -> None:
    """Set the project's style for the whole process: the first cell of a notebook that draws."""
    mpl.rcParams.update(mpl.rc_params_from_file(STYLE, use_default_template=False))


def in_order(methods: Iterable[str]) -> list[str]:
    """The methods once each: the known ones in the order of METHODS, then the others by name."""
    known = list(METHODS)
    return sorted(set(methods), key=lambda method: (known.index(method) if method in known else len(known), method))


def label(method: str) -> str:
    """How a method is printed: ``eqsim`` as EqSim, an unknown ``my_method`` as my method."""
    return METHODS[method][0] if method in METHODS else method.replace("_", " ")


def colours(methods: Iterable[str]) -> dict[str, str]:
    """Method to colour. A known method has the same colour in every figure; others take spare ones by name."""
    spare = cycle(SPARE)
    return {method: METHODS[method][1] if method in METHODS else next(spare) for method in in_order(methods)}


def markers(methods: Iterable[str]) -> dict[str, str | tuple]:
    """Method to marker, so that no figure speaks by colour alone."""
    spare = cycle(["8", (7, 0, 0), (4, 1, 45)])
    return {method: METHODS[method][2] if method in METHODS else next(spare) for method in in_order(methods)}


def panels(number: int, height: float, *, width: float = PAGE, across: int = 0, **options) -> np.ndarray:
    """``number`` new axes as a flat array, each row ``height`` inches high in the printed style. ``width`` of the
    figure in inches, ``across``: axes in a row (0: all); ``options``: of ``plt.subplots``."""
    down = -(-number // (across := across or number))
    with style():
        _, made = plt.subplots(down, across, figsize=(width, down * height), squeeze=False, **options)
    for ax in made.ravel()[number:]:
        ax.remove()
    return made.ravel()[:number]


def legend(
    owner: Axes | Figure, methods: Iterable[str], *, line: str = "none", mark: bool = True, also: Sequence = (), **where
) -> None:
    """The methods' colours and marks above an axes, or at the top right of a figure, after the handles ``also``;
    ``line``: a line's style."""
    shade, marks = colours(methods), markers(methods)
    drawn = [
        Line2D([], [], color=shade[m], marker=marks[m] if mark else "", linestyle=line, label=label(m)) for m in shade
    ]
    above = {"loc": "lower right", "bbox_to_anchor": (1, 1)}
    place = {"loc": "outside upper right"} if isinstance(owner, Figure) else above
    owner.legend(handles=[*also, *drawn], **{**place, "ncols": len(drawn), **where})


def save(figure: Figure, folder: str | Path, name: str) -> list[Path]:
    """Write ``name.pdf`` and ``name.png`` (300 dpi) under ``folder``, the same bytes on every run; return both paths.

    No creation date, no version of the writer, no SOURCE_DATE_EPOCH from outside.
    """
    metadata = {"pdf": {"CreationDate": None, "Creator": None, "Producer": None}, "png": {"Software": None}}
    paths = [Path(folder) / f"{name}.{kind}" for kind in metadata]
    with style():
        for path, (kind, without) in zip(paths, metadata.items(), strict=True):
            with whole(path) as draft:
                figure.savefig(draft, format=kind, metadata=without)
    return paths
