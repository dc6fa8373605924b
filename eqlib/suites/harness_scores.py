"""What evaluation harnesses leave, by item id: lmms-eval's samples, VLMEvalKit's predictions, t2v_metrics' arrays.

- lmms-eval ``*_samples_*.jsonl``: a line a request; our tasks (``eqlib/lmms_eval``) log which cell of which quad
  it is, NaturalBench's log the index and the answer that was read
- VLMEvalKit ``<model>_<dataset>.xlsx``, ``.tsv``, ``.json``: a row a question: ``index``, ``answer``, ``prediction``
- t2v_metrics ``.pt``, or ``.npy``: scores (n, image, caption) without names, in the order of a file that has them

An answer that is neither of the two asked for is wrong, and counted in ``unparsed``; anything else that cannot be read
is an InputError that names file and row.
"""

from __future__ import annotations

import re
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
import pandas as pd

from eqlib.errors import InputError
from eqlib.quads import check_scores, score_table
from eqlib.suites.fields import Row
from eqlib.suites.line_scores import finite
from eqlib.suites.quadfile import read_quads, read_records
from eqlib.suites.winoground import ITEMS

OPTIONS = {"yes_no": ("yes", "no"), "multiple_choice": ("a", "b")}
GROUPS = 1900
RIGHT = (1, 0, 0, 1)
"""NaturalBench's questions of a group, in the order of their index: question 0 on image 0, on image 1, question 1 on
image 0, on image 1; 1 where the first option (yes, A) is right."""


def sample_quads(path: str | Path, *, suite: str, edition: str | None = None) -> pd.DataFrame:
    """Score table of lmms-eval's samples of a task of ours: one line a cell, ``{..., "eqlib_group": {"id", "image",
    "caption", "value", "unparsed", "subset", "cluster"}}``, in any order; and ``unparsed``, (n,) answers of four."""
    path = Path(path)
    found, unparsed, names = {}, {}, {}
    for number, record in enumerate(read_records(path), start=1):
        row = Row(Row(record, path, f"line {number}").get("eqlib_group"), path, f"line {number}, eqlib_group")
        item, image, caption = row.label("id"), row.number("image"), row.number("caption")
        if image not in (0, 1) or caption not in (0, 1):
            raise row.fail("image and caption 0 or 1", (image, caption))
        if (item, image, caption) in found:
            raise row.fail("each cell once", f"{item}_c{caption}_i{image} again")
        found[item, image, caption] = finite(row, "value")
        unparsed[item] = unparsed.get(item, 0) + bool(row.record.get("unparsed"))
        names[item] = (row.optional_label("subset", "all"), row.optional_label("cluster", item))
    scores = np.empty((len(unparsed), 2, 2))
    for place, item in enumerate(unparsed):
        for image, caption in np.ndindex(2, 2):
            if (item, image, caption) not in found:
                raise InputError(f"a score of {item}_c{caption}_i{image}", "none", where=path)
            scores[place, image, caption] = found[item, image, caption]
    subset, cluster = (list(values) for values in zip(*names.values(), strict=True))
    table = score_table(
        scores,
        suite=suite,
        edition=edition or f"{len(scores)} items",
        quad=list(unparsed),
        subset=subset,
        cluster=cluster,
    )
    return table.assign(unparsed=list(unparsed.values()))


def array_quads(
    path: str | Path, *, suite: str, items: str | Path | None = None, edition: str | None = None
) -> pd.DataFrame:
    """Score table of t2v_metrics' scores (n, image, caption), ``.pt`` (loaded without running code) or ``.npy``.

    The array has no names: ``items``, a quad file (EqBen's mini ``all_select.json``, say), gives id, subset and cluster
    of each row. Without it only all of Winoground is taken, whose rows t2v_metrics checks to be its ids.
    """
    path = Path(path)
    scores = check_scores(_array(path), where=path)
    if items is None:
        if suite != "winoground" or len(scores) != ITEMS:
            raise InputError("--quads with the ids, or all 400 items of Winoground", f"{len(scores)} rows", where=path)
        return score_table(scores, suite=suite, edition=edition or f"{ITEMS} items")
    records = read_quads(items).records
    if len(records) != len(scores):
        raise InputError(f"{len(records)} rows as in {Path(items).name}", len(scores), where=path)
    names = {name: records[name].to_list() for name in ("subset", "quad", "cluster")}
    return score_table(scores, suite=suite, edition=edition or f"{len(scores)} items", **names)


