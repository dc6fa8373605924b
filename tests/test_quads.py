"""The convention: scores[n, image, caption]."""

import numpy as np
import pytest

from eqlib.errors import InputError
from eqlib.quads import check_scores, from_official, score_table, scores_of


def test_official_columns_read_caption_first():
    scores = from_official([[1, 2, 3, 4]])  # c0_i0, c1_i0, c0_i1, c1_i1
    assert scores[0, 0, 1] == 2  # image 0 with caption 1 is c1_i0
    assert scores[0, 1, 0] == 3  # image 1 with caption 0 is c0_i1


def test_float32_stays_and_integers_become_float64():
    assert check_scores(np.zeros((1, 2, 2), np.float32)).dtype == np.float32
    assert check_scores(np.zeros((1, 2, 2), np.float16)).dtype == np.float64
    assert check_scores([[[1, 2], [3, 4]]]).dtype == np.float64


@pytest.mark.parametrize("shape", [(4,), (3, 4), (2, 2), (1, 2, 3), (1, 2, 2, 1)])
def test_a_wrong_shape_is_named(shape):
    with pytest.raises(InputError, match=r"expected scores \(n, 2, 2\).*got"):
        check_scores(np.zeros(shape))


def test_the_first_value_that_is_not_finite_is_named():
    scores = np.zeros((3, 2, 2))
    scores[1, 1, 0] = np.nan
    with pytest.raises(InputError, match=r"s\.npy, quad 1: expected finite scores, got nan at \[image 1, caption 0\]"):
        check_scores(scores, where="s.npy")


def test_text_is_not_a_score():
    with pytest.raises(InputError, match="real numbers"):
        check_scores(np.full((1, 2, 2), "a"))


def test_a_table_holds_what_went_in():
    scores = np.arange(8.0).reshape(2, 2, 2)
    table = score_table(scores, suite="test", edition="v1", subset=["count", "object"])
    assert table[["s00", "s01", "s10", "s11"]].iloc[1].tolist() == [4, 5, 6, 7]
    assert table["quad"].tolist() == table["cluster"].tolist() == ["0", "1"]
    np.testing.assert_array_equal(scores_of(table), scores)
    with pytest.raises(InputError, match="s10 missing"):
        scores_of(table.drop(columns="s10"))
