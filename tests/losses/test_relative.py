"""Scale-free EqSim, against its formula and against what sets it apart from the square."""

import math

import pytest
import torch
from torch.nn.functional import normalize

from eqlib.errors import InputError
from eqlib.losses import contrastive_loss, relative_eqsim_loss

PARTNERS = torch.tensor([[1], [0], [3], [2]])


def features(size=4, width=3, seed=0):
    draw = torch.Generator().manual_seed(seed)
    return [normalize(torch.randn(size, width, generator=draw, dtype=torch.float64), dim=1) for _ in range(2)]


def test_by_hand():
    # S = [[1, 0], [.6, .8]]: a = .2, b = .6, I = 1.2, the same from both rows
    image = torch.tensor([[1.0, 0.0], [0.6, 0.8]], dtype=torch.float64)
    text = torch.eye(2, dtype=torch.float64)
    terms, seen = relative_eqsim_loss(image, text, partners=PARTNERS[:2], weight=3.0, floor=0.1)
    assert terms["relative"].item() == pytest.approx(3 * math.log(0.5 / (1.44 + 0.5)))
    assert {name: value.item() for name, value in seen.items()} == pytest.approx(
        {"mean_a2": 0.04, "mean_b2": 0.36, "mean_I": 1.2}
    )


def test_shrinking_the_similarities_gains_nothing():
    """The square of EqSim falls by c^2; this one stays, but for its floor."""
    image, text = features()
    whole = relative_eqsim_loss(image, text, partners=PARTNERS, floor=1e-12)[0]["relative"]
    small = relative_eqsim_loss(0.1 * image, text, partners=PARTNERS, floor=1e-14)[0]["relative"]
    torch.testing.assert_close(small, whole)


def test_it_does_not_see_the_sign_of_the_change():
    image, text = features(2)
    right = relative_eqsim_loss(image, text, partners=PARTNERS[:2])[0]["relative"]
    wrong = relative_eqsim_loss(image, text.flip(0), partners=PARTNERS[:2])[0]["relative"]
    torch.testing.assert_close(wrong, right)  # a and b change places, I its sign
    told = [contrastive_loss(image, side, 10.0)["contrastive"] for side in (text, text.flip(0))]
    assert told[0] != told[1]


def test_gradient():
    image, text = (side.requires_grad_() for side in features())
    loss = lambda *sides: relative_eqsim_loss(*sides, partners=PARTNERS, weight=2.0)[0]["relative"]  # noqa: E731
    assert torch.autograd.gradcheck(loss, (image, text))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"floor": 0.0}, "floor"),
        ({"weight": -1.0}, "weight"),
        ({"partners": torch.arange(4)[:, None]}, "other than the row itself"),
        ({"partners": PARTNERS.flatten()}, r"partners \(B, K\)"),
    ],
)
def test_what_does_not_fit_is_refused(change, said):
    with pytest.raises(InputError, match=said):
        relative_eqsim_loss(*features(), **({"partners": PARTNERS} | change))
