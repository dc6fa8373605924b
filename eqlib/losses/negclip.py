"""NegCLIP: hard-negative captions as further columns of the image-to-text softmax."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from eqlib.errors import InputError
from eqlib.losses.checks import at_least_float32, check_batch, check_features, check_finite
from eqlib.losses.ranks import Ranks


def negclip_loss(
    image_features: Tensor,
    text_features: Tensor,
    logit_scale: Tensor | float = 1.0,
    *,
    negative_text_features: Tensor,
    present: Tensor | None = None,
) -> dict[str, Tensor]:
    """The contrastive loss with the captions of ``negative_text_features`` (N, d) wrong for every image: ``negclip``.

    Image to text: softmax over B captions and N negatives; text to image: over the B images; the mean of both. N is
    free (one a pair in the paper). ``present`` (N,) bool leaves out the negatives where it is False, so that captions
    without one can stand in a batch (None: all are there). Features are normalised. Computes in float32. With an
    initialised process group features and negatives of all ranks are gathered with gradient and every rank returns the
    whole loss. Raises InputError for shapes that do not fit, B < 2 or values that are not finite. Source: Yuksekgonul
    et al., arXiv 2210.01936.
    """
    check_features(image_features, text_features)
    ranks = Ranks.current()
    check_batch(len(image_features) * ranks.world)
    negatives = negative_text_features
    if not isinstance(negatives, Tensor) or negatives.ndim != 2 or negatives.shape[1] != text_features.shape[1]:
        expected = f"negative_text_features (N, {text_features.shape[1]})"
        raise InputError(expected, tuple(getattr(negatives, "shape", ())))
    if present is not None and (present.dtype != torch.bool or present.shape != (len(negatives),)):
        raise InputError(f"present ({len(negatives)},) of bool", f"{tuple(present.shape)} of {present.dtype}")
    with torch.autocast(image_features.device.type, enabled=False):
        features = [at_least_float32(values) for values in (image_features, text_features, negatives)]
        image, text, negatives = ranks.gather(*features)
        scaled = logit_scale * image
        to_text = scaled @ torch.cat([text, negatives]).T
        if present is not None:
            absent = ~ranks.gather_indices(present.long()).bool()
            to_text = torch.cat([to_text[:, : len(text)], to_text[:, len(text) :].masked_fill(absent, -torch.inf)], 1)
        labels = torch.arange(len(image), device=image.device)
        to_image = to_text[:, : len(image)].T
        loss = (functional.cross_entropy(to_text, labels) + functional.cross_entropy(to_image, labels)) / 2
    return {"negclip": check_finite(loss, "finite features")}
