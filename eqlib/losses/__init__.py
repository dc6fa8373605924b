"""EqSim and its neighbours as training losses. Functions hold the mathematics, `EqSimLoss` holds settings."""

from eqlib.errors import needs

needs("eqlib.losses", "torch", "torch", "open_clip")

from eqlib.losses.contrastive import contrastive_loss
from eqlib.losses.criterion import Criterion, eqsim_criterion
from eqlib.losses.cyclip import cyclip_loss
from eqlib.losses.eqsim import eqsim_all_pairs, eqsim_easy, eqsim_hard
from eqlib.losses.gradient_cache import GradientCache
from eqlib.losses.gram import eqsim_all_pairs_from_features
from eqlib.losses.itm import eqsim_itm
from eqlib.losses.mining import sample_hard_partners
from eqlib.losses.module import EqSimLoss
from eqlib.losses.negclip import negclip_loss
from eqlib.losses.pairwise import pairwise_loss

__all__ = [
    "Criterion",
    "EqSimLoss",
    "GradientCache",
    "contrastive_loss",
    "cyclip_loss",
    "eqsim_all_pairs",
    "eqsim_all_pairs_from_features",
    "eqsim_criterion",
    "eqsim_easy",
    "eqsim_hard",
    "eqsim_itm",
    "negclip_loss",
    "pairwise_loss",
    "sample_hard_partners",
]
