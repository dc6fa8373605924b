"""What a longer run of the same study reported: ``headline.json``, written beside every report, quoted by another's."""

from pathlib import Path

from eqlib.files import read_json
from eqlib.study.report.headline import abstract, change, difference, known, seeds_in_words, tuned
from eqlib.study.report.study import Study
from eqlib.study.report.style import label

SHOWN = ("index.html", "report.pdf", "README.md", "main.md", "headline.json")
"""What a reader is sent to, the first that is there."""


def headline_of(study: Study) -> dict:
    """``abstract`` (paragraphs), ``seeds`` and ``starts`` (numbers), ``seeds_in_words``, ``suite``, ``quads``,
    ``baseline`` and ``contrasts``: of each method whose group score over all quads has an interval, the control first,
    method, point, low, high, p_holm and level, as proportions."""
    table = [row for method in tuned(study) if known(row := difference(study, method=method))]
    numbers = ("point", "low", "high", "p_holm", "level")
    return {
        "abstract": abstract(study),
        "seeds": len(study.seeds),
        "starts": len(study.starts),
        "seeds_in_words": seeds_in_words(study),
        "suite": study.main,
        "quads": int(study.of()["quad"].nunique()),
        "baseline": study.baseline,
        "contrasts": [{"method": row["method"]} | {name: float(row[name]) for name in numbers} for row in table],
    }


def elsewhere(study: Study, profiles: str | Path) -> list[dict[str, str]]:
    """``name``, ``text`` and ``file`` of every profile whose report left PROFILES/NAME/headline.json and that was run
    with more pretrained models, or more seeds, than ``study``, against the same baseline. ``file``: what a reader opens
    there, relative to PROFILES."""
    said = []
    for path in sorted(Path(profiles).glob("*/headline.json")):
        found = read_json(path)
        more = (found["starts"], found["seeds"]) > (len(study.starts), len(study.seeds))
        if not (more and found["baseline"] == study.baseline and found["contrasts"]):
            continue
        each = [f"{label(row['method'])} {change(row)}" for row in found["contrasts"]]
        text = (
            f"The profile {path.parent.name} made the same comparison with {found['seeds_in_words']} on "
            f"{found['quads']:,} quads of {found['suite']}: group score against {label(study.baseline).lower()} "
            f"{', '.join(each)} percentage points."
        )
        file = next(file for name in SHOWN if (file := path.with_name(name)).is_file())
        said.append({"name": path.parent.name, "text": text, "file": f"{path.parent.name}/{file.name}"})
    return said
