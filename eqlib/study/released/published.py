"""Figures that others published, as a table: numbers with their source, in percent."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from eqlib.errors import InputError
from eqlib.files import reading

COLUMNS = ("benchmark", "subset", "model", "metric", "value", "edition", "source", "note")


def published(path: str | Path | None = None) -> pd.DataFrame:
    """The published figures (COLUMNS), or those of an own CSV of the same form; an empty edition was not stated.

    ``rounding`` is added: half a unit of the last digit that was printed (30.8: 0.05, 30.80: 0.005). Values are percent
    as printed. Facts quoted one by one with their source; no score file or annotation of others is among them. Raises
    InputError naming the row where a column, a value or a source is missing.
    """
    path = Path(path) if path else Path(__file__).with_name("published.csv")
    with reading(path, "a CSV table", ValueError):  # pandas' parser errors are ValueErrors
        table = pd.read_csv(path, dtype=str, keep_default_na=False)
    if missing := [name for name in COLUMNS if name not in table]:
        raise InputError(f"columns {', '.join(COLUMNS)}", f"{', '.join(missing)} missing", where=path)
    value = pd.to_numeric(table["value"], errors="coerce")
    for row, good in enumerate(value.notna() & table["source"].ne("") & table["model"].ne("")):
        if not good:
            raise InputError("a model, a number and a source", dict(table.iloc[row]), where=path, row=f"line {row + 2}")
    digits = table["value"].str.partition(".")[2].str.len()
    return table.assign(value=value, rounding=0.5 / 10.0**digits)[[*COLUMNS, "rounding"]]
