"""Per-item results that are right or wrong rather than scores, and answers in words that are read as either.

- NaturalBench as lmms-eval's ``*_samples_naturalbench.jsonl``, a line a question with its index and the answer read
- NaturalBench and VSR as VLMEvalKit's ``<model>_<dataset>.xlsx``, ``.tsv``, ``.json``, a row a question: ``index``,
  ``answer``, ``prediction``
- BiVLC, SugarCrepe and ColorSwap as their own repositories publish them

Each reader returns a table for ``eqlib.scoring.summarise``: suite, edition, subset, quad, cluster and outcomes. An
answer that is neither of the two asked for is wrong, and counted in ``unparsed`` where the benchmark counts it;
anything else that cannot be read is an InputError that names file and row.
"""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from eqlib.files import read_json
from eqlib.quads import item_table
from eqlib.suites.fields import Row, joined, records_of
from eqlib.suites.quadfile import rows_of

OPTIONS = {"yes_no": ("yes", "no"), "multiple_choice": ("a", "b")}
GROUPS = 1900
RIGHT = {"question 0": 1, "question 1": 0, "question 2": 0, "question 3": 1}
"""NaturalBench's questions of a group, in the order of their index: the first on image 0, on image 1, the second on
image 0, on image 1; 1 where the first option (yes, A) is right."""


