"""Is a downloaded set whole? Counts, pictures, suffixes and edition, checked before a model spends hours on it."""

import os
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain
from pathlib import Path, PurePosixPath

import pandas as pd

from eqlib.errors import InputError
from eqlib.files import link_out
from eqlib.progress import progress
from eqlib.suites import foils, quad_sets
from eqlib.suites.eqben_scores import QUADS
from eqlib.suites.images import looks_whole, open_image
from eqlib.suites.read import read
from eqlib.suites.suite import AnySuite
from eqlib.suites.tars import member_of

EXPECTED: dict[str, dict[str, int]] = {
    "eqben": QUADS,
    "winoground": {"all": quad_sets.WINOGROUND},
    "sugarcrepe": foils.ITEMS,
    "cola": {"all": quad_sets.COLA},
}
"""Published records a subset, of the whole set in its newest edition. VALSE publishes one total."""

STATES = ("missing", "truncated", "unreadable")
SHOWN = 10
"""So many of the pictures that are wrong are printed."""


@dataclass(frozen=True)
class DoctorReport:
    """What ``check`` found.

    ``table``: one row a subset with records, expected (published, or missing), images, missing, truncated, unreadable
    and suffixes. ``offenders``: (picture, record that asks for it, what is wrong), in the set's order. ``problems``: a
    sentence each; none for a whole set. ``notes``: what is worth knowing and no fault.
    """

    suite: str
    edition: str
    table: pd.DataFrame
    offenders: list[tuple[Path, str, str]]
    problems: list[str]
    notes: list[str]

    @property
    def ok(self) -> bool:
        return not self.problems

    def __str__(self) -> str:
        """The summary, with the first offenders by name."""
        shown = self.table.astype(object).where(self.table.notna(), "-")
        lines = [f"{self.suite}, edition: {self.edition}", "", shown.to_string(index=False), ""]
        lines += [f"problem: {problem}" for problem in self.problems] + [f"note: {note}" for note in self.notes]
        lines += [f"  {path} ({record}): {what}" for path, record, what in self.offenders[:SHOWN]]
        if len(self.offenders) > SHOWN:
            lines.append(f"  ... and {len(self.offenders) - SHOWN} more")
        return "\n".join([*lines, "whole" if self.ok else "NOT WHOLE"])


def check(
    suite: str,
    path: str | Path,
    *,
    decode: bool = True,
    workers: int | None = None,
    show_progress: bool = True,
    **options,
) -> DoctorReport:
    """Check the set that the reader ``suite`` finds at ``path``; both and ``options`` as in ``eqlib.suites.read``.

    ``decode=True`` decodes every picture; False reads both ends of each file and decodes only those that look cut off,
    which finds missing and truncated files but no damage in the middle. ``workers``: threads, default Python's choice.

    Raises InputError where the annotation itself cannot be read: that message names file and row.
    """
    found = read(suite, path, **options)
    asked = found.pictures()
    pictures = asked["picture"].unique()
    blocks = [pictures[start : start + 1024] for start in range(0, len(pictures), 1024)]  # of files in flight at a time
    home = os.path.realpath(found.root)
    with ThreadPoolExecutor(workers) as pool:
        states = (pool.map(lambda name: _state(home, found.root / name, decode), block) for block in blocks)
        told = {"desc": f"{suite} pictures", "unit": "picture", "disable": not show_progress}
        bar = progress(chain.from_iterable(states), total=len(pictures), **told)
        asked["state"] = asked["picture"].map(dict(zip(pictures, bar, strict=True)))
    table = _table(found, _expected(suite, found), asked)
    bad = asked[asked["state"] != ""].drop_duplicates("picture")
    return DoctorReport(
        suite,
        f"{found.edition}, annotation {found.digest[:12]}",
        table,
        [(found.root / row.picture, row.record, row.state) for row in bad.itertuples()],
        list(_problems(suite, found, table, len(pictures), bad["state"])),
        [*found.notes, *_notes(pictures)],
    )


def _state(home: str, path: Path, decode: bool) -> str:
    """ "" for a good picture, else one of STATES with its reason. ``home``: the folder that no link may lead out of."""
    try:
        if not path.is_file() and member_of(path) is None:
            return "missing"
        if out := link_out(home, path):
            return f"unreadable: a link to {out}, outside {home}"
        if decode or not looks_whole(path):
            open_image(path)
    except (InputError, OSError) as error:  # OSError: a path that is too long
        reason = str(getattr(error, "got", error))
        empty = path.is_file() and path.stat().st_size == 0
        cut = empty or any(word in reason for word in ("truncated", "EOF", "could only read"))
        return f"{'truncated' if cut else 'unreadable'}: {reason}"
    return ""


def _table(suite: AnySuite, expected: dict[str, int], asked: pd.DataFrame) -> pd.DataFrame:
    counts = suite.counts()
    asked = asked.drop_duplicates(["subset", "picture"])
    rows = []
    for subset in dict.fromkeys([*expected, *counts]):
        part = asked[asked["subset"] == subset]
        found = {"subset": subset, "records": counts.get(subset, 0), "expected": expected.get(subset)}
        kinds = {state: int(part["state"].str.startswith(state).sum()) for state in STATES}
        rows.append(found | {"images": len(part)} | kinds | {"suffixes": _suffixes(part["picture"])})
    return pd.DataFrame(rows).astype({"expected": "Int64"})


def _expected(name: str, suite: AnySuite) -> dict[str, int]:
    """Published counts, where the annotation claims to be the whole set rather than a part of it."""
    if name == "eqben" and len(suite) < sum(QUADS.values()) // 2:
        return {}  # 10 %, mini, one subset: their sizes are not published by subset
    if name == "sugarcrepe" and "before" in suite.edition:
        return foils.ITEMS | {"swap_obj": 246}
    return EXPECTED.get(name, {})


def _problems(name: str, suite: AnySuite, table: pd.DataFrame, pictures: int, states: pd.Series) -> Iterator[str]:
    for row in table.dropna(subset="expected").itertuples():
        if row.records != row.expected:
            yield f"{row.subset}: {row.records} records, published {row.expected}"
    if name == "valse" and suite.edition.startswith("valid") and len(suite) != foils.VALID:
        yield f"{len(suite)} valid items, published {foils.VALID}"
    for state, count in Counter(state.split(":")[0] for state in states).items():
        yield f"{count} of {pictures} pictures {state}"
    if len(states) == pictures:
        yield f"no picture was found under {suite.root}: is this the pictures' folder? (option root)"


def _notes(pictures: Iterable[str]) -> Iterator[str]:
    mix = _suffixes(name for name in pictures if not name.lower().endswith(".npy"))
    if "," in mix:
        yield f"pictures of several suffixes: {mix}"


def _suffixes(pictures: Iterable[str]) -> str:
    """``.jpg 12, .png 3``"""
    counts = Counter(PurePosixPath(name).suffix.lower() or "none" for name in pictures)
    return ", ".join(f"{suffix} {n}" for suffix, n in counts.most_common())
