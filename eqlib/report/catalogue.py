"""Every figure of the report: what it needs, how it is printed, and the words that go with it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from eqlib.files import write_json
from eqlib.report.figures.benchmark import benchmark, examples
from eqlib.report.figures.caption import lines
from eqlib.report.figures.dose import dose, with_change
from eqlib.report.figures.equivariance import equivariance
from eqlib.report.figures.forest import forest
from eqlib.report.figures.inconsistency import inconsistency
from eqlib.report.figures.main_result import main_result
from eqlib.report.figures.motivation import example, motivation
from eqlib.report.figures.published import eqben, published
from eqlib.report.figures.retrieval import recalls, retrieval
from eqlib.report.figures.selection import selection
from eqlib.report.figures.tradeoff import tradeoff
from eqlib.report.figures.training import logged, training
from eqlib.report.headline import difference, headline, percent, points, value
from eqlib.report.study import PRETRAINED, Study
from eqlib.report.style import COLUMN, PAGE, label, save, style
from eqlib.report.words import marked

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Printed:
    """A drawn figure with its title, caption and a text for those who cannot see it."""

    figure: Figure
    title: str
    caption: str
    alt: str
    pictures: bool = False


def draw(study: Study, name: str) -> Printed | None:
    """Draw the figure ``name`` of FIGURES in the project's style; None where the study lacks what it shows."""
    with style():
        return FIGURES[name](study)


def publish(study: Study, name: str, folder: str | Path) -> Figure | None:
    """Draw ``name``, write PDF, PNG and its words (JSON) under ``folder``; return the figure.

    None, and a line in the log, where the study lacks its input.
    """
    printed = draw(study, name)
    if printed is None:
        log.warning("figure %s left out: the study holds no input for it", name)
        return None
    save(printed.figure, folder, name)
    inches = printed.figure.get_size_inches()
    words = {
        "order": list(FIGURES).index(name),
        "name": name,
        "title": printed.title,
        "caption": printed.caption,
        "alt": printed.alt,
        "pictures": printed.pictures,  # a photograph must not be recoloured for a dark page
        "inches": [round(float(side), 3) for side in inches],
    }
    write_json(Path(folder) / f"{name}.json", words)
    plt.close(printed.figure)  # or the notebook shows it twice
    return printed.figure


def _scores_in_words(study: Study, score: str = "group") -> str:
    rows = [(method, value(study, method, score)) for method in study.methods]
    return ", ".join(f"{label(method)} {percent(row['point'])}" for method, row in rows if row is not None)


def _motivation(study: Study) -> Printed | None:
    suite, after = study.pictures(), study.treatment
    if suite is None or after is None or study.baseline is None:
        return None
    quad = example(study.of(), study.baseline, after)
    if quad is None:
        return None
    tall = 1.72
    figure = plt.figure(figsize=(PAGE, tall))
    figure.set_layout_engine("none")
    methods, wide = study.trio, 0.175
    pictures = [figure.add_axes((0.006 + side * (wide + 0.008), 0.2, wide, wide * PAGE / tall)) for side in (0, 1)]
    left, width = 0.405, 0.6 / len(methods)
    panels = [figure.add_axes((left + n * width, 0.36, width * 0.9, 0.54)) for n in range(len(methods))]
    motivation([*pictures, *panels], suite, study.of(), quad, methods, width=wide * PAGE * 72)
    for panel in panels[1:]:
        panel.set_ylabel("")
    captions = suite.records.set_index("quad").loc[quad]
    return Printed(
        figure,
        "One small change, and what the similarity makes of it",
        f"A quad of the subset {captions['subset']}. Each arrow follows one caption's similarity from image 0 to "
        "image 1 (mean over seeds). An equivariant similarity answers the change with mirrored arrows; the group "
        "score is right when the evidence I exceeds |a| + |b|, by how much the mirror is bent. Chosen by rule, as "
        f"an illustration: of the quads wrong under {label(study.baseline)} and right under {label(after)}, the one "
        "whose |a| + |b| shrank by the median amount.",
        f"Two pictures, “{captions['caption0']}” and “{captions['caption1']}”, and for each of "
        f"{', '.join(map(label, methods))} a panel of two arrows: the similarity of each caption with both pictures.",
        pictures=True,
    )


