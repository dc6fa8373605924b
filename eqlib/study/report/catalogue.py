"""Every figure of the report by name, in its order. A new figure is a file in ``figures`` and a line here."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from eqlib.files import write_json
from eqlib.study.report.figures import (
    benchmark,
    dose,
    equivariance,
    forest,
    inconsistency,
    main_result,
    motivation,
    published,
    retrieval,
    selection,
    tradeoff,
    training,
)
from eqlib.study.report.printed import Printed
from eqlib.study.report.study import Study
from eqlib.study.report.style import save, style

log = logging.getLogger(__name__)

FIGURES: dict[str, Callable[[Study], Printed | None]] = {
    "motivation": motivation.printed,
    "benchmark": benchmark.printed,
    "main_result": main_result.printed,
    "forest": forest.printed,
    "equivariance": equivariance.printed,
    "inconsistency": inconsistency.printed,
    "training": training.printed,
    "dose": dose.printed,
    "retrieval": retrieval.printed,
    "tradeoff": tradeoff.printed,
    "selection": selection.printed,
    "published": published.printed,
}


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
        "pictures": printed.pictures,
        "inches": [round(float(side), 3) for side in inches],
    }
    write_json(Path(folder) / f"{name}.json", words)
    plt.close(printed.figure)  # or the notebook shows it twice
    return printed.figure