def naturalbench_answers(path: str | Path, *, edition: str | None = None) -> pd.DataFrame:
    """NaturalBench's four answers a group, from lmms-eval's samples or VLMEvalKit's predictions.

    Outcomes a group, as in its ``get_scores``: ``acc`` (share of the four), ``q_acc`` (of the two questions, right on
    both images), ``i_acc`` (of the two images, both questions right), float64; ``group`` (all four), bool; and
    ``unparsed``, answers of the four. The first option named in an answer counts, as there. A group without one of its
    questions, or whose stated answers are not yes, no, no, yes (A, B, B, A), is an InputError: ids are mixed up.
    """
    path = Path(path)
    found: dict[int, int | None] = {}
    for row in _rows(path):
        index, said, stated = _natural(row)
        if index in found:
            raise row.fail("each index once", f"{index} again")
        if stated.strip().lower() not in {options[1 - RIGHT[index % 4]] for options in OPTIONS.values()}:
            raise row.fail(f"the answer {'yes or A' if RIGHT[index % 4] else 'no or B'} to question {index}", stated)
        if index >= 4 * GROUPS:
            raise row.fail(f"an index below {4 * GROUPS}", index)
        found[index] = said
    groups = sorted({index // 4 for index in found})
    for group in groups:
        if missing := [4 * group + k for k in range(4) if 4 * group + k not in found]:
            raise InputError(f"question {missing[0]} of group {group}", "none", where=path)
    answers = [[found[4 * group + k] for k in range(4)] for group in groups]
    right = np.array([[said == k for said, k in zip(four, RIGHT, strict=True)] for four in answers])
    right = right.reshape(-1, 2, 2)  # question, image
    table = pd.DataFrame({"quad": [str(group) for group in groups]})
    table["acc"], table["group"] = right.mean(axis=(1, 2)), right.all(axis=(1, 2))
    table["q_acc"], table["i_acc"] = right.all(axis=2).mean(axis=1), right.all(axis=1).mean(axis=1)
    table["unparsed"] = [four.count(None) for four in answers]
    every = f"{GROUPS:,} groups"
    edition = edition or (every if len(groups) == GROUPS else f"{len(groups):,} of {every}")
    return table.assign(suite="naturalbench", edition=edition, subset="all", cluster=table["quad"])


def statement_answers(path: str | Path, *, suite: str = "vsr", edition: str | None = None) -> pd.DataFrame:
    """Outcomes of VLMEvalKit's predictions on true and false statements (VSR-zeroshot): ``accuracy`` where the
    ``prediction`` says the ``answer``, Yes or No; ``unparsed`` (bool) where it has neither word, or both."""
    rows = []
    seen: set[str] = set()
    for row in _rows(Path(path)):
        item, answer = row.label("index"), row.text("answer").strip().lower()
        if item in seen:
            raise row.fail("each index once", f"{item} again")
        if answer not in ("yes", "no"):
            raise row.fail("the answer Yes or No", row.get("answer"))
        seen.add(item)
        said = set(re.findall(r"\b(?:yes|no)\b", str(row.record.get("prediction", "")).lower()))
        rows.append((item, said == {answer}, len(said) != 1))
    table = pd.DataFrame(rows, columns=["quad", "accuracy", "unparsed"])
    return table.assign(suite=suite, edition=edition or f"{len(rows)} items", subset="all", cluster=table["quad"])


def option(text: str, kind: str) -> int | None:
    """1 where the first option of OPTIONS[kind] comes first in ``text`` as a word, 0 where the second does, or None."""
    first, second = OPTIONS[kind]
    found = re.search(rf"\b(?:{first}|{second})\b", text, re.IGNORECASE)
    return None if found is None else int(found[0].lower() == first)


def _natural(row: Row) -> tuple[int, int | None, str]:
    """Index, the option that was said (1, 0 or None) and the answer that is right."""
    if "naturalbench_G_ACC" in row.record:
        read = Row(row.get("naturalbench_G_ACC"), row.where, f"{row.row}, naturalbench_G_ACC")
        said = read.number("score")
        if said not in (1, 0, -1):
            raise read.fail("the score 1, 0 or -1", said)
        return int(read.label("id")), None if said == -1 else said, row.text("target")
    kind = row.text("type")
    if kind not in OPTIONS:
        raise row.fail(f"the type {' or '.join(OPTIONS)}", kind)
    index = row.label("index")
    if not index.isdecimal():
        raise row.fail("a number under 'index'", index)
    return int(index), option(str(row.record.get("prediction", "")), kind), row.text("answer")


def _rows(path: Path) -> list[Row]:
    """The rows of a .jsonl, .json, .csv, .tsv or .xlsx file; cells as text, an empty one absent."""
    if path.suffix not in (".tsv", ".xlsx"):
        return [Row(record, path, f"row {n}") for n, record in enumerate(read_records(path), start=1)]
    how = {"dtype": str, "keep_default_na": False}
    try:
        table = pd.read_excel(path, **how) if path.suffix == ".xlsx" else pd.read_csv(path, sep="\t", **how)
    except ImportError as error:
        raise InputError('openpyxl to read .xlsx (pip install "eqlib[xlsx]"), or .tsv', "none", where=path) from error
    except (OSError, ValueError, KeyError, BadZipFile) as error:
        raise InputError(f"a {path.suffix} table", str(error).splitlines()[0], where=path) from error
    return [Row({k: v for k, v in record.items() if v != ""}, path, f"row {n}")
            for n, record in enumerate(table.to_dict("records"), start=1)]  # fmt: skip


def _array(path: Path) -> np.ndarray:
    if path.suffix == ".npy":
        from eqlib.suites.score_files import read_scores

        return read_scores(path)
    try:
        import torch
    except ImportError as error:
        raise InputError('torch to read .pt (pip install "eqlib[torch]"), or .npy', "none", where=path) from error
    try:
        found = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise InputError("a readable file", error.strerror or str(error), where=path) from error
    except Exception as error:  # torch has many, for damaged files and for what would run code
        raise InputError("a tensor saved by torch, and no code", type(error).__name__, where=path) from error
    if not isinstance(found, torch.Tensor):
        raise InputError("a tensor (n, 2, 2)", type(found).__name__, where=path)
    return found.detach().float().numpy()
