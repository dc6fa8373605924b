"""The losses that an objective can name. A new one is a file with a function, and a line in `LOSSES`.

A loss is called as those of `eqlib.losses` are, with the features (b, d) of this process's pairs, the logit scale and
what else of a batch it takes by keyword, and returns terms by name, or terms and telemetry:

    logit_bias               (), where the model has one
    partners                 (b, K) int64, places in the global batch         `batches(..., partners=True)`
    negative_text_features   (b, d), of the hard-negative captions            `CaptionedImages(..., negatives=True)`
    present                  (b,) bool, False where a caption has none        likewise
"""

import inspect
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from open_clip.loss import SigLipLoss
from torch import Tensor

from eqlib.errors import InputError
from eqlib.losses import (
    EqSimLoss,
    StepGenerator,
    checks,
    contrastive_loss,
    cyclip_loss,
    negclip_loss,
    pairwise_loss,
    rank_loss,
    relative_eqsim_loss,
    separate_loss,
)
from eqlib.losses import eqsim_itm as itm_criterion
from eqlib.losses.ranks import Ranks
from eqlib.models.matching import MatchingHead, matching_loss, matching_scores

Scalars = dict[str, Tensor]
MINIMAL_PAIRS = "minimal_pairs"
BROUGHT = {"logit_bias": "", "partners": "partners", "negative_text_features": "negatives", "present": "negatives"}
"""What a batch brings beside features and scale, and what an objective says that it ``needs`` for it."""


def of_function(function: Callable[..., Scalars], settings: dict[str, Any]) -> Callable[..., Scalars]:
    """``function`` under ``settings``, its other keywords. Raises InputError for settings that it does not take, and
    for one that is no finite number >= 0: each is a weight."""
    keywords = {p.name for p in inspect.signature(function).parameters.values() if p.kind is p.KEYWORD_ONLY}
    if unknown := settings.keys() - (keywords - BROUGHT.keys()):
        name = function.__name__.removesuffix("_loss")
        raise InputError(f"no such settings for {name}", ", ".join(sorted(unknown)), row="settings")
    checks.numbers("settings", settings)
    loss = partial(function, **settings)
    loss.takes = keywords & BROUGHT.keys()
    return loss


def siglip_loss(image_features: Tensor, text_features: Tensor, logit_scale: Tensor, *, logit_bias=None) -> Scalars:
    """``siglip``: open_clip's SigLipLoss. Raises InputError for a model without a logit bias."""
    if logit_bias is None:
        raise InputError("a model with a logit bias (init_logit_bias in its config)", "one without", where="siglip")
    ranks = Ranks.current()
    loss = SigLipLoss(rank=ranks.rank, world_size=ranks.world)
    return {"siglip": loss(image_features, text_features, logit_scale, logit_bias)}


def eqsim(settings: dict[str, Any], *, seed: int, dim: int | None) -> EqSimLoss:
    """EqSimLoss under its own settings. ``variant`` may also be ``minimal_pairs``: the hard variant on the pairs that
    the data knows."""
    if unknown := settings.keys() & {"seed", "contrastive"}:
        raise InputError("settings of EqSimLoss but seed and contrastive", sorted(unknown)[0], row="settings")
    pairs = settings.get("variant") == MINIMAL_PAIRS
    loss = EqSimLoss(**(settings | ({"variant": "hard"} if pairs else {})), seed=seed)
    loss.takes = {"partners"} if pairs else set()
    return loss


class Matching(torch.nn.Module):
    """A matching head that trains beside the model; with ``eqsim`` also EqSim on its scores.

    Terms are ``matching`` (matching_loss) and ``eqsim_itm``. Telemetry are ``matching_right``, the share of the scores
    on the right side of 0, and ``mean_a2``, ``mean_b2`` and ``mean_I`` of the raw scores. Settings: ``hidden``; with
    ``eqsim`` those of `eqlib.losses.eqsim_itm`. Every process computes the whole loss. ``seed`` draws the head and then
    its hard pairs; the ``state_dict`` holds both.
    """

    takes = frozenset()

    def __init__(self, settings: dict[str, Any], *, seed: int, dim: int | None, eqsim: bool = False):
        super().__init__()
        if dim is None:
            raise InputError("dim, the features' length, for a matching head", None, row="dim")
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(seed)
            hidden = settings.pop("hidden", 256)
            if isinstance(hidden, bool) or not isinstance(hidden, int) or hidden < 1:
                raise InputError("a width >= 1", repr(hidden), row="settings.hidden")
            self.head = MatchingHead(dim, hidden)
        if settings and not eqsim:
            raise InputError("no such settings for itm", ", ".join(sorted(settings)), row="settings")
        try:  # a wrong name or value is an error now, not at the first step
            itm_criterion(torch.eye(2, 4), **settings)
        except TypeError as error:
            raise InputError("settings of eqsim_itm", str(error), row="settings") from error
        self.eqsim, self.settings, self.draws = eqsim, settings, StepGenerator(seed)

    def forward(self, image: Tensor, text: Tensor, scale: Tensor) -> tuple[Scalars, Scalars]:
        image, text = map(Ranks.current().all_gather, (image.float(), text.float()))
        draw = self.draws.generator(image.device)
        scores = matching_scores(self.head, image, text, scale=scale.detach(), generator=draw)
        terms = {"matching": matching_loss(scores)}
        if self.eqsim:
            terms["eqsim_itm"] = itm_criterion(scores, **self.settings)
        with torch.no_grad():
            matched, hard_image, hard_text, other = scores.unbind(1)
            right = (scores > 0) == scores.new_tensor([True, False, False, True])
            telemetry = {
                "matching_right": right.float().mean(),
                "mean_a2": (matched - other).square().mean(),
                "mean_b2": (hard_image - hard_text).square().mean(),
                "mean_I": (matched + other - hard_image - hard_text).mean(),
            }
        return terms, telemetry


LOSSES: dict[str, Callable] = {
    "contrastive": contrastive_loss,
    "siglip": siglip_loss,
    "eqsim": eqsim,
    "cyclip": cyclip_loss,
    "pairwise": pairwise_loss,
    "relative": relative_eqsim_loss,
    "separate": separate_loss,
    "rank": rank_loss,
    "negclip": negclip_loss,
    "itm": Matching,
    "eqsim_itm": partial(Matching, eqsim=True),
}
"""A function of features, or what makes a module of settings, ``seed`` and ``dim``."""


def loss_of(name: str, settings: dict[str, Any], *, seed: int, dim: int | None) -> Callable:
    """The loss of that name in `LOSSES`; ``takes`` says what of `BROUGHT` it takes."""
    entry = LOSSES[name]
    if "settings" in inspect.signature(entry).parameters:
        return entry(settings, seed=seed, dim=dim)
    return of_function(entry, settings)
