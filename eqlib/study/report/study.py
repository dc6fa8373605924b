"""The study's tables, read once for every figure, table and page."""

import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from eqlib.errors import InputError
from eqlib.files import reading
from eqlib.quads import SCORE_COLUMNS, scores_of
from eqlib.scoring.equivariance import components
from eqlib.scoring.matching import matching
from eqlib.study.released.published import published as read_published
from eqlib.study.report.style import in_order
from eqlib.study.report.tried import means, tried
from eqlib.suites.suite import AnySuite, QuadSuite, RetrievalSuite

log = logging.getLogger(__name__)

PRETRAINED, BASELINE, TREATMENT, CONTROL = "pretrained", "contrastive", "eqsim", "pairwise"
"""The model that every run starts from, the plain fine-tuning, the method on trial, and what the data do without it."""

_AVERAGE = re.compile(r"micro|macro\d*")


@dataclass(frozen=True, eq=False)
class Study:
    """What the report draws from. An absent optional part is None (or empty) and its figure is left out.

    ``items``: score tables of quads under all runs with ``method``, ``seed`` and the measures of ``with_measures``;
    ``others``: of foils and retrieval sets, by suite; ``summary``, ``differences``: the tables of the compare stage;
    ``decomposition``: the parts of evidence and threshold in the group scores' differences; ``models``: others beside
    the study's own, where there are any; ``histories``: one row a logged step, with ``method`` and ``seed``;
    ``suites``: records and pictures by suite; ``main``: the suite of the headline; ``selection``: the table of the
    select stage; ``path``: group score and R@1 along ``alpha``; ``published``: what others published; ``conformance``:
    ours beside the official ones; ``starts``: the seeds of the pretrained models, one for all runs or one for each
    seed; ``validation``: the suite that settings were chosen on.
    """

    items: pd.DataFrame
    summary: pd.DataFrame
    differences: pd.DataFrame
    main: str
    histories: pd.DataFrame | None = None
    selection: pd.DataFrame | None = None
    path: pd.DataFrame | None = None
    published: pd.DataFrame | None = None
    conformance: pd.DataFrame | None = None
    models: pd.DataFrame | None = None
    decomposition: pd.DataFrame | None = None
    others: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    suites: Mapping[str, AnySuite] = field(default_factory=dict)
    starts: Sequence[int] = (0,)
    against: str = ""
    validation: str = ""

    @property
    def level(self) -> float:
        """Of the intervals in the tables."""
        return float(self.summary["level"].iloc[0])

    @property
    def methods(self) -> list[str]:
        return in_order(self.items["method"])

    @property
    def seeds(self) -> list[int]:
        """Seeds of the trained methods: the pretrained model has one run and no seed of its own."""
        trained = self.items[self.items["method"] != PRETRAINED]
        return sorted(set((trained if len(trained) else self.items)["seed"]))

    @property
    def baseline(self) -> str | None:
        """``against`` where given, else contrastive fine-tuning, else the pretrained model, of those that ran."""
        return next((method for method in (self.against, BASELINE, PRETRAINED) if method in self.methods), None)

    @property
    def treatment(self) -> str | None:
        """The method that the headline speaks about: EqSim where the study has it, otherwise the last by name."""
        others = [method for method in self.methods if method not in (PRETRAINED, self.baseline)]
        return TREATMENT if TREATMENT in others else (others[-1] if others else None)

    @property
    def before(self) -> list[str]:
        """What the treatment is to improve on: the pretrained model and the baseline, as far as the study has them."""
        return [method for method in self.methods if method in (PRETRAINED, self.baseline)]

    def of(self, suite: str | None = None) -> pd.DataFrame:
        """The items of one suite (default: the main one)."""
        return rows(self.items, suite=suite or self.main)

    def aspects(self) -> pd.DataFrame | None:
        """The items of the main suite's subsets that mix several aspects, such as colours and sizes, each aspect as a
        subset; None where there are none."""
        if (suite := self.pictures()) is None or "aspect" not in suite.records:
            return None
        items = with_part(self.of(), suite.records)
        items = items[items["part"] != items["subset"].map(part_label)]
        return None if items.empty else items.assign(subset=items["part"])

    def tuned(self) -> pd.DataFrame:
        """The differences of fine-tuned methods on the main suite."""
        table = rows(self.differences, suite=self.main)
        return table[table["method"] != PRETRAINED]

    def zero_shot(self) -> pd.Series | None:
        """Zero-shot accuracy, index method, a row a seed: the ends of ``path``; None where it was not measured."""
        if self.path is None or "zero_shot_top1" not in self.path:
            return None
        ends = self.path[self.path["alpha"] == 1]
        start = self.path[self.path["alpha"] == 0].drop_duplicates("seed").assign(method=PRETRAINED)
        found = pd.concat([start, ends]).set_index("method")["zero_shot_top1"]
        return None if ends.empty else found.loc[in_order(found.index)]

    def settings(self) -> pd.DataFrame | None:
        """What was tried on validation, one row a setting (`eqlib.study.report.tried.means`), or None."""
        return None if self.selection is None else means(tried(self.selection))

    def pictures(self) -> QuadSuite | None:
        """The main suite, records and pictures."""
        return self.suites.get(self.main)


