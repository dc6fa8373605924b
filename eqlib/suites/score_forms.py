"""The forms that scores of a suite come in, told apart by what is in the file: what ``eqlib score`` reads."""

from collections.abc import Callable
from pathlib import Path

import pandas as pd

from eqlib.errors import InputError
from eqlib.files import stream_json
from eqlib.quads import score_table
from eqlib.suites.eqben import read_eqben
from eqlib.suites.eqben_scores import eqben_table
from eqlib.suites.outcomes import (
    bivlc_outcomes,
    colorswap_outcomes,
    naturalbench_answers,
    statement_answers,
    sugarcrepe_outcomes,
)
from eqlib.suites.quadfile import first_line, rows_of
from eqlib.suites.score_files import array_quads, quad_array, read_table
from eqlib.suites.score_lines import first_keys, foil_lines, sample_quads, statement_lines, winoground_table


def _eqben(path: Path, annotation: Path | None = None, **beside) -> pd.DataFrame:
    """A submission; or, beside a list of quads (the 10 % and mini editions), their scores in its order."""
    if annotation is None or not _lists_quads(annotation):
        return eqben_table(path, annotation=annotation, **beside)
    if odd := next((name for name, value in beside.items() if value is not None), None):
        raise InputError(f"no --{odd} beside a list of quads", beside[odd], where=annotation)
    suite, scores = read_eqben(annotation), quad_array(path)
    if len(scores) != len(suite):
        raise InputError(f"scores ({len(suite)}, 2, 2) or ({len(suite)}, 4)", f"{len(scores)} quads", where=path)
    names = {name: suite.records[name].to_list() for name in ("subset", "quad", "cluster")}
    return score_table(scores, suite=suite.name, edition=suite.edition, **names)


def _lists_quads(annotation: Path) -> bool:
    first = next(stream_json(annotation), None)
    return isinstance(first, dict) and "image0" in first


def _winoground(path: Path, quads: Path | None = None, tags: Path | None = None) -> pd.DataFrame:
    table = _of_a_harness(path, "winoground", quads)
    table = winoground_table(path) if table is None else table
    if tags is None:
        return table
    known = {row.label("id"): row.text("collapsed_tag") for row in rows_of(tags)}
    if lacking := next((quad for quad in table["quad"] if quad not in known), None):
        raise InputError(f"item {lacking}", "none", where=tags)
    return table.assign(subset=table["quad"].map(known))


def _table(path: Path, quads: Path | None = None) -> pd.DataFrame:
    table = _of_a_harness(path, quads.stem if quads else "quads", quads)
    return read_table(path) if table is None else table


def _of_a_harness(path: Path, suite: str, quads: Path | None) -> pd.DataFrame | None:
    """Scores of quads that t2v_metrics or lmms-eval wrote; None for our own forms."""
    if path.suffix in (".pt", ".npy"):
        return array_quads(path, suite=suite, items=quads)
    return sample_quads(path, suite=suite) if "eqlib_group" in first_keys(path) else None


def _valse(path: Path) -> pd.DataFrame:
    return foil_lines(path) if "label" in first_keys(path) else read_table(path, foils_of="valse")


def _sugarcrepe(path: Path) -> pd.DataFrame:
    if path.suffix == ".csv" and "correct" in first_line(path):
        return sugarcrepe_outcomes(path)
    return read_table(path, foils_of="sugarcrepe")


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
