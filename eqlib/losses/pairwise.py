"""Contrast inside each minimal pair: what hard negatives alone do, the control for EqSim on the same pairs."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from eqlib.losses.checks import at_least_float32, check_batch, check_features, check_finite, check_partners
from eqlib.losses.ranks import Ranks


def pairwise_loss(
    image_features: Tensor,
    text_features: Tensor,
    logit_scale: Tensor | float = 1.0,
    *,
    partners: Tensor,
    weight: float = 1.0,
) -> dict[str, Tensor]:
    """``pairwise``: the contrastive loss with two candidates, a row's own and its partner's, for its image (which of
    the two captions?) and for its caption (which of the two images?); the mean over rows, partners and both directions.

    ``partners`` (b, K) int64: indices into the gathered batch, for this rank's rows. Features are normalised. Computes
    in float32. With an initialised process group features are gathered with gradient and a rank returns the mean over
    its rows, so that the mean over ranks is the loss of one process. Raises InputError for shapes that do not fit, a
    row that is its own partner, or values that are not finite.
    """
    check_features(image_features, text_features)
    ranks = Ranks.current()
    check_batch(len(image_features) * ranks.world)
    own = ranks.rank * len(image_features)
    partners = check_partners(partners, len(image_features), ranks.world * len(image_features), own)
    with torch.autocast(image_features.device.type, enabled=False):
        image, text = at_least_float32(image_features), at_least_float32(text_features)
        images, texts = ranks.gather(image, text)
        matched = (image * text).sum(1, keepdim=True)
        other_text = (image[:, None] * texts[partners]).sum(2)
        other_image = (images[partners] * text[:, None]).sum(2)
        lost = functional.softplus(logit_scale * (torch.cat([other_text, other_image], dim=1) - matched))
    return {"pairwise": check_finite(weight * lost.mean(), "finite features")}
