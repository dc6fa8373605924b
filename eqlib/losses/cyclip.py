"""CyCLIP: cyclic consistency, the nearest neighbour of EqSim's symmetric term."""

from __future__ import annotations

import torch
from torch import Tensor

from eqlib.losses.checks import at_least_float32, check_batch, check_features, check_finite
from eqlib.losses.closed_form import sum_of_squares
from eqlib.losses.ranks import Ranks


def cyclip_loss(
    image_features: Tensor,
    text_features: Tensor,
    logit_scale: Tensor | float | None = None,
    *,
    in_modal: float = 0.25,
    cross_modal: float = 0.25,
) -> dict[str, Tensor]:
    """CyCLIP's terms on normalised features (B, d): ``cyclip_in_modal`` and ``cyclip_cross_modal``, weights included.

    in-modal     ``in_modal * B * mean((I I^T - T T^T)^2)``
    cross-modal  ``cross_modal * B * mean((S - S^T)^2)`` with S = I T^T

    The contrastive loss beside them is the caller's, as with `EqSimLoss`. ``logit_scale`` is there for the same call
    and changes nothing: the official code takes logits and divides by the squared scale, which leaves these cosine
    similarities. The default weights are the paper's. Computes in float32. With an initialised process group B is the
    gathered batch and every rank returns the whole loss. Raises InputError for shapes that differ, B < 2 or values that
    are not finite. Source: Goel et al., arXiv 2205.14459.
    """
    check_features(image_features, text_features)
    ranks = Ranks.current()
    check_batch(len(image_features) * ranks.world)
    with torch.autocast(image_features.device.type, enabled=False):
        image, text = ranks.gather(at_least_float32(image_features), at_least_float32(text_features))
        sim = image @ text.T
        inside = check_finite(sum_of_squares(image @ image.T - text @ text.T), "finite features")
        return {
            "cyclip_in_modal": in_modal * inside / len(image),
            "cyclip_cross_modal": cross_modal * sum_of_squares(sim - sim.T) / len(image),
        }
