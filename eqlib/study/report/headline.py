"""What the numbers say, in sentences: the abstract and the captions are made from the tables, never typed in."""

import pandas as pd

from eqlib.study.evaluation.kinds import RETRIEVAL
from eqlib.study.report.study import CONTROL, PRETRAINED, Study, rows
from eqlib.study.report.style import in_order, label
from eqlib.study.report.tried import at_no_loss, named

KINDS = {"higher": "raises", "lower": "lowers"}


def percent(value: float) -> str:
    """0.4312 as ``43.1 %``."""
    return f"{100 * value:.1f} %"


def points(value: float) -> str:
    """0.0123 as ``+1.2``: percentage points, with a true minus."""
    return _number(100 * value, 1, "+")


def change(row: pd.Series) -> str:
    """A row of differences as ``+2.4 [−0.9, +5.8]``."""
    return f"{points(row['point'])} {between(row, sign='+')}"


def probability(value: float) -> str:
    """``p = 0.012``, ``p < 0.001``; empty for NaN."""
    if value != value:
        return ""
    return "p < 0.001" if value < 0.001 else f"p = {value:.3f}" if value < 0.1 else f"p = {value:.2f}"


def known(row: pd.Series) -> bool:
    """Whether ``row`` has an interval: finite ends that differ. Two equal ends say that nothing varied, not that
    nothing can."""
    return float(row["low"]) < float(row["high"])


def between(row: pd.Series, *, scale: float = 100, digits: int = 1, sign: str = "") -> str:
    """The interval of ``row`` as ``[−0.9, 5.8]``; ``sign="+"`` marks gains."""
    if not known(row):
        return "no interval"
    low, high = (_number(scale * float(row[name]), digits, sign) for name in ("low", "high"))
    return f"[{low}, {high}]"


def interval(row: pd.Series, *, sign: str = "+") -> str:
    """``95 % interval [−0.9, +5.8]``, the level being that of the row's table."""
    return f"{100 * float(row['level']):g} % interval {between(row, sign=sign)}" if known(row) else "no interval"


def evidence(row: pd.Series) -> str:
    """Interval and p of a row of differences: ``95 % interval [−0.9, +5.8]; p = 0.11``."""
    return "; ".join(filter(None, [interval(row), probability(float(row["p_holm"]))]))


def intervals(study: Study) -> str:
    """``95 % intervals``: those of the study's tables, for a caption."""
    return f"{100 * study.level:g} % intervals"


def alpha(row: pd.Series) -> float:
    """Below this Holm-corrected p a difference is called one: 1 - level, so that p and interval ask the same."""
    return round(1 - float(row["level"]), 10)


def _number(value: float, digits: int, sign: str) -> str:
    text = f"{value:{sign}.{digits}f}"
    return (text.strip("+-") if float(text) == 0 else text).replace("-", "−")


def seeds_in_words(study: Study) -> str:
    """``one seed``, ``3 seeds``, ``6 seeds (pretraining included)`` where each has a pretrained model of its own."""
    number = "one seed" if len(study.seeds) == 1 else f"{len(study.seeds)} seeds"
    return f"{number} (pretraining included)" if len(study.starts) > 1 else number


def difference(
    study: Study, score: str = "group", *, method: str | None = None, baseline: str | None = None
) -> pd.Series | None:
    """The row of ``differences`` for all quads of the main suite, None where absent.

    Default: the study's treatment against its baseline.
    """
    method, baseline = method or study.treatment, baseline or study.baseline
    place = {"suite": study.main, "subset": "micro", "score": score}
    table = rows(study.differences, **place, method=method, baseline=baseline)
    return None if table.empty else table.iloc[0]


def value(study: Study, method: str | None, score: str = "group", subset: str = "micro") -> pd.Series | None:
    """The row of ``summary`` for the main suite, None where absent."""
    table = rows(study.summary, suite=study.main, subset=subset, score=score, method=method)
    return None if table.empty else table.iloc[0]


def verdict(row: pd.Series) -> str:
    """``higher``, ``lower`` or ``none`` (not told apart from zero) for a row of differences; ``unknown`` without an
    interval.

    Both the Holm-corrected p and the interval must leave zero: near the edge the two can disagree.
    """
    if not known(row):
        return "unknown"
    if not float(row["p_holm"]) < alpha(row):
        return "none"
    return "higher" if float(row["low"]) > 0 else "lower" if float(row["high"]) < 0 else "none"


