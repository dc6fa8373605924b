"""Every figure of the report with its words, drawn as the figures notebook draws it."""

from __future__ import annotations

from eqlib.study.report import words
from eqlib.study.report.figures import examples, runs, scores, similarity
from eqlib.study.report.study import Study
from eqlib.study.report.tried import tried


def _motivation(study: Study):
    quad = examples.example(study.of(), study.before, study.treatment)
    return examples.motivation(study.pictures(), study.of(), quad), words.motivation(study, quad)


def _benchmark(study: Study):
    shown = examples.examples(study.pictures())
    return examples.benchmark(study.pictures(), shown), words.benchmark(study, shown)


def _dose(study: Study):
    graded = scores.sizes(study.of(), study.pictures().records)
    return scores.dose(scores.by_size(graded, level=study.level)), words.dose(study)


def _published(study: Study):
    own = study.summary[study.summary["suite"] == "eqben"]
    return scores.published(words.eqben(study), None if own.empty else own), words.published(study)


FIGURES = {
    "motivation": _motivation,
    "benchmark": _benchmark,
    "main_result": lambda s: (scores.main_result(s.summary, s.of()), words.main_result(s)),
    "aspects": lambda s: (
        scores.main_result(scores.by_aspect(s.aspects(), level=s.level), s.aspects()),
        words.aspects(s),
    ),
    "forest": lambda s: (scores.forest(s.tuned(), baseline=s.baseline), words.forest(s)),
    "equivariance": lambda s: (similarity.equivariance(s.of()), words.equivariance(s)),
    "decomposition": lambda s: (scores.decomposition(s.decomposition, baseline=s.baseline), words.decomposition(s)),
    "training": lambda s: (runs.training(s.histories), words.training(s)),
    "dose": _dose,
    "retrieval": lambda s: (scores.retrieval(s.summary), words.retrieval(s)),
    "tradeoff": lambda s: (runs.tradeoff(s.path), words.tradeoff(s)),
    "frontier": lambda s: (runs.frontier(tried(s.selection), baseline=s.baseline), words.frontier(s)),
    "published": _published,
}
"""Name to a function of a study that gives the axes and the words."""
