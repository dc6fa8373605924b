"""What every loss asks of its input, before it computes."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from eqlib.errors import InputError


def check_similarity(sim: Tensor, name: str = "sim") -> Tensor:
    """``sim`` as a float32 or float64 matrix (B, B), B >= 2; half precision becomes float32.

    Values are checked where they are reduced anyway, by `check_finite`: a pass over B x B only to look is not free.
    """
    if not isinstance(sim, Tensor) or not sim.is_floating_point():
        raise InputError(f"{name} as a floating-point tensor", getattr(sim, "dtype", type(sim).__name__))
    if sim.ndim != 2 or sim.shape[0] != sim.shape[1]:
        raise InputError(f"{name} (B, B) = similarity of image i with caption j", tuple(sim.shape))
    check_batch(sim.shape[0])
    return at_least_float32(sim)


def check_features(image_features: Tensor, text_features: Tensor) -> None:
    """Both (B, d), floating point; where one is float64, so is the other."""
    for name, features in (("image_features", image_features), ("text_features", text_features)):
        if not isinstance(features, Tensor) or not features.is_floating_point() or features.ndim != 2:
            got = (features.dtype, tuple(features.shape)) if isinstance(features, Tensor) else type(features).__name__
            raise InputError(f"{name} (B, d), floating point", got)
    if image_features.shape != text_features.shape:
        got = f"{tuple(image_features.shape)} and {tuple(text_features.shape)}"
        raise InputError("image and text features of one shape (B, d)", got)
    if (image_features.dtype == torch.float64) != (text_features.dtype == torch.float64):
        raise InputError("image and text features of one precision", f"{image_features.dtype}, {text_features.dtype}")


def check_batch(pairs: int) -> None:
    if pairs < 2:
        raise InputError("at least 2 matched pairs: one pair makes no quad", pairs)


def check_partners(partners: Tensor, rows: int, width: int, offset: int = 0) -> Tensor:
    """``partners`` (B, K) as int64: B <= ``rows``, K >= 1, row indices into a batch of ``width``, none its own row.

    ``offset`` is the first row's index in that batch.
    """
    if not isinstance(partners, Tensor) or partners.dtype not in (torch.int64, torch.int32) or partners.ndim != 2:
        got = (partners.dtype, tuple(partners.shape)) if isinstance(partners, Tensor) else type(partners).__name__
        raise InputError("partners (B, K) as int64 row indices", got)
    if not 1 <= partners.shape[0] <= rows or partners.shape[1] < 1:
        raise InputError(f"partners (B, K) with 1 <= B <= {rows} and K >= 1", tuple(partners.shape))
    own = torch.arange(offset, offset + len(partners), device=partners.device)[:, None]
    wrong = (partners < 0) | (partners >= width) | (partners == own)
    if bool(wrong.any()):
        row, column = torch.nonzero(wrong)[0].tolist()
        expected = f"a partner in 0..{width - 1} other than the row itself"
        raise InputError(expected, int(partners[row, column]), where="partners", row=f"row {row}")
    return partners.long()


def check_finite(value: Tensor, expected: str) -> Tensor:
    """``value``, a reduction over every entry in use: not finite when one of them is not."""
    if not torch.compiler.is_compiling() and not math.isfinite(value.detach().item()):
        raise InputError(expected, f"{value.detach().item()} from them")
    return value


def at_least_float32(values: Tensor) -> Tensor:
    """Half precision as float32; float32 and float64 as they are. Squares of differences do not survive bfloat16."""
    return values if values.dtype in (torch.float32, torch.float64) else values.float()
