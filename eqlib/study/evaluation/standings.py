"""Where several models stand on one suite, and which of them the tests do not tell apart."""

from itertools import combinations
from pathlib import Path
from string import ascii_letters

import networkx as nx
import pandas as pd

from eqlib.files import read_json
from eqlib.scoring import compare, holm, summarise
from eqlib.study.evaluation.kinds import MEASURES, scores_in


def standings(table: pd.DataFrame, *, level: float = 0.95) -> pd.DataFrame:
    """The leading scores of the suite in ``table`` (a score table with ``method`` and ``seed``), one row a score and
    method: suite, edition, subset, score, method, point, low, high, n, ``alike``.

    ``alike``: two methods that share a letter are not told apart, by paired tests of all pairs, Holm-corrected (a
    compact letter display, Piepho 2004).
    """
    kept = ["suite", "edition", "subset", "score", "method", "point", "low", "high", "n", "alike"]
    found = []
    for measure in MEASURES:
        if not measure.leads or measure.score not in scores_in(table):
            continue
        summary = summarise(table, scores=(measure.score,), level=level)
        summary = summary[summary["subset"] == measure.subset]
        letters = _letters(table, summary, measure.score, measure.subset, level)
        found.append(summary.assign(alike=summary["method"].map(letters))[kept])
    return pd.concat(found, ignore_index=True)


def beside(items: pd.DataFrame, models: list[dict[str, str]], folder: str | Path, *, level: float) -> pd.DataFrame:
    """``standings`` of one suite's ``items`` together with ``models`` (entries of ``study.models``), whose evaluations
    lie in ``folder`` as NAME/SUITE. Of each model also: model, head, published (its name there), seconds an item; and
    ``benchmark``, the suite's reader."""
    suite = items["suite"].iloc[0]
    cells = {entry["name"]: Path(folder) / entry["name"] / suite for entry in models}
    known = pd.DataFrame([read_json(cell / "model.json") for cell in cells.values()]).set_index("name")
    scored = {name: cell / "suites" / f"{suite}.parquet" for name, cell in cells.items()}
    read = [pd.read_parquet(path).assign(method=name, seed=0) for name, path in scored.items() if path.is_file()]
    table = standings(pd.concat([items, *read], ignore_index=True), level=level)
    known["seconds"] = [cost.get(suite) for cost in known["seconds"]]
    table = table.join(known[["model", "head", "published", "seconds"]], on="method")
    return table.assign(benchmark=known["readers"].iloc[0][suite])


def _letters(table: pd.DataFrame, summary: pd.DataFrame, score: str, subset: str, level: float) -> dict[str, str]:
    ranked = list(summary.sort_values("point", ascending=False, kind="stable")["method"])
    pairs, tested = list(combinations(ranked, 2)), []
    for method, baseline in pairs:
        both = table[table["method"].isin([method, baseline])]
        found = compare(both, baseline=baseline, scores=(score,), level=level)
        tested.append(found.loc[found["subset"] == subset, "p"].fillna(1).iloc[0])
    alike = nx.Graph()
    alike.add_nodes_from(ranked)
    told = holm(tested) if pairs else []
    alike.add_edges_from(pair for pair, p in zip(pairs, told, strict=True) if p >= 1 - level)
    groups = sorted(sorted(map(ranked.index, clique)) for clique in nx.find_cliques(alike))
    return {
        method: "".join(ascii_letters[n % 52] for n, group in enumerate(groups) if place in group)
        for place, method in enumerate(ranked)
    }
