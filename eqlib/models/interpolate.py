"""Weights between two models of one lineage (WiSE-FT, Wortsman et al. 2022, arXiv 2109.01903)."""

from copy import deepcopy
from dataclasses import replace

import torch

from eqlib.errors import InputError
from eqlib.models.clip import CLIP


def interpolate(start: CLIP, end: CLIP, alpha: float) -> CLIP:
    """``end``'s bundle with weights ``(1 - alpha) start + alpha end``, of its own; ``alpha`` in [0, 1].

    Counters and other whole numbers (a batch norm's steps) are taken from ``end``. Raises InputError where the two
    do not have the same tensors.
    """
    if not 0 <= alpha <= 1:
        raise InputError("alpha in [0, 1]", alpha)
    here, there = start.model.state_dict(), end.model.state_dict()
    if odd := here.keys() ^ there.keys() or {k for k in here if here[k].shape != there[k].shape}:
        raise InputError(f"the tensors of {start.name}", f"other ones ({sorted(odd)[0]})", where=end.name)
    mixed = {
        name: torch.lerp(here[name], there[name], alpha) if there[name].is_floating_point() else there[name]
        for name in there
    }
    model = deepcopy(end.model)
    model.load_state_dict(mixed)
    return replace(end, model=model, name=f"{start.name} to {end.name}, alpha {alpha:g}")
