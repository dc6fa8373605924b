"""The Gram form: the same loss without the B x B matrix, in float32 too."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.functional import normalize

from eqlib.errors import InputError
from eqlib.losses import EqSimLoss, eqsim_all_pairs, eqsim_all_pairs_from_features

OPTIONS = [
    {},
    {"text_side": False},
    {"image_side": False, "margin": 0.3},
    {"text_side": False, "image_side": False, "group_side": True},
    {"group_side": True, "margin": 0.2, "weight": 0.7},
    {"margin": 1.5},
]


def features(size, width, seed=0, offset=0.0):
    generator = torch.Generator().manual_seed(seed)
    image, text = (torch.randn(size, width, generator=generator, dtype=torch.float64) for _ in range(2))
    return (image + offset).requires_grad_(), (text - offset / 2).requires_grad_()


@given(
    st.integers(2, 9), st.integers(1, 5), st.integers(0, 2**31), st.floats(-2, 2), st.sampled_from(OPTIONS)
)  # B below, at and above d
@settings(max_examples=60, deadline=None)
def test_equals_the_matrix_form(size, width, seed, offset, options):
    image, text = features(size, width, seed, offset)
    expected = eqsim_all_pairs(image @ text.T, **options)
    loss = eqsim_all_pairs_from_features(image, text, **options)
    torch.testing.assert_close(loss, expected, rtol=1e-9, atol=1e-11)
    if (expected.item() == 0) != (loss.item() == 0) or loss.item() < 1e-8:
        return  # on the hinge itself
    grads = torch.autograd.grad(loss, [image, text])
    for grad, wanted in zip(grads, torch.autograd.grad(expected, [image, text]), strict=True):
        torch.testing.assert_close(grad, wanted, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_gradcheck(options):
    image, text = features(6, 3, seed=1, offset=0.5)
    assert torch.autograd.gradcheck(lambda i, t: eqsim_all_pairs_from_features(i, t, **options), (image, text))


@pytest.mark.parametrize("noise", [1e-1, 1e-2, 1e-3])
def test_float32_near_equivariance(noise):
    # A trained model's geometry: two narrow cones apart, and texts that nearly follow their images. The d x d products
    # are of order B^2 where their difference is of order B^2 noise^2.
    generator = torch.Generator().manual_seed(0)
    draw = lambda *shape: torch.randn(*shape, generator=generator, dtype=torch.float64)  # noqa: E731
    cone, gap = draw(1, 64), draw(1, 64)
    image = draw(512, 64) / 2 + cone
    text = normalize(image + 8 * noise * draw(512, 64) + gap, dim=1)
    image = normalize(image, dim=1)
    exact = eqsim_all_pairs(image @ text.T).item()
    single = [values.float().requires_grad_() for values in (image, text)]
    rounded = eqsim_all_pairs(single[0].double() @ single[1].double().T).item()
    loss = eqsim_all_pairs_from_features(*single)
    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx(rounded, rel=1e-6)
    assert rounded == pytest.approx(exact, rel=1e-4)
    double = [values.detach().double().requires_grad_() for values in single]
    wanted = torch.autograd.grad(eqsim_all_pairs(double[0] @ double[1].T), double)
    for grad, want in zip(torch.autograd.grad(loss, single), wanted, strict=True):
        assert (grad - want).norm() <= 2e-4 * want.norm()


def test_the_module_takes_it_where_nothing_needs_the_matrix():
    image, text = features(64, 4)
    terms, telemetry = EqSimLoss(margin=0.1, weight=2.0)(image, text, torch.tensor(10.0))
    expected, expected_telemetry = EqSimLoss(margin=0.1, weight=2.0)(image @ text.T)
    for ours, wanted in ((terms, expected), (telemetry, expected_telemetry)):
        assert list(ours) == list(wanted)
        for name in wanted:
            torch.testing.assert_close(ours[name].double(), wanted[name].double(), rtol=1e-10, atol=1e-12)


def test_refuses_what_it_cannot_hold():
    image, text = features(4, 3)
    for options in ({"normalize": True}, {"positive": True}, {"margin_before_mean": True, "margin": 0.1}):
        with pytest.raises(InputError, match="plain squares"):
            eqsim_all_pairs_from_features(image, text, **options)
    with pytest.raises(InputError, match="one shape"):
        eqsim_all_pairs_from_features(image, text[:3])
    with pytest.raises(InputError, match="at least 2"):
        eqsim_all_pairs_from_features(image[:1], text[:1])
    with pytest.raises(InputError, match="finite features"):
        eqsim_all_pairs_from_features(image * torch.nan, text)
    with pytest.raises(InputError, match=r"image_features \(B, d\)"):
        eqsim_all_pairs_from_features(image[0], text[0])
