"""Gradient caching: the gradients of one step on the whole batch, chunk by chunk."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn.functional import normalize

from eqlib.errors import InputError
from eqlib.losses import EqSimLoss, GradientCache


class Towers(nn.Module):
    def __init__(self, dropout=0.0, scale_shape=()):
        super().__init__()
        torch.manual_seed(0)
        self.image = nn.Sequential(nn.Linear(5, 8), nn.Tanh(), nn.Dropout(dropout), nn.Linear(8, 4))
        self.text = nn.Linear(6, 4)
        self.logit_scale = nn.Parameter(torch.full(scale_shape, 1.5))
        self.widest = 0

    def forward(self, images, texts):
        self.widest = max(self.widest, len(images))
        return normalize(self.image(images), dim=1), normalize(self.text(texts), dim=1), self.logit_scale.exp()


def batch(size=10):
    generator = torch.Generator().manual_seed(1)
    return torch.randn(size, 5, generator=generator), torch.randn(size, 6, generator=generator)


def gradients(model):
    return [parameter.grad.clone() for parameter in model.parameters()]


def total_of(features):
    from open_clip import ClipLoss

    terms, telemetry = EqSimLoss("hard_easy", weight=5.0, contrastive=ClipLoss(), sample_num=2)(*features)
    assert telemetry["pool"] == 9  # every other row of the batch, whatever the chunk
    return sum(terms.values())


@pytest.mark.parametrize("scale_shape", [(), (1,)])  # open_clip's, Hugging Face's
@pytest.mark.parametrize("chunk_size", [1, 3, 10, 64])
def test_equals_the_step_in_one_piece(chunk_size, scale_shape):
    whole, chunked = Towers(scale_shape=scale_shape).double(), Towers(scale_shape=scale_shape).double()
    inputs = [values.double() for values in batch()]
    total_of(whole(*inputs)).backward()
    cache = GradientCache(chunked, chunk_size=chunk_size)
    features = cache.encode(*inputs)
    assert features[2].shape == scale_shape
    total_of(features).backward()
    assert chunked.widest == min(chunk_size, 10)
    for ours, wanted in zip(gradients(chunked), gradients(whole), strict=True):
        torch.testing.assert_close(ours, wanted, rtol=1e-10, atol=1e-12)


def test_dropout_is_replayed():
    # The gradient of sum(features) along the features that encode() gave: with other masks in the second pass the
    # inner product <grad, last layer> would not be that sum.
    model = Towers(dropout=0.5)
    images, _ = batch()
    cache = GradientCache(lambda x: model.image(x), chunk_size=3)
    torch.manual_seed(7)
    features = cache.encode(images)
    state = torch.get_rng_state()
    features.sum().backward()
    assert torch.equal(torch.get_rng_state(), state)  # and the caller's numbers go on where they were
    last = model.image[3]
    without_bias = features.detach().sum() - len(images) * last.bias.detach().sum()
    torch.testing.assert_close((last.weight.grad * last.weight.detach()).sum(), without_bias)


def test_autocast_is_replayed():
    model = Towers()
    cache = GradientCache(lambda x: model.image(x), chunk_size=4)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        features = cache.encode(batch()[0])
    assert features.dtype == torch.bfloat16
    seen = []
    model.image[0].register_forward_hook(lambda module, args, out: seen.append(out.dtype))
    features.float().square().sum().backward()
    assert seen == 3 * [torch.bfloat16]  # each chunk again


def test_bad_use():
    with pytest.raises(InputError, match="chunk_size"):
        GradientCache(Towers(), chunk_size=0)
    cache = GradientCache(Towers(), chunk_size=2)
    with pytest.raises(InputError, match="one length"):
        cache.encode(torch.zeros(3, 5), torch.zeros(2, 6))
    with pytest.raises(InputError, match="one length"):
        cache.encode(torch.zeros(0, 5), torch.zeros(0, 6))
    assert len(cache.encode(torch.zeros(1, 5), torch.zeros(1, 6))[0]) == 1  # the least
    with pytest.raises(InputError, match="tuple of tensors"):
        GradientCache(lambda x: {"x": x}, chunk_size=2).encode(batch()[0])
    with pytest.raises(InputError, match="of one element"):
        GradientCache(lambda x: x[:, 0], chunk_size=2).encode(batch()[0])
