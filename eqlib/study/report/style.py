"""One style, one colour a method, one way to save a figure."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractContextManager
from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure

from eqlib.files import whole

COLUMN, PAGE = 3.25, 6.875
"""Widths in inches of a column and of the page, as CVPR, ICCV and ECCV papers print them."""

STYLE = Path(__file__).with_name("style.mplstyle")

INK, QUIET, LINE = "#1d2128", "#646b77", "#8a909a"
RIGHT, WRONG = "#009E73", "#B3372B"

# Okabe & Ito (2008). Blue and vermilion, the pair that differs most, go to the two methods the study compares.
METHODS = {
    "pretrained": ("Pretrained", "#7A7F87", "o"),
    "contrastive": ("Contrastive", "#0072B2", "s"),
    "pairwise": ("Pairwise", "#56B4E9", "X"),
    "eqsim": ("EqSim", "#D55E00", "D"),
    "cyclip": ("CyCLIP", "#009E73", "^"),
    "negclip": ("NegCLIP", "#CC79A7", "v"),
    "eqsim_negclip": ("EqSim + NegCLIP", "#8F3B76", "*"),
    "siglip": ("SigLIP", "#5B3A8C", "p"),
    "itm": ("Matching head", "#8C6D1F", "<"),
    "eqsim_itm": ("EqSim on the head", "#B2182B", ">"),
    "released": ("EqSim, released recipe", "#E69F00", "P"),
}
SPARE = ("#3B7A57", "#F0B400", "#4C4C8A", "#A65E2E", "#6FA8A0")


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
    spare = (colour for _ in range(100) for colour in SPARE)
    return {method: METHODS[method][1] if method in METHODS else next(spare) for method in in_order(methods)}


def markers(methods: Iterable[str]) -> dict[str, str]:
    """Method to marker, so that no figure speaks by colour alone."""
    spare = (marker for _ in range(100) for marker in "hd8H")
    return {method: METHODS[method][2] if method in METHODS else next(spare) for method in in_order(methods)}


def save(figure: Figure, folder: str | Path, name: str) -> list[Path]:
    """Write ``name.pdf`` and ``name.png`` (300 dpi) under ``folder``, the same bytes on every run; return both paths.

    No creation date, no version of the writer, no SOURCE_DATE_EPOCH from outside.
    """
    paths = []
    metadata = {"pdf": {"CreationDate": None, "Creator": None, "Producer": None}, "png": {"Software": None}}
    with style():
        for kind in ("pdf", "png"):
            path = Path(folder) / f"{name}.{kind}"
            with whole(path) as draft:
                figure.savefig(draft, format=kind, metadata=metadata[kind])
            paths.append(path)
    return paths
