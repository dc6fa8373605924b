"""What every loss asks of its input, before it computes.

Shapes and dtypes are checked on every call. Values are looked at where that is free (`readable`): elsewhere a loss of
inf or nan is returned as it is, for the training loop's own check of the summed loss.
"""

import math

import torch
from torch import Tensor

from eqlib.errors import InputError
from eqlib.losses.ranks import Ranks


def readable(values: Tensor) -> bool:
    """Whether a look is free: on an accelerator it waits for the queue, under torch.compile it cuts the graph."""
    return values.device.type == "cpu" and not torch.compiler.is_compiling()


def tensor(values: Tensor, expected: str, *shape: int | None, dtypes: tuple[torch.dtype, ...] = ()) -> None:
    """Raises InputError unless ``values`` has ``shape`` (None: any length) and one of ``dtypes`` (or any float)."""
    if not isinstance(values, Tensor):
        raise InputError(expected, type(values).__name__)
    fits = values.ndim == len(shape) and all(n in (None, m) for n, m in zip(shape, values.shape, strict=True))
    if not fits or not (values.dtype in dtypes if dtypes else values.is_floating_point()):
        raise InputError(expected, f"{tuple(values.shape)} of {values.dtype}")


def similarity(sim: Tensor) -> Tensor:
    """``sim`` as a float32 or float64 matrix (B, B), B >= 2; half precision becomes float32."""
    size = sim.shape[0] if isinstance(sim, Tensor) and sim.ndim else 0
    tensor(sim, "sim (B, B) = similarity of image i with caption j, floating-point", size, size)
    batch(size)
    return at_least_float32(sim)


def features(image_features: Tensor, text_features: Tensor) -> tuple[Tensor, Tensor, Ranks]:
    """Both (B, d) as float32, or float64 where both are, and the ranks, B >= 2 over all of them."""
    ranks = Ranks.current()
    tensor(image_features, "image_features (B, d), floating-point", None, None)
    expected = f"text_features of one shape with image_features, {tuple(image_features.shape)}"
    tensor(text_features, expected, *image_features.shape)
    if (image_features.dtype == torch.float64) != (text_features.dtype == torch.float64):
        raise InputError("image and text features of one precision", f"{image_features.dtype}, {text_features.dtype}")
    batch(len(image_features) * ranks.world)
    return at_least_float32(image_features), at_least_float32(text_features), ranks


def batch(pairs: int) -> None:
    if pairs < 2:
        raise InputError("at least 2 matched pairs: one pair makes no quad", pairs)


def partners(partners: Tensor, rows: int, width: int, offset: int = 0) -> Tensor:
    """``partners`` (B, K) as int64: B <= ``rows``, K >= 1, row indices into a batch of ``width``, none its own row.

    ``offset`` is the first row's index in that batch.
    """
    tensor(partners, "partners (B, K) as int64 row indices", None, None, dtypes=(torch.int64, torch.int32))
    if not 1 <= partners.shape[0] <= rows or partners.shape[1] < 1:
        raise InputError(f"partners (B, K) with 1 <= B <= {rows} and K >= 1", tuple(partners.shape))
    if readable(partners):
        own = torch.arange(offset, offset + len(partners))[:, None]
        wrong = torch.nonzero((partners < 0) | (partners >= width) | (partners == own))
        if len(wrong):
            row, column = wrong[0].tolist()
            expected = f"a partner in 0..{width - 1} other than the row itself"
            raise InputError(expected, int(partners[row, column]), where="partners", row=f"row {row}")
    return partners.long()


def finite(value: Tensor, expected: str) -> Tensor:
    """``value``, a reduction over every entry in use: not finite when one of them is not."""
    if readable(value) and not math.isfinite(value.detach().item()):
        raise InputError(expected, f"{value.detach().item()} from them")
    return value


def numbers(where: str, values: dict[str, float], *, above_zero: str = "") -> None:
    """Raises InputError unless each of ``values`` is a finite number >= 0, that named ``above_zero`` > 0."""
    for name, value in values.items():
        fits = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
        if not fits or value < 0 or (name == above_zero and value == 0):
            sign = ">" if name == above_zero else ">="
            raise InputError(f"a finite number {sign} 0", repr(value), where=where, row=name)


def at_least_one(value: int, name: str, where: str) -> None:
    """Raises InputError unless ``value`` is an integer >= 1."""
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise InputError("an integer >= 1", repr(value), where=where, row=name)


def at_least_float32(values: Tensor) -> Tensor:
    """Half precision as float32; float32 and float64 as they are. Squares of differences do not survive bfloat16."""
    return values if values.dtype in (torch.float32, torch.float64) else values.float()
