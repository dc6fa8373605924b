"""What the report says: words, numbers, figures and tables, gathered once for the page and for the paper."""

import re
from dataclasses import dataclass, field
from pathlib import Path

from ruamel.yaml import YAML

from eqlib.errors import InputError
from eqlib.files import read_json
from eqlib.study.report.elsewhere import elsewhere
from eqlib.study.report.headline import (
    difference,
    evidence,
    interval,
    paragraphs,
    percent,
    points,
    seeds_in_words,
    settings_in_words,
    tuned,
    value,
    verdict,
)
from eqlib.study.report.sections import PROSE, discussion, losses, methods
from eqlib.study.report.study import CONTROL, PRETRAINED, Study
from eqlib.study.report.style import label
from eqlib.study.report.tried import named


def runs(text: str) -> tuple[tuple[str, str], ...]:
    """``text`` in pieces (kind, text); kind is plain, code (between backticks) or strong (between double asterisks).

    >>> runs("**Bold** and `code`")
    (('strong', 'Bold'), ('plain', ' and '), ('code', 'code'))
    """
    pieces = filter(None, re.split(r"(`[^`]+`|\*\*[^*]+\*\*)", " ".join(text.split())))
    kinds = {"`": "code", "*": "strong"}
    return tuple((kinds.get(p[0], "plain"), p.strip("`*") if p[0] in kinds else p) for p in pieces)


def prose() -> dict[str, str | tuple[tuple[str, str], ...]]:
    """The texts of prose.toml by name but the methods', those of several sentences as ``runs``."""
    texts = {name: text for name, text in PROSE.items() if name != "methods"}
    return texts | {name: runs(texts[name]) for name in ("reading", "geometry", "made", "citing")}


@dataclass(frozen=True)
class Chapter:
    """``title`` and the names of the figures and tables in the report's order."""

    title: str
    figures: tuple[str, ...]
    tables: tuple[str, ...]


# By folder of build/, which holds figures/ and tables/. To add a figure: a function that draws it (figures/), its words
# (words.py), `publish` in a notebook, and its name here. What a chapter names and no folder holds is left out; what
# its folder holds and no chapter names comes last, by name. A findings.json there, sentences, stands under the title.
CHAPTERS = {
    "released": Chapter(
        "Released models",
        ("released_systems", "released_plane", "released_decided", "released_trajectory", "released_pairs",
         "released_elsewhere", "published"),
        ("released_systems", "released_elsewhere"),
    ),
    "figures": Chapter(
        "The study on its own data",
        ("motivation", "benchmark", "main_result", "aspects", "forest", "foils", "equivariance", "decomposition",
         "training", "dose", "retrieval", "tradeoff", "frontier"),
        ("main", "kept", "subsets", "aspects", "differences", "equivariance", "decomposition", "suites", "models",
         "ablation", "conformance"),
    ),
    "maps": Chapter("Apart from the study: frozen features, and matching at test time", (), ("maps", "maps_matching")),
}  # fmt: skip


@dataclass(frozen=True)
class Tile:
    """A number at the top: what, how much, how sure; ``table``: the name of the one that it stands in."""

    name: str
    figure: str
    evidence: str
    kind: str  # higher, lower, none, or "" for a number that is no difference
    table: str


@dataclass(frozen=True)
class Content:
    """``figures`` and ``tables``: what ``typeset.publish`` and ``typeset.write`` left, in order, each with its
    ``chapter`` and ``file`` (under build/, without suffix); ``findings``: a chapter's title to what its notebook found,
    in sentences; ``methods``: title and text (``runs``) of each paragraph; ``losses``: whose formulas the paper shows;
    ``elsewhere``: see there; ``facts``: label to value; ``parameters``: the text of params.yaml; ``sources``: for each
    paragraph of the abstract the tables that it quotes; ``cells``: which notebook and cell of it made what stands at an
    anchor (``figure-forest``); ``prose``: see there.
    """

    abstract: list[str]
    caveats: list[str]
    tiles: list[Tile]
    figures: list[dict]
    tables: list[dict]
    findings: dict[str, list[str]]
    methods: list[dict]
    losses: list[str]
    discussion: list[str]
    elsewhere: list[dict[str, str]]
    facts: dict[str, str]
    parameters: str
    sources: list[list[str]] = field(default_factory=list)
    cells: dict[str, tuple[str, str]] = field(default_factory=dict)
    prose: dict = field(default_factory=prose)


