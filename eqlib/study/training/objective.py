"""What a step minimises: a list of named losses. The loop sums their terms and logs each."""

from typing import Any

import torch
from torch import Tensor

from eqlib.errors import InputError
from eqlib.models.matching import MatchingHead
from eqlib.study.training.losses import BROUGHT, LOSSES, Scalars, loss_of

METHODS = {
    "contrastive": ("contrastive",),
    "siglip": ("siglip",),
    "eqsim": ("contrastive", "eqsim"),
    "cyclip": ("contrastive", "cyclip"),
    "pairwise": ("contrastive", "pairwise"),
    "relative": ("contrastive", "relative"),
    "separate": ("contrastive", "separate"),
    "rank": ("contrastive", "rank"),
    "negclip": ("negclip",),
    "eqsim_negclip": ("negclip", "eqsim"),
    "itm": ("contrastive", "itm"),
    "eqsim_itm": ("contrastive", "eqsim_itm"),
}
"""Short names of lists of losses."""


class Objective(torch.nn.Module):
    """``terms, telemetry = objective(image_features, text_features, logit_scale[, logit_bias])``: terms to sum, values
    to log.

    ``method`` is one of METHODS, or names of LOSSES joined by ``+``: ``siglip+eqsim``, ``contrastive+eqsim+negclip``.
    A key of ``settings`` names loss and setting, ``eqsim.weight``; one without a loss is the last loss's. Every loss
    but the first and itm also takes ``start`` and ``ramp``, in steps: the terms of its name count nothing through step
    ``start``, then rise linearly to their full weight ``ramp`` steps later; ``ramp`` is logged, 0 to 1.

    ``needs`` says what a call must bring: ``partners`` (`batches(..., partners=True)`), ``negatives``
    (`CaptionedImages(..., negatives=True)`). ``dim``, the features' length, is asked for by a matching head. With
    several processes the mean over them is the loss of one. The ``state_dict`` holds the head and the generators that
    draw partners, so that a resumed run draws the same. Raises InputError for an unknown method or setting.
    """

    def __init__(self, method: str, settings: dict[str, Any] | None = None, *, seed: int = 0, dim: int | None = None):
        super().__init__()
        names = METHODS.get(method) or tuple(method.split("+"))
        if not set(names) <= LOSSES.keys() or len(set(names)) < len(names):
            known = f"a method of {', '.join(METHODS)}, or different ones of {', '.join(LOSSES)} joined by +"
            raise InputError(known, repr(method))
        self.method, self.settings = method, dict(settings or {})
        own = {name: {} for name in names}
        for key, value in self.settings.items():
            loss, _, setting = key.rpartition(".")
            if (loss or names[-1]) not in own:
                raise InputError(f"settings of {', '.join(names)}", repr(key), row="settings")
            own[loss or names[-1]][setting] = value
        waiting = set(names[1:]) - {"itm"}  # a head's own loss never waits: it is EqSim that an untrained head misleads
        ramps = {name: (_steps(own[name], "start"), _steps(own[name], "ramp")) for name in waiting}
        self.ramps = {name: ramp for name, ramp in ramps.items() if any(ramp)}
        self.losses = {name: loss_of(name, own[name], seed=seed, dim=dim) for name in names}
        for name, loss in self.losses.items():
            if isinstance(loss, torch.nn.Module):
                self.add_module(name, loss)
        self.needs = {BROUGHT[name] for loss in self.losses.values() for name in loss.takes} - {""}

    @property
    def head(self) -> MatchingHead | None:
        """The matching head that trains beside the model, or None."""
        return next((loss.head for loss in self.losses.values() if hasattr(loss, "head")), None)

    def forward(
        self,
        image_features: Tensor,
        text_features: Tensor,
        logit_scale: Tensor,
        logit_bias: Tensor | None = None,
        *,
        step: int | None = None,
        **brought: Tensor,
    ) -> tuple[Scalars, Scalars]:
        """What is ``brought``: see `eqlib.study.training.losses`. ``step``, counted from 1, places the run on the ramps
        (None: behind them)."""
        terms, telemetry = {}, {}
        brought["logit_bias"] = logit_bias
        for name, loss in self.losses.items():
            found = loss(image_features, text_features, logit_scale, **{key: brought.get(key) for key in loss.takes})
            found, more = found if isinstance(found, tuple) else (found, {})
            if name in self.ramps:
                start, ramp = self.ramps[name]
                share = 1.0 if step is None else min(1.0, max(0.0, (step - start) / max(1, ramp)))
                found = {term: share * value if term.startswith(name) else value for term, value in found.items()}
                more = more | {"ramp": logit_scale.new_tensor(share)}
            terms |= found
            telemetry |= more
        return terms, telemetry


def _steps(settings: dict[str, Any], name: str) -> int:
    value = settings.pop(name, 0)
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise InputError("a number of steps >= 0", repr(value), row=f"settings.{name}")
    return value