def tuned(study: Study) -> list[str]:
    """The fine-tuned methods that were compared with the baseline, the control first."""
    found = [method for method in study.methods if method not in (PRETRAINED, study.baseline)]
    found = [method for method in found if difference(study, method=method) is not None]
    return sorted(found, key=lambda method: method != CONTROL)


def headline(study: Study) -> str:
    """The report's first sentences: every method against the baseline, the control first, in equal words for a gain, a
    loss and no difference."""
    said = []
    for method in tuned(study):
        told = outcome(study, difference(study, method=method))
        said.append(told.replace(label(method), f"{label(method)}, the control,", 1) if method == CONTROL else told)
    none = f"No method was compared with a baseline on {study.main}: there is no difference to report."
    return " ".join(said) or none


def outcome(study: Study, row: pd.Series) -> str:
    """A sentence for a row of group score differences: higher, lower, not shown, or not known."""
    method, baseline, kind = label(row["method"]), label(row["baseline"]).lower(), verdict(row)
    against = "the pretrained model" if row["baseline"] == PRETRAINED else f"{baseline} fine-tuning"
    point = f"{points(row['point'])} percentage points"
    if kind in KINDS:
        by = f"{100 * abs(row['point']):.1f} percentage points"
        return f"{method} {KINDS[kind]} the group score by {by} compared with {against} ({evidence(row)})."
    if kind == "unknown":
        return (
            f"Whether {method} and {against} differ in the group score cannot be said: the difference is {point}, "
            f"without an interval ({row['clusters']:,} clusters of quads, {seeds_in_words(study)})."
        )
    return f"No difference in the group score between {method} and {against} could be shown: {point} ({evidence(row)})."


def others(study: Study) -> str:
    """A sentence for each method against each further baseline, such as the control."""
    further = sorted(set(study.differences["baseline"]) - {study.baseline, PRETRAINED})
    found = [difference(study, method=method, baseline=name) for name in further for method in tuned(study)]
    return " ".join(outcome(study, row) for row in found if row is not None)


def mechanism(study: Study) -> str:
    """What happened to the threshold abs(a) + abs(b), to I and to the headroom under the treatment."""
    found = {score: difference(study, score) for score in ("abs_a", "abs_b", "I", "headroom")}
    base = {score: value(study, study.baseline, score) for score in found}
    if any(row is None for row in (*found.values(), *base.values())):
        return ""

    def moved(score: str, name: str) -> str:
        row, start = found[score], float(base[score]["point"])
        now = start + float(row["point"])
        kind = verdict(row)
        if kind not in KINDS:
            told = "does not move measurably" if kind == "none" else "has no interval"
            return f"{name} {told} ({start:.3f} to {now:.3f})"
        change = abs(float(row["point"]) / start) if start else 0.0
        return f"{name} {'grows' if kind == 'higher' else 'shrinks'} by {100 * change:.0f} % ({start:.3f} to {now:.3f})"

    before = float(base["headroom"]["point"])
    room = f"{percent(before)} to {percent(before + float(found['headroom']['point']))}"
    return (
        f"Under {label(study.treatment)}, against {label(study.baseline).lower()}, the mean inconsistency "
        f"{moved('abs_a', '|a|')}, {moved('abs_b', '|b|')}, and the evidence {moved('I', 'I')}; the headroom, the "
        f"share of quads with I > 0 whose group score is wrong, goes from {room}."
        f"{_made_of(study)}"
    )


def _made_of(study: Study) -> str:
    """What either part alone gives, of every method; empty where that was not computed."""
    if study.decomposition is None:
        return ""
    of = rows(study.decomposition, suite=study.main, subset="micro").set_index(["method", "part"])
    said = [
        f"{label(method)}'s I beside the |a| + |b| of {label(study.baseline).lower()} gives "
        f"{change(of.loc[(method, 'evidence')])}, its |a| + |b| beside that I {change(of.loc[(method, 'threshold')])}"
        for method in tuned(study)
        if method in of.index
    ]
    return f" Taken apart: {'; '.join(said)}." if said else ""


