"""Text, image, group and group match against hand-made quads, a slow loop and properties."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from eqlib.errors import InputError
from eqlib.scoring import CHANCE, MATCHING, equivariance, headroom, matching, one_way, tie_split, tied

QUADS = np.array(
    [
        [[4.0, 1.0], [2.0, 3.0]],  # everything right
        [[4.0, 1.0], [5.0, 6.0]],  # text right; caption 0 prefers image 1
        [[4.0, 5.0], [1.0, 6.0]],  # image right; image 0 prefers caption 1
        [[4.0, 4.5], [4.5, 6.0]],  # only the assignment: 10 > 9
        [[1.0, 2.0], [2.0, 1.0]],  # nothing
        [[1.0, 1.0], [1.0, 1.0]],  # all tied
        [[2.0, 1.0], [2.0, 3.0]],  # one tie, in the image comparison
    ]
)
RIGHT = {
    "text": [1, 1, 0, 0, 0, 0, 1],
    "image": [1, 0, 1, 0, 0, 0, 0],
    "group": [1, 0, 0, 0, 0, 0, 0],
    "group_match": [1, 1, 1, 1, 0, 0, 1],
}

small = arrays(np.int64, st.tuples(st.integers(1, 20), st.just(2), st.just(2)), elements=st.integers(-3, 3))
real = arrays(np.float32, st.tuples(st.integers(1, 20), st.just(2), st.just(2)), elements=st.floats(-1, 1, width=32))


def test_hand_made_quads():
    assert {name: right.astype(int).tolist() for name, right in matching(QUADS).items()} == RIGHT
    assert tuple(matching(QUADS)) == MATCHING
    assert tied(QUADS).tolist() == [False, False, False, False, False, True, True]
    assert headroom(QUADS).tolist() == [False, True, True, True, False, False, True]


def test_one_way_counts_single_comparisons():
    shares = one_way(QUADS)
    assert shares["text_1way"].tolist() == [1, 1, 0.5, 0.5, 0, 0, 1]
    assert shares["image_1way"].tolist() == [1, 0.5, 1, 0.5, 0, 0, 0.5]
    assert shares["mean_1way"].tolist() == [1, 0.75, 0.75, 0.5, 0, 0, 0.75]
    # each of the four cells in turn above all others: the wrong two spoil one image's and one caption's comparison
    alone = one_way(np.eye(4).reshape(4, 2, 2))
    assert alone["text_1way"].tolist() == alone["image_1way"].tolist() == [0.5, 0, 0, 0.5]
    below = one_way(-np.eye(4).reshape(4, 2, 2))
    assert below["text_1way"].tolist() == below["image_1way"].tolist() == [0, 0.5, 0.5, 0]
    captions = one_way(
        [[[1, 0], [0, 0]], [[1, 2], [0, 3]], [[2, 1], [3, 0]]]
    )  # a tie; caption 1 for both; caption 0 for both
    assert captions["text_1way"].tolist() == [0.5, 0.5, 0.5]
    assert captions["image_1way"].tolist() == [0.5, 1, 0]


def test_ties_broken_at_random_count_chance():
    credit = tie_split(QUADS)
    assert {name: credit[name][5] for name in MATCHING} == pytest.approx(CHANCE)
    # caption 0 ties on images 0 and 1: image and group are right in half of the tie-breaks
    assert [credit[name][6] for name in MATCHING] == [1, 0.5, 0.5, 1]


@given(small)
def test_tie_split_is_the_mean_over_small_perturbations(scores):
    credit = tie_split(scores)
    plain = matching(scores)
    untied = ~tied(scores)
    for name in ("text", "image", "group"):
        assert (credit[name][untied] == plain[name][untied]).all()
        assert (credit[name] >= plain[name]).all()


def test_tie_split_matches_a_simulation():
    rng = np.random.default_rng(0)
    scores = rng.integers(0, 3, size=(40, 2, 2)).astype(float)
    noise = rng.uniform(-1e-3, 1e-3, size=(4000, 40, 2, 2))
    for name in ("text", "image", "group"):
        drawn = np.mean([matching(scores + one)[name] for one in noise], axis=0)
        assert np.abs(drawn - tie_split(scores)[name]).max() < 0.05


@given(st.one_of(small, real))
def test_scores_are_thresholds_on_a_b_and_i(scores):
    """text <=> I > |a + b|, image <=> I > |a - b|, group <=> I > |a| + |b|: exact on whole numbers."""
    right, parts = matching(scores), equivariance(scores)
    assert (right["group"] == (right["text"] & right["image"])).all()
    assert (right["group_match"] | ~right["text"]).all()
    if scores.dtype == np.int64:
        assert (right["text"] == (parts["I"] > parts["text_inconsistency"])).all()
        assert (right["image"] == (parts["I"] > parts["image_inconsistency"])).all()
        assert (right["group"] == (parts["I"] > parts["abs_a"] + parts["abs_b"])).all()
        eqsim = parts["text_inconsistency"] ** 2 + parts["image_inconsistency"] ** 2
        assert (eqsim == 2 * parts["abs_a"] ** 2 + 2 * parts["abs_b"] ** 2).all()


@given(st.one_of(small, real))
def test_relabelling_a_quad_changes_nothing(scores):
    """Swapping both images and captions is the same quad; swapping the two axes exchanges text and image."""
    right, flipped, turned = matching(scores), matching(scores[:, ::-1, ::-1]), matching(scores.swapaxes(1, 2))
    assert (right["text"] == flipped["text"]).all()
    assert (right["image"] == flipped["image"]).all()
    assert (right["text"] == turned["image"]).all()
    assert (right["group"] == turned["group"]).all()


@pytest.mark.parametrize("scores", [np.zeros((3, 4)), np.full((1, 2, 2), np.nan), np.array([[["a", "b"]] * 2])])
def test_bad_scores_are_refused(scores):
    with pytest.raises(InputError):
        matching(scores)
