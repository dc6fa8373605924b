"""The scores of one table as text for people: percent with its interval, one line a subset and average."""

import pandas as pd

from eqlib.scoring.equivariance import EQUIVARIANCE
from eqlib.scoring.matching import ONE_WAY
from eqlib.scoring.shortcuts import SHORTCUTS

APART = ((EQUIVARIANCE, "equivariance, in units of the scores"), (SHORTCUTS, "shortcuts, percent"))
"""Scores that are printed in tables of their own."""


def score_text(record: dict, names: tuple[str, ...], differences: pd.DataFrame | None = None) -> str:
    """``score_record``'s record, its scores ``names``, and the ``differences`` that ``compare`` found, if any."""
    own = [name for group, _ in APART for name in group]
    main = [name for name in names if name not in (*own, *ONE_WAY)]
    text = [
        f"{record['suite']}, edition: {record['edition']}, {record['n']:,} items",
        f"percent [{100 * record['level']:g} % interval: {_kinds(record, main)}]",
        "",
        _table(record, main, counted=True),
    ]
    for group, title in APART:
        if chosen := [name for name in names if name in group]:
            text += ["", title, _table(record, chosen)]
    if record["ties"]:
        count = f"{record['ties']:,} items have a tie"
        text += ["", f"{count}, counted wrong as in the official scorers; broken at random:", _ties(record)]
    if differences is not None:
        shown = differences[differences["score"].isin(main) & (differences["score"] != "headroom")]
        if len(record["subsets"]) == 1:
            shown = shown[shown["subset"].isin(record["subsets"])]
        title = "ours - theirs, percentage points, paired; p adjusted over the subsets (Holm)"
        text += ["", title, _differences(shown)]
    return "\n".join(text)


def _table(record: dict, names: list[str], counted: bool = False) -> str:
    averages = record["average"] if len(record["subsets"]) > 1 else {}  # of one subset they would repeat it
    rows = []
    for name, cell in (record["subsets"] | {name: cell for name, cell in averages.items() if cell}).items():
        shown = f"macro ({len(record['subsets'])} subsets)" if name == "macro" and cell is averages["macro"] else name
        row = {"": shown} | ({"n": _count(cell, "n"), "clusters": _count(cell, "clusters")} if counted else {})
        row |= {_words(score): _interval(cell[score], score) for score in names}
        rows.append(row | ({"ties": _count(cell, "ties")} if counted and record["ties"] is not None else {}))
    return pd.DataFrame(rows).to_string(index=False)


def _kinds(record: dict, names: list[str]) -> str:
    cells = (*record["subsets"].values(), *filter(None, record["average"].values()))
    return "; ".join(dict.fromkeys(cell[name]["interval"] for cell in cells for name in names))


def _ties(record: dict) -> str:
    rows = [
        {"": name} | {_words(score): f"{100 * value:.2f}" for score, value in cell["tie_split"].items()}
        for name, cell in record["subsets"].items()
        if "tie_split" in cell
    ]
    return pd.DataFrame(rows).to_string(index=False)


def _differences(differences: pd.DataFrame) -> str:
    rows = []
    for row in differences.to_dict("records"):
        p = "" if row["p_holm"] != row["p_holm"] else "<0.0001" if row["p_holm"] < 1e-4 else f"{row['p_holm']:.4f}"
        score = row["score"]
        told = {"difference": _interval(row, score), "p": p, "clusters": f"{row['clusters']:,}", "test": row["test"]}
        rows.append({"": row["subset"], "score": _words(score)} | told)
    return pd.DataFrame(rows).to_string(index=False)


def _interval(cell: dict, score: str) -> str:
    scale, form = (1, "{:.4g}") if score in EQUIVARIANCE else (100, "{:.2f}")
    ends = [cell[end] for end in ("point", "low", "high")]
    known = [form.format(scale * end) for end in ends if end is not None and end == end]
    return f"{known[0]} [{known[1]}, {known[2]}]" if len(known) == 3 else known[0]


def _count(cell: dict, key: str) -> str:
    return f"{cell[key]:,}" if key in cell else ""


def _words(score: str) -> str:
    return score.replace("_", " ")
