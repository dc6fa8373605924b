"""Scores of quads, with the interval to trust them by. NumPy, pandas and scipy only: no torch.

On arrays ``scores[n, image, caption]`` (see ``eqlib.quads``), answers per quad:

- ``matching(scores)`` text, image, group, group_match; ``one_way``; ``tied``, ``tie_split``
- ``equivariance(scores)`` abs_a, abs_b, I, text_inconsistency, image_inconsistency; ``headroom(scores)``
- ``shortcuts(scores)``: does one side alone decide?
- ``pairwise(caption, foil)``, ``valse(caption, foil)``: one image, a caption and a foil

On tables (DataFrames with ``eqlib.quads.TABLE_COLUMNS``, or outcome columns instead of scores; and ``method`` and
``seed`` where they hold several runs):

- ``summarise(table)`` tidy means per subset and average with intervals
- ``compare(table, baseline=...)`` paired differences between methods with intervals, p and Holm's p
- ``score_record(table)`` one run as plain dicts, the form of ``eqlib score --json``; ``score_text`` for people
- ``averages(subsets)`` micro, macro; EqBen's macro7 and macro5: which average of the subsets
- ``foil_table(...)``, ``retrieval_table(...)`` make tables of outcomes, retrieval's as recall at K
"""

from eqlib.scoring.averages import averages
from eqlib.scoring.equivariance import EQUIVARIANCE, equivariance, headroom
from eqlib.scoring.foils import foil_table, pairwise, valse
from eqlib.scoring.inference import holm, interval, wilson
from eqlib.scoring.matching import CHANCE, MATCHING, ONE_WAY, matching, one_way, tie_split, tied
from eqlib.scoring.panel import SCORES, measure
from eqlib.scoring.record import score_record
from eqlib.scoring.retrieval import retrieval_table
from eqlib.scoring.shortcuts import SHORTCUTS, shortcuts
from eqlib.scoring.summary import compare, summarise
from eqlib.scoring.text import score_text

__all__ = [
    "CHANCE",
    "EQUIVARIANCE",
    "MATCHING",
    "ONE_WAY",
    "SCORES",
    "SHORTCUTS",
    "averages",
    "compare",
    "equivariance",
    "foil_table",
    "headroom",
    "holm",
    "interval",
    "matching",
    "measure",
    "one_way",
    "pairwise",
    "retrieval_table",
    "score_record",
    "score_text",
    "shortcuts",
    "summarise",
    "tie_split",
    "tied",
    "valse",
    "wilson",
]
