"""The chapter on frozen features: one linear map a tower, and matching at test time, which stands beside no other
result. Tables and sentences of what the notebook of the maps found."""

import pandas as pd

from eqlib.study.evaluation.kinds import SIDES
from eqlib.study.report.headline import between, change, percent, points
from eqlib.study.report.study import rows
from eqlib.study.report.typeset import Cell, Table

MAPS = {"pretrained": "the model as it is", "contrastive": "map, contrastive term alone", "map": "map, chosen weight"}


def tables(scores: pd.DataFrame, differences: pd.DataFrame, rounds: pd.DataFrame) -> list[Table]:
    """``scores``: suite, method (of MAPS), score (group, group_match), point, low, high, n, seeds; ``differences``: of
    the group score to pretrained; ``rounds``: a row a seed and share, of proportions."""
    seeds, found = rounds["seed"].nunique(), differences.set_index("method")
    first = scores.iloc[0]
    body = []
    for method, name in MAPS.items():
        of = rows(scores, method=method).set_index("score").loc[["group", "group_match"]]
        cells = [Cell(f"{100 * row['point']:.1f}", between(row), value=float(row["point"])) for _, row in of.iterrows()]
        moved = found.loc[method] if method in found.index else None
        cells.append(
            Cell("–") if moved is None
            else Cell(points(moved["point"]), between(moved, sign="+"), value=float(moved["point"]))
        )  # fmt: skip
        body.append([Cell(name), *cells])
    fitted = Table(
        "maps",
        "One matrix a tower on frozen features",
        f"Percent of {first['n']:,} quads of {first['suite']}, with 95 % intervals over quads and {seeds} seeds of the "
        "map, and paired differences in the group score. The weight of the contrast inside minimal pairs was chosen on "
        "validation quads.",
        ["Features", "Group", "Group match", "Group, difference"],
        body,
        scores,
    )
    means = rounds.groupby("share").mean()
    shown = {
        "told": "Rightly told",
        "group": f"Group, {first['suite']}",
        "outside": "Group, outside",
        **{side: f"{title} R@1" for side, title in SIDES.items()},
    }
    shown = {name: title for name, title in shown.items() if name in rounds}
    body = [
        [Cell(percent(share) if share else "none", value=float(share)), *(_ends(of[name]) for name in shown)]
        for share, of in rounds.groupby("share")
    ]
    told = "one seed" if seeds == 1 else f"mean over {seeds} seeds and from the lowest to the highest"
    matched = Table(
        "maps_matching",
        "Test-time matching: transductive",
        "Fitted on the tested quads themselves, without their labels; not to be set beside other results. Percent, "
        f"{told}. First row: the map of minimal pairs. Quads taken: the share of the tested quads, the most confident "
        "first, that serve as pairs. Rightly told: how many of these were put together as they belong. Outside: "
        "validation quads, which no round sees. R@1 on the validation captions.",
        ["Quads taken", *shown.values()],
        body,
        means.reset_index().drop(columns="seed"),
    )
    return [fitted, matched]


def findings(
    scores: pd.DataFrame,
    differences: pd.DataFrame,
    tried: pd.DataFrame,
    rounds: pd.DataFrame,
    *,
    weight: float,
    validation: str,
) -> list[str]:
    """What stands, in sentences. ``tried``: index "same" and "weight W", of which ``weight`` was chosen; columns group
    and R@1 of both directions, on the suite ``validation``."""
    suite, seeds = scores["suite"].iloc[0], rounds["seed"].nunique()
    moved = differences.set_index("method").loc["map"]
    before, after = tried.loc["same"], tried.loc[f"weight {weight:g}"]
    recall = " and ".join(
        f"{title} R@1 goes from {percent(before[side])} to {percent(after[side])}" for side, title in SIDES.items()
    )
    first, last = (rounds[rounds["share"] == end].mean() for end in (rounds["share"].min(), rounds["share"].max()))
    also = " (which also chose the weight)" if suite == validation else ""
    return [
        "Where only the features of the pretrained model are at hand, one matrix a tower, fitted on "
        f"{'the minimal pairs of ' * (weight > 0)}the training set (weight {weight:g}, seeds: {seeds}), changes the "
        f"group score on {suite}{also} by {change(moved)} points. On the "
        f"validation captions {recall}.",
        f"Transductive, and to be set beside no other result: test-time matching is fitted on the quads of {suite} "
        f"themselves, without their labels. The last round puts {percent(last['told'])} of them together rightly; the "
        f"group score on these quads goes from {percent(first['group'])} to {percent(last['group'])}, on validation "
        f"quads, which no round sees, from {percent(first['outside'])} to {percent(last['outside'])}.",
        f"Looks at {suite}: the model as it is, two maps a seed and {rounds['share'].nunique() - 1} rounds of matching "
        f"a seed, {1 + seeds * (rounds['share'].nunique() + 1)} in all. Nothing was chosen by them.",
    ]


def _ends(values: pd.Series) -> Cell:
    """The mean in percent, from the lowest to the highest seed in small print; a dash for NaN."""
    if values.isna().any():
        return Cell("–")
    low, high, mean = 100 * values.min(), 100 * values.max(), 100 * values.mean()
    ends = f"{low:.1f} to {high:.1f}" if len(values) > 1 else ""
    return Cell(f"{mean:.1f}", ends, value=round(float(mean), 6))
