"""Maps on frozen features: on features where the answer is known, and what is refused."""

import numpy as np
import pytest

from eqlib.errors import InputError
from eqlib.models.maps import FeatureMap, fit_map
from eqlib.scoring import matching


def unit(values):
    return (values / np.linalg.norm(values, axis=-1, keepdims=True)).astype(np.float32)


def world(quads, seed):
    """Pairs that differ in one small signed detail, which the image tower shows in dimension 8 and the text tower in
    dimension 9, so that the model's own similarity cannot see that they agree."""
    draw = np.random.default_rng(seed)
    what = np.repeat(draw.normal(size=(quads, 1, 8)), 2, axis=1)
    detail = np.tile([[[0.4], [-0.4]]], (quads, 1, 1))
    nothing = draw.normal(scale=0.05, size=(quads, 2, 1))
    return unit(np.concatenate([what, detail, nothing], 2)), unit(np.concatenate([what, nothing, detail], 2))


def group(fitted, image, text):
    return matching(np.einsum("nid,ncd->nic", fitted.images(image), fitted.captions(text)))["group"].mean()


def test_a_map_learns_the_detail_that_two_towers_say_in_different_ways():
    image, text = world(64, 0)
    pairs = np.arange(128).reshape(-1, 2)
    fitted = fit_map(image.reshape(128, -1), text.reshape(128, -1), pairs, scale=20, batch=32, steps=200, lr=1e-2)
    same = FeatureMap(np.eye(10, dtype=np.float32), np.eye(10, dtype=np.float32))
    others = world(200, 1)
    assert group(same, *others) < 0.4
    assert group(fitted, *others) > 0.95
    np.testing.assert_allclose(np.linalg.norm(fitted.images(others[0]), axis=-1), 1, rtol=1e-5)


def test_ridge_holds_the_map_at_the_identity_and_a_seed_repeats_it():
    image, text = (side.reshape(128, -1) for side in world(64, 0))
    pairs = np.arange(128).reshape(-1, 2)
    held = fit_map(image, text, pairs, batch=32, steps=50, ridge=1e4)
    np.testing.assert_allclose(held.image, np.eye(10), atol=0.01)
    free = [fit_map(image, text, pairs, batch=32, steps=20, seed=seed).text for seed in (3, 3, 4)]
    np.testing.assert_allclose(free[0], free[1], rtol=0, atol=1e-6)
    assert np.abs(free[0] - free[2]).max() > 1e-4


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"captions": np.ones((3, 2))}, "one shape"),
        ({"pairs": np.array([[0, 4]] * 4)}, "rows below 4"),
        ({"pairs": np.array([[1, 1]] * 4)}, "two different rows"),
        ({"pairs": np.array([[0.0, 1.0]] * 4)}, r"pairs \(m, 2\)"),
        ({"pairs": np.array([[0, 1]])}, "m >= 4"),
    ],
)
def test_what_does_not_fit_is_refused(change, said):
    given = {"images": np.ones((4, 2)), "captions": np.ones((4, 2)), "pairs": np.array([[0, 1]] * 4)}
    with pytest.raises(InputError, match=said):
        fit_map(**(given | change), batch=4)
