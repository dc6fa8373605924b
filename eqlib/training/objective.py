"""What a step minimises: open_clip's contrastive loss plus the chosen regulariser, each a named term."""

from __future__ import annotations

from typing import Any

import torch
from open_clip import ClipLoss

from eqlib.errors import InputError
from eqlib.losses import EqSimLoss, cyclip_loss

METHODS = ("contrastive", "eqsim", "cyclip")


class Objective(torch.nn.Module):
    """``terms, telemetry = objective(image_features, text_features, logit_scale)``: terms to sum, values to log.

    ``contrastive`` is the loss alone; ``eqsim`` and ``cyclip`` add theirs under ``settings`` (those of EqSimLoss, of
    cyclip_loss). Its ``state_dict`` holds the generator that draws hard partners, so a resumed run draws the same.
    Raises InputError for an unknown method.
    """

    def __init__(self, method: str, settings: dict[str, Any] | None = None, *, seed: int = 0):
        super().__init__()
        if method not in METHODS:
            raise InputError(f"a method of {', '.join(METHODS)}", repr(method))
        self.method, self.settings = method, settings or {}
        self.contrastive = ClipLoss()
        self.eqsim = EqSimLoss(**self.settings, seed=seed) if method == "eqsim" else None

    def forward(
        self, image_features: torch.Tensor, text_features: torch.Tensor, logit_scale: torch.Tensor
    ) -> tuple[dict[str, torch.Tensor], dict[str, torch.Tensor]]:
        terms = {"contrastive": self.contrastive(image_features, text_features, logit_scale)}
        telemetry: dict[str, torch.Tensor] = {}
        if self.eqsim is not None:
            added, telemetry = self.eqsim(image_features, text_features, logit_scale)
            terms |= added
        if self.method == "cyclip":
            terms |= cyclip_loss(image_features, text_features, **self.settings)
        return terms, telemetry
