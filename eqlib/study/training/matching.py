"""The terms of a matching head that trains beside its CLIP: matching loss and, where asked, EqSim on its scores."""

from __future__ import annotations

from typing import Any

import torch

from eqlib.errors import InputError
from eqlib.losses import StepGenerator, eqsim_itm
from eqlib.losses.ranks import Ranks
from eqlib.models.matching import MatchingHead, matching_loss, matching_scores

Scalars = dict[str, torch.Tensor]


class MatchingTerms(torch.nn.Module):
    """``terms, telemetry = matching(image_features, text_features, logit_scale)`` with a head of its own to train.

    Terms are ``matching`` (see matching_loss) and, unless ``eqsim`` is None, ``eqsim_itm`` under those settings
    (``activation`` and the options of `eqlib.losses.Criterion`). Telemetry are ``matching_right``, the share of the
    scores on the right side of 0, and ``mean_a2``, ``mean_b2`` and ``mean_I`` of the raw scores. With several processes
    features are gathered with gradient and each computes the whole loss, which is that of one process. ``dim`` is that
    of the features, ``seed`` draws the head and then its hard pairs; the ``state_dict`` holds both.
    """

    def __init__(self, dim: int, *, hidden: int = 256, eqsim: dict[str, Any] | None = None, seed: int = 0):
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(seed)
            self.head = MatchingHead(dim, hidden)
        self.eqsim = eqsim
        if eqsim is not None:
            try:
                eqsim_itm(torch.eye(2, 4), **eqsim)  # a wrong name or value is an error now, not at the first step
            except TypeError as error:
                raise InputError("settings of eqsim_itm", str(error), row="settings") from error
        self.draws = StepGenerator(seed)

    def forward(self, image: torch.Tensor, text: torch.Tensor, scale: torch.Tensor) -> tuple[Scalars, Scalars]:
        image, text = map(Ranks.current().all_gather, (image.float(), text.float()))
        generator = self.draws.generator(image.device)
        scores = matching_scores(self.head, image, text, scale=scale.detach(), generator=generator)
        terms = {"matching": matching_loss(scores)}
        if self.eqsim is not None:
            terms["eqsim_itm"] = eqsim_itm(scores, **self.eqsim)
        with torch.no_grad():
            matched, hard_image, hard_text, other = scores.unbind(1)
            telemetry = {
                "matching_right": ((scores > 0) == scores.new_tensor([True, False, False, True])).float().mean(),
                "mean_a2": (matched - other).square().mean(),
                "mean_b2": (hard_image - hard_text).square().mean(),
                "mean_I": (matched + other - hard_image - hard_text).mean(),
            }
        return terms, telemetry
