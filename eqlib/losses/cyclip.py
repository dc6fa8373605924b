"""CyCLIP: cyclic consistency, the nearest neighbour of EqSim's symmetric term."""

from __future__ import annotations

import torch
from torch import Tensor

from eqlib.losses.checks import at_least_float32, check_batch, check_features, check_finite
from eqlib.losses.closed_form import sum_of_squares
from eqlib.losses.contrastive import contrastive_loss
from eqlib.losses.ranks import Ranks


def cyclip_loss(
    image_features: Tensor,
    text_features: Tensor,
    logit_scale: Tensor | float = 1.0,
    *,
    in_modal: float = 0.25,
    cross_modal: float = 0.25,
) -> dict[str, Tensor]:
    """Terms of CyCLIP on normalised features (B, d): ``contrastive``, ``cyclip_in_modal``, ``cyclip_cross_modal``.

    in-modal     ``in_modal * B * mean((I I^T - T T^T)^2)``
    cross-modal  ``cross_modal * B * mean((S - S^T)^2)`` with S = I T^T

    The official code takes logits and divides by the squared scale: that leaves cosine similarities, which are used
    here. The defaults are the paper's weights. Computes in float32. With an initialised process group B is the gathered
    batch and every rank returns the whole loss. Raises InputError for shapes that differ, B < 2 or values that are not
    finite. Source: Goel et al., arXiv 2205.14459.
    """
    check_features(image_features, text_features)
    ranks = Ranks.current()
    check_batch(len(image_features) * ranks.world)
    with torch.autocast(image_features.device.type, enabled=False):
        image, text = at_least_float32(image_features), at_least_float32(text_features)
        contrastive = contrastive_loss(image, text, logit_scale)
        image, text = ranks.gather(image, text)
        sim = image @ text.T
        in_modal_squares = sum_of_squares(image @ image.T - text @ text.T)
        terms = {
            "contrastive": contrastive,
            "cyclip_in_modal": in_modal * in_modal_squares / len(image),
            "cyclip_cross_modal": cross_modal * sum_of_squares(sim - sim.T) / len(image),
        }
        check_finite(in_modal_squares, "finite features")
    return terms
