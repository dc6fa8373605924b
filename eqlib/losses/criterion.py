"""The EqSim criterion on quads: which differences are compared, and where margin, weight and mean stand."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

import torch
from torch import Tensor

from eqlib.errors import InputError
from eqlib.losses.checks import at_least_float32, check_finite
from eqlib.losses.ranks import ALONE, Ranks


@dataclass(frozen=True)
class Criterion:
    """Options of the criterion, checked. Every loss of EqSim takes them by keyword.

    text_side, image_side   compare the similarity change under a caption change, under an image change
    group_side              compare the two wrong pairs of the quad, once for each image
    weight                  factor of every hinge; ignored with ``normalize`` (as released)
    margin                  a hinge pays nothing below it, in units of squared similarity
    margin_before_mean      False: relu(mean - margin), ``pairloss_criterion``, what every released recipe uses;
                            True: mean of relu(square - margin), ``pairloss_criterion_v2``
    normalize               differences in units of the matched pair's own similarity (official ``norm``)
    positive                adds the mean of relu(-difference) for every difference of a side that is on (``pos_reg``)
    own_change              each quad's hinge stands at its own change I in place of zero: a side pays
                            relu(|inconsistency| - I + margin), in units of similarity, so nothing where its score
                            (text, image) is right by ``margin`` / 2. Ours, not the paper's: a square shrinks I with the
                            inconsistency, this cannot. It equals margin - 2 min(the two changes compared), hinged: a
                            ranking loss on the smaller change. Always before the mean
    """

    text_side: bool = True
    image_side: bool = True
    group_side: bool = False
    weight: float = 1.0
    margin: float = 0.0
    margin_before_mean: bool = False
    normalize: bool = False
    positive: bool = False
    own_change: bool = False

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(field.default, bool) and not isinstance(value, bool):
                raise InputError("True or False", repr(value), where="criterion", row=field.name)
            if isinstance(field.default, float):
                number = isinstance(value, int | float) and not isinstance(value, bool)
                if not number or not math.isfinite(value) or value < 0:
                    raise InputError("a finite number >= 0", repr(value), where="criterion", row=field.name)
        if not (self.text_side or self.image_side or self.group_side):
            raise InputError("at least one side that is on", "text_side, image_side and group_side all False")
        if self.own_change and (self.normalize or self.margin_before_mean):
            raise InputError("own_change alone", "normalize or margin_before_mean with it", where="criterion")

    @classmethod
    def of(cls, options: dict) -> Criterion:
        """From keyword options. Raises InputError naming an unknown one."""
        known = [field.name for field in fields(cls)]
        for name in options:
            if name not in known:
                raise InputError(f"criterion options among {', '.join(known)}", name)
        return cls(**options)

    @property
    def factor(self) -> float:
        """The weight in force. The official class drops its weight when it normalises."""
        return 1.0 if self.normalize else self.weight

    @property
    def asks_for(self) -> str:
        """What similarities must be, for an error message."""
        return "finite similarities" + (" of matched pairs other than 0" if self.normalize else "")

    @property
    def before_the_mean(self) -> bool:
        """Whether every quad has hinges of its own."""
        return self.own_change or self.margin_before_mean

    @property
    def quadratic(self) -> bool:
        """Whether the loss is a hinge on means of plain squares, hence a closed form of the whole matrix."""
        before = self.margin_before_mean and self.margin > 0
        return not (self.normalize or self.positive or self.own_change or before)


def eqsim_criterion(
    c0_i0: Tensor,
    c1_i0: Tensor,
    c0_i1: Tensor,
    c1_i1: Tensor,
    *,
    text_side: bool = True,
    image_side: bool = True,
    group_side: bool = False,
    weight: float = 1.0,
    margin: float = 0.0,
    margin_before_mean: bool = False,
    normalize: bool = False,
    positive: bool = False,
    own_change: bool = False,
) -> Tensor:
    """EqSim of explicit quads; the four similarities have one shape, each mean runs over all their entries.

    With ``a = c0_i0 - c1_i1`` and ``b = c0_i1 - c1_i0``, and each term in its own hinge:
    text side mean((a + b)^2), image side mean((a - b)^2), group side mean(b^2) twice. So text + image is the mean
    of 2 a^2 + 2 b^2: the part of the group score's threshold that the similarity's own scale decides.

    Options: see `Criterion`. Half precision computes in float32. Returns a scalar >= 0. Raises InputError on shapes
    that differ, empty or non-finite quads and unknown options. Source: the official ``pairloss_criterion`` (margin
    after the mean) and ``pairloss_criterion_v2`` (before); the latter forgets its mean on the group side and with
    ``norm``, here every term is a mean.

    >>> quad = [torch.tensor([value]) for value in (0.30, 0.20, 0.10, 0.20)]  # a = 0.1, b = -0.1
    >>> round(eqsim_criterion(*quad).item(), 6)  # 2 a^2 + 2 b^2
    0.04
    """
    options = Criterion(
        text_side, image_side, group_side, weight, margin, margin_before_mean, normalize, positive, own_change
    )
    quads = [at_least_float32(values) for values in (c0_i0, c1_i0, c0_i1, c1_i1)]
    shapes = {tuple(values.shape) for values in quads}
    if len(shapes) != 1 or quads[0].numel() == 0:
        raise InputError("four non-empty tensors of one shape", [tuple(values.shape) for values in quads])
    return check_finite(reduce_terms(*quad_terms(*quads, options), options, quads[0].numel()), options.asks_for)


def quad_terms(
    c0_i0: Tensor, c1_i0: Tensor, c0_i1: Tensor, c1_i1: Tensor, options: Criterion
) -> tuple[list[Tensor], list[Tensor]]:
    """Per quad: the squares, one tensor a hinge, or, with hinges before the mean, what each hinge pays; and the
    differences that ``positive`` wants above zero."""
    text = (c0_i0 - c1_i0, c1_i1 - c0_i1)
    image = (c0_i0 - c0_i1, c1_i1 - c1_i0)
    pairs, wanted = [], []
    scale0, scale1 = (c0_i0.abs(), c1_i1.abs()) if options.normalize else (1.0, 1.0)
    if options.text_side:
        pairs.append((text[0] / scale0, text[1] / scale1))
        wanted += text
    if options.image_side:
        pairs.append((image[0] / scale0, image[1] / scale1))
        wanted += image
    if options.group_side:
        pairs.append((image[0] / scale0, text[0] / scale0))
        pairs.append((text[1] / scale1, image[1] / scale1))
        wanted += (*image, *text)
    if options.own_change:
        hinged = [((one - two).abs() - (one + two) + options.margin).relu() for one, two in pairs]
        return hinged, wanted if options.positive else []
    squares = [(first - second).square() for first, second in pairs]
    if options.margin_before_mean and options.margin > 0:
        squares = [(square - options.margin).relu() for square in squares]
    return squares, wanted if options.positive else []


def reduce_terms(
    squares: list[Tensor], wanted: list[Tensor], options: Criterion, count: int, ranks: Ranks = ALONE
) -> Tensor:
    """Margin, mean and weight over ``count`` quads, those of all ranks: this rank's share of the loss.

    Entries that are no quad must be zero in ``squares`` and ``wanted``.
    """
    loss = squares[0].new_zeros(())
    for square in squares:
        if options.before_the_mean:
            loss = loss + options.factor * square.sum() / count
        else:
            loss = loss + options.factor * ranks.hinge(square.sum() / count, options.margin)
    for difference in wanted:
        loss = loss + torch.relu(-difference).sum() / count
    return loss