def cost(study: Study) -> str:
    """What the fine-tuned methods pay in retrieval: recall at 1 against the baseline. Empty where it was not tested."""
    table = rows(study.differences, suite=RETRIEVAL, score="R@1", baseline=study.baseline)
    table = table[table["method"] != PRETRAINED]
    sides, said = {"text_retrieval": "image to text", "image_retrieval": "text to image"}, []
    for method in in_order(table["method"]):
        of = rows(table, method=method).set_index("subset")
        told = [f"{change(of.loc[side])} {words}" for side, words in sides.items() if side in of.index]
        said.append(f"{label(method)} {' and '.join(told)}")
    recall = f"R@1 against {label(study.baseline).lower()}: {'; '.join(said)}." if said else ""
    return f"{recall} {_named_alone(study)}".strip()


def _named_alone(study: Study) -> str:
    """Zero-shot accuracy of the pretrained and of every fine-tuned model; empty where it was not measured."""
    found = study.zero_shot()
    if found is None:
        return ""
    seeds = study.path["seed"].nunique()
    said = []
    for method, of in found.groupby(level=0, sort=False):
        ends = f" ({100 * of.min():.1f} to {100 * of.max():.1f})" if of.nunique() > 1 else ""
        said.append(f"{label(method)} {percent(of.mean())}{ends}")
    told = "one seed, no interval" if seeds == 1 else f"mean over {seeds} seeds, from the lowest to the highest"
    return f"Zero-shot accuracy ({told}): {', '.join(said)}."


def frontier_in_words(study: Study) -> str:
    """On validation: the setting of the highest group score that keeps recall, likewise zero-shot accuracy, and the
    highest of all, with what each has lost. Empty where no settings were tried."""
    found = study.settings()
    if found is None or study.baseline not in set(found["method"]):
        return ""
    start, top = found[found["method"] == study.baseline].iloc[0], found.loc[found["group"].idxmax()]

    def told(setting: pd.Series, kept: str, name: str) -> str:
        lost = f"{points(setting[kept] - start[kept])} points of {name}"
        return f"{named(setting)}, {percent(setting['group'])} ({lost})"

    said = [
        f"Of the settings within one point of {label(study.baseline).lower()}'s {name} the highest group score is that "
        f"of {told(at_no_loss(found, study.baseline, kept), kept, name)}."
        for kept, name in (("recall", "R@1"), ("zero_shot_top1", "zero-shot accuracy"))
        if kept in found
    ]
    said.append(f"The highest of all: {told(top, 'recall', 'R@1')}.")
    return " ".join([f"{label(study.baseline)} has {percent(start['group'])}.", *said])


def settings_in_words(study: Study) -> str:
    """How many settings each method was given: Pairwise 3, EqSim 7. Only where settings were tried."""
    found = study.settings()
    number = found[found["method"] != study.baseline]["method"].value_counts()
    return ", ".join(f"{label(method)} {number[method]}" for method in in_order(number.index))


def abstract(study: Study) -> list[str]:
    """The paragraphs of the abstract."""
    return [text for text, _ in paragraphs(study)]


def paragraphs(study: Study) -> list[tuple[str, list[str]]]:
    """The abstract, each paragraph with the names of the tables that its numbers stand in."""
    items = study.of()
    quads, parts = items["quad"].nunique(), items["subset"].nunique()
    one = len(study.starts) == 1
    start = "from one pretrained model" if one else "of a seed from one pretrained model, another for each seed"
    setting = (
        f"Measured on {quads:,} quads of {study.main} ({parts} {'subset' if parts == 1 else 'subsets'}), "
        f"{seeds_in_words(study)} a fine-tuned method, all methods {start}; differences are paired by quad and "
        f"seed, p values Holm-corrected{' over the methods' if 'role' in study.differences else ''}."
    )
    found = [(method, value(study, method)) for method in study.methods]
    scores = [f"{label(name)} {percent(row['point'])} {between(row)}" for name, row in found if row is not None]
    listed = f"Group score with its {100 * study.level:g} % interval: {', '.join(scores)}." if scores else ""
    told = [
        (headline(study), ["differences"]),
        (others(study), ["differences"]),
        (f"{setting} {listed}", ["main"]),
        (mechanism(study), ["equivariance", "decomposition"]),
        (cost(study), ["kept"]),
    ]
    return [(text.strip(), tables) for text, tables in told if text]


def scores_in_words(study: Study, score: str = "group") -> str:
    """``score`` of every method over all quads: Contrastive 43.2 %, EqSim 44.0 %."""
    found = [(method, value(study, method, score)) for method in study.methods]
    return ", ".join(f"{label(method)} {percent(row['point'])}" for method, row in found if row is not None)
