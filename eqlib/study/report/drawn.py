"""Every figure of the study, drawn from its table, and its title, caption and alternative text. These say how to read
it; what it shows comes from the tables."""

import tomllib
from collections.abc import Callable
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes

from eqlib.study.evaluation.kinds import SIDES
from eqlib.study.report.figures import examples, runs, scores, similarity
from eqlib.study.report.headline import (
    alpha,
    change,
    difference,
    frontier_in_words,
    headline,
    intervals,
    percent,
    points,
    scores_in_words,
    seeds_in_words,
    settings_in_words,
)
from eqlib.study.report.study import PRETRAINED, Study, rows
from eqlib.study.report.style import in_order, label
from eqlib.study.report.tried import at_no_loss, tried
from eqlib.study.report.typeset import Words

TEXTS = tomllib.loads(Path(__file__).with_name("drawn.toml").read_text(encoding="utf-8"))

Drawn = tuple[Axes | np.ndarray, Words]
"""What ``typeset.publish`` takes."""


def _words(study: Study, figure: str, *, pictures: bool = False, **values: object) -> Words:
    """The texts of a figure with these ``values`` and those that several figures name."""
    shared = {"seeds": seeds_in_words(study), "intervals": intervals(study), "scores": scores_in_words(study)}
    values = {**shared, "baseline": label(study.baseline or "").lower(), **values}
    title, caption, alt = (TEXTS[figure][part].format(**values) for part in ("title", "caption", "alt"))
    return Words(figure, title, caption, alt, pictures)


def _motivation(study: Study) -> Drawn | None:
    suite, items = study.pictures(), study.of()
    if suite is None or not (study.before and study.treatment):
        return None
    if (quad := examples.example(items, study.before, study.treatment)) is None:
        return None
    return examples.motivation(suite, items, quad), _words(
        study,
        "motivation",
        pictures=True,
        **suite.records.set_index("quad").loc[quad, ["subset", "caption0", "caption1"]],
        before=" and ".join(map(label, study.before)),
        treatment=label(study.treatment),
        methods=", ".join(map(label, study.methods)),
    )


def _benchmark(study: Study) -> Drawn | None:
    if (suite := study.pictures()) is None:
        return None
    records, number = examples.examples(suite), len(suite.counts())
    subsets = "one subset" if number == 1 else f"{number} subsets"
    said = "; ".join(f"{r['subset']}: “{r['caption0']}” and “{r['caption1']}”" for _, r in records.iterrows())
    words = _words(study, "benchmark", pictures=True, quads=len(suite), subsets=subsets, captions=said)
    return examples.benchmark(suite, records), words


def _main_result(study: Study) -> Drawn:
    summary = rows(study.summary, suite=study.main)
    return scores.main_result(summary, study.of()), _words(study, "main_result", headline=headline(study))


def _aspects(study: Study) -> Drawn | None:
    if (items := study.aspects()) is None:
        return None
    of = items.groupby("subset")["group"].mean().sort_values()
    ends = {"hardest": of.index[0], "easiest": of.index[-1], "least": percent(of.iloc[0]), "most": percent(of.iloc[-1])}
    words = _words(study, "aspects", names=", ".join(of.index), **ends)
    return scores.main_result(scores.by_aspect(items, level=study.level), items), words


def _forest(study: Study) -> Drawn | None:
    if not study.baseline or study.tuned().empty:
        return None
    table = rows(study.differences, baseline=study.baseline)
    found = [(method, difference(study, method=method)) for method in in_order(table["method"]) if method != PRETRAINED]
    each = [f"{label(m)} {change(row)}" for m, row in found if row is not None]
    told = f" All quads: {', '.join(each)}." if each else ""
    words = _words(study, "forest", alpha=alpha(study.differences.iloc[0]), told=told)
    return scores.forest(study.tuned(), baseline=study.baseline), words


def _equivariance(study: Study) -> Drawn:
    words = _words(study, "equivariance", headroom=scores_in_words(study, "headroom"))
    return similarity.equivariance(study.of()), words


def _decomposition(study: Study) -> Drawn | None:
    if study.decomposition is None or (found := rows(study.decomposition, suite=study.main)).empty:
        return None
    table = rows(found, subset="micro").set_index(["method", "part"])
    each = [
        f"{label(method)} {points(of['both'])}: evidence alone {points(of['evidence'])}, threshold alone "
        f"{points(of['threshold'])}"
        for method in in_order(table.index.get_level_values("method"))
        for of in [table.loc[method, "point"]]
    ]
    words = _words(study, "decomposition", each="; ".join(each))
    return scores.decomposition(found, baseline=study.baseline), words


