"""A table of cells as CSV, Markdown, LaTeX (booktabs) and, in the page, HTML."""

from __future__ import annotations

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

_TEX = {
    "\\": r"\textbackslash{}",
    **{character: f"\\{character}" for character in "&%$#_{}"},
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    **{character: f"${character}$" for character in "<>|"},
    "−": "$-$",
    "→": r"$\to$",
    "–": "--",
}


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

    body = [" & ".join(map(cell, row)) + r" \\" for row in table.rows]
    return "\n".join(
        [
            r"\begin{table}[t]",
            r"\centering",
            rf"\caption{{{tex(table.title)}. {tex(table.caption)}}}",
            rf"\label{{tab:{table.name}}}",
            rf"\begin{{tabular}}{{l{'r' * (len(table.columns) - 1)}}}",
            r"\toprule",
            " & ".join(map(tex, table.columns)) + r" \\",
            r"\midrule",
            *body,
            r"\bottomrule",
            r"\end{tabular}",
            r"\end{table}",
            "",
        ]
    )


def tex(text: str) -> str:
    """``text`` with LaTeX's special characters escaped."""
    return "".join(_TEX.get(character, character) for character in text)


def write(table: Table, folder: str | Path, order: int = 0) -> None:
    """``name.csv`` (the numbers), ``name.md``, ``name.tex`` and ``name.json`` (the cells, for the page)."""
    for kind, text in (("md", markdown(table)), ("tex", latex(table))):
        with whole(Path(folder) / f"{table.name}.{kind}") as draft:
            draft.write_text(text, encoding="utf-8")
    with whole(Path(folder) / f"{table.name}.csv") as draft:
        table.data.to_csv(draft, index=False, float_format="%.6g", lineterminator="\n")
    rows = [[vars(cell) for cell in row] for row in table.rows]
    words = {"title": table.title, "caption": table.caption, "columns": table.columns}
    write_json(Path(folder) / f"{table.name}.json", {"order": order, "name": table.name, **words, "rows": rows})
