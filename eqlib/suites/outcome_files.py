"""Published per-item results that keep right or wrong rather than scores: BiVLC, SugarCrepe, ColorSwap.

Each reader returns a table for ``eqlib.scoring.summarise``: suite, edition, subset, quad, cluster and bool columns.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd

from eqlib.errors import InputError
from eqlib.files import read_json
from eqlib.quads import item_table
from eqlib.suites.fields import Row, records_of
from eqlib.suites.quadfile import read_records


def bivlc_outcomes(path: str | Path) -> pd.DataFrame:
    """``text`` (I2T), ``image`` (T2I) and ``group`` per item from a results file of IMirandaM/BiVLC.

    Subsets are type and subtype ("replace_obj"); items made from one caption share a cluster.
    """
    columns = {"text": "text_score", "image": "image_score", "group": "group_score"}
    return _from_csv(path, "bivlc", columns, "caption", {"True": True, "False": False})


def sugarcrepe_outcomes(path: str | Path) -> pd.DataFrame:
    """``pairwise`` per item from a SUGARCREPE_CORRECT file of that repository; foils of one picture share a cluster."""
    table = _from_csv(path, "sugarcrepe", {"pairwise": "correct"}, "filename", {"1": True, "0": False})
    swapped = int((table["subset"] == "swap_obj").sum())  # 246 until 2023-11-18, 245 since
    return table.assign(edition=f"{swapped}-item swap_obj, {len(table)} items")


def _from_csv(path, suite, columns, cluster, answers) -> pd.DataFrame:
    path = Path(path)
    keys, outcomes = [], []
    for number, record in enumerate(read_records(path)):
        row = Row(record, path, number)
        given = [row.label(key) for key in columns.values()]
        if odd := [key for key, value in zip(columns.values(), given, strict=True) if value not in answers]:
            raise row.fail(f"{' or '.join(answers)} under {odd[0]!r}", row.get(odd[0]))
        outcomes.append([answers[value] for value in given])
        keys.append((f"{row.text('type')}_{row.text('subtype')}", str(number), row.text(cluster)))
    subset, quad, cluster = zip(*keys, strict=True)
    named = dict(zip(columns, np.array(outcomes).T, strict=True))
    edition = f"{len(keys)} items"
    return item_table(suite=suite, edition=edition, subset=subset, quad=quad, cluster=cluster, **named)


def colorswap_outcomes(text: str | Path, image: str | Path) -> pd.DataFrame:
    """``text``, ``image`` and ``group`` per item from the two answer files of Top34051/colorswap.

    An answer that names neither option, or both, is wrong, as in the official ``vlm_eval.py``.
    """
    right = {"text": _answers(Path(text), "image", _option), "image": _answers(Path(image), "caption", _ordinal)}
    if odd := set(right["text"]) ^ set(right["image"]):
        raise InputError("the same items in both files", f"item {min(odd)} in one only", where=image)
    text, image = (np.array([right[side][item] for item in right["text"]], dtype=bool) for side in ("text", "image"))
    keys = {"suite": "colorswap", "edition": f"{len(text)} items", "quad": list(map(str, right["text"]))}
    return item_table(**keys, text=text, image=image, group=text & image)


def _answers(path: Path, asked: str, choice) -> dict[int, bool]:
    found: dict[int, bool] = {}
    for number, record in enumerate(records_of(read_json(path), path)):
        if isinstance(record, dict) and "error" in record:  # the official script leaves these out too
            continue
        row = Row(record, path, number)
        rights = []
        for which in (1, 2):
            log = Row(row.get(f"log_{which}"), path, f"{number}, log_{which}")
            answer = choice(row.text(f"response_{asked}_{which}"), row.text(f"prompt_{asked}_{which}"))
            rights.append(answer == log.text("correct_answer"))
        found[row.number("id")] = all(rights)
    return found


LETTER = re.compile(r"^\(?([AB])\)|^option \(?([AB])\b|^([AB])$|image presents (?:option \(?([AB])\b|\(([AB])\))", re.I)
OPTIONS = re.compile(r"\(A\) (.*), or \(B\) (.*?)\? (?:Note|First)", re.S)
SMALL_WORDS = re.compile(r"\b(?:a|an|the|with|and)\b\s*")


def _option(answer: str, prompt: str) -> str | None:
    """The letter that an answer chooses, by letter or by repeating one option's words and not the other's."""
    if found := LETTER.search(answer.strip()):
        return next(filter(None, found.groups())).upper()
    options = OPTIONS.search(prompt)
    if not options:
        return None
    said = _plain(answer)
    named = [letter for letter, words in zip("AB", options.groups(), strict=True) if _plain(words) in said]
    return named[0] if len(named) == 1 else None


def _plain(text: str) -> str:
    return " ".join(SMALL_WORDS.sub("", text.lower()).split())


def _ordinal(answer: str, prompt: str) -> str | None:
    named = [word for word in ("first", "second") if word in answer.lower()]
    if len(named) == 2:
        named = [
            word
            for word in named
            if re.search(f"{word} image (?:better aligns|aligns better|is more relevant)", answer.lower())
        ]
    return named[0] if len(named) == 1 else None
