"""Title, caption and alternative text of every figure. They say how to read it; what it shows comes from the tables."""

import pandas as pd

from eqlib.study.report.figures.runs import KEPT, logged
from eqlib.study.report.figures.scores import BINS, EQBEN
from eqlib.study.report.figures.similarity import SIDES
from eqlib.study.report.headline import (
    alpha,
    between,
    difference,
    headline,
    intervals,
    percent,
    points,
    scores_in_words,
    seeds_in_words,
)
from eqlib.study.report.study import PRETRAINED, Study
from eqlib.study.report.style import in_order, label
from eqlib.study.report.typeset import Words


def motivation(study: Study, quad: str) -> Words:
    record = study.pictures().records.set_index("quad").loc[quad]
    before = " and ".join(map(label, study.before))
    return Words(
        "motivation",
        "One small change, and how the similarity follows it",
        f"A quad of the subset {record['subset']}. Each arrow follows one caption's similarity from image 0 to image 1 "
        "(mean over seeds). If the similarity is equivariant, one arrow rises by as much as the other falls. The group "
        "score is right when the evidence I exceeds |a| + |b|, which measures how far the two arrows are from that. "
        f"Chosen by rule: of the quads wrong under {before} and right under {label(study.treatment)}, one that is "
        "clearer than nine in ten; the other methods are shown as they are.",
        f"Two pictures, “{record['caption0']}” and “{record['caption1']}”, and for each of "
        f"{', '.join(map(label, study.methods))} a panel of two arrows: the similarity of each caption with both "
        "pictures.",
        pictures=True,
    )


def benchmark(study: Study, records: pd.DataFrame) -> Words:
    suite = study.pictures()
    number = len(suite.counts())
    captions = [f"{r['subset']}: “{r['caption0']}” and “{r['caption1']}”" for _, r in records.iterrows()]
    return Words(
        "benchmark",
        "The benchmark",
        f"{len(suite):,} quads of {'one subset' if number == 1 else f'{number} subsets'}, changed words in bold. The "
        "left caption belongs to the left picture, the right one to the right. Shown are the quads that change fewest "
        "words, of median caption length.",
        f"Pairs of pictures that differ by one small change: {'; '.join(captions)}.",
        pictures=True,
    )


def main_result(study: Study) -> Words:
    return Words(
        "main_result",
        "Group score by subset and method",
        f"{headline(study)} Large marks: mean over {seeds_in_words(study)} with {intervals(study)}; "
        "small dots: single seeds; dotted line: chance.",
        f"Dot plot of the group score with intervals. All quads: {scores_in_words(study)}.",
    )


def forest(study: Study) -> Words:
    table = study.differences[study.differences["baseline"] == study.baseline]
    rows = [(method, difference(study, method=method)) for method in in_order(table["method"]) if method != PRETRAINED]
    each = [f"{label(m)} {points(row['point'])} {between(row, sign='+')}" for m, row in rows if row is not None]
    told = f" All quads: {', '.join(each)}." if each else ""
    return Words(
        "forest",
        f"Paired differences to {label(study.baseline).lower()}",
        "Both methods are scored on the same quads with the same seeds, so the difference is paired; "
        f"{intervals(study)}. Filled: Holm-corrected p < {alpha(study.differences.iloc[0]):g}; hollow: not told apart "
        f"from zero.{told}",
        f"Forest plot of differences in group score by subset, with numbers at the right.{told}",
    )


def equivariance(study: Study) -> Words:
    return Words(
        "equivariance",
        "Evidence and threshold",
        "Contours around 95, 80, 60, 40 and 20 % of the quads (all seeds), dot at the mean: evidence I upward, "
        "threshold |a| + |b| to the right. Above the diagonal the group score is right. In the shaded band I is "
        "positive and the group score still wrong: the headroom. A quad leaves it when I grows or |a| + |b| shrinks.",
        f"Density panels by method. Group right: {scores_in_words(study)}. Headroom: "
        f"{scores_in_words(study, 'headroom')}.",
    )


def inconsistency(study: Study) -> Words:
    items = study.of()
    spread = (items[list(SIDES)] ** 2).groupby(items["method"]).mean().mean(axis=1)
    best = items.groupby("method")["group"].mean().idxmax()
    return Words(
        "inconsistency",
        "Inconsistency of the two sides",
        "Density over quads (all seeds) of how unequally the two members of a pair answer a swap of the captions "
        "(left) or of the images (right), in units of the similarity; zero is equal. RMS: root mean square. Over both "
        f"sides {label(spread.idxmin())} is narrowest and {label(spread.idxmax())} widest; the highest group score is "
        f"{label(best)}'s.",
        "Two density plots centred at zero, one curve a method, for the text side and the image side.",
    )


