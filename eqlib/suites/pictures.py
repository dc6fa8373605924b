"""A captioned picture as its file tells it: beyond captions, a minimal pair and hard negatives."""

from typing import NamedTuple

from eqlib.suites.fields import Row


class Picture(NamedTuple):
    """One picture: its path, its captions and, for each of them, a text that is false of it ("" for none).

    ``row`` is the record that it comes from, which may name a ``split`` and a ``group`` (the minimal pair).
    """

    row: Row
    image: str
    captions: list[str]
    negatives: list[str]


def picture_of(row: Row, image: str) -> Picture:
    """From a record whose ``caption`` is a text or a list of texts."""
    texts = row.texts("caption")
    return Picture(row, image, texts, negatives_of(row, len(texts)))


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
