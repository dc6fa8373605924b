"""Title, caption and alternative text of every figure. They say how to read it; what it shows comes from the tables."""

import tomllib
from pathlib import Path

import pandas as pd

from eqlib.study.report.figures.runs import KEPT, logged
from eqlib.study.report.figures.scores import BINS, EQBEN
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
from eqlib.study.report.tried import at_no_loss
from eqlib.study.report.typeset import Words

TEXTS = tomllib.loads(Path(__file__).with_name("words.toml").read_text(encoding="utf-8"))


def _words(study: Study, figure: str, *, pictures: bool = False, **values: object) -> Words:
    """The texts of a figure with these ``values`` and those that several figures name."""
    shared = {"seeds": seeds_in_words(study), "intervals": intervals(study), "scores": scores_in_words(study)}
    values = {**shared, "baseline": label(study.baseline or "").lower(), **values}
    title, caption, alt = (TEXTS[figure][part].format(**values) for part in ("title", "caption", "alt"))
    return Words(figure, title, caption, alt, pictures)


def motivation(study: Study, quad: str) -> Words:
    record = study.pictures().records.set_index("quad").loc[quad]
    return _words(
        study,
        "motivation",
        pictures=True,
        **record[["subset", "caption0", "caption1"]],
        before=" and ".join(map(label, study.before)),
        treatment=label(study.treatment),
        methods=", ".join(map(label, study.methods)),
    )


def benchmark(study: Study, records: pd.DataFrame) -> Words:
    suite = study.pictures()
    number = len(suite.counts())
    subsets = "one subset" if number == 1 else f"{number} subsets"
    captions = [f"{r['subset']}: “{r['caption0']}” and “{r['caption1']}”" for _, r in records.iterrows()]
    return _words(study, "benchmark", pictures=True, quads=len(suite), subsets=subsets, captions="; ".join(captions))


def main_result(study: Study) -> Words:
    return _words(study, "main_result", headline=headline(study))


def aspects(study: Study) -> Words:
    of = study.aspects().groupby("subset")["group"].mean().sort_values()
    ends = {"hardest": of.index[0], "easiest": of.index[-1], "least": percent(of.iloc[0]), "most": percent(of.iloc[-1])}
    return _words(study, "aspects", names=", ".join(of.index), **ends)


def forest(study: Study) -> Words:
    table = study.differences[study.differences["baseline"] == study.baseline]
    found = [(method, difference(study, method=method)) for method in in_order(table["method"]) if method != PRETRAINED]
    each = [f"{label(m)} {change(row)}" for m, row in found if row is not None]
    told = f" All quads: {', '.join(each)}." if each else ""
    return _words(study, "forest", alpha=alpha(study.differences.iloc[0]), told=told)


def decomposition(study: Study) -> Words:
    table = rows(study.decomposition, suite=study.main, subset="micro").set_index(["method", "part"])
    each = [
        f"{label(method)} {points(of['both'])}: evidence alone {points(of['evidence'])}, threshold alone "
        f"{points(of['threshold'])}"
        for method in in_order(table.index.get_level_values("method"))
        for of in [table.loc[method, "point"]]
    ]
    return _words(study, "decomposition", each="; ".join(each))


def foils(study: Study) -> Words:
    names = sorted(set(study.summary.loc[study.summary["score"] == "pairwise", "suite"]))
    return _words(study, "foils", names=", ".join(names))


def equivariance(study: Study) -> Words:
    return _words(study, "equivariance", headroom=scores_in_words(study, "headroom"))


def training(study: Study) -> Words:
    return _words(study, "training", names=", ".join(name.replace("_", " ") for name in logged(study.histories)))


def dose(study: Study) -> Words:
    return _words(study, "dose", bins=BINS)


def retrieval(study: Study) -> Words:
    return _words(study, "retrieval")


def tradeoff(study: Study) -> Words:
    zero_shot = "Zero-shot accuracy: pictures of one thing alone, by name. " * ("zero_shot_top1" in study.path)
    names = " and ".join(name.removesuffix(" (%)") for column, name in KEPT.items() if column in study.path)
    one = study.path["seed"].nunique() == 1
    several = f"Marks: mean over {seeds_in_words(study)}; thin lines: single seeds."
    seeds = "One seed a method and no intervals: exploratory." if one else several
    return _words(study, "tradeoff", zero_shot=zero_shot, names=names, seeds=seeds)


def frontier(study: Study) -> Words:
    found, number = study.settings(), study.selection["seed"].nunique()
    same = study.main == study.validation
    read = "These are also the quads reported here." if same else "No quad reported here was used."
    seeds = "one seed, no intervals: exploratory" if number == 1 else f"marks at the mean over {number} seeds"
    best = at_no_loss(found, study.baseline, "recall")
    gains = best is not None and best["method"] != study.baseline
    title = f"{label(best['method'])} gains most" if gains else "No setting gains"
    return _words(
        study,
        "frontier",
        title=f"{title} on quads within a point of recall",
        told=frontier_in_words(study),
        count=settings_in_words(study),
        seeds=seeds,
        read=read,
        settings=len(found),
    )


def published(study: Study) -> Words:
    table = eqben(study)
    models = sorted(table["model"].unique())
    edition = table["edition"].fillna("").replace("", "not stated")
    usual = edition.mode().iloc[0]  # editions differ in size and picture format
    each = zip(table["model"], table["subset"], edition, strict=True)
    other = [f"{model} on {EQBEN[subset]} ({kind})" for model, subset, kind in each if kind != usual]
    own = (
        f"In colour: this study, {intervals(study)}."
        if "eqben" in set(study.summary["suite"])
        else f"The study's own models are not shown: they were scored on {study.main}, whose quads are not EqBen's."
    )
    return _words(
        study,
        "published",
        sources="; ".join(sorted(map(str, table["source"].unique()))),
        editions="; but ".join([usual, ", ".join(other)] if other else [usual]),
        own=own,
        count=len(models),
        models=", ".join(models),
    )


def eqben(study: Study) -> pd.DataFrame:
    """The published rows (benchmark, subset, model, metric, value in %) that are group scores of EqBen's subsets."""
    table = study.published
    table = table[(table["benchmark"] == "eqben") & (table["metric"] == "group")]
    return table[table["subset"].isin(EQBEN)]
