"""EqSim without a scale: how large the inconsistency of a quad is beside its own change. Ours, not the paper's."""

import torch
from torch import Tensor

from eqlib.losses import checks
from eqlib.losses.eqsim import parts_of, telemetry
from eqlib.losses.similarity import Rows


def relative_eqsim_loss(
    image_features: Tensor,
    text_features: Tensor,
    logit_scale: Tensor | float | None = None,
    *,
    partners: Tensor,
    weight: float = 1.0,
    floor: float = 1e-3,
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """``relative``: ``weight * mean log((a^2 + b^2 + floor) / (I^2 + a^2 + b^2 + floor))`` over the rows' quads.

    a = S_ii - S_jj, b = S_ji - S_ij, I = S_ii + S_jj - S_ij - S_ji of cosines S. A value <= 0; its telemetry is that of
    `EqSimLoss`. The square of EqSim falls when all of S shrinks, the change I with it. This does not: without ``floor``
    it is the same for S and c S. Its gradient is that of the relative inconsistency, so a quad that is nearly right
    counts as much as one that is far off. I < 0 counts as I > 0 does: a contrastive term beside it must set the sign.
    ``logit_scale`` is there for the same call and changes nothing.

    ``image_features`` and ``text_features`` (B, d), normalised, matched row by row; ``partners`` (b, K) int64 as of
    `pairwise_loss`: a row and each of its partners make a quad. A rank returns the mean over its rows. Raises
    InputError for shapes that do not fit, ``weight`` < 0, ``floor`` <= 0, and (on the CPU) values that are not finite.
    """
    checks.numbers("relative", {"weight": weight, "floor": floor}, above_zero="floor")
    image, text, ranks = checks.features(image_features, text_features)
    partners = checks.partners(partners, len(image), ranks.world * len(image), ranks.rank * len(image))
    with torch.autocast(image.device.type, enabled=False):
        a2, b2, change = parts_of(Rows.of_features(image, text, ranks).of_partners(partners))
        inconsistency = a2 + b2 + floor
        lost = (inconsistency / (change.square() + inconsistency)).log()
    a2, b2, change = (values.mean() / ranks.world for values in (a2, b2, change))
    return {"relative": checks.finite(weight * lost.mean(), "finite features")}, telemetry(a2, b2, change, ranks)
