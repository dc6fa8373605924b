"""Groups stay together, steps are a function of the seed, and without groups nothing changes."""

from collections import Counter
from itertools import combinations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from eqlib.errors import InputError
from eqlib.study.training.order import Order, fills, members_of

labels = st.lists(st.integers(0, 8), min_size=2, max_size=24)


def some_order(found, batch, seed=0):
    groups = np.array(found)
    try:
        return groups, Order(len(groups), batch, seed=seed, groups=groups)
    except InputError:
        assume(False)


def fills_by_trying(space, groups):
    sizes = [len(group) for group in members_of(groups)]
    return any(sum(some) == space for n in range(len(sizes) + 1) for some in combinations(sizes, n))


def test_the_order_without_groups_is_one_permutation_an_epoch():
    for step, (epoch, part) in enumerate([(0, 0), (0, 1), (1, 0), (1, 1)]):
        expected = np.random.default_rng([5, 0, epoch]).permutation(10)[4 * part : 4 * part + 4]
        found = Order(10, 4, seed=5).at(step)
        assert found[0] == epoch
        assert found[1].tolist() == expected.tolist()


@given(st.integers(2, 30), st.data())
def test_groups_of_one_image_change_nothing(images, data):
    batch = data.draw(st.integers(2, images))
    alone, plain = Order(images, batch, seed=1, groups=np.arange(images)), Order(images, batch, seed=1)
    for step in range(2 * (images // batch)):
        assert alone.at(step)[0] == plain.at(step)[0]
        assert alone.at(step)[1].tolist() == plain.at(step)[1].tolist()


@given(labels, st.integers(2, 12))
def test_a_batch_holds_whole_groups_and_no_image_twice(found, batch):
    groups, order = some_order(found, batch)
    members = {int(g): np.flatnonzero(groups == g).tolist() for g in groups}
    seen = {}
    for step in range(12):
        epoch, indices = order.at(step)
        assert len(indices) == len(set(indices.tolist())) == batch
        for g in set(groups[indices].tolist()):
            assert set(members[g]) <= set(indices.tolist())
        assert not seen.setdefault(epoch, set()) & set(indices.tolist())
        seen[epoch] |= set(indices.tolist())
    assert sorted(seen) == list(range(max(seen) + 1))
    for epoch in range(max(seen)):  # an epoch ended only where no whole groups were left to make a batch
        left = np.array([g for n, g in enumerate(groups) if n not in seen[epoch]], dtype=np.int64)
        assert not len(left) or not fills_by_trying(batch, left)


@given(labels, st.integers(2, 12), st.lists(st.integers(0, 20), min_size=1, max_size=6))
def test_a_step_depends_on_no_step_before(found, batch, steps):
    groups, order = some_order(found, batch, seed=3)
    jumping = Order(len(groups), batch, seed=3, groups=groups)
    line = [order.at(step) for step in range(21)]
    for step in steps:
        epoch, indices = jumping.at(step)
        assert (epoch, indices.tolist()) == (line[step][0], line[step][1].tolist())


@given(labels, st.integers(1, 24))
def test_filling_is_what_trying_all_finds(found, space):
    groups = np.array(found)
    assert fills(space, Counter(map(len, members_of(groups)))) == fills_by_trying(space, groups)


def test_a_single_image_waits_until_another_fits_beside_it():
    """Three pairs and two singles in fours: whatever comes first, both batches are full."""
    groups = np.array([0, 1, 1, 2, 2, 3, 4, 4])
    for seed in range(30):
        order = Order(8, 4, seed=seed, groups=groups)
        assert [order.at(step)[0] for step in range(4)] == [0, 0, 1, 1]


@pytest.mark.parametrize(("batch", "message"), [(2, "at least 3"), (5, "groups of 3 images fill")])
def test_a_batch_that_no_groups_make_is_named(batch, message):
    with pytest.raises(InputError, match=message):
        Order(6, batch, seed=0, groups=np.array([0, 0, 0, 1, 1, 1]))
