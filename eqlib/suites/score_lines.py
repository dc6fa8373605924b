"""Scores one a line, in any order and joined by item: quads, captions with their foils, statements.

- quads as Winoground's ``{"label": "0_c0_i1", "score": 0.97}``, or as lmms-eval's samples of our own tasks
- captions and foils as VALSE's ``{"label": "0_c", "score": 0.97, "instrument": "plurals"}``
- statements as VSR's ``{"id": 0, "label": 1, "score": 0.97, "relation": "under"}``

Every reader raises InputError naming file and line for a field that cannot be read, and for an item that has a cell
twice or lacks one.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from eqlib.errors import InputError
from eqlib.quads import OFFICIAL_COLUMNS, item_table, score_table
from eqlib.suites.fields import Row, joined
from eqlib.suites.quad_sets import WINOGROUND
from eqlib.suites.quadfile import rows_of


def winoground_table(path: str | Path) -> pd.DataFrame:
    """Score table of Winoground's lines, four an item: one subset ``all``, quads ordered by id. A label reads caption
    first: ``0_c0_i1`` is ``scores[0, 1, 0]``."""
    path = Path(path)
    labelled = _labelled(path, re.compile(r"(\d{1,9})_(c[01]_i[01])"), "0_c0_i1")
    found = ((row, int(item), cell, row.finite("score")) for row, item, cell in labelled)
    scores = dict(sorted(joined(found, OFFICIAL_COLUMNS, path).items()))
    if unknown := [item for item in scores if item >= WINOGROUND]:
        raise InputError(f"ids 0 to {WINOGROUND - 1}", f"{len(unknown)} others", where=path)
    edition = f"{WINOGROUND} items" if len(scores) == WINOGROUND else f"{len(scores)} of {WINOGROUND} items"
    blocks = np.array([*scores.values()]).reshape(-1, 2, 2)
    return score_table(blocks, suite="winoground", edition=edition, quad=list(map(str, scores)))


def sample_quads(path: str | Path, *, suite: str) -> pd.DataFrame:
    """Score table of lmms-eval's samples of a task of ours: one line a cell, ``{..., "eqlib_group": {"id", "image",
    "caption", "value", "unparsed", "subset", "cluster"}}``; and ``unparsed``, (n,) answers of four."""
    path = Path(path)
    found, names = [], {}
    for line in rows_of(path):
        row = Row(line.get("eqlib_group"), path, f"{line.row}, eqlib_group")
        item, image, caption = row.label("id"), row.one_of("image", (0, 1)), row.one_of("caption", (0, 1))
        found.append((row, item, f"c{caption}_i{image}", (row.finite("value"), bool(row.record.get("unparsed")))))
        names[item] = (row.optional_label("subset", "all"), row.optional_label("cluster", item))
    cells = np.array([*joined(found, OFFICIAL_COLUMNS, path).values()])  # (n, 4, value and unparsed)
    subset, cluster = map(list, zip(*names.values(), strict=True))
    table = score_table(cells[:, :, 0].reshape(-1, 2, 2), suite=suite, quad=[*names], subset=subset, cluster=cluster)
    return table.assign(unparsed=cells[:, :, 1].sum(axis=1).astype(int))


def foil_lines(path: str | Path, *, suite: str = "valse") -> pd.DataFrame:
    """One row an item: columns suite, edition, subset, quad, cluster, s_caption, s_foil (float64).

    Subsets are the instruments; an item is named "instrument/0". Which foils share a picture the lines do not say, so
    an item is its own cluster.
    """
    path = Path(path)
    found, subset = [], {}
    for row, number, side in _labelled(path, re.compile(r"(\d+)_([cf])"), "12_c or 12_f"):
        instrument = row.optional_label("instrument", "all")
        item = f"{instrument}/{number}"
        subset[item] = instrument
        found.append((row, item, {"c": "caption", "f": "foil"}[side], row.finite("score")))
    caption, foil = np.array([*joined(found, ("caption", "foil"), path).values()]).T
    return item_table(suite=suite, quad=[*subset], subset=[*subset.values()], s_caption=caption, s_foil=foil)


def statement_lines(path: str | Path, *, suite: str = "vsr") -> pd.DataFrame:
    """Outcomes of lines with a label (1: the statement is true) and the score p(true): ``accuracy`` (bool) is right
    where ``score >= 0.5`` says what the label says. Columns suite, edition, subset (``all``), quad, cluster, label,
    score, accuracy."""
    path = Path(path)
    found = []
    for row in rows_of(path):
        if not 0 <= (score := row.finite("score")) <= 1:
            raise row.fail("a probability as score", score)
        found.append((row, row.label("id"), "score", (row.one_of("label", (0, 1)), score)))
    items = joined(found, ("score",), path)
    label, score = (np.array(values) for values in zip(*(pair for [pair] in items.values()), strict=True))
    right = (score >= 0.5) == (label == 1)
    return item_table(suite=suite, quad=[*items], label=label, score=score, accuracy=right)


def _labelled(path: Path, labels: re.Pattern, like: str) -> Iterator[tuple[Row, str, str]]:
    """(row, item, cell) of each line, by the two groups of its label."""
    for row in rows_of(path):
        label = labels.fullmatch(row.text("label"))
        if not label:
            raise row.fail(f"a label like {like}", row.get("label"))
        yield row, label[1], label[2]
