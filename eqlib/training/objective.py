"""What a step minimises: open_clip's contrastive loss plus the chosen regularisers, each a named term."""

from __future__ import annotations

from collections.abc import Callable

import torch
from open_clip import ClipLoss

from eqlib.errors import InputError
from eqlib.losses import EqSimLoss, cyclip_loss

Objective = Callable[..., tuple[dict[str, torch.Tensor], dict[str, torch.Tensor]]]
"""``objective(image_features, text_features, logit_scale)`` -> (terms to sum, detached telemetry to log)."""

METHODS = ("contrastive", "eqsim", "cyclip")


def objective(
    method: str, *, eqsim: dict | None = None, cyclip_weight: float = 0.25, seed: int = 0, rank: int = 0, world: int = 1
) -> Objective:
    """The objective of ``method``: ``contrastive`` alone, or with EqSim (``eqsim`` = settings of EqSimLoss) or CyCLIP.

    Raises InputError for an unknown method.
    """
    if method not in METHODS:
        raise InputError(f"a method of {', '.join(METHODS)}", repr(method))
    contrastive = ClipLoss(local_loss=world > 1, gather_with_grad=world > 1, rank=rank, world_size=world)
    regulariser = EqSimLoss(**(eqsim or {}), seed=seed, rank=rank, world_size=world) if method == "eqsim" else None

    def terms(
        image_features: torch.Tensor, text_features: torch.Tensor, logit_scale: torch.Tensor
    ) -> tuple[dict[str, torch.Tensor], dict[str, torch.Tensor]]:
        found = {"contrastive": contrastive(image_features, text_features, logit_scale)}
        telemetry: dict[str, torch.Tensor] = {}
        if regulariser is not None:
            added, telemetry = regulariser(image_features, text_features, logit_scale)
            found |= added
        if method == "cyclip":
            found |= cyclip_loss(image_features, text_features, weight=cyclip_weight)
        return found, telemetry

    return terms
