"""EqSim and its neighbours as training losses. Functions hold the mathematics, `EqSimLoss` holds settings."""

from eqlib.losses.contrastive import contrastive_loss
from eqlib.losses.criterion import Criterion, eqsim_criterion
from eqlib.losses.eqsim import eqsim_all_pairs, eqsim_easy, eqsim_hard
from eqlib.losses.mining import sample_hard_partners
from eqlib.losses.module import EqSimLoss

__all__ = [
    "Criterion",
    "EqSimLoss",
    "contrastive_loss",
    "eqsim_all_pairs",
    "eqsim_criterion",
    "eqsim_easy",
    "eqsim_hard",
    "sample_hard_partners",
]
