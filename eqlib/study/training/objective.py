"""What a step minimises, by name: a contrastive loss, alone, with a regulariser or with a matching head, in terms."""

from __future__ import annotations

from typing import Any

import torch
from open_clip.loss import ClipLoss, SigLipLoss

from eqlib.errors import InputError
from eqlib.losses import EqSimLoss, cyclip_loss, negclip_loss, pairwise_loss
from eqlib.models.matching import MatchingHead
from eqlib.study.training.matching import MatchingTerms

METHODS = ("contrastive", "siglip", "eqsim", "cyclip", "pairwise", "negclip", "eqsim_negclip", "itm", "eqsim_itm")
NEGATIVES = ("negclip", "eqsim_negclip")
"""Methods that need hard-negative captions: CaptionedImages(..., negatives=True)."""
MATCHING = ("itm", "eqsim_itm")
"""Methods that train a matching head beside the model."""
MINIMAL_PAIRS = "minimal_pairs"
Scalars = dict[str, torch.Tensor]


class Objective(torch.nn.Module):
    """``terms, telemetry = objective(image_features, text_features, logit_scale)``: terms to sum, values to log.

    contrastive, siglip     ClipLoss; SigLipLoss (for a model with a logit bias). No settings
    eqsim, cyclip           ClipLoss and their own terms. Settings: those of EqSimLoss; of cyclip_loss
    pairwise                ClipLoss and pairwise_loss inside each minimal pair. Settings: ``weight``
    negclip, eqsim_negclip  negclip_loss in ClipLoss's place, alone (no settings) or with EqSim's terms (EqSimLoss's)
    itm, eqsim_itm          ClipLoss and MatchingTerms, whose ``head`` trains too. Settings: ``hidden``; for eqsim_itm
                            also ``activation`` and the options of Criterion. Needs ``dim``, that of the features

    EqSim's ``variant`` may also be ``minimal_pairs``: the hard variant on the pairs that the data knows (``group``) in
    place of drawn partners. It and pairwise need ``partners`` (b, 1) in each call: `batches(..., partners=True)`.

    Where EqSim or CyCLIP is in, ``settings`` may also hold ``start`` and ``ramp``, in steps: their terms count nothing
    through step ``start``, then rise linearly to their full weight ``ramp`` steps later; ``ramp`` is logged, 0 to 1.

    With several processes features are gathered with gradient and each computes its own rows. The ``state_dict`` holds
    the matching head and the generator that draws hard partners, so that a resumed run draws the same. Raises
    InputError for an unknown method or settings that it does not take.
    """

    def __init__(
        self,
        method: str,
        settings: dict[str, Any] | None = None,
        *,
        seed: int = 0,
        rank: int = 0,
        world: int = 1,
        dim: int | None = None,
    ):
        super().__init__()
        if method not in METHODS:
            raise InputError(f"a method of {', '.join(METHODS)}", repr(method))
        self.method, own = method, dict(settings or {})
        self.start, self.ramp = 0, 0
        if "eqsim" in method or method == "cyclip":
            self.start, self.ramp = _steps(own, "start"), _steps(own, "ramp")
        self.partners = method == "pairwise"
        if method in ("eqsim", "eqsim_negclip") and own.get("variant") == MINIMAL_PAIRS:
            self.partners, own["variant"] = True, "hard"
        several = world > 1
        clip = ClipLoss(local_loss=several, gather_with_grad=several, rank=rank, world_size=world)
        self.loss, self.matching = clip, None
        if method == "siglip":
            self.loss = SigLipLoss(rank=rank, world_size=world)
        elif method == "negclip":
            self.loss = None
        elif method in ("eqsim", "eqsim_negclip"):
            self.loss = EqSimLoss(**own, contrastive=clip if method == "eqsim" else None, seed=seed)
        elif method in MATCHING:
            if dim is None:
                raise InputError("dim, the features' length, for a matching head", None, row="dim")
            hidden = own.pop("hidden", 256)
            self.matching = MatchingTerms(dim, hidden=hidden, eqsim=own if method == "eqsim_itm" else None, seed=seed)
        unknown = own.keys() - ({"weight"} if method == "pairwise" else set())
        if unknown and method in ("contrastive", "siglip", "pairwise", "negclip", "itm"):
            raise InputError(f"no such settings for {method}", ", ".join(sorted(unknown)), row="settings")
        self.settings = own

    @property
    def head(self) -> MatchingHead | None:
        """The matching head that trains beside the model, or None."""
        return self.matching.head if self.matching else None

    def forward(
        self,
        image_features: torch.Tensor,
        text_features: torch.Tensor,
        logit_scale: torch.Tensor,
        *bias: torch.Tensor,
        step: int | None = None,
        negatives: torch.Tensor | None = None,
        present: torch.Tensor | None = None,
        partners: torch.Tensor | None = None,
    ) -> tuple[Scalars, Scalars]:
        """``step``, counted from 1, places the run on the ramp (None: behind it). ``negatives``, ``present``: see
        negclip_loss; only for the methods in NEGATIVES. ``partners``: where ``self.partners``."""
        features = (image_features, text_features, logit_scale)
        terms, telemetry = {}, {}
        if self.method in NEGATIVES:
            terms = negclip_loss(*features, negative_text_features=negatives, present=present)
        if self.method in ("eqsim", "eqsim_negclip"):
            more, telemetry = self.loss(*features, partners=partners)
            terms |= more
        elif self.method != "negclip":
            terms["siglip" if self.method == "siglip" else "contrastive"] = self.loss(*features, *bias)
        if self.method == "cyclip":
            terms |= cyclip_loss(*features, **self.settings)
        if self.method == "pairwise":
            terms |= pairwise_loss(*features, partners=partners, **self.settings)
        if self.matching:
            more, telemetry = self.matching(*features)
            terms |= more
        if self.start or self.ramp:
            share = self._share(step)
            telemetry = telemetry | {"ramp": logit_scale.new_tensor(share)}
            regulariser = ("eqsim", "cyclip")
            terms = {name: share * term if name.startswith(regulariser) else term for name, term in terms.items()}
        return terms, telemetry

    def _share(self, step: int | None) -> float:
        if step is None:
            return 1.0
        return min(1.0, max(0.0, (step - self.start) / max(1, self.ramp)))


def _steps(settings: dict[str, Any], name: str) -> int:
    value = settings.pop(name, 0)
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise InputError("a number of steps >= 0", repr(value), row=f"settings.{name}")
    return value
