"""The tables of the report. Every number comes with its interval; bold only where the paired test carries it."""

from dataclasses import replace

import numpy as np
import pandas as pd

from eqlib.study.evaluation.decomposition import PARTS
from eqlib.study.evaluation.kinds import MEASURES, RETRIEVAL, SIDES
from eqlib.study.report.figures.scores import by_aspect
from eqlib.study.report.headline import alpha, between, intervals, points, probability, settings_in_words, verdict
from eqlib.study.report.study import PRETRAINED, Study, is_average, part_label, parts, rows
from eqlib.study.report.style import in_order, label
from eqlib.study.report.tried import tried
from eqlib.study.report.typeset import Cell, Table

SCORES = {"text": "Text", "image": "Image", "group": "Group", "group_match": "Group match", "headroom": "Headroom"}
TRIED = {
    "val_group": ("Group", 100, ".1f"),
    "val_group_match": ("Group match", 100, ".1f"),
    "val_image_to_text_r1": ("I→T R@1", 100, ".1f"),
    "val_text_to_image_r1": ("T→I R@1", 100, ".1f"),
    "zero_shot_top1": ("Zero-shot", 100, ".1f"),
    "val_abs_a": ("|a|", 1, ".3f"),
    "val_abs_b": ("|b|", 1, ".3f"),
    "val_I": ("I", 1, ".3f"),
}
"""Of a setting's validation scores those that the table of settings shows: title, scale, form."""


def best(study: Study, suite: str, subset: str, score: str) -> str | None:
    """The method whose lead the tests carry: the highest point of all, and for every other fine-tuned method a row of
    differences that says so. None where a test is missing or does not tell them apart.
    """
    table = rows(study.summary, suite=suite, subset=subset, score=score)
    if len(table) < 2 or table["point"].isna().any():
        return None
    first = str(table.loc[table["point"].idxmax(), "method"])
    tests = rows(study.differences, suite=suite, subset=subset, score=score)

    def told(method: str, baseline: str, kind: str) -> bool:
        return any(verdict(row) == kind for _, row in rows(tests, method=method, baseline=baseline).iterrows())

    others = set(table["method"]) - {first, PRETRAINED}
    return first if all(told(first, other, "higher") or told(other, first, "lower") for other in others) else None


def _bold(study: Study, within: str = "column") -> str:
    test = f"by the paired test (Holm p < {alpha(study.summary.iloc[0]):g})"
    return f"Bold: the highest in its {within}, and above every other fine-tuned method {test}."


def _cell(study: Study, place: dict[str, str], *, scale: float = 100, digits: int = 1) -> Cell:
    """The row of ``summary`` at ``place`` (suite, subset, method, score) with its interval; a dash where absent. Bold
    where more is better and the tests carry the lead."""
    table = rows(study.summary, **place)
    if table.empty or table["point"].isna().any():
        return Cell("–")
    row, point = table.iloc[0], scale * float(table["point"].iloc[0])
    better = place["score"] in {measure.score for measure in MEASURES}
    first = better and best(study, place["suite"], place["subset"], place["score"]) == place["method"]
    return Cell(f"{point:.{digits}f}", between(row, scale=scale, digits=digits), first, round(point, 6))


def main_table(study: Study) -> Table:
    """Matching scores of the main suite by method, over all quads, in percent."""
    caption = (
        f"Percent of {study.of()['quad'].nunique():,} quads of {study.main}, mean over seeds, {intervals(study)}. "
        f"{_bold(study)}"
    )
    return _by_method(study, "main", "Main result", caption, SCORES)


def kept_table(study: Study) -> Table | None:
    """What fine-tuning may cost: retrieval, and classification by name."""
    table = rows(study.summary, suite=RETRIEVAL, score="R@1")
    if table.empty:
        return None
    sides = [{"suite": RETRIEVAL, "score": "R@1", "subset": side} for side in SIDES]
    body = [[Cell(label(method)), *(_cell(study, side | {"method": method}) for side in sides)]
            for method in study.methods]  # fmt: skip
    columns = ["Method", *(f"{short} R@1" for short in SIDES.values())]
    caption = f"Recall on the validation captions in percent, {intervals(study)}. {_bold(study)}"
    if (found := study.zero_shot()) is not None:
        for row, method in zip(body, study.methods, strict=True):
            of = 100 * found[found.index == method]
            ends = f"{of.min():.1f} to {of.max():.1f}" if of.nunique() > 1 else ""
            row.append(_number(of.mean(), ".1f", ends))
        columns.append("Zero-shot")
        caption += " Zero-shot: pictures of one thing alone, by name; from the lowest to the highest seed, no interval."
    return Table("kept", "What is kept", caption, columns, body, table)


