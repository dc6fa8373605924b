"""Fields of a record read from a file: each the right type, or an InputError that names file and row."""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from eqlib.errors import InputError, shown
from eqlib.files import CONTROL, relative
from eqlib.quads import LARGEST


class Row:
    """One record and where it stands; a method for each type of field, so that no check is forgotten."""

    def __init__(self, record: object, where: str | Path, row: object):
        if not isinstance(record, dict):
            raise InputError("a record (JSON object)", shown(record), where=where, row=row)
        self.record, self.where, self.row = record, where, row

    def get(self, key: str) -> Any:
        if key not in self.record:
            raise InputError(f"the key {key!r}", f"keys {shown(list(self.record))}", **self.place)
        return self.record[key]

    @property
    def place(self) -> dict:
        return {"where": self.where, "row": self.row}

    def fail(self, expected: str, got: object) -> InputError:
        return InputError(expected, shown(got), **self.place)

    def _checked(self, key: str, good: bool, expected: str) -> Any:
        if not good:
            raise self.fail(f"{expected} under {key!r}", self.record[key])
        return self.record[key]

    def text(self, key: str) -> str:
        """A string that is not blank."""
        return self._checked(key, is_text(self.get(key)), "text")

    def texts(self, key: str) -> list[str]:
        """A text, or a list of texts, as a list."""
        value = self.get(key)
        texts = value if isinstance(value, list) else [value]
        self._checked(key, bool(texts) and all(map(is_text, texts)), "text, or a list of texts,")
        return texts

    def label(self, key: str) -> str:
        """A string or an integer, as a string: ids and subset names."""
        value = self.get(key)
        good = isinstance(value, str | int) and not isinstance(value, bool) and value != ""
        self._checked(key, good, "a name or number")
        return str(self._checked(key, not CONTROL.search(str(value)), "a name of one line"))

    def count(self, key: str) -> int:
        """A natural number, or its digits."""
        value = self.label(key)
        return int(self._checked(key, value.isdecimal() and len(value) < 19, "a natural number"))

    def optional_label(self, key: str, default: str) -> str:
        return default if self.record.get(key) is None else self.label(key)

    def number(self, key: str) -> int:
        value = self.get(key)
        return self._checked(key, isinstance(value, int) and not isinstance(value, bool), "an integer")

    def finite(self, key: str) -> float:
        value = self.get(key)
        good = isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= LARGEST
        return float(self._checked(key, good, "a finite number"))

    def real(self, key: str) -> float:
        """As ``finite``, or the digits of such a number, as a table of texts has them."""
        value = self.get(key)
        if isinstance(value, str) and "_" not in value:
            with suppress(ValueError):
                return Row({key: float(value)}, **self.place).finite(key)
        return self.finite(key)

    def one_of(self, key: str, known: Sequence) -> Any:
        """The value under ``key``, one of ``known`` (all of them numbers, or texts)."""
        value = self.get(key)
        good = type(value) is type(known[0]) and value in known
        return self._checked(key, good, " or ".join(map(str, known)))

    def image(self, key: str, suffix: str | None = None) -> str:
        """A relative path that stays under its root; ``suffix`` maps pictures of another edition (".png" to ".jpg")."""
        return image_path(self.get(key), suffix, **self.place)


def image_path(name: object, suffix: str | None = None, *, where: str | Path, row: object) -> str:
    """``name`` once checked. YouCook2's ``.npy`` frames exist in one format only and keep their suffix."""
    name = relative(name, where=where, row=row)
    if suffix is not None:
        stem, dot, old = name.rpartition(".")
        if dot and "/" not in old and old.lower() != "npy":
            return relative(stem + suffix, where=where, row=row)
    return name


def is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value) and not value.isspace()


def records_of(value: object, where: str | Path) -> list:
    """A file's content as a list of records; an empty file is an error, never a suite without items."""
    if not isinstance(value, list):
        raise InputError("a list of records", shown(value), where=where)
    if not value:
        raise InputError("at least one record", "none", where=where)
    return value


def joined(found: Iterable[tuple[Row, Any, str, object]], cells: Sequence[str], where: Path) -> dict[Any, list]:
    """``{item: the values of its cells, in the order of cells}`` from (row, item, cell, value) in any order.

    Raises InputError where a cell of an item comes twice, or is missing.
    """
    items: dict[Any, dict] = {}
    for row, item, cell, value in found:
        known = items.setdefault(item, {})
        if cell in known:
            raise row.fail("each item and cell once", f"{cell} of item {item} again")
        known[cell] = value
    for item, known in items.items():
        if lacking := [cell for cell in cells if cell not in known]:
            raise InputError(f"{lacking[0]} of item {item}", "none", where=where)
    return {item: [known[cell] for cell in cells] for item, known in items.items()}


def unique(values: Sequence[str], what: str, where: str | Path) -> None:
    """Raise InputError naming the first value that comes twice."""
    if len(again := np.flatnonzero(pd.Series(values, dtype=object).duplicated())):
        got = f"{shown(values[again[0]])} again"
        raise InputError(f"a {what} of its own for every record", got, where=where, row=int(again[0]))