def naturalbench_answers(path: str | Path) -> pd.DataFrame:
    """NaturalBench's four answers a group, from lmms-eval's samples or VLMEvalKit's predictions.

    Outcomes a group, as in its ``get_scores``: ``acc`` (share of the four), ``q_acc`` (of the two questions, right on
    both images), ``i_acc`` (of the two images, both questions right), float64; ``group`` (all four), bool; and
    ``unparsed``, answers of the four. The first option named in an answer counts, as there. A group without one of its
    questions, or whose stated answers are not yes, no, no, yes (A, B, B, A), is an InputError: ids are mixed up.
    """
    path = Path(path)
    found = []
    for row in rows_of(path):
        index, said, stated = _natural(row)
        question = f"question {index % 4}"
        if stated.strip().lower() not in {options[1 - RIGHT[question]] for options in OPTIONS.values()}:
            raise row.fail(f"the answer {'yes or A' if RIGHT[question] else 'no or B'} to question {index}", stated)
        if index >= 4 * GROUPS:
            raise row.fail(f"an index below {4 * GROUPS}", index)
        found.append((row, index // 4, question, said))
    groups = dict(sorted(joined(found, list(RIGHT), path).items()))
    right = np.array([[said == k for said, k in zip(four, RIGHT.values(), strict=True)] for four in groups.values()])
    right = right.reshape(-1, 2, 2)  # question, image
    every = f"{GROUPS:,} groups"
    return item_table(
        suite="naturalbench",
        edition=every if len(groups) == GROUPS else f"{len(groups):,} of {every}",
        quad=list(map(str, groups)),
        acc=right.mean(axis=(1, 2)),
        q_acc=right.all(axis=2).mean(axis=1),
        i_acc=right.all(axis=1).mean(axis=1),
        group=right.all(axis=(1, 2)),
        unparsed=[four.count(None) for four in groups.values()],
    )


def _natural(row: Row) -> tuple[int, int | None, str]:
    """Index, the option that was said (1, 0 or None) and the answer that is right."""
    if "naturalbench_G_ACC" in row.record:
        read = Row(row.get("naturalbench_G_ACC"), row.where, f"{row.row}, naturalbench_G_ACC")
        said = read.one_of("score", (1, 0, -1))
        return read.count("id"), None if said == -1 else said, row.text("target")
    kind, index = row.one_of("type", list(OPTIONS)), row.count("index")
    return index, option(str(row.record.get("prediction", "")), kind), row.text("answer")


def option(text: str, kind: str) -> int | None:
    """1 where the first option of OPTIONS[kind] comes first in ``text`` as a word, 0 where the second does, or None."""
    first, second = OPTIONS[kind]
    found = re.search(rf"\b(?:{first}|{second})\b", text, re.IGNORECASE)
    return None if found is None else int(found[0].lower() == first)


def statement_answers(path: str | Path, *, suite: str = "vsr") -> pd.DataFrame:
    """Outcomes of VLMEvalKit's predictions on true and false statements (VSR-zeroshot): ``accuracy`` where the
    ``prediction`` says the ``answer``, Yes or No; ``unparsed`` (bool) where it has neither word, or both."""
    path = Path(path)
    found = []
    for row in rows_of(path):
        answer = row.text("answer").strip().lower()
        if answer not in ("yes", "no"):
            raise row.fail("the answer Yes or No", row.get("answer"))
        said = set(re.findall(r"\b(?:yes|no)\b", str(row.record.get("prediction", "")).lower()))
        found.append((row, row.label("index"), "answer", (said == {answer}, len(said) != 1)))
    items = joined(found, ("answer",), path)
    right, unparsed = np.array([pair for [pair] in items.values()]).T
    return item_table(suite=suite, quad=[*items], accuracy=right, unparsed=unparsed)


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
    items = []
    for row in rows_of(path):
        outcomes = [answers[str(row.one_of(key, list(answers)))] for key in columns.values()]
        items.append((f"{row.text('type')}_{row.text('subtype')}", row.text(cluster), *outcomes))
    subset, cluster, *outcomes = zip(*items, strict=True)
    quad = [str(number) for number in range(len(items))]
    named = dict(zip(columns, map(np.array, outcomes), strict=True))
    return item_table(suite=suite, quad=quad, subset=subset, cluster=cluster, **named)


def colorswap_outcomes(text_answers: str | Path, image_answers: str | Path) -> pd.DataFrame:
    """``text``, ``image`` and ``group`` per item from the two answer files of Top34051/colorswap.

    An answer that names neither option, or both, is wrong, as in the official ``vlm_eval.py``.
    """
    of_text, of_image = Path(text_answers), Path(image_answers)
    found = [*_tasks(of_text, "text", "image", _option), *_tasks(of_image, "image", "caption", _ordinal)]
    items = joined(found, ("text", "image"), of_image)
    text, image = np.array([*items.values()]).T
    return item_table(suite="colorswap", quad=[*map(str, items)], text=text, image=image, group=text & image)


def _tasks(path: Path, task: str, asked: str, choice: Callable) -> Iterator[tuple[Row, int, str, bool]]:
    for number, record in enumerate(records_of(read_json(path), path)):
        if isinstance(record, dict) and "error" in record:  # the official script leaves these out too
            continue
        row = Row(record, path, number)
        rights = []
        for which in (1, 2):
            log = Row(row.get(f"log_{which}"), path, f"{number}, log_{which}")
            answer = choice(row.text(f"response_{asked}_{which}"), row.text(f"prompt_{asked}_{which}"))
            rights.append(answer == log.text("correct_answer"))
        yield row, row.number("id"), task, all(rights)


LETTER = re.compile(r"^\(?([AB])\)|^option \(?([AB])\b|^([AB])$|image presents (?:option \(?([AB])\b|\(([AB])\))", re.I)
CHOICES = re.compile(r"\? (?:Note|First)")
SMALL_WORDS = re.compile(r"\b(?:a|an|the|with|and)\b\s*")


def _option(answer: str, prompt: str) -> str | None:
    """The letter that an answer chooses, by letter or by repeating one option's words and not the other's."""
    if found := LETTER.search(answer.strip()):
        return next(filter(None, found.groups())).upper()
    # by hand: as one pattern this takes the third power of the prompt's length
    first, among, second = prompt.partition("(A) ")[2].rpartition(", or (B) ")
    second, *rest = CHOICES.split(second, maxsplit=1)
    if not (among and rest):
        return None
    said = _plain(answer)
    named = [letter for letter, words in zip("AB", (first, second), strict=True) if _plain(words) in said]
    return named[0] if len(named) == 1 else None


def _plain(text: str) -> str:
    return " ".join(SMALL_WORDS.sub("", text.lower()).split())


def _ordinal(answer: str, prompt: str) -> str | None:
    said = answer.lower()
    named = [word for word in ("first", "second") if word in said]
    if len(named) == 2:
        better = "image (?:better aligns|aligns better|is more relevant)"
        named = [word for word in named if re.search(f"{word} {better}", said)]
    return named[0] if len(named) == 1 else None
