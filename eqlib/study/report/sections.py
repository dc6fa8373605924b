"""The paper's sections: methods with the study's numbers, and what the results say together."""

import tomllib
from pathlib import Path

import pandas as pd

from eqlib.study.report.headline import (
    change,
    difference,
    frontier_in_words,
    points,
    seeds_in_words,
    settings_in_words,
    tuned,
)
from eqlib.study.report.study import Study, is_average, rows
from eqlib.study.report.style import label

PROSE = tomllib.loads(Path(__file__).with_name("prose.toml").read_text(encoding="utf-8"))


def methods(study: Study, settings: dict, *, edition: str = "") -> list[dict[str, str]]:
    """The paragraphs of the methods section, ``title`` and ``text``. ``settings``: params.yaml; ``edition``: the drawn
    benchmark's, empty for other data."""
    items = study.of()
    one = len(study.starts) == 1
    values = settings | {
        "edition": edition,
        "main": study.main,
        "quads": items["quad"].nunique(),
        "parts": items["subset"].nunique(),
        "seeds": seeds_in_words(study),
        "starts": "All runs start from this one model." if one else "Each seed has a pretrained model of its own.",
        "endpoint": endpoint(study),
    }
    if study.selection is not None:
        values["settings"] = settings_in_words(study)
    found = []
    for paragraph in PROSE["methods"]:
        try:
            text = " ".join(paragraph["text"].format(**values).split())
        except KeyError:  # this study has no such step
            continue
        if edition or not paragraph.get("drawn"):
            found.append({"title": paragraph["title"], "text": text})
    return found


def endpoint(study: Study) -> str:
    """What was named before the run, and how p values are adjusted."""
    if "role" not in study.differences:
        return "p values are Holm-corrected over the subsets of one score."
    return (
        "The endpoint, named before the run, is the group score over all quads, each method against "
        f"{label(study.baseline).lower()}, Holm-corrected over the methods. Every other score is secondary, corrected "
        "over methods and scores together; subsets and other suites are exploratory."
    )


def losses(study: Study) -> list[str]:
    """Which formulas the paper shows: the methods, and the hinge at the own change where it was tried."""
    tried = study.settings()
    own = tried is not None and tried["form"].str.contains("own change").any()
    return [*study.methods, *(["own_change"] if own else [])]


def discussion(study: Study) -> list[str]:
    """What the results say together, a paragraph each: what a gain is made of, where it stands, what it costs."""
    made = [f"{_source(study, method)} {_places(study, method)}".strip() for method in tuned(study)]
    frontier = frontier_in_words(study)
    return [text for text in [*made, f"On validation: {frontier}" if frontier else ""] if text]


def _source(study: Study, method: str) -> str:
    """By which part a method gains or loses: the signs of the two intervals."""
    if study.decomposition is None:
        return ""
    of = rows(study.decomposition, suite=study.main, subset="micro", method=method).set_index("part")
    if of.empty:
        return ""
    moved = {part: _sign(of.loc[part]) for part in ("evidence", "threshold")}
    verb = {1: "gains by", -1: "loses by", 0: "is not shown to move by"}
    told = [f"{verb[sign]} its {part} ({points(of.loc[part, 'point'])})" for part, sign in moved.items()]
    said = f"Against {label(study.baseline).lower()}, {label(method)} {told[0]} and {told[1]}."
    meant = {
        (1, -1): "It is less equivariant, and separates the pairs by more than that costs." if _sign(of.loc["both"]) > 0
        else "It is less equivariant, which takes away what the evidence gives.",
        (0, 1): "This is what EqSim means to do: the evidence stays and the threshold falls.",
        (-1, 1): "It is more equivariant, and the change that it should measure has shrunk as well.",
        (1, 1): "It is more equivariant and separates the pairs by more.",
    }.get((moved["evidence"], moved["threshold"]), "")  # fmt: skip
    return f"{said} {meant}".strip()


def _sign(row: pd.Series) -> int:
    return int(row["low"] > 0) - int(row["high"] < 0)


def _places(study: Study, method: str) -> str:
    """The subsets of the largest and the smallest difference."""
    table = rows(study.differences, suite=study.main, score="group", method=method, baseline=study.baseline)
    table = table[~table["subset"].map(is_average)]
    if len(table) < 2 or difference(study, method=method) is None:
        return ""
    ends = [table.loc[place] for place in (table["point"].idxmax(), table["point"].idxmin())]
    most, least = (f"{row['subset']} ({change(row)})" for row in ends)
    return f"By subset its difference is largest on {most} and smallest on {least}."
