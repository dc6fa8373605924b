"""The losses that an objective can name. A new one is a file with a function or a class, and a line in `LOSSES`.

A function is as those of `eqlib.losses`: ``(image_features, text_features, logit_scale, *, ...) -> terms``. Of its
keywords those that a batch brings (`BROUGHT`) say what it needs, the others are its settings. A class is made with the
settings as a dict and ``seed`` and ``dim``, says what it ``needs``, and gives ``(terms, telemetry)`` of `Features`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from open_clip.loss import SigLipLoss
from torch import Tensor

from eqlib.errors import InputError
from eqlib.losses import (
    EqSimLoss,
    StepGenerator,
    contrastive_loss,
    cyclip_loss,
    eqsim_itm,
    negclip_loss,
    pairwise_loss,
)
from eqlib.losses.ranks import Ranks
from eqlib.models.matching import MatchingHead, matching_loss, matching_scores

Scalars = dict[str, Tensor]
MINIMAL_PAIRS = "minimal_pairs"


@dataclass(frozen=True)
class Features:
    """What a loss sees of a step, of this process's pairs: ``image``, ``text`` (b, d) of unit length; ``scale``, the
    factor of the logits, and ``bias``, where the model has one. Only where a loss of the objective needs them:
    ``partners`` (b, K) int64, places in the global batch; ``negatives`` (b, d), the hard-negative captions, and
    ``present`` (b,) bool, False where a caption has none."""

    image: Tensor
    text: Tensor
    scale: Tensor
    bias: Tensor | None = None
    partners: Tensor | None = None
    negatives: Tensor | None = None
    present: Tensor | None = None


BROUGHT = {
    "logit_bias": "bias",
    "partners": "partners",
    "negative_text_features": "negatives",
    "present": "present",
}  # a function's keyword: the field of Features


class OfFunction(torch.nn.Module):
    """A function as a named loss. Raises InputError for settings that it does not take."""

    def __init__(self, function: Callable[..., Scalars], settings: dict[str, Any]):
        super().__init__()
        keywords = {p.name for p in inspect.signature(function).parameters.values() if p.kind is p.KEYWORD_ONLY}
        if unknown := settings.keys() - (keywords - BROUGHT.keys()):
            name = function.__name__.removesuffix("_loss")
            raise InputError(f"no such settings for {name}", ", ".join(sorted(unknown)), row="settings")
        self.function, self.settings = function, settings
        self.brought = {keyword: BROUGHT[keyword] for keyword in keywords & BROUGHT.keys()}
        self.needs = {"partners", "negatives"} & set(self.brought.values())

    def forward(self, features: Features) -> tuple[Scalars, Scalars]:
        brought = {keyword: getattr(features, name) for keyword, name in self.brought.items()}
        return self.function(features.image, features.text, features.scale, **brought, **self.settings), {}


def siglip_loss(
    image_features: Tensor, text_features: Tensor, logit_scale: Tensor, *, logit_bias: Tensor | None
) -> Scalars:
    """open_clip's SigLipLoss, for a model with a logit bias."""
    ranks = Ranks.current()
    loss = SigLipLoss(rank=ranks.rank, world_size=ranks.world)
    return {"siglip": loss(image_features, text_features, logit_scale, logit_bias)}


class EqSim(torch.nn.Module):
    """EqSimLoss under its own settings. ``variant`` may also be ``minimal_pairs``: the hard variant on the pairs that
    the data knows."""

    def __init__(self, settings: dict[str, Any], *, seed: int, **_):
        super().__init__()
        pairs = settings.get("variant") == MINIMAL_PAIRS
        self.needs = {"partners"} if pairs else set()
        self.loss = EqSimLoss(**(settings | ({"variant": "hard"} if pairs else {})), seed=seed)

    def forward(self, features: Features) -> tuple[Scalars, Scalars]:
        return self.loss(features.image, features.text, features.scale, partners=features.partners)


class Matching(torch.nn.Module):
    """A matching head that trains beside the model; with ``eqsim`` also EqSim on its scores.

    Terms are ``matching`` (matching_loss) and ``eqsim_itm``. Telemetry are ``matching_right``, the share of the scores
    on the right side of 0, and ``mean_a2``, ``mean_b2`` and ``mean_I`` of the raw scores. Settings: ``hidden``; with
    ``eqsim`` those of `eqlib.losses.eqsim_itm`. Every process computes the whole loss. ``seed`` draws the head and then
    its hard pairs; the ``state_dict`` holds both.
    """

    needs = frozenset()

    def __init__(self, settings: dict[str, Any], *, seed: int, dim: int | None, eqsim: bool = False):
        super().__init__()
        if dim is None:
            raise InputError("dim, the features' length, for a matching head", None, row="dim")
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(seed)
            self.head = MatchingHead(dim, settings.pop("hidden", 256))
        try:  # a wrong name or value is an error now, not at the first step
            eqsim_itm(torch.eye(2, 4), **settings)
        except TypeError as error:
            raise InputError("settings of eqsim_itm", str(error), row="settings") from error
        if settings and not eqsim:
            raise InputError("no such settings for itm", ", ".join(sorted(settings)), row="settings")
        self.eqsim, self.settings, self.draws = eqsim, settings, StepGenerator(seed)

    def forward(self, features: Features) -> tuple[Scalars, Scalars]:
        image, text = map(Ranks.current().all_gather, (features.image.float(), features.text.float()))
        draw = self.draws.generator(image.device)
        scores = matching_scores(self.head, image, text, scale=features.scale.detach(), generator=draw)
        terms = {"matching": matching_loss(scores)}
        if self.eqsim:
            terms["eqsim_itm"] = eqsim_itm(scores, **self.settings)
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
    "eqsim": EqSim,
    "cyclip": cyclip_loss,
    "pairwise": pairwise_loss,
    "negclip": negclip_loss,
    "itm": Matching,
    "eqsim_itm": partial(Matching, eqsim=True),
}


def loss_of(name: str, settings: dict[str, Any], *, seed: int, dim: int | None) -> torch.nn.Module:
    """The loss of that name in `LOSSES`, with what it ``needs``."""
    entry = LOSSES[name]
    return OfFunction(entry, settings) if inspect.isfunction(entry) else entry(settings, seed=seed, dim=dim)
