"""The losses that EqSim stands beside: contrastive, CyCLIP, NegCLIP, and the contrast inside each minimal pair.

``image_features`` and ``text_features`` (B, d), normalised, matched row by row. Each returns its terms by name, scalars
with gradient, weights included, for the caller to sum. EqSim's neighbours compute in float32, under autocast too. With
an initialised process group features are gathered with gradient. Raises InputError for shapes that do not fit, B < 2
over all ranks, and (on the CPU) values that are not finite.
"""

import torch
from open_clip.loss import ClipLoss
from torch import Tensor
from torch.nn import functional

from eqlib.losses import checks
from eqlib.losses.ranks import Ranks


def contrastive_loss(image_features: Tensor, text_features: Tensor, logit_scale: Tensor | float) -> dict[str, Tensor]:
    """``contrastive``: open_clip's ``ClipLoss``, whole on every rank. For more settings, use the class."""
    ranks = Ranks.current()
    checks.features(image_features, text_features, ranks.world)
    loss = ClipLoss(gather_with_grad=True, rank=ranks.rank, world_size=ranks.world)
    return {"contrastive": checks.finite(loss(image_features, text_features, logit_scale), "finite features")}


def cyclip_loss(
    image_features: Tensor,
    text_features: Tensor,
    logit_scale: Tensor | float | None = None,
    *,
    in_modal: float = 0.25,
    cross_modal: float = 0.25,
) -> dict[str, Tensor]:
    """``cyclip_in_modal`` and ``cyclip_cross_modal``, whole on every rank, B the gathered batch.

    in-modal     ``in_modal * B * mean((I I^T - T T^T)^2)``
    cross-modal  ``cross_modal * B * mean((S - S^T)^2)`` with S = I T^T

    ``logit_scale`` is there for the same call and changes nothing: the official code takes logits and divides by the
    squared scale, which leaves these cosine similarities. The default weights are the paper's. Source: Goel et al.,
    arXiv 2205.14459.
    """
    ranks = Ranks.current()
    image, text = checks.features(image_features, text_features, ranks.world)
    with torch.autocast(image.device.type, enabled=False):
        image, text = ranks.all_gather(image), ranks.all_gather(text)
        sim = image @ text.T
        inside = checks.finite((image @ image.T - text @ text.T).square().sum(), "finite features")
        return {
            "cyclip_in_modal": in_modal * inside / len(image),
            "cyclip_cross_modal": cross_modal * (sim - sim.T).square().sum() / len(image),
        }


def negclip_loss(
    image_features: Tensor,
    text_features: Tensor,
    logit_scale: Tensor | float = 1.0,
    *,
    negative_text_features: Tensor,
    present: Tensor | None = None,
) -> dict[str, Tensor]:
    """``negclip``: the contrastive loss with the captions of ``negative_text_features`` (N, d) wrong for every image.

    Image to text: softmax over B captions and N negatives; text to image: over the B images; the mean of both. N is
    free (one a pair in the paper). ``present`` (N,) bool leaves out the negatives where it is False, so that captions
    without one can stand in a batch (None: all are there). Whole on every rank, the negatives of all gathered. Source:
    Yuksekgonul et al., arXiv 2210.01936.
    """
    ranks = Ranks.current()
    image, text = checks.features(image_features, text_features, ranks.world)
    negatives = negative_text_features
    checks.tensor(negatives, f"negative_text_features (N, {text.shape[1]})", None, text.shape[1])
    if present is not None:
        checks.tensor(present, f"present ({len(negatives)},) of bool", len(negatives), dtypes=(torch.bool,))
    with torch.autocast(image.device.type, enabled=False):
        image, text, negatives = map(ranks.all_gather, (image, text, checks.at_least_float32(negatives)))
        scaled = logit_scale * image
        to_text, to_negatives = scaled @ text.T, scaled @ negatives.T
        if present is not None:
            absent = ~ranks.all_gather(present.long()).bool()
            to_negatives = to_negatives.masked_fill(absent, -torch.inf)
        labels = torch.arange(len(image), device=image.device)
        image_to_text = functional.cross_entropy(torch.cat([to_text, to_negatives], 1), labels)
        loss = (image_to_text + functional.cross_entropy(to_text.T, labels)) / 2
    return {"negclip": checks.finite(loss, "finite features")}


def pairwise_loss(
    image_features: Tensor,
    text_features: Tensor,
    logit_scale: Tensor | float = 1.0,
    *,
    partners: Tensor,
    weight: float = 1.0,
) -> dict[str, Tensor]:
    """``pairwise``: what hard negatives alone do, the control for EqSim on the same pairs.

    The contrastive loss with two candidates, a row's own and its partner's, for its image (which of the two captions?)
    and for its caption (which of the two images?); the mean over rows, partners and both directions. ``partners``
    (b, K) int64: indices into the gathered batch, for this rank's rows, none its own row. A rank returns the mean over
    its rows, so that the mean over ranks is the loss of one process.
    """
    ranks = Ranks.current()
    image, text = checks.features(image_features, text_features, ranks.world)
    partners = checks.partners(partners, len(image), ranks.world * len(image), ranks.rank * len(image))
    with torch.autocast(image.device.type, enabled=False):
        images, texts = ranks.all_gather(image), ranks.all_gather(text)
        matched = (image * text).sum(1, keepdim=True)
        other_text = (image[:, None] * texts[partners]).sum(2)
        other_image = (images[partners] * text[:, None]).sum(2)
        lost = functional.softplus(logit_scale * (torch.cat([other_text, other_image], dim=1) - matched))
    return {"pairwise": checks.finite(weight * lost.mean(), "finite features")}
