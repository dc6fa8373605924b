"""Figures that others published, in percent with their source, and ours beside them."""

from pathlib import Path

import pandas as pd

from eqlib.errors import InputError
from eqlib.files import reading

COLUMNS = ("benchmark", "subset", "model", "metric", "value", "edition", "source", "note")

ROUNDING = 0.005
"""Half a unit of the second decimal of a percentage: what two figures may differ by and still be the same."""

METRICS = {("bivlc", "text"): "I2T", ("bivlc", "image"): "T2I", ("sugarcrepe", "pairwise"): "accuracy"}
"""(suite, our score) -> the name it is published under, where that differs."""

BESIDE = ("benchmark", "subset", "model", "metric", "ours", "low", "high", "published", "difference")


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


def conformance(
    summary: pd.DataFrame, published: pd.DataFrame, *, model: str, tolerance: float = 0.0, reason: str = ""
) -> pd.DataFrame:
    """A row for every published figure of ``model`` that ``summary`` (of ``summarise``) also has; percent.

    ``published``: columns benchmark, subset, model, metric, value (percent), edition, source, and ``rounding``, half a
    unit of the last digit that was printed (default ROUNDING). Its subset ``all`` meets our ``micro`` where we have
    several subsets. ``tolerance``: points by which we may differ, with the ``reason`` why
    (another edition, checkpoint or precision); without one, rounding. Columns: BESIDE, then tolerance, verdict,
    edition (ours), published_edition, source, reason.

    ``verdict`` is ``equal`` (to the printed digit), ``within`` (the tolerance), ``differs``; with ``, other edition``
    where the published figure names an edition that ours does not start with.
    """
    ours = summary.copy()
    pairs = zip(ours["suite"], ours["score"], strict=True)
    ours["metric"] = [METRICS.get(pair, pair[1]) for pair in pairs]
    if "all" not in set(ours["subset"]):
        ours["subset"] = ours["subset"].replace({"micro": "all"})
    theirs = published[published["model"] == model]
    theirs = theirs if "rounding" in theirs else theirs.assign(rounding=ROUNDING)
    keys = {"left_on": ["suite", "subset", "metric"], "right_on": ["benchmark", "subset", "metric"]}
    rows = ours.drop(columns="model", errors="ignore").merge(theirs, suffixes=("", "_published"), **keys)
    rows = rows.rename(columns={"value": "published", "edition_published": "published_edition"})
    rows["ours"] = 100 * rows["point"]
    rows[["low", "high"]] *= 100
    rows["difference"] = rows["ours"] - rows["published"]
    rows["tolerance"], rows["reason"] = tolerance, reason
    rows["verdict"] = [
        verdict(*row)
        for row in rows[["difference", "tolerance", "edition", "published_edition", "rounding"]].itertuples(index=False)
    ]
    return rows[[*BESIDE, "tolerance", "verdict", "edition", "published_edition", "source", "reason"]]


def verdict(
    difference: float, tolerance: float, edition: str, published_edition: str, rounding: float = ROUNDING
) -> str:
    """See ``conformance``.

    >>> verdict(0.004, 0, "400 items", ""), verdict(0.3, 0.5, "full, png", "20k cap"), verdict(0.3, 0, "full", "full")
    ('equal', 'within, other edition', 'differs')
    """
    word = "equal" if abs(difference) <= rounding + 1e-9 else "within" if abs(difference) <= tolerance else "differs"
    return word if not published_edition or edition.startswith(published_edition) else f"{word}, other edition"
