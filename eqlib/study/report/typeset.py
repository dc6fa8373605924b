"""Figures and tables as files: PDF, PNG; CSV, Markdown, LaTeX. Their words lie beside them as JSON, for the report."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from eqlib.files import whole, write_json
from eqlib.study.report.style import save

_TEX = str.maketrans(
    {
        "\\": r"\textbackslash{}",
        **{character: f"\\{character}" for character in "&%$#_{}"},
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        **{character: f"${character}$" for character in "<>|"},
        "−": "$-$",
        "→": r"$\to$",
        "–": "--",
    }
)


@dataclass(frozen=True)
class Words:
    """What is said of the figure ``name``; ``alt``: a text for those who cannot see it.

    ``pictures``: it shows photographs or renderings, which must not be recoloured for a dark page.
    """

    name: str
    title: str
    caption: str
    alt: str
    pictures: bool = False


@dataclass(frozen=True)
class Cell:
    """``text`` with an interval or p value in ``small`` print; ``value`` is what the column sorts by."""

    text: str
    small: str = ""
    bold: bool = False
    value: float | None = None


@dataclass(frozen=True)
class Table:
    """``rows`` of cells under ``columns``, the words around them, and the numbers behind them (``data``, for CSV)."""

    name: str
    title: str
    caption: str
    columns: list[str]
    rows: list[list[Cell]]
    data: pd.DataFrame


def publish(axes: Axes | Sequence[Axes], words: Words, folder: str | Path) -> Figure:
    """Write the figure that ``axes`` stand in as ``words.name`` under ``folder``: PDF, PNG and the words as JSON."""
    figure = np.ravel(axes)[0].figure
    save(figure, folder, words.name)
    inches = [round(float(side), 3) for side in figure.get_size_inches()]
    write_json(Path(folder) / f"{words.name}.json", vars(words) | {"inches": inches})
    plt.close(figure)  # or a notebook shows it twice
    return figure


def write(table: Table, folder: str | Path) -> None:
    """``name.csv`` (the numbers), ``name.md``, ``name.tex`` and ``name.json`` (the cells, for the report)."""
    for kind, text in (("md", markdown(table)), ("tex", latex(table))):
        with whole(Path(folder) / f"{table.name}.{kind}") as draft:
            draft.write_text(text, encoding="utf-8")
    with whole(Path(folder) / f"{table.name}.csv") as draft:
        table.data.to_csv(draft, index=False, float_format="%.6g", lineterminator="\n")
    shown = {name: value for name, value in vars(table).items() if name != "data"}
    write_json(Path(folder) / f"{table.name}.json", shown | {"rows": [[vars(c) for c in row] for row in table.rows]})


def markdown(table: Table) -> str:
    """A pipe table with the caption below."""

    def cell(c: Cell) -> str:
        text = f"**{c.text}**" if c.bold else c.text
        return f"{text} {c.small}".strip().replace("|", r"\|")

    heads = " | ".join(name.replace("|", r"\|") for name in table.columns)
    lines = [f"| {heads} |", "|" + "|".join([" :-- ", *[" --: "] * (len(table.columns) - 1)]) + "|"]
    lines += ["| " + " | ".join(map(cell, row)) + " |" for row in table.rows]
    return "\n".join([f"**{table.title}.**", "", *lines, "", table.caption, ""])


def latex(table: Table) -> str:
    """A ``table`` with booktabs rules; needs ``\\usepackage{booktabs}`` and nothing else."""

    def cell(c: Cell) -> str:
        text = rf"\textbf{{{tex(c.text)}}}" if c.bold else tex(c.text)
        return text + (rf" {{\scriptsize {tex(c.small)}}}" if c.small else "")

    cells = pd.DataFrame(table.rows, columns=[*map(tex, table.columns)])
    return cells.style.hide(axis="index").format(cell).to_latex(
        column_format="l" + "r" * (len(table.columns) - 1),
        position="t",
        position_float="centering",
        hrules=True,
        caption=f"{tex(table.title)}. {tex(table.caption)}",
        label=f"tab:{table.name}",
    )  # fmt: skip


def tex(text: str) -> str:
    """``text`` with LaTeX's special characters escaped."""
    return text.translate(_TEX)