def equivariance_table(study: Study) -> Table:
    """What EqSim acts on: abs(a), abs(b), I and the two inconsistencies, in units of the similarity."""
    names = {"abs_a": "|a|", "abs_b": "|b|", "I": "I"}
    names |= {"text_inconsistency": "Text side |a + b|", "image_inconsistency": "Image side |a − b|"}
    caption = (
        f"Means over all quads in units of the similarity, {intervals(study)}. EqSim penalises a and b and should "
        "leave I unchanged."
    )
    return _by_method(study, "equivariance", "Equivariance", caption, names, scale=1, digits=3)


def _by_method(study: Study, name: str, title: str, caption: str, scores: dict[str, str], **form) -> Table:
    """One row a method, one column a score, over all quads of the main suite."""
    table, over = rows(study.summary, suite=study.main), {"suite": study.main, "subset": "micro"}
    body = [[Cell(label(m)), *(_cell(study, over | {"method": m, "score": score}, **form) for score in scores)]
            for m in study.methods]  # fmt: skip
    return Table(name, title, caption, ["Method", *scores.values()], body, table[table["score"].isin(scores)])


def _by_place(
    study: Study, name: str, title: str, caption: str, heads: list[str], places: list[tuple], data: pd.DataFrame
) -> Table:
    """One row a place of ``places``: what stands under ``heads``, then suite, subset and score; one column a method."""
    body = [
        [*map(Cell, told), *(_cell(study, {**at, "method": method}) for method in study.methods)]
        for *told, suite, subset, score in places
        for at in [{"suite": suite, "subset": subset, "score": score}]
    ]
    return Table(name, title, caption, [*heads, *map(label, study.methods)], body, data)


def subset_table(study: Study) -> Table:
    """Group score of the main suite by subset and method, and the averages over subsets."""
    table = rows(study.summary, suite=study.main, score="group")
    names = [*parts(table), *sorted(name for name in set(table["subset"]) if is_average(name) and name != "micro")]
    caption = f"Group score in percent with {intervals(study)}, {study.main}. {_bold(study, 'row')}"
    places = [(part_label(name), study.main, name, "group") for name in names]
    return _by_place(study, "subsets", "Group score by subset", caption, ["Subset"], places, table)


def aspect_table(study: Study) -> Table | None:
    """Group score of what a subset mixes: colours, sizes and materials are told apart with very different ease."""
    items = study.aspects()
    if items is None:
        return None
    table = by_aspect(items, level=study.level)
    quads = items.groupby("subset")["quad"].nunique()
    places = [(name, str(number), study.main, name, "group") for name, number in quads.items()]
    caption = (
        f"Group score in percent with {intervals(study)}, {study.main}, in the subsets that hold several aspects; a "
        "subset's score is their mixture. Exploratory, no tests."
    )
    seen, title = replace(study, summary=table), "Group score by aspect"
    return _by_place(seen, "aspects", title, caption, ["Aspect", "Quads"], places, table)


def suite_table(study: Study) -> Table:
    """Every suite that was scored, each kind by its own scores: quads, foils, retrieval."""
    names = sorted(set(study.summary["suite"]), key=lambda name: (name != study.main, name))
    there = set(study.summary[["suite", "score", "subset"]].itertuples(index=False, name=None))
    found = [(name, m) for name in names for m in MEASURES if (name, m.score, m.subset) in there]
    places = [(name, m.title, name, m.subset, m.score) for name, m in found]
    caption = (
        f"Over all items of a suite, in percent with {intervals(study)}. Accuracy: the caption above its foil. "
        f"I→T: captions ranked for an image; T→I: images for a caption. {_bold(study, 'row')}"
    )
    table = study.summary[study.summary["score"].isin({m.score for m in MEASURES})]
    return _by_place(study, "suites", "Every suite", caption, ["Suite", "Score"], places, table)


