"""The settings that were tried on validation: what each gains on quads, and what it leaves of retrieval."""

import pandas as pd

from eqlib.study.report.style import label

WITHIN = 0.01
"""How much of what is kept a setting may lose beside the run without a term, as a proportion."""


def tried(selection: pd.DataFrame) -> pd.DataFrame:
    """One row a run of the select stage's table: method, ``form`` (its settings but the weight, in words, "" for none),
    weight, seed, point, ``group``, ``recall`` (R@1, mean of both directions) and perhaps ``zero_shot_top1``."""
    sides = selection[["val_image_to_text_r1", "val_text_to_image_r1"]]
    form = selection["form"].astype(object).fillna("")  # of a file in which no setting has one they are numbers
    found = selection.assign(form=form, group=selection["val_group"], recall=sides.mean(axis=1))
    columns = ["method", "form", "weight", "seed", "point", "group", "recall", "zero_shot_top1"]
    return found[[name for name in columns if name in found]]


def means(runs: pd.DataFrame) -> pd.DataFrame:
    """One row a setting of ``tried``, means over its seeds; ``chosen``: its method's highest ``point``, of equals the
    smallest weight."""
    found = runs.groupby(["method", "form", "weight"], dropna=False, sort=False).mean().drop(columns="seed")
    found = found.reset_index()
    best = found.sort_values(["point", "weight"], ascending=[False, True], kind="stable").groupby("method").head(1)
    return found.assign(chosen=found.index.isin(best.index))


def at_no_loss(found: pd.DataFrame, baseline: str, kept: str) -> pd.Series | None:
    """Of the settings (``means``) whose ``kept`` is at most WITHIN below that of ``baseline``, the one of the highest
    group score; None where the baseline was not among them."""
    start = found.loc[found["method"] == baseline, kept]
    if start.empty:
        return None
    held = found[found[kept] >= start.iloc[0] - WITHIN - 1e-9]
    return held.loc[held["group"].idxmax()]


def named(setting: pd.Series) -> str:
    """``EqSim (minimal pairs, own change, margin 0.1, weight 5)``."""
    weight = f"weight {setting['weight']:g}" if setting["weight"] == setting["weight"] else ""
    said = ", ".join(filter(None, [setting["form"], weight]))
    return f"{label(setting['method'])} ({said})" if said else label(setting["method"])
