"""Score lines of captions and foils (VALSE) and of statements (VSR)."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path

import pandas as pd

from eqlib.errors import InputError
from eqlib.suites.fields import Row
from eqlib.suites.quadfile import read_records

LABEL = re.compile(r"(\d+)_([cf])")


def foil_lines(path: str | Path, *, suite: str = "valse", edition: str | None = None) -> pd.DataFrame:
    """One row an item from JSONL lines ``{"label": "0_c" or "0_f", "score", "instrument"}``, in any order.

    Columns suite, edition, subset, quad, cluster, s_caption, s_foil (float64). Subsets are the instruments; an item is
    named "instrument/0". Which foils share a picture the lines do not say, so an item is its own cluster. Raises
    InputError for a label or score that cannot be read, a label that comes twice, an item without caption or foil.
    """
    path = Path(path)
    found: dict[tuple[str, str], dict[str, float]] = {}
    for number, record in enumerate(read_records(path), start=1):
        row = Row(record, path, f"line {number}")
        label = LABEL.fullmatch(row.text("label"))
        if not label:
            raise row.fail("a label like 12_c or 12_f", row.get("label"))
        sides = found.setdefault((row.optional_label("instrument", "all"), label[1]), {})
        if label[2] in sides:
            raise row.fail("each label once", f"{row.get('label')} again")
        sides[label[2]] = finite(row, "score")
    for (instrument, item), sides in found.items():
        if len(sides) < 2:
            raise InputError("a caption and a foil", f"{min(sides)} alone", where=path, row=f"{instrument}/{item}")
    items = [(instrument, f"{instrument}/{item}", *map(sides.get, "cf")) for (instrument, item), sides in found.items()]
    table = pd.DataFrame(items, columns=["subset", "quad", "s_caption", "s_foil"])
    table = table.assign(suite=suite, edition=edition or f"{len(table)} items", cluster=table["quad"])
    return table[["suite", "edition", "subset", "quad", "cluster", "s_caption", "s_foil"]]


def statement_lines(path: str | Path, *, suite: str = "vsr", edition: str | None = None) -> pd.DataFrame:
    """Outcomes of JSONL lines ``{"id", "label": 0 or 1, "score": p(true), "relation"}``: ``accuracy`` (bool) is right
    where ``score >= 0.5`` says what the label says. Columns suite, edition, subset (``all``), quad, cluster, label,
    score, accuracy. Raises InputError for a label, score or id that cannot be read, and an id that comes twice.
    """
    path = Path(path)
    rows: dict[str, tuple[int, float]] = {}
    for number, record in enumerate(read_records(path), start=1):
        row = Row(record, path, f"line {number}")
        label, score, item = row.number("label"), finite(row, "score"), row.label("id")
        if label not in (0, 1):
            raise row.fail("the label 0 or 1", label)
        if not 0 <= score <= 1:
            raise row.fail("a probability as score", score)
        if item in rows:
            raise row.fail("each id once", f"{item} again")
        rows[item] = (label, score)
    table = pd.DataFrame(list(rows.values()), columns=["label", "score"])
    table["quad"] = table["cluster"] = list(rows)
    table["accuracy"] = (table["score"] >= 0.5) == (table["label"] == 1)
    table = table.assign(suite=suite, edition=edition or f"{len(rows)} items", subset="all")
    return table[["suite", "edition", "subset", "quad", "cluster", "label", "score", "accuracy"]]


def first_keys(path: Path) -> set[str]:
    """The keys of the first record of a JSONL file: which form it has. Empty for any other file."""
    if path.suffix != ".jsonl":
        return set()
    try:
        with path.open(encoding="utf-8-sig") as file:
            first = json.loads(file.readline())
    except (OSError, ValueError, RecursionError):  # the reader of the form says what is wrong
        return set()
    return set(first) if isinstance(first, dict) else set()


def finite(row: Row, key: str) -> float:
    """The number under ``key``; raises InputError where it is no finite number."""
    value = row.get(key)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise row.fail(f"a finite number under {key!r}", value)
    return float(value)