def difference_table(study: Study) -> Table:
    """Paired differences of the fine-tuned methods to the baseline: group by subset, other scores over all quads; then
    the leading scores of the other suites that nothing was chosen on."""
    table = rows(study.tuned(), baseline=study.baseline)
    shown = parts(table) if len(table) else []
    every = rows(study.differences[study.differences["method"] != PRETRAINED], baseline=study.baseline)
    places = [(name, part_label(part), {"suite": study.main, "score": score, "subset": part})
              for score, name in SCORES.items() for part in (shown if score == "group" else shown[:1])]  # fmt: skip
    for name in sorted(set(study.summary["suite"]) - {study.main, study.validation}):
        places += [(m.title, name, {"suite": name, "score": m.score, "subset": m.subset}) for m in MEASURES if m.leads]
    body = [
        _difference(method, name, part, row)
        for method in in_order(every["method"])
        for name, part, place in places
        for _, row in rows(every, method=method, **place).iterrows()
    ]
    caption = (
        f"In percentage points against {label(study.baseline or '')}, same items and seeds, {intervals(study)}. "
        f"{_families(study)} Bold: p < {alpha(study.summary.iloc[0]):g} and an interval without zero."
    )
    columns = ["Method", "Score", "Of", "Difference", "p"]
    return Table("differences", "Paired differences", caption, columns, body, every)


def _families(study: Study) -> str:
    """What the p values are adjusted over."""
    subsets = "p after Holm over the subsets of one score"
    if "role" not in study.differences:
        return f"{subsets}."
    return (
        f"The group score over all quads of {study.main} was named as the endpoint before the run: p after Holm over "
        "the methods. Every other score over all of them is secondary: Holm over methods and scores together. By "
        f"subset and on other suites: {subsets}, exploratory."
    )


def decomposition_table(study: Study) -> Table | None:
    """What of each method's difference in the group score its evidence alone gives, and its threshold alone."""
    if study.decomposition is None:
        return None
    table = rows(study.decomposition, suite=study.main)
    body = [
        _difference(method, part_label(part), PARTS[name], row)
        for method in in_order(table["method"])
        for part in parts(table)
        for name in PARTS
        for _, row in rows(table, method=method, subset=part, part=name).iterrows()
    ]
    caption = (
        f"Group score in percentage points against {label(study.baseline or '')}: the method itself, and the two mixed "
        f"models that take I or |a| + |b| of each quad from it and the rest from {label(study.baseline or '')}. Seeds "
        f"are paired, {intervals(study)}. p after Holm over the subsets."
    )
    columns = ["Method", "Quads", "Of the method", "Difference", "p"]
    return Table("decomposition", "Evidence and threshold in the differences", caption, columns, body, table)


def _difference(method: str, score: str, part: str, row: pd.Series) -> list[Cell]:
    p = float(row["p_holm"])
    sure = verdict(row) in ("higher", "lower")
    point = Cell(points(row["point"]), between(row, sign="+"), sure, round(100 * float(row["point"]), 6))
    tested = Cell(probability(p).removeprefix("p = ").removeprefix("p "), value=p) if p == p else Cell("–")
    return [Cell(label(method)), Cell(score), Cell(part), point, tested]


def _number(value: float, form: str, small: str = "") -> Cell:
    """A number that sorts as one; a dash for NaN."""
    value = float(value)
    return Cell(f"{value:{form}}".replace("-", "−"), small, value=round(value, 6)) if value == value else Cell("–")


def ablation_table(study: Study) -> Table | None:
    """The settings of the loss that were tried, on validation: one row a setting, the plain baseline first."""
    if study.selection is None:
        return None
    every = study.selection.assign(form=tried(study.selection)["form"])
    results = {name: form for name, form in TRIED.items() if name in every}
    keys = [name for name in ("method", "form", "weight") if name in every]
    found = every.groupby(keys, dropna=False, sort=True)[list(results)].mean().reset_index()
    body = [
        [Cell(label(method)), Cell(row["form"] or "–"), _number(row.get("weight", np.nan), "g")]
        + [_number(scale * row[name], form) for name, (_, scale, form) in results.items()]
        for method in in_order(found["method"])
        for _, row in rows(found, method=method).iterrows()
    ]
    seeds = every["seed"].nunique()
    caption = (
        f"{'One seed' if seeds == 1 else f'Means over {seeds} seeds'} on validation quads, no intervals: exploratory. "
        "Scores and recall in percent, |a|, |b| and I in units of the similarity. These scores served to choose the "
        f"settings; settings that lie close together may differ by chance alone. Tried: {settings_in_words(study)}."
    )
    columns = ["Method", "Form", "Weight", *(name for name, _, _ in results.values())]
    return Table("ablation", "Settings of the loss, on validation", caption, columns, body, study.selection)


