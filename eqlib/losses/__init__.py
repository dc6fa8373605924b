"""EqSim and its neighbours as training losses. Functions hold the mathematics, `EqSimLoss` holds settings.

What takes features returns terms by name (`EqSimLoss`: and telemetry). The ``eqsim_*`` functions return one scalar.
"""

from eqlib.errors import needs

needs("eqlib.losses", "torch", "torch", "open_clip")

from eqlib.losses.baselines import (
    contrastive_loss,
    cyclip_loss,
    negclip_loss,
    pairwise_loss,
    rank_loss,
    separate_loss,
)
from eqlib.losses.eqsim import Criterion, eqsim_all_pairs, eqsim_criterion, eqsim_easy, eqsim_hard, eqsim_itm
from eqlib.losses.gradient_cache import GradientCache
from eqlib.losses.mining import StepGenerator, sample_hard_partners
from eqlib.losses.module import EqSimLoss
from eqlib.losses.relative import relative_eqsim_loss

__all__ = [
    "Criterion",
    "EqSimLoss",
    "GradientCache",
    "StepGenerator",
    "contrastive_loss",
    "cyclip_loss",
    "eqsim_all_pairs",
    "eqsim_criterion",
    "eqsim_easy",
    "eqsim_hard",
    "eqsim_itm",
    "negclip_loss",
    "pairwise_loss",
    "rank_loss",
    "relative_eqsim_loss",
    "sample_hard_partners",
    "separate_loss",
]
