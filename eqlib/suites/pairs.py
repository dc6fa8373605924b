"""What captioned images may tell beyond their captions: minimal pairs (``group``) and hard-negative captions."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from eqlib.suites.fields import Row


def group_numbers(groups: Sequence[str | None]) -> np.ndarray | None:
    """(n,) int64 for RetrievalSuite.groups: equal names get one number, an image without a name one of its own.

    Numbers count up in order of first appearance. None where no image names a group.
    """
    if not any(group is not None for group in groups):
        return None
    number: dict[object, int] = {}
    keys = [("image", n) if group is None else ("group", group) for n, group in enumerate(groups)]
    return np.array([number.setdefault(key, len(number)) for key in keys], dtype=np.int64)


def group_of(row: Row) -> str | None:
    """The optional field ``group`` of a record."""
    return row.optional_label("group", "") or None


def negatives_of(row: Row, captions: int) -> list[str]:
    """The optional field ``negatives`` of a record with so many captions: one text each, "" for none.

    Raises InputError where the field is no list of texts, or not as long.
    """
    found = row.record.get("negatives")
    if found is None:
        return [""] * captions
    if not isinstance(found, list) or len(found) != captions:
        raise row.fail(f"a list of {captions} under 'negatives', one for each caption", found)
    if not all(text is None or isinstance(text, str) for text in found):
        raise row.fail("texts under 'negatives'", found)
    return [(text or "").strip() for text in found]


def some(negatives: list[str]) -> list[str] | None:
    """``negatives``, or None where all are empty."""
    return negatives if any(negatives) else None
