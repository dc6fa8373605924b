"""open_clip's contrastive losses beside EqSim, on one similarity matrix."""

from __future__ import annotations

import copy
from functools import cache

from torch import Tensor, nn


def contrastive_loss(image_features: Tensor, text_features: Tensor, logit_scale: Tensor | float) -> Tensor:
    """open_clip's ``ClipLoss`` in one process: (B, d) features, a scalar. For more, use the class itself."""
    from open_clip import ClipLoss

    return ClipLoss()(image_features, text_features, logit_scale)


def on_given_logits(loss: nn.Module | None) -> nn.Module | None:
    """A ``ClipLoss`` with ``loss``'s settings that is called with its two logit matrices; None for any other loss.

    ``ClipLoss`` multiplies image and text features twice, once a direction, and EqSim would a third time. Labels and
    cross entropy stay open_clip's; only the matrices come from outside.
    """
    from open_clip import ClipLoss

    if type(loss) is not ClipLoss:  # a subclass may compute its logits in its own way
        return None
    given = copy.copy(loss)
    given.__class__ = _given_logits_class()
    return given


@cache
def _given_logits_class() -> type[nn.Module]:
    from open_clip import ClipLoss

    class GivenLogits(ClipLoss):
        def get_logits(self, logits_per_image, logits_per_text, logit_scale=None, logit_bias=None):
            return logits_per_image, logits_per_text

    return GivenLogits