def training(study: Study) -> Words:
    names = ", ".join(name.replace("_", " ") for name in logged(study.histories))
    return Words(
        "training",
        "Training curves, term by term",
        f"Each term of the loss, and batch means of what EqSim acts on. Line: mean over {seeds_in_words(study)}; band "
        "(with several): from the lowest seed to the highest. A term is drawn for the methods that have it.",
        f"Small line plots over training steps of {names}.",
    )


def dose(study: Study) -> Words:
    return Words(
        "dose",
        "Group score against the size of the change",
        f"Parts of the suite whose changes come in sizes; a size has its own unit in each part. Marks: {BINS} about "
        f"equally filled bins, or one a size where there are fewer, with {intervals(study)}, which include variation "
        "over quads and seeds. Marks of one bin are set side by side.",
        "Group score against the size of the visual change, one panel a kind of change, one line a method.",
    )


def retrieval(study: Study) -> Words:
    return Words(
        "retrieval",
        "Retrieval",
        "Recall at 1, 5 and 10 on the retrieval set, in both directions: what a gain on quads may cost. The axes do "
        "not start at zero; all span the same number of points. "
        f"Large marks: mean over {seeds_in_words(study)}; small dots: single seeds.",
        "Dot plots of recall at 1, 5 and 10 by method, image to text and text to image.",
    )


def tradeoff(study: Study) -> Words:
    zero_shot = "Zero-shot accuracy: pictures of one thing alone, by name. " * ("zero_shot_top1" in study.path)
    names = " and ".join(name.removesuffix(" (%)") for column, name in KEPT.items() if column in study.path)
    seeds = study.path["seed"].nunique()
    return Words(
        "tradeoff",
        "Group score against what is kept",
        "From the pretrained weights (α = 0) to the fine-tuned ones (α = 1) by interpolation, on the validation split; "
        f"R@1 is the mean of both directions. {zero_shot}Up and to the right is better in both. "
        f"{'One seed a method and no intervals: exploratory.' if seeds == 1 else 'Thin lines: seeds.'}",
        f"Curves of the group score against {names}, one a method, from a common start.",
    )


def selection(study: Study) -> Words:
    tried = study.selection
    seeds = tried["seed"].nunique() if "seed" in tried else 1
    same = study.main == study.validation
    read = "These are also the quads reported here." if same else "No quad reported here was used."
    return Words(
        "selection",
        "Settings tried on validation",
        f"Group score on validation quads of every setting tried, {'one seed' if seeds == 1 else f'{seeds} seeds'}, no "
        "intervals. Filled: the setting chosen for its method. Settings that lie close together may differ by chance "
        f"alone. {read}",
        f"Dot plot of {len(tried)} settings; the best has {percent(float(tried['point'].max()))}.",
    )


def published(study: Study) -> Words:
    table = eqben(study)
    models = sorted(table["model"].unique())
    edition = table["edition"].fillna("").replace("", "not stated")
    usual = edition.mode().iloc[0]  # editions differ in size and picture format
    rows = zip(table["model"], table["subset"], edition, strict=True)
    other = [f"{model} on {EQBEN[subset]} ({kind})" for model, subset, kind in rows if kind != usual]
    own = (
        f"In colour: this study, {intervals(study)}."
        if "eqben" in set(study.summary["suite"])
        else f"The study's own models are not shown: they were scored on {study.main}, whose quads are not EqBen's."
    )
    return Words(
        "published",
        "Published models on EqBen",
        f"Group score by subset, as published ({'; '.join(sorted(map(str, table['source'].unique())))}). "
        f"Edition: {'; but '.join([usual, ', '.join(other)] if other else [usual])}. {own} Dotted line: chance.",
        f"Dot plot of the published group scores of {len(models)} models on the subsets of EqBen: {', '.join(models)}.",
    )


def eqben(study: Study) -> pd.DataFrame:
    """The published rows (benchmark, subset, model, metric, value in %) that are group scores of EqBen's subsets."""
    table = study.published
    table = table[(table["benchmark"] == "eqben") & (table["metric"] == "group")]
    return table[table["subset"].isin(EQBEN)]
