"""open_clip's contrastive losses beside EqSim, on one similarity matrix."""

from __future__ import annotations

import copy
from functools import cache

from torch import Tensor, nn

from eqlib.losses.ranks import Ranks


def contrastive_loss(image_features: Tensor, text_features: Tensor, logit_scale: Tensor | float) -> Tensor:
    """open_clip's ``ClipLoss`` of normalised features (B, d): a scalar. With an initialised process group the features
    of all ranks are gathered with gradient and every rank returns the whole loss. For more settings, use the class.
    """
    from open_clip import ClipLoss

    ranks = Ranks.current()
    loss = ClipLoss(gather_with_grad=True, rank=ranks.rank, world_size=ranks.world)
    return loss(image_features, text_features, logit_scale)


def on_given_logits(loss: nn.Module | None, ranks: Ranks, local: bool) -> nn.Module | None:
    """A ``ClipLoss`` with ``loss``'s settings that is called with its two logit matrices; None where it cannot be.

    ``ClipLoss`` multiplies image and text features twice, once a direction, and EqSim would a third time. Labels and
    cross entropy stay open_clip's; only the matrices come from outside. It cannot where ``loss`` is another class (it
    may compute its logits in a way of its own) or would gather other rows, or the same rows without gradient.
    """
    if loss is None:
        return None
    from open_clip import ClipLoss

    if type(loss) is not ClipLoss or loss.world_size != ranks.world:
        return None
    if ranks.world > 1 and not (loss.gather_with_grad and loss.local_loss == local and not loss.use_horovod):
        return None
    given = copy.copy(loss)
    given.__class__ = _given_logits()
    return given


@cache
def _given_logits() -> type[nn.Module]:
    from open_clip import ClipLoss

    class GivenLogits(ClipLoss):
        def get_logits(self, logits_per_image, logits_per_text, logit_scale=None, logit_bias=None):
            if logit_bias is None:
                return logits_per_image, logits_per_text
            return logits_per_image + logit_bias, logits_per_text + logit_bias

    return GivenLogits
