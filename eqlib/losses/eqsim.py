"""EqSim on quads, on all pairs of a matrix (``itc``), on hard partners (v2), the easy rest (v1), and a head's scores.

``sim[i, j]`` is the similarity of image ``i`` with caption ``j``, matched pairs on the diagonal. Rows ``i`` and ``j``
make the quad ``[[S_ii, S_ij], [S_ji, S_jj]]``, so ``a = S_ii - S_jj`` and ``b = S_ji - S_ij``.

A public function takes tensors and returns one scalar >= 0; `EqSimLoss` takes features and names its terms. Options:
see `Criterion`. Half precision computes in float32. Raises InputError where a shape, dtype or option is wrong or B < 2,
and on the CPU where a value is not finite or a partner out of range or its own row.
"""

from dataclasses import dataclass, fields
from typing import Literal, Self

import torch
from torch import Tensor

from eqlib.errors import InputError
from eqlib.losses import checks
from eqlib.losses.ranks import ALONE, Ranks
from eqlib.losses.similarity import Rows

ACTIVATIONS = (None, "linear", "sigmoid", "softmax")
SIMILARITIES = "finite similarities, and of matched pairs other than 0 with normalize"
Scalars = dict[str, Tensor]

SIDES = {"text_side": ((0, 1),), "image_side": ((2, 3),), "group_side": ((2, 0), (1, 3))}
"""The hinges of each side: which two of a quad's four changes they compare (see `loss_of_quads`)."""


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
                checks.numbers("criterion", {field.name: value})
            elif not isinstance(value, bool):
                raise InputError("True or False", repr(value), where="criterion", row=field.name)
        if not (self.text_side or self.image_side or self.group_side):
            raise InputError("at least one side that is on", "text_side, image_side and group_side all False")
        if self.own_change and (self.normalize or self.margin_before_mean):
            raise InputError("own_change alone", "normalize or margin_before_mean with it", where="criterion")

    @classmethod
    def from_options(cls, options: dict) -> Self:
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
    quads = tuple(checks.at_least_float32(values) for values in (c0_i0, c1_i0, c0_i1, c1_i1))
    shapes = {tuple(values.shape) for values in quads}
    if len(shapes) != 1 or quads[0].numel() == 0:
        raise InputError("four non-empty tensors of one shape", [tuple(values.shape) for values in quads])
    loss, _ = loss_of_quads(quads, options, quads[0].numel())
    return checks.finite(loss, SIMILARITIES)


def eqsim_all_pairs(sim: Tensor, **criterion_options) -> Tensor:
    """EqSim over all n = B(B-1)/2 pairs of ``sim`` (B, B). Source: ``get_pairloss_itc``.

    Plain squares (no ``normalize``, ``positive``, ``own_change`` or margin before the mean) take the closed form
    ``text + image = [2 (B sum d^2 - (sum d)^2) + |S - S^T|^2] / n`` with d the diagonal; other options list the quads.

    >>> sim = torch.tensor([[0.30, 0.20], [0.10, 0.20]])
    >>> round(eqsim_all_pairs(sim).item(), 6)  # a = 0.1, b = -0.1: 2 a^2 + 2 b^2
    0.04
    """
    options = Criterion.from_options(criterion_options)
    loss, _ = pairs_share(Rows.of_matrix(checks.similarity(sim)), options)
    return checks.finite(loss, SIMILARITIES)


def eqsim_hard(sim: Tensor, partners: Tensor, **criterion_options) -> Tensor:
    """EqSim over the quads (i, partners[i, k]) (EqSim v2). Source: ``get_pairloss_itc_hard``.

    ``sim`` (G, G) over the gathered batch; ``partners`` (B, K) int64, row indices into it for its first B rows, with
    B <= G. A partner listed twice counts twice, as in the official list.
    """
    options = Criterion.from_options(criterion_options)
    sim = checks.similarity(sim)
    loss, _ = pairs_share(Rows.of_matrix(sim), options, checks.partners(partners, len(sim), len(sim)))
    return checks.finite(loss, SIMILARITIES)


def eqsim_easy(
    sim: Tensor, partners: Tensor, *, weight: float = 1.0, proportion: float = 1.0, margin: float = 0.0
) -> Tensor:
    """The symmetric term over the entries that ``partners`` leaves (EqSim v1). Source: ``get_pairloss_v1_itc_hard``.

    ``weight / proportion * relu(mean over all G*G entries of m (S - S^T)^2 - margin)``, where m is 0 on (i, j) and
    (j, i) of every hard pair and 1 elsewhere. The mean divides by G*G, not by the number of ones. ``proportion`` > 0.
    """
    check_easy(weight, proportion, margin)
    sim = checks.similarity(sim)
    partners = checks.partners(partners, len(sim), len(sim))
    return checks.finite(easy_share(Rows.of_matrix(sim), partners, weight, proportion, margin), SIMILARITIES)


