"""The tables of the report. Every number comes with its interval; bold only where the paired test carries it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

from eqlib.study.report.figures.scores import DIRECTIONS, recalls
from eqlib.study.report.headline import alpha, between, intervals, points, probability, verdict
from eqlib.study.report.study import PRETRAINED, Study, is_average, part_label, parts
from eqlib.study.report.style import in_order, label
from eqlib.study.report.typeset import Cell, Table

SCORES = {"text": "Text", "image": "Image", "group": "Group", "group_match": "Group match", "headroom": "Headroom"}
SIDES = {"text_retrieval": "I→T", "image_retrieval": "T→I"}
FORM = ("variant", "similarity", "own_change", "weight", "margin")


def best(study: Study, suite: str, subset: str, score: str) -> str | None:
    """The method whose lead the tests carry: the highest point of all, and for every other fine-tuned method a row of
    differences that says so. None where a test is missing or does not tell them apart.
    """
    table = study.summary
    table = table[(table["suite"] == suite) & (table["subset"] == subset) & (table["score"] == score)]
    if len(table) < 2 or table["point"].isna().any():
        return None
    first = str(table.loc[table["point"].idxmax(), "method"])
    tests = study.differences
    tests = tests[(tests["suite"] == suite) & (tests["subset"] == subset) & (tests["score"] == score)]
    for other in set(table["method"]) - {first, PRETRAINED}:
        ahead = tests[(tests["method"] == first) & (tests["baseline"] == other)]
        behind = tests[(tests["method"] == other) & (tests["baseline"] == first)]
        won = [verdict(row) == "higher" for _, row in ahead.iterrows()]
        won += [verdict(row) == "lower" for _, row in behind.iterrows()]
        if not any(won):
            return None
    return first


def _bold(study: Study, within: str = "column") -> str:
    test = f"by the paired test (Holm p < {alpha(study.summary.iloc[0]):g})"
    return f"Bold: the highest in its {within}, and above every other fine-tuned method {test}."


def _cell(study: Study, place: dict[str, str], *, scale: float = 100, digits: int = 1, bold: bool = True) -> Cell:
    """The row of ``summary`` at ``place`` (suite, subset, method, score) with its interval; a dash where absent."""
    table = study.summary
    for column, value in place.items():
        table = table[table[column] == value]
    if table.empty or table["point"].isna().any():
        return Cell("–")
    row, point = table.iloc[0], scale * float(table["point"].iloc[0])
    first = bold and best(study, place["suite"], place["subset"], place["score"]) == place["method"]
    return Cell(f"{point:.{digits}f}", between(row, scale=scale, digits=digits), first, round(point, 6))


def main_table(study: Study) -> Table:
    """Matching scores of the main suite by method, over all quads, in percent."""
    place = {"suite": study.main, "subset": "micro"}
    rows = [
        [Cell(label(method))]
        + [_cell(study, place | {"method": method, "score": score}, bold=score != "headroom") for score in SCORES]
        for method in study.methods
    ]
    caption = (
        f"Percent of {study.of()['quad'].nunique():,} quads of {study.main}, mean over seeds, {intervals(study)}. "
        f"{_bold(study)}"
    )
    data = study.summary[(study.summary["suite"] == study.main) & study.summary["score"].isin(SCORES)]
    return Table("main", "Main result", caption, ["Method", *SCORES.values()], rows, data)


def subset_table(study: Study) -> Table:
    """Group score of the main suite by subset and method, and the averages over subsets."""
    table = study.summary[study.summary["suite"] == study.main]
    names = [*parts(table), *sorted(name for name in set(table["subset"]) if is_average(name) and name != "micro")]
    rows = [[Cell(part_label(name)), *_group(study, study.main, name)] for name in names]
    caption = f"Group score in percent with {intervals(study)}, {study.main}. {_bold(study, 'row')}"
    columns = ["Subset", *map(label, study.methods)]
    return Table("subsets", "Group score by subset", caption, columns, rows, table[table["score"] == "group"])


def _group(study: Study, suite: str, subset: str) -> list[Cell]:
    place = {"suite": suite, "subset": subset, "score": "group"}
    return [_cell(study, place | {"method": method}) for method in study.methods]


def suite_table(study: Study) -> Table:
    """Group score over all quads of every suite that was scored."""
    names = sorted(set(study.summary["suite"]), key=lambda name: (name != study.main, name))
    rows = [[Cell(str(name)), *_group(study, name, "micro")] for name in names]
    table = study.summary[(study.summary["subset"] == "micro") & (study.summary["score"] == "group")]
    caption = f"Group score over all quads in percent with {intervals(study)}. {_bold(study, 'row')}"
    return Table("suites", "Every suite", caption, ["Suite", *map(label, study.methods)], rows, table)


def equivariance_table(study: Study) -> Table:
    """What EqSim acts on: abs(a), abs(b), I and the two inconsistencies, in units of the similarity."""
    names = {
        "abs_a": "|a|",
        "abs_b": "|b|",
        "I": "I",
        "text_inconsistency": "Text side |a + b|",
        "image_inconsistency": "Image side |a − b|",
    }
    place = {"suite": study.main, "subset": "micro"}
    form = {"scale": 1, "digits": 3, "bold": False}
    rows = [
        [Cell(label(method)), *(_cell(study, place | {"method": method, "score": score}, **form) for score in names)]
        for method in study.methods
    ]
    caption = (
        f"Means over all quads in units of the similarity, {intervals(study)}. EqSim penalises a and b and should "
        "leave I unchanged."
    )
    data = study.summary[(study.summary["suite"] == study.main) & study.summary["score"].isin(names)]
    return Table("equivariance", "Equivariance", caption, ["Method", *names.values()], rows, data)


def difference_table(study: Study) -> Table:
    """Paired differences of the fine-tuned methods to the baseline: group by subset, other scores over all quads, and
    recall at 1 in both directions where the compare stage tested it."""
    table = study.differences[study.differences["baseline"] == study.baseline]
    table = table[table["method"] != PRETRAINED]
    recall = table[table["score"] == "R@1"]
    table = table[(table["suite"] == study.main) & (table["score"] != "R@1")]
    shown = parts(table) if len(table) else []
    rows = []
    for method in in_order(table["method"]):
        for score, name in SCORES.items():
            for part in shown if score == "group" else shown[:1]:
                row = table[(table["method"] == method) & (table["score"] == score) & (table["subset"] == part)]
                if not row.empty:
                    rows.append(_difference(method, name, part_label(part), row.iloc[0]))
        for direction, name in SIDES.items():
            row = recall[(recall["method"] == method) & (recall["subset"] == direction)]
            if not row.empty:
                rows.append(_difference(method, f"{name} R@1", "Retrieval set", row.iloc[0]))
    caption = (
        f"In percentage points against {label(study.baseline or '')}, same quads or queries and seeds, "
        f"{intervals(study)}. p after Holm over the subsets of one score. Bold: p < {alpha(study.summary.iloc[0]):g} "
        "and an interval without zero."
    )
    columns = ["Method", "Score", "Of", "Difference", "p"]
    return Table("differences", "Paired differences", caption, columns, rows, pd.concat([table, recall]))


def _difference(method: str, score: str, part: str, row: pd.Series) -> list[Cell]:
    p = float(row["p_holm"])
    sure = verdict(row) in ("higher", "lower")
    point = Cell(points(row["point"]), between(row, sign="+"), sure, round(100 * float(row["point"]), 6))
    tested = Cell(probability(p).removeprefix("p = ").removeprefix("p "), value=p) if p == p else Cell("–")
    return [Cell(label(method)), Cell(score), Cell(part), point, tested]


def retrieval_table(study: Study) -> Table | None:
    """Recall at 1, 5 and 10, mean over seeds with their range."""
    if study.retrieval is None:
        return None
    table = recalls(study.retrieval)
    ks = sorted(table["k"].unique())
    rows = []
    for method in in_order(table["method"]):
        cells = [Cell(label(method))]
        for side in DIRECTIONS:
            for k in ks:
                keys = (table["method"] == method) & (table["direction"] == side) & (table["k"] == k)
                runs = 100 * table.loc[keys, "recall"]
                small = f"({runs.min():.1f}–{runs.max():.1f})" if len(runs) > 1 else ""
                cells.append(Cell(f"{runs.mean():.1f}", small, value=round(float(runs.mean()), 6)))
        rows.append(cells)
    columns = ["Method", *(f"{short} R@{k}" for short in SIDES.values() for k in ks)]
    caption = "Percent, mean over seeds with their range. I→T: captions ranked for an image; T→I: images for a caption."
    return Table("retrieval", "Retrieval", caption, columns, rows, study.retrieval)


def ablation_table(study: Study) -> Table | None:
    """The settings of the loss that were tried, on validation: one row a setting, the plain baseline first."""
    tried = study.selection
    if tried is None:
        return None
    settings = {name: name.replace("_", " ").capitalize() for name in FORM if name in tried}
    results = {
        "val_group": ("Group", 100, 1),
        "val_group_match": ("Group match", 100, 1),
        "val_image_to_text_r1": ("I→T R@1", 100, 1),
        "val_text_to_image_r1": ("T→I R@1", 100, 1),
        "val_abs_a": ("|a|", 1, 3),
        "val_abs_b": ("|b|", 1, 3),
        "val_I": ("I", 1, 3),
    }
    results = {name: form for name, form in results.items() if name in tried}
    if "method" not in tried or not results:
        return None
    means = tried.groupby(["method", *settings], dropna=False, sort=True)[list(results)].mean().reset_index()
    rows = []
    for method in in_order(means["method"]):
        for _, row in means[means["method"] == method].iterrows():
            cells = [Cell(label(method)), *(_setting(row[name]) for name in settings)]
            for name, (_, scale, digits) in results.items():
                number = scale * float(row[name])
                cells.append(Cell(f"{number:.{digits}f}", value=round(number, 6)) if number == number else Cell("–"))
            rows.append(cells)
    seeds = tried["seed"].nunique() if "seed" in tried else 1
    caption = (
        f"{'One seed' if seeds == 1 else f'Means over {seeds} seeds'} on validation quads, no intervals: scores and "
        "recall in percent, |a|, |b| and I in units of the similarity. These scores served to choose the settings; "
        "neighbours may differ by chance alone."
    )
    columns = ["Method", *settings.values(), *(name for name, _, _ in results.values())]
    return Table("ablation", "Settings of the loss, on validation", caption, columns, rows, tried)


def _setting(value: object) -> Cell:
    """A number sorts as one; a method without this setting shows a dash."""
    if pd.isna(value):
        return Cell("–")
    if isinstance(value, bool | np.bool_):
        return Cell("yes" if value else "no")
    return Cell(value.replace("_", " ")) if isinstance(value, str) else Cell(f"{value:g}", value=float(value))


def conformance_table(study: Study) -> Table | None:
    """Our figures beside the official ones: given the same scores they should be equal."""
    met = study.conformance
    if met is None or met.empty:
        return None
    rows = []
    for row in met.itertuples():
        interval = f"[{row.low:.1f}, {row.high:.1f}]" if row.low == row.low else ""
        numbers = [
            Cell(f"{row.published:.2f}", value=round(float(row.published), 6)),
            Cell(f"{row.ours:.2f}", interval, value=round(float(row.ours), 6)),
            Cell(f"{row.difference + 0:+.2f}".replace("-", "−"), value=round(float(row.difference), 6)),
            Cell(f"{row.tolerance:g}", value=float(row.tolerance)),
        ]
        names = [str(row.benchmark), str(row.model), str(row.subset), str(row.metric)]
        rows.append([*map(Cell, names), *numbers, Cell(str(row.verdict))])
    caption = (
        "Percent. Official: the published figure of a released score file or, on the miniature, what the benchmark's "
        "rule gives in its plainest form. The interval is ours. Tolerance: points that another edition or precision "
        "excuses; 0 asks for the same to the printed digit."
    )
    columns = ["Benchmark", "Model", "Subset", "Score", "Official", "Ours", "Difference", "Tolerance", "Verdict"]
    return Table("conformance", "Conformance with official figures", caption, columns, rows, met)


TABLES: tuple[Callable[[Study], Table | None], ...] = (
    main_table,
    subset_table,
    difference_table,
    equivariance_table,
    suite_table,
    retrieval_table,
    ablation_table,
    conformance_table,
)
"""The tables in the order of the report."""


def tables(study: Study) -> list[Table]:
    """Every table the study has the input and the rows for."""
    made = [make(study) for make in TABLES]
    return [table for table in made if table is not None and table.rows]
