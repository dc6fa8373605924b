"""What the numbers say, in sentences: the abstract and the captions are made from the tables, never typed in."""

from __future__ import annotations

import pandas as pd

from eqlib.study.report.study import PRETRAINED, Study
from eqlib.study.report.style import in_order, label

LEVEL = 0.05
"""Below this Holm-corrected p a difference is called one."""


def percent(value: float) -> str:
    """0.4312 as ``43.1 %``."""
    return f"{100 * value:.1f} %"


def points(value: float, *, signed: bool = True) -> str:
    """0.0123 as ``+1.2``: percentage points, with a true minus."""
    text = f"{100 * value:{'+' if signed else ''}.1f}"
    return ("0.0" if text in ("+0.0", "-0.0") else text).replace("-", "−")


def probability(value: float) -> str:
    """``p = 0.012``, ``p < 0.001``."""
    return "p < 0.001" if value < 0.001 else f"p = {value:.3f}" if value < 0.1 else f"p = {value:.2f}"


def seeds_in_words(study: Study) -> str:
    """``one seed``, ``3 seeds``."""
    return "one seed" if len(study.seeds) == 1 else f"{len(study.seeds)} seeds"


def difference(
    study: Study, score: str = "group", *, method: str | None = None, baseline: str | None = None
) -> pd.Series | None:
    """The row of ``differences`` for all quads of the main suite, None where absent.

    Default: the study's treatment against its baseline.
    """
    table = study.differences
    wanted = {
        "suite": study.main,
        "subset": "micro",
        "score": score,
        "method": method or study.treatment,
        "baseline": baseline or study.baseline,
    }
    for column, value in wanted.items():
        table = table[table[column] == value]
    return None if table.empty else table.iloc[0]


def value(study: Study, method: str, score: str = "group", subset: str = "micro") -> pd.Series | None:
    """The row of ``summary`` for the main suite, None where absent."""
    table = study.summary
    for column, name in {"suite": study.main, "subset": subset, "score": score, "method": method}.items():
        table = table[table[column] == name]
    return None if table.empty else table.iloc[0]


def verdict(row: pd.Series) -> str:
    """``higher``, ``lower`` or ``none`` (not told apart from zero) for a row of differences.

    Both the Holm-corrected p and the interval must leave zero: near the edge the two can disagree.
    """
    if float(row["p_holm"]) < LEVEL and float(row["low"]) > 0:
        return "higher"
    if float(row["p_holm"]) < LEVEL and float(row["high"]) < 0:
        return "lower"
    return "none"


def headline(study: Study) -> str:
    """The report's first sentence, honest when nothing was found."""
    row = difference(study)
    if row is None:
        return f"No method was compared with a baseline on {study.main}: there is no difference to report."
    method, baseline = label(row["method"]), label(row["baseline"])
    low, high = points(row["low"]), points(row["high"])
    evidence = f"95 % interval {low} to {high}; {probability(float(row['p_holm']))}"
    kind = verdict(row)
    if kind != "none":
        verb = {"higher": "raises", "lower": "lowers"}[kind]
        by = points(abs(row["point"]), signed=False)
        start = f"{method} {verb} the group score by {by} percentage points over {baseline.lower()} fine-tuning"
        start = (
            start
            if row["baseline"] != "pretrained"
            else f"{method} {verb} the group score by {by} points over the start"
        )
        return f"{start} ({evidence})."
    bound = points(max(abs(row["low"]), abs(row["high"])), signed=False)
    return (
        f"No difference in the group score between {method} and {baseline.lower()} fine-tuning could be shown: "
        f"{points(row['point'])} percentage points ({evidence}). Effects beyond ±{bound} points are unlikely; "
        "smaller ones stay open."
    )