def eqsim_itm(
    scores: Tensor, *, activation: Literal["linear", "sigmoid", "softmax"] | None = None, **criterion_options
) -> Tensor:
    """EqSim of (B, 4) matching scores: (image, text), (hard image, text), (image, hard text), (hard image, hard text).

    The hard image and the hard text of a row belong together: they are the second matched pair of its quad.
    ``activation``: None takes the scores as they come, ``linear`` maps the batch's least and greatest score to 0 and 1,
    ``sigmoid`` each score, ``softmax`` the four of a row. Equal scores have no ``linear``: an InputError on the CPU.
    Source: ``get_pairloss_itm``.
    """
    if activation not in ACTIVATIONS:
        raise InputError(f"an activation among {', '.join(map(str, ACTIVATIONS))}", repr(activation))
    checks.tensor(scores, "scores (B, 4) of a matching head", None, 4)
    scores = checks.at_least_float32(scores)
    if activation == "linear":
        low, high = scores.min(), scores.max()
        if checks.readable(scores) and low == high:
            raise InputError("scores that differ, to map them to [0, 1]", f"{low.item()} everywhere")
        scores = (scores - low) / (high - low)
    elif activation == "sigmoid":
        scores = scores.sigmoid()
    elif activation == "softmax":
        scores = scores.softmax(1)
    c0_i0, c0_i1, c1_i0, c1_i1 = scores.unbind(1)
    return eqsim_criterion(c0_i0, c1_i0, c0_i1, c1_i1, **criterion_options)


def loss_of_quads(
    quads: tuple[Tensor, ...], options: Criterion, count: int, ranks: Ranks = ALONE
) -> tuple[Tensor, Tensor]:
    """This rank's share of the loss over the ``count`` quads of all ranks; the share of quads with an active hinge."""
    c0_i0, c1_i0, c0_i1, c1_i1 = quads
    # With the captions of image 0, of image 1; with the images of caption 0, of caption 1. Units in the same order.
    changes = (c0_i0 - c1_i0, c1_i1 - c0_i1, c0_i0 - c0_i1, c1_i1 - c1_i0)
    units = (c0_i0.abs(), c1_i1.abs()) * 2
    compared = [x / unit for x, unit in zip(changes, units, strict=True)] if options.normalize else changes
    hinges = [pair for side, pairs in SIDES.items() if getattr(options, side) for pair in pairs]
    one, two = (torch.stack([compared[place] for place in places]) for places in zip(*hinges, strict=True))
    if options.own_change:
        values = ((one - two).abs() - (one + two) + options.margin).relu()
    elif options.margin_before_mean:
        values = ((one - two).square() - options.margin).relu()
    else:
        values = (one - two).square()
    loss, active = loss_of_means(values.flatten(1).sum(1) / count, options, ranks)
    if options.before_the_mean:
        active = ranks.all_reduce((values > 0).sum() / (len(values) * count))
    if options.positive:
        wanted = torch.stack([changes[place] for pair in hinges for place in pair])
        loss = loss + wanted.neg().relu().sum() / count
    return loss, active


def loss_of_means(means: Tensor, options: Criterion, ranks: Ranks = ALONE) -> tuple[Tensor, Tensor]:
    """`loss_of_quads` from this rank's share of each hinge's mean: ``means`` (hinges,)."""
    paid = ranks.hinge(means, 0.0 if options.before_the_mean else options.margin)
    weight = 1.0 if options.normalize else options.weight  # the official class drops its weight when it normalises
    return weight * paid.sum(), (ranks.all_reduce(paid) > 0).float().mean()


def pairs_share(sim: Rows, options: Criterion, partners: Tensor | None = None) -> tuple[Tensor, Scalars]:
    """This rank's share of the loss over the quads (i, partners[i, k]), or over all pairs; telemetry of `EqSimLoss`."""
    plain = not (options.normalize or options.positive or options.before_the_mean)
    if partners is None and plain:  # a hinge on means of squares, which the whole matrix gives
        a2, b2, ab, change = sim.pair_means()
        text, image = (options.text_side, a2 + b2 + 2 * ab), (options.image_side, a2 + b2 - 2 * ab)
        group = (options.group_side, b2)
        means = torch.stack([mean for on, mean in (text, image, group, group) if on])
        loss, active = loss_of_means(means, options, sim.ranks)
    else:
        if partners is None:
            row, column = torch.triu_indices(len(sim.rows), sim.width, sim.offset + 1, device=sim.rows.device)
            quads, count = sim.quads(row, column), sim.pairs
        else:
            quads, count = sim.of_partners(partners), partners.numel() * sim.ranks.world
        loss, active = loss_of_quads(quads, options, count, sim.ranks)
        a2, b2, change = (values.sum() / count for values in parts_of(quads))
    return loss, {"eqsim_active": active, **telemetry(a2, b2, change, sim.ranks)}


def parts_of(quads: tuple[Tensor, Tensor, Tensor, Tensor]) -> tuple[Tensor, Tensor, Tensor]:
    """a^2, b^2 and I of each of ``quads`` (see `Rows.quads`)."""
    c0_i0, c1_i0, c0_i1, c1_i1 = quads
    return (c0_i0 - c1_i1).square(), (c0_i1 - c1_i0).square(), c0_i0 + c1_i1 - c1_i0 - c0_i1


def telemetry(a2: Tensor, b2: Tensor, change: Tensor, ranks: Ranks) -> Scalars:
    """``mean_a2``, ``mean_b2`` and ``mean_I`` from this rank's shares of the three means."""
    return dict(zip(("mean_a2", "mean_b2", "mean_I"), ranks.all_reduce(torch.stack([a2, b2, change])), strict=True))


def easy_share(sim: Rows, partners: Tensor, weight: float, proportion: float, margin: float) -> Tensor:
    """This rank's share of the easy term."""
    return weight / proportion * sim.ranks.hinge(sim.squares_without(partners) / sim.width**2, margin)


def check_easy(weight: float, proportion: float, margin: float) -> None:
    """Raises InputError where a setting of the easy term is negative, not finite, or ``proportion`` zero."""
    settings = {"weight": weight, "proportion": proportion, "margin": margin}
    checks.numbers("easy term", settings, above_zero="proportion")
