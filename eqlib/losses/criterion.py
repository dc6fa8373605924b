"""The EqSim criterion on quads: which differences are compared, and where margin, weight and mean stand."""

from __future__ import annotations

from dataclasses import dataclass, fields

import torch
from torch import Tensor

from eqlib.errors import InputError
from eqlib.losses.checks import at_least_float32, check_finite, check_number
from eqlib.losses.ranks import ALONE, Ranks

SIMILARITIES = "finite similarities, and of matched pairs other than 0 with normalize"


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
            if isinstance(field.default, float):
                check_number(value, field.name, "criterion")
            elif not isinstance(value, bool):
                raise InputError("True or False", repr(value), where="criterion", row=field.name)
        if not (self.text_side or self.image_side or self.group_side):
            raise InputError("at least one side that is on", "text_side, image_side and group_side all False")
        if self.own_change and (self.normalize or self.margin_before_mean):
            raise InputError("own_change alone", "normalize or margin_before_mean with it", where="criterion")

    @classmethod
    def from_options(cls, options: dict) -> Criterion:
        """From keyword options. Raises InputError naming an unknown one."""
        known = [field.name for field in fields(cls)]
        for name in options:
            if name not in known:
                raise InputError(f"criterion options among {', '.join(known)}", name)
        return cls(**options)

    @property
    def before_the_mean(self) -> bool:
        """Whether every quad has hinges of its own."""
        return self.own_change or self.margin_before_mean

    @property
    def quadratic(self) -> bool:
        """Whether the loss is a hinge on means of plain squares, hence a closed form of the whole matrix."""
        before = self.margin_before_mean and self.margin > 0
        return not (self.normalize or self.positive or self.own_change or before)


def eqsim_criterion(c0_i0: Tensor, c1_i0: Tensor, c0_i1: Tensor, c1_i1: Tensor, **criterion_options) -> Tensor:
    """EqSim of explicit quads; the four similarities have one shape, each mean runs over all their entries.

    With ``a = c0_i0 - c1_i1`` and ``b = c0_i1 - c1_i0``, and each term in its own hinge:
    text side mean((a + b)^2), image side mean((a - b)^2), group side mean(b^2) twice. So text + image is the mean
    of 2 a^2 + 2 b^2: the part of the group score's threshold that the similarity's own scale decides.

    Options: see `Criterion`. Half precision computes in float32. Returns a scalar >= 0. Raises InputError on shapes
    that differ, empty quads and unknown options, and on the CPU on values that are not finite. Source: the official
    ``pairloss_criterion`` (margin after the mean) and ``pairloss_criterion_v2`` (before); the latter forgets its mean
    on the group side and with ``norm``, here every term is a mean.

    >>> quad = [torch.tensor([value]) for value in (0.30, 0.20, 0.10, 0.20)]  # a = 0.1, b = -0.1
    >>> round(eqsim_criterion(*quad).item(), 6)  # 2 a^2 + 2 b^2
    0.04
    """
    options = Criterion.from_options(criterion_options)
    quads = [at_least_float32(values) for values in (c0_i0, c1_i0, c0_i1, c1_i1)]
    shapes = {tuple(values.shape) for values in quads}
    if len(shapes) != 1 or quads[0].numel() == 0:
        raise InputError("four non-empty tensors of one shape", [tuple(values.shape) for values in quads])
    loss, _ = loss_of_quads(*quads, options, quads[0].numel())
    return check_finite(loss, SIMILARITIES)


def loss_of_quads(
    c0_i0: Tensor, c1_i0: Tensor, c0_i1: Tensor, c1_i1: Tensor, options: Criterion, count: int, ranks: Ranks = ALONE
) -> tuple[Tensor, Tensor]:
    """This rank's share of the loss over the ``count`` quads of all ranks; the share of quads with an active hinge."""
    text = (c0_i0 - c1_i0, c1_i1 - c0_i1)
    image = (c0_i0 - c0_i1, c1_i1 - c1_i0)
    scale0, scale1 = (c0_i0.abs(), c1_i1.abs()) if options.normalize else (1.0, 1.0)
    compared, wanted = [], []  # one pair of differences a hinge; what ``positive`` wants above zero
    if options.text_side:
        compared.append((text[0] / scale0, text[1] / scale1))
        wanted += text
    if options.image_side:
        compared.append((image[0] / scale0, image[1] / scale1))
        wanted += image
    if options.group_side:
        compared += [(image[0] / scale0, text[0] / scale0), (text[1] / scale1, image[1] / scale1)]
        wanted += (*image, *text)
    if options.own_change:
        values = torch.stack([(one - two).abs() - (one + two) + options.margin for one, two in compared]).relu()
    else:
        values = torch.stack([(one - two).square() for one, two in compared])
        if options.margin_before_mean:
            values = (values - options.margin).relu()
    loss, active = loss_of_means(values.flatten(1).sum(1) / count, options, ranks)
    if options.before_the_mean:
        active = ranks.all_reduce((values > 0).sum() / (len(values) * count))
    if options.positive:
        loss = loss + torch.stack(wanted).neg().relu().sum() / count
    return loss, active


def loss_of_means(means: Tensor, options: Criterion, ranks: Ranks = ALONE) -> tuple[Tensor, Tensor]:
    """`loss_of_quads` from this rank's share of each hinge's mean: ``means`` (hinges,)."""
    paid = ranks.hinge(means, 0.0 if options.before_the_mean else options.margin)
    weight = 1.0 if options.normalize else options.weight  # the official class drops its weight when it normalises
    return weight * paid.sum(), (ranks.all_reduce(paid) > 0).float().mean()