def control(study: Study) -> str:
    """The sentence on the treatment against each further baseline that was compared: where a gain comes from."""
    table = study.differences
    said = []
    for name in sorted(set(table["baseline"]) - {study.baseline, PRETRAINED}):
        row = difference(study, baseline=name)
        if row is None:
            continue
        by = points(abs(row["point"]), signed=False)
        told = {"higher": f"{by} points higher", "lower": f"{by} points lower", "none": "not measurably different"}
        said.append(
            f"Against {label(name).lower()} fine-tuning it is {told[verdict(row)]} ({points(row['point'])}, "
            f"95 % interval {points(row['low'])} to {points(row['high'])}; {probability(float(row['p_holm']))})."
        )
    return " ".join(said)


def mechanism(study: Study) -> str:
    """The second sentence: what happened to the threshold abs(a) + abs(b), to I and to the headroom."""
    rows = {score: difference(study, score) for score in ("abs_a", "abs_b", "I", "headroom")}
    base = {score: value(study, study.baseline, score) if study.baseline else None for score in rows}
    if any(row is None for row in (*rows.values(), *base.values())):
        return ""

    def moved(score: str, name: str) -> str:
        row, start = rows[score], float(base[score]["point"])
        now = start + float(row["point"])
        kind = verdict(row)
        if kind == "none":
            return f"{name} does not move measurably ({start:.3f} to {now:.3f})"
        change = abs(float(row["point"]) / start) if start else 0.0
        return f"{name} {'grows' if kind == 'higher' else 'shrinks'} by {100 * change:.0f} % ({start:.3f} to {now:.3f})"

    before = float(base["headroom"]["point"])
    room = f"{percent(before)} to {percent(before + float(rows['headroom']['point']))}"
    return (
        f"Against {label(study.baseline).lower()}, the mean inconsistency {moved('abs_a', '|a|')}, "
        f"{moved('abs_b', '|b|')}, and the evidence {moved('I', 'I')}; the headroom, quads won by assignment but "
        f"lost by the group score, goes from {room}."
    )


def cost(study: Study) -> str:
    """What the fine-tuned methods pay in retrieval: recall at 1 against the baseline. Empty where it was not tested."""
    table = study.differences
    table = table[(table["score"] == "R@1") & (table["baseline"] == study.baseline) & (table["method"] != PRETRAINED)]
    said = []
    for method in in_order(table["method"]):
        rows = table[table["method"] == method].set_index("subset")
        told = [
            f"{points(row['point'])} [{points(row['low'])}, {points(row['high'])}] {words}"
            for side, words in (("text_retrieval", "image to text"), ("image_retrieval", "text to image"))
            if side in rows.index
            for row in [rows.loc[side]]
        ]
        said.append(f"{label(method)} {' and '.join(told)}")
    return f"R@1 against {label(study.baseline).lower()}: {'; '.join(said)}." if said else ""


def abstract(study: Study) -> list[str]:
    """The paragraphs of the abstract."""
    items = study.of()
    quads, parts = items["quad"].nunique(), items["subset"].nunique()
    setting = (
        f"Measured on {quads:,} quads of {study.main} ({parts} {'subset' if parts == 1 else 'subsets'}), "
        f"{seeds_in_words(study)} a fine-tuned method, all methods from one pretrained model; differences are paired "
        "by quad and seed, p values Holm-corrected."
    )
    scores = []
    for method in study.methods:
        row = value(study, method)
        if row is not None:
            scores.append(f"{label(method)} {percent(row['point'])} [{points(row['low'], signed=False)}, "
                          f"{points(row['high'], signed=False)}]")  # fmt: skip
    listed = f"Group score: {', '.join(scores)}." if scores else ""
    first = f"{headline(study)} {control(study)}".strip()
    return [
        text for text in (first, f"{setting} {listed}".strip(), f"{mechanism(study)} {cost(study)}".strip()) if text
    ]


def scores_in_words(study: Study, score: str = "group") -> str:
    """``score`` of every method over all quads: Contrastive 43.2 %, EqSim 44.0 %."""
    rows = [(method, value(study, method, score)) for method in study.methods]
    return ", ".join(f"{label(method)} {percent(row['point'])}" for method, row in rows if row is not None)
