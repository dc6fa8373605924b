"""Weights between two models."""

import pytest
import torch

from eqlib.errors import InputError
from eqlib.models.clip import load
from eqlib.models.interpolate import interpolate

SMALL = {
    "embed_dim": 8,
    "vision_cfg": {"layers": 1, "width": 16, "head_width": 8, "patch_size": 16, "image_size": 32},
    "text_cfg": {"context_length": 8, "vocab_size": 49408, "width": 8, "heads": 1, "layers": 1},
}


def test_the_ends_are_the_models_and_the_middle_their_mean():
    start, end = load(SMALL, seed=0), load(SMALL, seed=1)
    first, last = start.fingerprint, end.fingerprint
    a = start.model.text_projection.detach().clone()
    b = end.model.text_projection.detach().clone()
    middle = interpolate(start, load(SMALL, seed=1), 0.25)
    torch.testing.assert_close(middle.model.text_projection.detach(), 0.75 * a + 0.25 * b)
    assert interpolate(start, load(SMALL, seed=1), 0.0).fingerprint == first
    assert interpolate(start, load(SMALL, seed=1), 1.0).fingerprint == last
    assert start.fingerprint == first


def test_both_models_stay_as_they_were_so_that_a_path_can_be_walked():
    start, end = load(SMALL, seed=0), load(SMALL, seed=1)
    before = end.fingerprint
    path = [interpolate(start, end, alpha) for alpha in (0.5, 0.5, 1.0)]
    assert path[0].fingerprint == path[1].fingerprint != path[2].fingerprint == before == end.fingerprint


def test_what_cannot_be_mixed_is_named():
    start = load(SMALL, seed=0)
    with pytest.raises(InputError, match="alpha in"):
        interpolate(start, start, 1.5)
    with pytest.raises(InputError, match="the tensors of"):
        interpolate(start, load(SMALL | {"embed_dim": 4}, seed=0), 0.5)