def gather(
    study: Study, build: str | Path, *, facts: dict[str, str], parameters: str, profiles: str | Path = "profiles"
) -> Content:
    """The content of the report of ``study``. ``build``: holds the folders of CHAPTERS; ``profiles``: what longer runs
    left of theirs."""
    shown = {kind: _words(Path(build), kind) for kind in ("figures", "tables")}
    left = {chapter.title: Path(build, folder, "findings.json") for folder, chapter in CHAPTERS.items()}
    shown["findings"] = {title: read_json(path) for title, path in left.items() if path.is_file()}
    settings = YAML(typ="safe", pure=True).load(parameters) or {}
    edition = facts.get("data edition", "")
    sections = methods(study, settings, edition=edition if edition.startswith("scenes") else "")
    told = paragraphs(study)
    return Content(
        [text for text, _ in told],
        caveats(study),
        tiles(study),
        **shown,
        methods=[paragraph | {"text": runs(paragraph["text"])} for paragraph in sections],
        losses=losses(study),
        discussion=discussion(study),
        elsewhere=elsewhere(study, profiles),
        facts=facts,
        parameters=parameters,
        sources=[names for _, names in told],
    )


def caveats(study: Study) -> list[str]:
    """What a reader must know before the numbers, as far as the study itself can tell."""
    said = []
    if study.main != "eqben":
        said.append(
            f"The quads of {study.main} are this study's own, not those of EqBen: the scores compare its methods with "
            "each other and cannot be compared with published figures."
        )
    if len(study.seeds) == 1:
        said.append("One seed a method: the intervals do not include variation over seeds.")
    else:
        said.append(
            f"{seeds_in_words(study).capitalize()} a method: intervals include variation over quads and seeds; the "
            "spread over seeds is estimated from these few."
        )
    if study.treatment and PRETRAINED in study.methods and len(study.starts) == 1:
        said.append("Every fine-tuned model starts from the same pretrained one; from another, results may differ.")
    if study.selection is not None:
        where = (
            "on validation quads; no quad reported here was used for it."
            if study.main != study.validation
            else "on the quads reported here, so their scores are better than on other quads."
        )
        found = study.settings()
        chosen = ", ".join(named(row) for _, row in found[found["chosen"] & found["weight"].notna()].iterrows())
        said.append(f"The methods' settings were chosen {where} Tried: {settings_in_words(study)}; chosen: {chosen}.")
    if CONTROL in study.methods:
        said.append(
            "Fine-tuning sees minimal pairs of the quads' own kinds, and a gain may come from the pairs alone. "
            f"{label(CONTROL)} is the control: plain contrast inside the same pairs, without EqSim."
        )
    if "relative" in study.methods:
        said.append(f"{label('relative')} is a form of this study's own, not the paper's.")
    return said


def tiles(study: Study) -> list[Tile]:
    """The difference of every method to the baseline, the control first; up to four numbers with what moved under the
    treatment. Without a control the treatment's own score comes first."""
    made = []
    row = value(study, study.treatment)
    if row is not None and CONTROL not in study.methods:
        name = f"Group score, {label(study.treatment)}"
        made.append(Tile(name, percent(float(row["point"])), interval(row, sign=""), "", "main"))
    against = f"to {label(study.baseline or '').lower()}"
    wanted = [("group", "group score", method) for method in tuned(study)]
    wanted += [("headroom", "headroom", study.treatment)]
    for score, name, method in wanted:
        if (row := difference(study, score, method=method)) is not None:
            named = f"{label(method)}, {name}, difference {against}"
            made.append(Tile(named, f"{points(row['point'])} pt", evidence(row), verdict(row), "differences"))
    moved, start = difference(study, "abs_b"), value(study, study.baseline, "abs_b")
    if moved is not None and start is not None and float(start["point"]) > 0:
        relative = moved.copy()
        relative[["point", "low", "high"]] = moved[["point", "low", "high"]].astype(float) / float(start["point"])
        figure = f"{100 * relative['point']:+.0f} %".replace("-", "−")
        name = f"{label(study.treatment)}, mean |b|, relative {against}"
        made.append(Tile(name, figure, evidence(relative), verdict(moved), "equivariance"))
    return made[: max(4, len(tuned(study)))]


def _words(build: Path, kind: str) -> list[dict]:
    """The words of every chapter's figures or tables. Raises InputError where two share a name: it is their file's."""
    there: dict[str, Path] = {}
    for path in (path for folder in CHAPTERS for path in sorted((build / folder / kind).glob("*.json"))):
        if path.stem in there:
            raise InputError(f"another name: {kind} hold {path.stem!r} already", "the same", where=path)
        there[path.stem] = path
    named = {name for chapter in CHAPTERS.values() for name in getattr(chapter, kind)}
    found = []
    for folder, chapter in CHAPTERS.items():
        more = [name for name, path in there.items() if name not in named and path.parents[1].name == folder]
        for name in [name for name in (*getattr(chapter, kind), *more) if name in there]:
            file = there[name].relative_to(build).with_suffix("").as_posix()
            found.append(read_json(there[name]) | {"chapter": chapter.title, "file": file})
    return found
