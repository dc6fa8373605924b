"""What a step minimises, by name: a contrastive loss of open_clip, alone or with a regulariser, as named terms."""

from __future__ import annotations

from typing import Any

import torch
from open_clip.loss import ClipLoss, SigLipLoss

from eqlib.errors import InputError
from eqlib.losses import EqSimLoss, cyclip_loss

METHODS = ("contrastive", "siglip", "eqsim", "cyclip")
Scalars = dict[str, torch.Tensor]


class Objective(torch.nn.Module):
    """``terms, telemetry = objective(image_features, text_features, logit_scale)``: terms to sum, values to log.

    ``contrastive`` is ClipLoss, ``siglip`` SigLipLoss (for a model with a logit bias), ``eqsim`` and ``cyclip`` are
    ClipLoss with their terms added under ``settings`` (those of EqSimLoss, of cyclip_loss). With several processes
    features are gathered with gradient and each computes its own rows. The ``state_dict`` holds the generator that
    draws hard partners, so that a resumed run draws the same. Raises InputError for an unknown method.
    """

    def __init__(
        self, method: str, settings: dict[str, Any] | None = None, *, seed: int = 0, rank: int = 0, world: int = 1
    ):
        super().__init__()
        if method not in METHODS:
            raise InputError(f"a method of {', '.join(METHODS)}", repr(method))
        self.method, self.settings = method, settings or {}
        several = world > 1
        contrastive = ClipLoss(local_loss=several, gather_with_grad=several, rank=rank, world_size=world)
        self.loss = {
            "contrastive": lambda: contrastive,
            "siglip": lambda: SigLipLoss(rank=rank, world_size=world),
            "eqsim": lambda: EqSimLoss(**self.settings, contrastive=contrastive, seed=seed),
            "cyclip": lambda: contrastive,
        }[method]()

    def forward(
        self, image_features: torch.Tensor, text_features: torch.Tensor, logit_scale: torch.Tensor, *bias: torch.Tensor
    ) -> tuple[Scalars, Scalars]:
        features = (image_features, text_features, logit_scale)
        if self.method == "eqsim":
            return self.loss(*features)
        if self.method == "cyclip":
            return {"contrastive": self.loss(*features)} | cyclip_loss(*features, **self.settings), {}
        return {self.method: self.loss(*features, *bias)}, {}