def _benchmark(study: Study) -> Printed | None:
    suite = study.pictures()
    if suite is None:
        return None
    records = examples(suite)
    across = 4
    down = -(-len(records) // across)
    side = PAGE / across / 2 - 0.085
    text = max(
        len(lines(words, side * 72, 5.8))
        for pair in zip(records["caption0"], records["caption1"], strict=True)
        for words in marked(*pair)
    )
    tall = side + 0.24 + min(text, 4) * 5.8 * 1.28 / 72 + 0.08
    figure = plt.figure(figsize=(PAGE, down * tall))
    figure.set_layout_engine("none")
    axes = []
    for number in range(len(records)):
        row, column = divmod(number, across)
        x = column * PAGE / across + 0.03
        y = (down - row) * tall - 0.2 - side
        for half in (0, 1):
            box = ((x + half * (side + 0.04)) / PAGE, y / (down * tall), side / PAGE, side / (down * tall))
            axes.append(figure.add_axes(box))
    benchmark(axes, suite, records, width=side * 72)
    counts = suite.counts()
    return Printed(
        figure,
        "The benchmark: one quad of each subset",
        f"{len(suite):,} quads in {len(counts)} subsets; one of each is shown, the changed words in bold. Left "
        "picture with left caption and right with right are the matched pairs. Shown is the quad that changes "
        "fewest words, of median caption length.",
        "Pairs of pictures that differ by one small change: "
        + "; ".join(f"{r['subset']}: “{r['caption0']}” and “{r['caption1']}”" for _, r in records.iterrows())
        + ".",
        pictures=True,
    )


def _main_result(study: Study) -> Printed:
    figure, ax = plt.subplots(figsize=(PAGE, 2.15))
    main_result(ax, study.summary[study.summary["suite"] == study.main], study.of())
    return Printed(
        figure,
        "Group score by subset and method",
        f"{headline(study)} Large marks: mean over {len(study.seeds)} seeds with 95 % intervals; small dots: single "
        "seeds; dotted line: chance.",
        f"Dot plot of the group score with intervals. All quads: {_scores_in_words(study)}.",
    )


def _equivariance(study: Study) -> Printed:
    methods = study.trio or study.methods[:3]
    figure, axes = plt.subplots(1, len(methods), figsize=(PAGE, 2.2), sharey=True, squeeze=False)
    equivariance(axes[0], study.of(), methods)
    return Printed(
        figure,
        "The equivariance panel",
        "Contours around 95, 80, 60, 40 and 20 % of the quads (all seeds), dot at the mean: evidence I upward, "
        "threshold |a| + |b| to the right. Above the diagonal the group score is right. In the shaded band the "
        "right assignment wins and the group score is still wrong: the headroom that a more equivariant similarity "
        "with the same I would recover. EqSim pulls quads to the left.",
        f"Density panels by method. Group right: {_scores_in_words(study)}. Headroom: "
        f"{_scores_in_words(study, 'headroom')}.",
    )


def _inconsistency(study: Study) -> Printed:
    figure, axes = plt.subplots(1, 2, figsize=(PAGE, 1.75))
    inconsistency(axes, study.of())
    return Printed(
        figure,
        "How far the two sides are from mirrored",
        "Density of the signed inconsistency over quads (all seeds). Zero: swapping the captions (left) or the "
        "images (right) changes the similarity by the same amount on both members of the pair. Narrower is more "
        "equivariant.",
        "Two density plots centred at zero, one curve a method, for the text side and the image side.",
    )


def _training(study: Study) -> Printed | None:
    if study.histories is None:
        return None
    columns = logged(study.histories)
    columns = columns[:8] if len(columns) > 4 else columns
    if not columns:
        return None
    across = min(4, len(columns))
    down = -(-len(columns) // across)
    figure, axes = plt.subplots(down, across, figsize=(PAGE, 0.25 + 1.3 * down), squeeze=False, sharex=True)
    training(axes.ravel()[: len(columns)], study.histories, columns)
    for ax in axes.ravel()[len(columns) :]:
        ax.remove()
    for column in range(across):
        ax = axes[(len(columns) - 1 - column) // across, column]
        ax.set_xlabel("step")
        ax.tick_params(labelbottom=True)
    return Printed(
        figure,
        "Training curves, term by term",
        f"Each term of the loss and what it acts on in the batch. Line: mean over {len(study.seeds)} seeds; band: "
        "their range.",
        f"Small line plots over training steps of {', '.join(name.replace('_', ' ') for name in columns)}.",
    )


def _selection(study: Study) -> Printed | None:
    if study.selection is None:
        return None
    figure, ax = plt.subplots(figsize=(COLUMN, 1.9))
    selection(ax, study.selection)
    return Printed(
        figure,
        "Choosing weight and margin on validation",
        "Validation score of EqSim by weight and margin; the frame marks the setting chosen. No test quad was used.",
        "Heat map of the validation score, weight across and margin down.",
    )


def _tradeoff(study: Study) -> Printed | None:
    if study.path is None:
        return None
    figure, ax = plt.subplots(figsize=(COLUMN, 2.3))
    tradeoff(ax, study.path)
    return Printed(
        figure,
        "Group score against retrieval",
        "From the pretrained weights (α = 0) to the fine-tuned ones (α = 1) by interpolation. Up and to the right "
        "is better in both; thin lines are seeds.",
        "Curves of the group score against recall at 1, one a method, from a common start.",
    )


def _dose(study: Study) -> Printed | None:
    suite = study.pictures()
    joined = None if suite is None else with_change(study.of(), suite.records)
    if joined is None:
        return None
    figure, ax = plt.subplots(figsize=(COLUMN, 2.3))
    dose(ax, joined[joined["method"].isin(study.trio)] if study.trio else joined)
    return Printed(
        figure,
        "Group score against the size of the change",
        "Marks: means of equally filled bins with 95 % intervals; lines: logistic fit with a 95 % band, errors "
        "clustered by scene. Subsets differ in the size of their changes, so this is a description and no cause.",
        "Group score rising or falling with the size of the visual change, one curve a method.",
    )


def _forest(study: Study) -> Printed | None:
    table = study.differences[study.differences["suite"] == study.main]
    table = table[(table["baseline"] == study.baseline) & (table["score"] == "group") & (table["method"] != PRETRAINED)]
    if table.empty:
        return None
    rows = table["subset"].nunique() * table["method"].nunique()
    figure, ax = plt.subplots(figsize=(PAGE * 0.72, 0.75 + 0.17 * rows))
    forest(ax, table, baseline=study.baseline)
    row = difference(study)
    told = "" if row is None else f" All quads: {points(row['point'])} [{points(row['low'])}, {points(row['high'])}]."
    return Printed(
        figure,
        f"Paired differences to {label(study.baseline).lower()}",
        "The same quads and seeds under both methods, so the difference is paired; 95 % intervals. Filled: "
        f"Holm-corrected p < 0.05; hollow: not told apart from zero.{told}",
        f"Forest plot of differences in group score by subset, with numbers at the right.{told}",
    )


def _published(study: Study) -> Printed | None:
    table = None if study.published is None else eqben(study.published)
    if table is None or table.empty:
        return None
    scored = study.summary[study.summary["suite"] == "eqben"]
    figure, ax = plt.subplots(figsize=(PAGE * 0.72, 2.4))
    published(ax, table, None if scored.empty else scored)
    editions = ", ".join(sorted(map(str, table["edition"].dropna().unique())))
    return Printed(
        figure,
        "Published models on EqBen",
        f"Group score by subset as published (editions: {editions or 'not stated'}); editions differ in size and "
        "picture format.",
        "Dot plot of published group scores on the seven subsets of EqBen.",
    )


def _retrieval(study: Study) -> Printed | None:
    if study.retrieval is None:
        return None
    table = recalls(study.retrieval)
    figure, axes = plt.subplots(1, 2, figsize=(PAGE * 0.72, 1.9), sharey=True)
    retrieval(axes, table)
    return Printed(
        figure,
        "Retrieval",
        "Recall at 1, 5 and 10 on the retrieval set, both directions: what a gain on quads costs, or does not.",
        "Dot plot of recall at 1, 5 and 10 by method, image to text and text to image.",
    )


FIGURES: dict[str, Callable[[Study], Printed | None]] = {
    "motivation": _motivation,
    "benchmark": _benchmark,
    "main_result": _main_result,
    "forest": _forest,
    "equivariance": _equivariance,
    "inconsistency": _inconsistency,
    "training": _training,
    "dose": _dose,
    "retrieval": _retrieval,
    "tradeoff": _tradeoff,
    "selection": _selection,
    "published": _published,
}
"""Name to figure, in the order of the report."""
