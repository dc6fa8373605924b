"""Batches depend on the seed and the step, and on nothing else."""

import dataclasses

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from eqlib.errors import InputError
from eqlib.study.training.batches import CaptionedImages, batches
from eqlib.study.training.order import Order, mates


@given(st.integers(2, 50), st.data())
def test_an_epoch_visits_no_image_twice(images, data):
    batch = data.draw(st.integers(2, images))
    seed = data.draw(st.integers(0, 3))
    per_epoch = images // batch
    for epoch in range(2):
        seen = []
        for step in range(epoch * per_epoch, (epoch + 1) * per_epoch):
            found, indices = Order(images, batch, seed=seed).at(step)
            assert found == epoch
            seen.extend(indices.tolist())
        assert len(seen) == len(set(seen)) == per_epoch * batch


def drawn(train, bundle, *, seed=3, **options):
    data = CaptionedImages(train, bundle.preprocess_train, bundle.tokenizer, seed=seed)
    return list(batches(data, batch=6, seed=seed, **{"first": 0, "last": 7, **options}))


def same(one, other):
    return all(torch.equal(a, b) for pair in zip(one, other, strict=True) for a, b in zip(*pair, strict=True))


def test_starting_later_gives_the_same_steps(train, bundle):
    assert same(drawn(train, bundle)[4:], drawn(train, bundle, first=4))


def test_workers_change_nothing(train, bundle):
    assert same(drawn(train, bundle), drawn(train, bundle, workers=2))


def test_processes_share_out_one_global_batch(train, bundle):
    whole = drawn(train, bundle)
    shares = [drawn(train, bundle, rank=rank, world=2) for rank in range(2)]
    joined = [tuple(torch.cat(parts) for parts in zip(*step, strict=True)) for step in zip(*shares, strict=True)]
    assert same(whole, joined)


def test_another_seed_is_another_order(train, bundle):
    assert not same(drawn(train, bundle), drawn(train, bundle, seed=4))


def test_every_caption_of_an_image_is_drawn_and_no_other(train, bundle):
    data = CaptionedImages(train, bundle.preprocess_val, bundle.tokenizer, seed=0)
    own = {tuple(row.tolist()) for row in bundle.tokenizer(["a green picture", "picture 1 is green"])}
    assert {tuple(data[(epoch, 1)][1].tolist()) for epoch in range(20)} == own


def test_pictures_kept_in_memory_change_nothing(train, bundle, monkeypatch):
    def three_epochs(space):
        monkeypatch.setattr("eqlib.study.training.batches.DECODED", space)
        data = CaptionedImages(train, bundle.preprocess_train, bundle.tokenizer, seed=3)
        return data, list(batches(data, batch=10, first=0, last=6, seed=3))

    all_kept, some_kept, none_kept = (three_epochs(space) for space in (1 << 30, 5 * 4 * 32 * 32, 0))
    assert [len(data._decoded) for data, _ in (all_kept, some_kept, none_kept)] == [20, 5, 0]
    assert same(all_kept[1], none_kept[1])
    assert same(some_kept[1], none_kept[1])


def test_drawing_leaves_the_global_generator_alone(train, bundle):
    data = CaptionedImages(train, bundle.preprocess_train, bundle.tokenizer, seed=0)
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    data[(0, 0)]
    assert torch.equal(torch.rand(3), expected)


@pytest.mark.parametrize(("batch", "world", "message"), [(1, 1, "2 to 20"), (21, 1, "2 to 20"), (5, 2, "divisible")])
def test_a_batch_that_cannot_be_is_named(train, bundle, batch, world, message):
    data = CaptionedImages(train, bundle.preprocess_train, bundle.tokenizer, seed=0)
    with pytest.raises(InputError, match=message):
        batches(data, batch=batch, first=0, last=1, seed=0, world=world)


def test_a_damaged_picture_is_named_from_a_worker(train, bundle, tmp_path):
    (tmp_path / "bad.png").write_bytes(b"\x89PNG cut off")
    one = dataclasses.replace(
        train, root=tmp_path, images=["bad.png"] * 2, captions=["a", "b"], image_of_caption=np.arange(2)
    )
    data = CaptionedImages(one, bundle.preprocess_train, bundle.tokenizer, seed=0)
    for workers in (0, 1):
        with pytest.raises(InputError, match=r"bad\.png"):
            list(batches(data, batch=2, first=0, last=1, seed=0, workers=workers))


def with_damage(train, folder, *numbers):
    """The same set with some pictures cut off; ``image_of_caption`` and order stay."""
    folder.mkdir()
    for n in range(len(train.images)):
        content = (train.root / train.images[n]).read_bytes()
        (folder / f"{n}.png").write_bytes(content[:30] if n in numbers else content)
    return dataclasses.replace(train, root=folder, images=[f"{n}.png" for n in range(len(train.images))])


def test_the_next_of_the_epochs_order_stands_in(train, bundle, tmp_path):
    epoch, order = Order(20, 20, seed=0).at(0)
    first, second, third = order[:3].tolist()
    last = int(order[-1])
    cut = with_damage(train, tmp_path / "cut", first, second, last)
    data = CaptionedImages(cut, bundle.preprocess_train, bundle.tokenizer, seed=0, damaged="skip")
    whole = CaptionedImages(train, bundle.preprocess_train, bundle.tokenizer, seed=0)
    for asked, passed in ((first, 2), (second, 1), (third, 0), (last, 3)):  # the order goes round
        found = data[(epoch, asked)]
        assert same([found[:2]], [whole[(epoch, third)]])
        assert int(found[2]) == passed