def models_table(study: Study) -> Table | None:
    """Other models beside the study's own on every suite, by its leading scores. None where there are none."""
    met = study.models
    if met is None:
        return None
    columns = list(met[["suite", "score", "subset"]].drop_duplicates().itertuples(index=False, name=None))
    titles = {(m.score, m.subset): m.title for m in MEASURES}

    def cell(at: pd.DataFrame) -> Cell:
        if at.empty:
            return Cell("–")
        row = at.iloc[0]
        point, theirs = 100 * float(row["point"]), _published(study.published, row)
        return Cell(f"{point:.1f} {row['alike']}", " · ".join([between(row), *theirs]), value=round(point, 6))

    body = []
    for method in in_order(met["method"]):
        of = rows(met, method=method).set_index(["suite", "score", "subset"], drop=False)
        named = ":".join(str(part) for part in of.iloc[0][["model", "head"]] if part == part and part)
        cost = float((of["seconds"] * of["n"]).sum() / of["n"].sum()) if of["seconds"].notna().all() else np.nan
        cells = [cell(of.loc[of.index == place]) for place in columns]
        body.append([Cell(label(method), named), *cells, _number(cost, ".2g")])
    caption = (
        f"Percent with {100 * float(met['level'].iloc[0]):g} % intervals; after the dot the published figure, where "
        "there is one. Two models that share a letter in a column are not told apart: paired tests of all pairs, "
        "Holm-corrected over the pairs of the column. Seconds: one item, where it was evaluated. Scores of models of "
        "different families have different scales; what is right or wrong does not depend on them."
    )
    heads = ["Model", *(f"{suite}: {titles[score, subset]}" for suite, score, subset in columns), "Seconds"]
    return Table("models", "Other models beside the study's own", caption, heads, body, met)


def _published(table: pd.DataFrame | None, row: pd.Series) -> list[str]:
    """The published figures of the whole benchmark for a row of the models' table; empty where there is none."""
    if table is None or not isinstance(row["published"], str):
        return []
    metrics = {row["score"], f"{row['subset']}_{row['score']}", *(["accuracy"] * (row["score"] == "pairwise"))}
    found = rows(table, benchmark=row["benchmark"], model=row["published"], subset="all")
    values = sorted(found.loc[found["metric"].isin(metrics), "value"])
    return ["published " + ", ".join(f"{value:g}" for value in values)] if values else []


def conformance_table(study: Study) -> Table | None:
    """Our figures beside the official ones: given the same scores they should be equal."""
    met = study.conformance
    if met is None or met.empty:
        return None
    body = [
        [*(Cell(str(row[name])) for name in ("benchmark", "model", "subset", "metric")),
         _number(row["published"], ".2f"),
         _number(row["ours"], ".2f", f"[{row['low']:.1f}, {row['high']:.1f}]" if row["low"] == row["low"] else ""),
         _number(row["difference"] + 0, "+.2f"), _number(row["tolerance"], "g"), Cell(str(row["verdict"]))]
        for row in met.to_dict("records")
    ]  # fmt: skip
    caption = (
        "Percent. Official: the published figure of a released score file or, on the miniature, what the benchmark's "
        "rule gives in its plainest form. The interval is ours. Tolerance: points that another edition or precision "
        "excuses; 0 asks for the same to the printed digit."
    )
    columns = ["Benchmark", "Model", "Subset", "Score", "Official", "Ours", "Difference", "Tolerance", "Verdict"]
    return Table("conformance", "Conformance with official figures", caption, columns, body, met)


def tables(study: Study) -> list[Table]:
    """Every table the study has the input and the rows for."""
    makers = (main_table, kept_table, subset_table, aspect_table, difference_table, equivariance_table,
              decomposition_table, suite_table, models_table, ablation_table, conformance_table)  # fmt: skip
    return [table for make in makers if (table := make(study)) is not None and table.rows]