def _training(study: Study) -> Drawn | None:
    if study.histories is None:
        return None
    names = ", ".join(name.replace("_", " ") for name in runs.logged(study.histories))
    return runs.training(study.histories), _words(study, "training", names=names)


def _dose(study: Study) -> Drawn | None:
    suite = study.pictures()
    if suite is None or (graded := scores.sizes(study.of(), suite.records)) is None:
        return None
    return scores.dose(scores.by_size(graded, level=study.level)), _words(study, "dose", bins=scores.BINS)


def _foils(study: Study) -> Drawn | None:
    names = sorted(set(rows(study.summary, score="pairwise")["suite"]))
    return (scores.foils(study.summary), _words(study, "foils", names=", ".join(names))) if names else None


def _retrieval(study: Study) -> Drawn | None:
    there = study.summary["subset"].isin(SIDES).any()
    return (scores.retrieval(study.summary), _words(study, "retrieval")) if there else None


def _tradeoff(study: Study) -> Drawn | None:
    if study.path is None:
        return None
    zero_shot = "Zero-shot accuracy: pictures of one thing alone, by name. " * ("zero_shot_top1" in study.path)
    names = " and ".join(name.removesuffix(" (%)") for column, name in runs.KEPT.items() if column in study.path)
    one = study.path["seed"].nunique() == 1
    several = f"Marks: mean over {seeds_in_words(study)}; thin lines: single seeds."
    seeds = "One seed a method and no intervals: exploratory." if one else several
    return runs.tradeoff(study.path), _words(study, "tradeoff", zero_shot=zero_shot, names=names, seeds=seeds)


def _frontier(study: Study) -> Drawn | None:
    if study.selection is None:
        return None
    found, number = study.settings(), study.selection["seed"].nunique()
    same = study.main == study.validation
    read = "These are also the quads reported here." if same else "No quad reported here was used."
    seeds = "one seed, no intervals: exploratory" if number == 1 else f"marks at the mean over {number} seeds"
    best = at_no_loss(found, study.baseline, "recall")
    gains = best is not None and best["method"] != study.baseline
    title = f"{label(best['method'])} gains most" if gains else "No setting gains"
    return runs.frontier(tried(study.selection), baseline=study.baseline), _words(
        study,
        "frontier",
        title=f"{title} on quads within a point of recall",
        told=frontier_in_words(study),
        count=settings_in_words(study),
        seeds=seeds,
        read=read,
        settings=len(found),
    )


def _published(study: Study) -> Drawn | None:
    """The group scores of EqBen's subsets as published, with the study's own where it was scored on them."""
    table, own = rows(study.published, benchmark="eqben", metric="group"), rows(study.summary, suite="eqben")
    if (table := table[table["subset"].isin(scores.EQBEN)]).empty:
        return None
    models = sorted(table["model"].unique())
    edition = table["edition"].fillna("").replace("", "not stated")
    usual = edition.mode().iloc[0]  # editions differ in size and picture format
    each = zip(table["model"], table["subset"], edition, strict=True)
    other = [f"{model} on {scores.EQBEN[subset]} ({kind})" for model, subset, kind in each if kind != usual]
    absent = f"The study's own models are not shown: they were scored on {study.main}, whose quads are not EqBen's."
    return scores.published(table, None if own.empty else own), _words(
        study,
        "published",
        sources="; ".join(sorted(map(str, table["source"].unique()))),
        editions="; but ".join([usual, ", ".join(other)] if other else [usual]),
        own=absent if own.empty else f"In colour: this study, {intervals(study)}.",
        count=len(models),
        models=", ".join(models),
    )


FIGURES: dict[str, Callable[[Study], Drawn | None]] = {
    "motivation": _motivation,
    "benchmark": _benchmark,
    "main_result": _main_result,
    "aspects": _aspects,
    "forest": _forest,
    "equivariance": _equivariance,
    "decomposition": _decomposition,
    "training": _training,
    "dose": _dose,
    "foils": _foils,
    "retrieval": _retrieval,
    "tradeoff": _tradeoff,
    "frontier": _frontier,
    "published": _published,
}
"""Name to axes and words of a study's figure; None where the study lacks what it shows."""
