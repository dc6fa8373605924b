"""Published per-item results that keep right or wrong rather than scores: BiVLC, SugarCrepe.

Each reader returns a table for ``eqlib.scoring.summarise``: suite, edition, subset, quad, cluster and bool columns.
"""

from pathlib import Path

import numpy as np
import pandas as pd

from eqlib.quads import item_table
from eqlib.suites.quadfile import rows_of


def bivlc_outcomes(path: str | Path) -> pd.DataFrame:
    """``text`` (I2T), ``image`` (T2I) and ``group`` per item from a results file of IMirandaM/BiVLC.

    Subsets are type and subtype ("replace_obj"); items made from one caption share a cluster.
    """
    columns = {"text": "text_score", "image": "image_score", "group": "group_score"}
    return _from_csv(path, "bivlc", columns, "caption", {"True": True, "False": False})


def sugarcrepe_outcomes(path: str | Path) -> pd.DataFrame:
    """``pairwise`` per item from a SUGARCREPE_CORRECT file of that repository; foils of one picture share a cluster."""
    table = _from_csv(path, "sugarcrepe", {"pairwise": "correct"}, "filename", {"1": True, "0": False})
    swapped = int((table["subset"] == "swap_obj").sum())  # 246 until 2023-11-18, 245 since
    return table.assign(edition=f"{swapped}-item swap_obj, {len(table)} items")


def _from_csv(path, suite, columns, cluster, answers) -> pd.DataFrame:
    path = Path(path)
    items = []
    for row in rows_of(path):
        outcomes = [answers[str(row.one_of(key, list(answers)))] for key in columns.values()]
        items.append((f"{row.text('type')}_{row.text('subtype')}", row.text(cluster), *outcomes))
    subset, cluster, *outcomes = zip(*items, strict=True)
    keys = {"suite": suite, "edition": f"{len(items)} items", "subset": subset, "cluster": cluster}
    named = dict(zip(columns, map(np.array, outcomes), strict=True))
    return item_table(quad=[str(number) for number in range(len(items))], **keys, **named)