def with_measures(items: pd.DataFrame) -> pd.DataFrame:
    """``items`` with ``a``, ``b``, ``I`` and what is right (bool): ``text``, ``image``, ``group``, ``group_match``. See
    ``eqlib.scoring`` for each."""
    scores = scores_of(items)
    return items.assign(**components(scores), **matching(scores))


def outcomes(items: pd.DataFrame) -> pd.DataFrame:
    """One row a quad and method, index (quad, method), of ``items`` (see ``with_measures``): mean scores over seeds,
    ``margin`` = I - abs(a) - abs(b) of those means, and the share of seeds right on ``text``, ``image``, ``group``."""
    means = items.groupby(["quad", "method"])[[*SCORE_COLUMNS, "text", "image", "group"]].mean()
    of = components(scores_of(means))
    return means.assign(margin=of["I"] - abs(of["a"]) - abs(of["b"]))


def rows(table: pd.DataFrame, **wanted) -> pd.DataFrame:
    """The rows of ``table`` whose columns have the ``wanted`` values."""
    for column, value in wanted.items():
        table = table[table[column] == value]
    return table


def is_average(subset: str) -> bool:
    """True for the name of an average over subsets (``eqlib.scoring.averages``) rather than of one subset."""
    return _AVERAGE.fullmatch(str(subset)) is not None


def parts(table: pd.DataFrame) -> list[str]:
    """What a figure shows of one suite: the average over quads first, then the single subsets by name.

    A suite of one subset is shown once. The macro averages are left to the tables.
    """
    single = sorted(name for name in set(table["subset"]) if not is_average(name))
    if "micro" not in set(table["subset"]):
        return single
    return ["micro", *single] if len(single) > 1 else ["micro"]


def part_label(subset: str) -> str:
    """How a subset or average is printed: ``micro`` as All quads, ``macro5`` as Mean of 5 subsets."""
    if subset == "micro":
        return "All quads"
    count = str(subset).removeprefix("macro")
    return f"Mean of {count} subsets".replace("  ", " ") if is_average(subset) else str(subset).replace("_", " ")


def with_part(items: pd.DataFrame, records: pd.DataFrame) -> pd.DataFrame:
    """``items`` with the columns ``change`` and ``aspect`` of their ``records``, where there are any, and ``part``: the
    subset as printed, with the aspect where the subset has several."""
    columns = ["quad", *records.columns.intersection(["change", "aspect"])]
    joined = items.merge(records[columns], on="quad", how="inner")
    joined["part"] = joined["subset"].map(part_label)
    if "aspect" in joined:
        several = joined.groupby("subset")["aspect"].transform("nunique") > 1
        joined.loc[several, "part"] += ": " + joined["aspect"]
    return joined


