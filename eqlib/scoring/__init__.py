"""Scores of quads, with the interval to trust them by. NumPy, pandas and scipy only: no torch.

On arrays ``scores[n, image, caption]`` (see ``eqlib.quads``), answers per quad:

- ``matching(scores)`` text, image, group, group_match; ``one_way``; ``tied``, ``tie_split``
- ``equivariance(scores)`` abs_a, abs_b, I, text_inconsistency, image_inconsistency; ``headroom(scores)``

On score tables (DataFrames with ``eqlib.quads.TABLE_COLUMNS``, and ``method`` and ``seed`` for several runs):

- ``summarise(table)`` tidy means per subset and average with intervals
- ``compare(table, baseline=...)`` paired differences between methods with intervals, p and Holm's p
- ``averages(subsets)`` micro, macro7, macro5: which average of the subsets
"""

from eqlib.scoring.averages import averages
from eqlib.scoring.comparison import compare
from eqlib.scoring.equivariance import EQUIVARIANCE, equivariance, headroom
from eqlib.scoring.inference import holm, mcnemar_exact, wilson
from eqlib.scoring.matching import CHANCE, MATCHING, matching, one_way, tie_split, tied
from eqlib.scoring.panel import SCORES, measure
from eqlib.scoring.summary import summarise

__all__ = [
    "CHANCE",
    "EQUIVARIANCE",
    "MATCHING",
    "SCORES",
    "averages",
    "compare",
    "equivariance",
    "headroom",
    "holm",
    "matching",
    "mcnemar_exact",
    "measure",
    "one_way",
    "summarise",
    "tie_split",
    "tied",
    "wilson",
]
