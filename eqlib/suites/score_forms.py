"""The forms that scores of a suite come in, told apart by what is in the file: what ``eqlib score`` reads."""

from collections.abc import Callable
from pathlib import Path

import pandas as pd

from eqlib.errors import InputError
from eqlib.files import bounded, reading, stream_json
from eqlib.suites.eqben import read_eqben
from eqlib.suites.eqben_scores import eqben_table
from eqlib.suites.outcomes import (
    bivlc_outcomes,
    colorswap_outcomes,
    naturalbench_answers,
    statement_answers,
    sugarcrepe_outcomes,
)
from eqlib.suites.quadfile import read_quads, rows_of
from eqlib.suites.score_files import array_quads, read_table
from eqlib.suites.score_lines import foil_lines, sample_quads, statement_lines, winoground_table


def _eqben(path: Path, annotation: Path | None = None, **beside) -> pd.DataFrame:
    """A submission; or, beside a list of quads (the 10 % and mini editions), their scores in its order."""
    if annotation is None or not _lists_quads(annotation):
        return eqben_table(path, annotation=annotation, **beside)
    if odd := next((name for name, value in beside.items() if value is not None), None):
        raise InputError(f"no --{odd} beside a list of quads", beside[odd], where=annotation)
    quads = read_eqben(annotation)
    return array_quads(path, suite="eqben", items=quads, edition=quads.edition)


def _lists_quads(annotation: Path) -> bool:
    first = next(stream_json(annotation), None)
    return isinstance(first, dict) and "image0" in first


def _winoground(path: Path, quads: Path | None = None, tags: Path | None = None) -> pd.DataFrame:
    table = _quads(path, "winoground", quads, winoground_table)
    if tags is None:
        return table
    known = {row.label("id"): row.text("collapsed_tag") for row in rows_of(tags)}
    if lacking := next((quad for quad in table["quad"] if quad not in known), None):
        raise InputError(f"item {lacking}", "none", where=tags)
    return table.assign(subset=table["quad"].map(known))


def _table(path: Path, quads: Path | None = None) -> pd.DataFrame:
    return _quads(path, quads.stem if quads else "quads", quads, read_table)


def _quads(path: Path, suite: str, quads: Path | None, own: Callable[[Path], pd.DataFrame]) -> pd.DataFrame:
    """Scores of quads as t2v_metrics or lmms-eval write them, or in a form of our ``own``."""
    if path.suffix in (".pt", ".npy"):
        return array_quads(path, suite=suite, items=read_quads(quads) if quads else None)
    return sample_quads(path, suite=suite) if _has(path, ".jsonl", '"eqlib_group"') else own(path)


def _has(path: Path, suffix: str, key: str) -> bool:
    """Whether a file of texts names ``key`` in its first line, which tells one form from another."""
    if path.suffix != suffix:
        return False
    with reading(path, "a file", ValueError), bounded(path).open(encoding="utf-8-sig", errors="replace") as file:
        return key in file.readline(1 << 24)


def _valse(path: Path) -> pd.DataFrame:
    return foil_lines(path) if _has(path, ".jsonl", '"label"') else read_table(path, foils_of="valse")


def _sugarcrepe(path: Path) -> pd.DataFrame:
    return sugarcrepe_outcomes(path) if _has(path, ".csv", "correct") else read_table(path, foils_of="sugarcrepe")


def _vsr(path: Path) -> pd.DataFrame:
    return statement_lines(path) if path.suffix == ".jsonl" else statement_answers(path)


SCORE_FORMS: dict[str, Callable[..., pd.DataFrame]] = {
    "eqben": _eqben,
    "winoground": _winoground,
    "valse": _valse,
    "vsr": _vsr,
    "naturalbench": naturalbench_answers,
    "sugarcrepe": _sugarcrepe,
    "bivlc": bivlc_outcomes,
    "colorswap": colorswap_outcomes,
    "table": _table,
}
"""Suite -> reader of a score file and the files beside it: a table with ``eqlib.quads.KEYS`` and scores of quads
(SCORE_COLUMNS), scores of foils (s_caption, s_foil), or outcomes. Raises InputError naming file and row."""
