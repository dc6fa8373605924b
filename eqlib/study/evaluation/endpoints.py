"""What was named before the run, and the rest: p values adjusted over all that was asked of one suite."""

import pandas as pd

from eqlib.scoring.inference import holm

PRIMARY = "group"


def endpoints(differences: pd.DataFrame, *, suite: str, baseline: str) -> pd.DataFrame:
    """The rows of ``differences`` (`eqlib.scoring.compare`) over all of ``suite`` between trained methods and
    ``baseline``, ``role`` primary (the group score) first, then secondary (every other tested score), with
    ``p_adjusted``: Holm's over the methods, and over methods and scores together. No rows for another suite."""
    rows = differences[
        (differences["suite"] == suite)
        & (differences["subset"] == "micro")
        & (differences["baseline"] == baseline)
        & (differences["method"] != "pretrained")
        & differences["p"].notna()
    ]
    role = rows["score"].eq(PRIMARY).map({True: "primary", False: "secondary"})
    rows = rows.assign(role=role, p_adjusted=rows["p"]).sort_values("role", kind="stable")
    for _, family in rows.groupby("role"):
        rows.loc[family.index, "p_adjusted"] = holm(family["p"])
    return rows.reset_index(drop=True)