def test_skipping_counts_and_depends_on_no_worker(train, bundle, tmp_path):
    cut = with_damage(train, tmp_path / "cut", 5)
    found = []
    for workers in (0, 2):
        data = CaptionedImages(cut, bundle.preprocess_train, bundle.tokenizer, seed=0, damaged="skip")
        found.append(list(batches(data, batch=10, first=0, last=6, seed=0, workers=workers)))
        assert data.skipped == 3  # once an epoch
    assert same(*found)
    good = CaptionedImages(train, bundle.preprocess_train, bundle.tokenizer, seed=0)
    never = CaptionedImages(train, bundle.preprocess_train, bundle.tokenizer, seed=0, damaged="skip")
    assert same(*(list(batches(data, batch=10, first=0, last=4, seed=0)) for data in (good, never)))
    assert never.skipped == 0


def test_a_set_without_one_good_picture_fails(train, bundle, tmp_path):
    cut = with_damage(train, tmp_path / "cut", *range(20))
    data = CaptionedImages(cut, bundle.preprocess_train, bundle.tokenizer, seed=0, damaged="skip")
    with pytest.raises(InputError, match=r"\.png"):
        list(batches(data, batch=2, first=0, last=1, seed=0))
    with pytest.raises(InputError, match="fail or skip"):
        CaptionedImages(cut, bundle.preprocess_train, bundle.tokenizer, seed=0, damaged="ignore")


def in_pairs(train, **more):
    """The twenty pictures as ten pairs of neighbours."""
    return dataclasses.replace(train, groups=np.arange(20) // 2, **more)


def test_a_pair_stands_in_one_batch_and_draws_captions_of_one_number(train, bundle):
    paired = in_pairs(train)
    data = CaptionedImages(paired, bundle.preprocess_val, bundle.tokenizer, seed=3)
    number = {tuple(data.tokens[row].tolist()): row for row in range(40)}
    drawn_numbers = set()
    for _, tokens in batches(data, batch=6, first=0, last=9, seed=3):
        rows = [number[tuple(row.tolist())] for row in tokens]
        # captions of image n are 2 n and 2 n + 1; "a red picture" comes for every fourth image, the last one is kept
        places = sorted(row % 2 for row in rows)
        drawn_numbers |= set(places)
        assert sum(places) % 2 == 0
    assert drawn_numbers == {0, 1}
    for epoch in range(10):
        for first in range(0, 20, 2):
            one, other = (number[tuple(data[(epoch, first + k)][1].tolist())] % 2 for k in (0, 1))
            assert one == other


def test_images_of_a_group_with_other_numbers_of_captions_draw_for_themselves(train, bundle):
    uneven = in_pairs(train, captions=train.captions[:-1], image_of_caption=train.image_of_caption[:-1])
    data = CaptionedImages(uneven, bundle.preprocess_val, bundle.tokenizer, seed=3)
    assert data.draws_as.tolist() == [n // 2 * 2 for n in range(18)] + [18, 19]


def test_processes_share_out_one_global_batch_of_pairs(train, bundle):
    paired = in_pairs(train)
    whole = drawn(paired, bundle)
    shares = [drawn(paired, bundle, rank=rank, world=2) for rank in range(2)]
    joined = [tuple(torch.cat(parts) for parts in zip(*step, strict=True)) for step in zip(*shares, strict=True)]
    assert same(whole, joined)
    assert same(whole[4:], drawn(paired, bundle, first=4))


def test_a_hard_negative_comes_with_its_caption(train, bundle):
    negatives = [f"not {caption}" if n % 2 == 0 else "" for n, caption in enumerate(train.captions)]
    known = dataclasses.replace(train, negatives=negatives)
    data = CaptionedImages(known, bundle.preprocess_val, bundle.tokenizer, seed=0, negatives=True)
    own, wrong = bundle.tokenizer(["a green picture", "picture 1 is green"]), bundle.tokenizer(["not a green picture"])
    expected = {(tuple(own[0].tolist()), tuple(wrong[0].tolist())), (tuple(own[1].tolist()),) * 2}
    assert {tuple(tuple(row.tolist()) for row in data[(epoch, 1)][1:]) for epoch in range(20)} == expected
    assert [len(batch) for batch in batches(data, batch=6, first=0, last=2, seed=0)] == [3, 3]
    with pytest.raises(InputError, match="captions with hard negatives"):
        CaptionedImages(train, bundle.preprocess_val, bundle.tokenizer, seed=0, negatives=True)


def test_the_mate_of_an_image_is_the_next_of_its_group():
    assert mates(np.array([7, 3, 7, 3, 7])).tolist() == [[2], [3], [4], [1], [0]]
    with pytest.raises(InputError, match="one alone, at place 1"):
        mates(np.array([7, 3, 7]))


def test_partners_point_into_the_global_batch(train, bundle):
    paired = in_pairs(train)
    whole = drawn(paired, bundle, partners=True)
    shares = [drawn(paired, bundle, partners=True, rank=rank, world=2) for rank in range(2)]
    for (_, tokens, partners), *parts in zip(whole, *shares, strict=True):
        assert torch.equal(torch.cat([part[2] for part in parts]), partners)
        assert (partners[partners[:, 0], 0] == torch.arange(6)).all()  # each is the other's
        assert not torch.equal(tokens[partners[:, 0]], tokens)
