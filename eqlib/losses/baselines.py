"""The losses that EqSim stands beside: contrastive, CyCLIP, NegCLIP, and what contrasts a row with its partners alone
(pairwise, FSC-CLIP's separate term, CE-CLIP's rank hinge).

``image_features`` and ``text_features`` (B, d), normalised, matched row by row. Each returns its terms by name, scalars
with gradient, weights included, for the caller to sum. EqSim's neighbours compute in float32, under autocast too. With
an initialised process group features are gathered with gradient. Raises InputError for shapes that do not fit, B < 2
over all ranks, and (on the CPU) values that are not finite.
"""

import torch
from open_clip.loss import ClipLoss
from torch import Tensor
from torch.nn import functional

from eqlib.errors import InputError
from eqlib.losses import checks
from eqlib.losses.ranks import Ranks


def contrastive_loss(image_features: Tensor, text_features: Tensor, logit_scale: Tensor | float) -> dict[str, Tensor]:
    """``contrastive``: open_clip's ``ClipLoss``, whole on every rank. For more settings, use the class."""
    *_, ranks = checks.features(image_features, text_features)
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
    image, text, ranks = checks.features(image_features, text_features)
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
    image, text, ranks = checks.features(image_features, text_features)
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
    matched, other_text, other_image = _with_partners(image_features, text_features, partners)
    lost = functional.softplus(logit_scale * (torch.cat([other_text, other_image], dim=1) - matched))
    return {"pairwise": checks.finite(weight * lost.mean(), "finite features")}


def separate_loss(
    image_features: Tensor,
    text_features: Tensor,
    logit_scale: Tensor | float = 1.0,
    *,
    partners: Tensor,
    weight: float = 0.5,
    focal: float = 2.0,
    smoothing: float = 0.02,
) -> dict[str, Tensor]:
    """``separate``: FSC-CLIP's global term, the hard captions of an image in a loss of their own.

    Over the candidates c, a row's own caption and those of its K partners, p their softmax for its image:
    ``weight * mean sum_c y_c (1 - p_c)^focal (-log p_c)``; y gives its own ``1 - smoothing`` and shares ``smoothing``
    among all. Captions alone are contrasted, as in the paper; its local term, over tokens, is not here. ``partners``
    and ranks as of `pairwise_loss`. The defaults are the released ones for COCO. Raises InputError also for
    ``smoothing`` > 1 and for a ``focal`` between 0 and 1, whose gradient is not finite at p = 1. Source: Oh et al.,
    arXiv 2410.05210, ``Global_HNLoss`` of its code.
    """
    settings = {"weight": weight, "focal": focal, "smoothing": smoothing, "1 - smoothing": 1 - smoothing}
    checks.numbers("separate", settings)
    if 0 < focal < 1:
        raise InputError("0 or a number >= 1", repr(focal), where="separate", row="focal")
    matched, other_text, _ = _with_partners(image_features, text_features, partners)
    lost = -(logit_scale * torch.cat([matched, other_text], dim=1)).log_softmax(dim=1)
    lost = lost * (-torch.expm1(-lost)) ** focal
    smoothed = (1 - smoothing) * lost[:, 0] + smoothing * lost.mean(1)
    return {"separate": checks.finite(weight * smoothed.mean(), "finite features")}


def rank_loss(
    image_features: Tensor,
    text_features: Tensor,
    logit_scale: Tensor | float = 1.0,
    *,
    partners: Tensor,
    weight: float = 0.2,
    bound: float = 10.0,
) -> dict[str, Tensor]:
    """``rank``: CE-CLIP's hinge, by which an image's own caption must lead those of its partners by a threshold.

    ``weight * mean relu(threshold + s_other - s_own)`` of logits s. The threshold of each partner's place is the mean
    lead of the whole batch, without gradient, in [0, ``bound``]: the released code takes that of the batch before, 0 at
    the first. A curriculum: what leads by more than the mean counts nothing. Its intra-modal term is not here.
    ``partners`` and ranks as of `pairwise_loss`. Source: Zhang et al., arXiv 2306.08832, ``get_cmr_loss`` of its code.
    """
    checks.numbers("rank", {"weight": weight, "bound": bound})
    matched, other_text, _ = _with_partners(image_features, text_features, partners)
    lead = logit_scale * (matched - other_text)
    threshold = Ranks.current().all_gather(lead.detach()).mean(0).clamp(0, bound)
    return {"rank": checks.finite(weight * functional.relu(threshold - lead).mean(), "finite features")}


def _with_partners(image_features: Tensor, text_features: Tensor, partners: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Of this rank's rows: their own similarity (b, 1), their images' with the partners' captions (b, K), and their
    captions' with the partners' images (b, K)."""
    image, text, ranks = checks.features(image_features, text_features)
    partners = checks.partners(partners, len(image), ranks.world * len(image), ranks.rank * len(image))
    images, texts = ranks.all_gather(image), ranks.all_gather(text)  # no product of matrices: autocast touches nothing
    matched = (image * text).sum(1, keepdim=True)
    return matched, (image[:, None] * texts[partners]).sum(2), (images[partners] * text[:, None]).sum(2)
