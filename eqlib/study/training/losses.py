"""The losses that an objective can name. Each is a module ``loss(features) -> (terms, telemetry)`` with ``needs``.

A new one is a file with such a class, or a function of features as `eqlib.losses` has them, and one line in `LOSSES`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from open_clip.loss import ClipLoss, SigLipLoss
from torch import Tensor

from eqlib.errors import InputError
from eqlib.losses import EqSimLoss, cyclip_loss, eqsim_itm, negclip_loss, pairwise_loss
from eqlib.losses.draws import Draws
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


class OpenClip(torch.nn.Module):
    """A contrastive loss of open_clip, as it counts over the processes there are: each computes its own rows."""

    needs = frozenset()

    def __init__(self, name: str, settings: dict[str, Any], **_):
        super().__init__()
        known(name, settings, ())
        self.name = name

    def forward(self, features: Features) -> tuple[Scalars, Scalars]:
        ranks = Ranks.current()
        place = {"rank": ranks.rank, "world_size": ranks.world}
        if self.name == "siglip":
            loss = SigLipLoss(**place)
        else:
            loss = ClipLoss(local_loss=ranks.world > 1, gather_with_grad=ranks.world > 1, **place)
        return {self.name: loss(features.image, features.text, features.scale, features.bias)}, {}


class OfFunction(torch.nn.Module):
    """A function ``(image_features, text_features, logit_scale, *, ...) -> terms``: its keywords are the settings, and
    those among them that a batch brings are what the loss needs."""

    def __init__(self, function: Callable[..., Scalars], name: str, settings: dict[str, Any], **_):
        super().__init__()
        keywords = {p.name for p in inspect.signature(function).parameters.values() if p.kind is p.KEYWORD_ONLY}
        brought = {"partners": "partners", "negative_text_features": "negatives", "present": "present"}
        self.brought = {keyword: brought[keyword] for keyword in keywords & brought.keys()}
        self.needs = frozenset(self.brought.values()) & {"partners", "negatives"}
        self.function, self.settings = function, known(name, settings, keywords - self.brought.keys())

    def forward(self, features: Features) -> tuple[Scalars, Scalars]:
        brought = {keyword: getattr(features, name) for keyword, name in self.brought.items()}
        return self.function(features.image, features.text, features.scale, **brought, **self.settings), {}


class EqSim(torch.nn.Module):
    """EqSimLoss under its own settings. ``variant`` may also be ``minimal_pairs``: the hard variant on the pairs that
    the data knows. Drawn partners are those of the whole batch on every process: any number of them draws the same."""

    def __init__(self, name: str, settings: dict[str, Any], *, seed: int, **_):
        super().__init__()
        pairs = settings.get("variant") == MINIMAL_PAIRS
        self.needs = frozenset({"partners"} if pairs else ())
        drawn = not pairs and settings.get("variant", "all_pairs") != "all_pairs"
        self.loss = EqSimLoss(**(settings | ({"variant": "hard"} if pairs else {})), local_loss=not drawn, seed=seed)

    def forward(self, features: Features) -> tuple[Scalars, Scalars]:
        return self.loss(features.image, features.text, features.scale, partners=features.partners)


class Matching(torch.nn.Module):
    """A matching head that trains beside the model, and for ``eqsim_itm`` EqSim on its scores.

    Terms are ``matching`` (matching_loss) and ``eqsim_itm``. Telemetry are ``matching_right``, the share of the scores
    on the right side of 0, and ``mean_a2``, ``mean_b2`` and ``mean_I`` of the raw scores. Settings: ``hidden``; for
    eqsim_itm also ``activation`` and the options of `eqlib.losses.Criterion`. Every process computes the whole loss.
    ``dim`` is the features' length, ``seed`` draws the head and then its hard pairs; the ``state_dict`` holds both.
    """

    needs = frozenset()

    def __init__(self, name: str, settings: dict[str, Any], *, seed: int, dim: int | None):
        super().__init__()
        if dim is None:
            raise InputError("dim, the features' length, for a matching head", None, row="dim")
        hidden, self.eqsim = settings.pop("hidden", 256), None
        if name == "eqsim_itm":
            self.eqsim = settings
            try:
                eqsim_itm(torch.eye(2, 4), **settings)  # a wrong name or value is an error now, not at the first step
            except TypeError as error:
                raise InputError("settings of eqsim_itm", str(error), row="settings") from error
        else:
            known(name, settings, ())
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(seed)
            self.head = MatchingHead(dim, hidden)
        self.draws = Draws(seed)

    def forward(self, features: Features) -> tuple[Scalars, Scalars]:
        image, text = Ranks.current().gather(features.image.float(), features.text.float())
        draw = self.draws.on(image.device)
        scores = matching_scores(self.head, image, text, scale=features.scale.detach(), generator=draw)
        terms = {"matching": matching_loss(scores)}
        if self.eqsim is not None:
            terms["eqsim_itm"] = eqsim_itm(scores, **self.eqsim)
        with torch.no_grad():
            matched, hard_image, hard_text, other = scores.unbind(1)
            telemetry = {
                "matching_right": ((scores > 0) == scores.new_tensor([True, False, False, True])).float().mean(),
                "mean_a2": (matched - other).square().mean(),
                "mean_b2": (hard_image - hard_text).square().mean(),
                "mean_I": (matched + other - hard_image - hard_text).mean(),
            }
        return terms, telemetry


def known(name: str, settings: dict[str, Any], names) -> dict[str, Any]:
    """``settings`` where all are of ``names``, else InputError."""
    if unknown := settings.keys() - set(names):
        raise InputError(f"no such settings for {name}", ", ".join(sorted(unknown)), row="settings")
    return settings


def _of(function: Callable[..., Scalars]) -> Callable[..., OfFunction]:
    return lambda name, settings, **more: OfFunction(function, name, settings, **more)


LOSSES: dict[str, Callable[..., torch.nn.Module]] = {
    "contrastive": OpenClip,
    "siglip": OpenClip,
    "eqsim": EqSim,
    "cyclip": _of(cyclip_loss),
    "pairwise": _of(pairwise_loss),
    "negclip": _of(negclip_loss),
    "itm": Matching,
    "eqsim_itm": Matching,
}