def read_study(
    compare: str | Path,
    *,
    finetune: str | Path = "",
    suites: Mapping[str, AnySuite] | None = None,
    baseline: str = "",
    validation: str = "",
    selection: str | Path = "",
    path: str | Path = "",
    published: str | Path = "",
    conformance: str | Path = "",
    starts: Sequence[int] = (0,),
) -> Study:
    """The study from the folders of the stages ``compare`` and ``finetune``, and the ``suites`` it was measured on.

    The headline speaks about the quads "test", else about the largest that are not ``validation``. ``selection``,
    ``path``, ``conformance``: optional CSV files; ``published``: a CSV in the place of the package's own
    (``eqlib.study.released.published``). Raises InputError for a missing table. Histories of runs that the tables
    lack, left in ``finetune`` by an earlier setting, are not read. ``p_holm`` of the endpoint and of the scores beside
    it is taken from endpoints.csv where the compare stage named one: adjusted over the methods, too.
    """
    compare = Path(compare)
    found = {path.stem: _table(path) for path in sorted((compare / "items").glob("*.parquet"))}
    quads = [table for table in found.values() if set(SCORE_COLUMNS) <= set(table)]
    if not quads:
        raise InputError("score tables of quads", "none", where=compare / "items")
    items = with_measures(pd.concat(quads, ignore_index=True))
    sizes = items.groupby("suite")["quad"].nunique().sort_values(ascending=False, kind="stable")
    held_out = [str(name) for name in sizes.index if name != validation] or [validation]

    tables = {name: _table(compare / f"{name}.csv") for name in ("summary", "differences")}
    for name, table in tables.items():
        if "level" not in table:
            raise InputError("a column `level`, that of the intervals", "none", where=compare / f"{name}.csv")
    tables["differences"] = _adjusted(tables["differences"], _table(compare / "endpoints.csv", optional=True))
    return Study(
        items,
        **tables,
        main="test" if "test" in held_out else held_out[0],
        histories=_histories(finetune, set(zip(items["method"], items["seed"], strict=True))),
        selection=_table(selection, optional=True),
        path=_table(path, optional=True),
        published=read_published(published or None),
        conformance=_table(conformance, optional=True),
        models=_table(compare / "models.csv", optional=True),
        decomposition=_table(compare / "decomposition.csv", optional=True),
        others={name: table for name, table in found.items() if not set(SCORE_COLUMNS) <= set(table)},
        suites={name: suite for name, suite in (suites or {}).items() if _covers(suite, found.get(name), name)},
        starts=starts,
        against=baseline,
        validation=validation,
    )


def _adjusted(differences: pd.DataFrame, endpoints: pd.DataFrame | None) -> pd.DataFrame:
    if endpoints is None or endpoints.empty:
        return differences
    keys = ["suite", "subset", "score", "method", "baseline"]
    found = differences.merge(endpoints[[*keys, "p_adjusted", "role"]], on=keys, how="left", validate="one_to_one")
    return found.assign(p_holm=found["p_adjusted"].fillna(found["p_holm"])).drop(columns="p_adjusted")


def _table(path: str | Path, *, optional: bool = False) -> pd.DataFrame | None:
    if not str(path) or (optional and not Path(path).is_file()):
        return None
    with reading(path, "a readable table", Exception):  # pandas and pyarrow raise a dozen types on a damaged file
        return pd.read_parquet(path) if Path(path).suffix == ".parquet" else pd.read_csv(path)


def _histories(folder: str | Path, runs: set[tuple[str, int]]) -> pd.DataFrame | None:
    tables = []
    for path in sorted(Path(folder).glob("*/history.csv")) if str(folder) else []:
        method, _, seed = path.parent.name.rpartition("-")
        if seed.isdigit() and (method, int(seed)) in runs:
            tables.append(_table(path).assign(method=method, seed=int(seed)))
    return pd.concat(tables, ignore_index=True) if tables else None


def _covers(suite: AnySuite, items: pd.DataFrame | None, name: str) -> bool:
    """Whether ``suite`` holds every item that was scored under ``name``: else its pictures would be of other items."""
    scored = set() if items is None else set(items["quad"])
    if isinstance(suite, RetrievalSuite):
        there = {f"image {n}" for n in range(len(suite.images))} | {f"caption {n}" for n in range(len(suite))}
    else:
        there = set(suite.records[suite.ID])
    if missing := scored - there:
        log.warning("pictures of suite %s left out: %d scored items are not in it", name, len(missing))
    return bool(scored) and not missing
