"""EqSim on the scores of an image-text matching head."""

from __future__ import annotations

from typing import Literal

from torch import Tensor

from eqlib.errors import InputError
from eqlib.losses.checks import at_least_float32
from eqlib.losses.criterion import eqsim_criterion

ACTIVATIONS = (None, "linear", "sigmoid", "softmax")


def eqsim_itm(
    scores: Tensor, *, activation: Literal["linear", "sigmoid", "softmax"] | None = None, **criterion_options
) -> Tensor:
    """EqSim of (B, 4) matching scores: (image, text), (hard image, text), (image, hard text), (hard image, hard text).

    The hard image and the hard text of a row belong together: they are the second matched pair of its quad.
    ``activation``: None takes the scores as they come, ``linear`` maps the batch's least and greatest score to 0 and 1,
    ``sigmoid`` each score, ``softmax`` the four of a row. Options: see `eqlib.losses.Criterion`. Returns a scalar >= 0;
    half precision computes in float32. Raises InputError on another shape or activation, on values that are not finite
    and, for ``linear``, where all scores are equal. Source: ``get_pairloss_itm``.
    """
    if activation not in ACTIVATIONS:
        raise InputError(f"an activation among {', '.join(map(str, ACTIVATIONS))}", repr(activation))
    if not isinstance(scores, Tensor) or scores.ndim != 2 or scores.shape[1] != 4 or len(scores) == 0:
        raise InputError("scores (B, 4) of a matching head", tuple(getattr(scores, "shape", ())))
    scores = at_least_float32(scores)
    if activation == "linear":
        low, high = scores.min(), scores.max()
        if bool(low == high):
            raise InputError("scores that differ, to map them to [0, 1]", f"{low.item()} everywhere")
        scores = (scores - low) / (high - low)
    elif activation == "sigmoid":
        scores = scores.sigmoid()
    elif activation == "softmax":
        scores = scores.softmax(1)
    c0_i0, c0_i1, c1_i0, c1_i1 = scores.unbind(1)
    return eqsim_criterion(c0_i0, c1_i0, c0_i1, c1_i1, **criterion_options)
