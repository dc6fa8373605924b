"""A share of the work: every input is answered by one of them, in the company that it has in one run."""

import pandas as pd
import pytest
import torch

from eqlib.errors import InputError
from eqlib.models.clip import CLIP
from eqlib.models.score import answer_share, as_asked, score_suite
from eqlib.suites import FoilSuite, QuadSuite

HOW = {"progress": False, "workers": 0, "batch_size": 3}
CHUNK = 4


class Drifts:
    """As a model in half precision: the last digits of an answer depend on the other pairs of its call."""

    fingerprint = "drifts 1"

    def __init__(self, calls=100):
        self.left, self.asked = calls, []

    def __call__(self, images, captions):
        self.left -= 1
        if self.left < 0:
            raise KeyboardInterrupt
        self.asked += [(image.getpixel((0, 0)), text) for image, text in zip(images, captions, strict=True)]
        noise = 1e-7 * sum(map(len, captions)) + 1e-9 * sum(image.getpixel((1, 1))[0] for image in images)
        return [
            float(len(text)) + image.getpixel((0, 0))[0] + noise for image, text in zip(images, captions, strict=True)
        ]


class DriftingCLIP(CLIP):
    """Likewise in its towers."""

    def _encode(self, encode, batch):
        features = super()._encode(encode, batch)
        return features + 1e-6 * features.mean(dim=0)


def suites(pictures):
    """Ten quads and ten foils on eight pictures and few captions: each comes again, in its chunk and in others."""
    rows = [(f"{n % 8}.png", f"{(3 * n + 1) % 8}.png", f"a dog {n % 4}", f"{n % 3} cats") for n in range(10)]
    keys = {name: [str(n) for n in range(10)] for name in ("quad", "item", "cluster")} | {"subset": ["all"] * 10}
    quads = pd.DataFrame(rows, columns=["image0", "image1", "caption0", "caption1"]).assign(**keys)
    foils = quads.rename(columns={"image0": "image", "caption0": "caption", "caption1": "foil"})
    where = ("own", "x", "0" * 64, pictures)
    return {"quads": QuadSuite(*where, quads), "foils": FoilSuite(*where, foils)}


@pytest.mark.parametrize("count", [1, 2, 3, 7])
@pytest.mark.parametrize("kind", ["quads", "foils"])
@pytest.mark.parametrize("judge", ["pairs", "towers"])
def test_shares_make_the_bits_of_one_run(tiny, encoded, pictures, tmp_path, kind, judge, count):
    suite = suites(pictures)[kind]
    model = Drifts() if judge == "pairs" else DriftingCLIP(**{name: getattr(tiny, name) for name in vars(tiny)})
    whole = score_suite(model, suite, chunk=CHUNK, **HOW)
    once = list(model.asked) if judge == "pairs" else dict(encoded)
    if judge == "pairs":
        model.asked.clear()
    for k in reversed(range(count)):  # in any order
        part = as_asked(model, cache=tmp_path, share=(k + 1, count), **HOW)
        answer_share(part, suite, chunk=CHUNK, progress=False)
    if judge == "pairs":
        assert sorted(model.asked) == sorted(once)
        assert len(set(once)) == len(once)
    else:
        assert encoded == {name: 2 * number for name, number in once.items()}
        assert once == {"images": 8, "captions": 7}
    merged = as_asked(model, cache=tmp_path, asks=False, **HOW)
    table = score_suite(merged, suite, chunk=CHUNK, progress=False)
    pd.testing.assert_frame_equal(table, whole, check_exact=True)


def test_the_towers_and_the_scorer_of_these_tests_do_drift(tiny, pictures):
    """Else the test above would hold whatever the company."""
    suite = suites(pictures)["quads"]
    towers = DriftingCLIP(**{name: getattr(tiny, name) for name in vars(tiny)})
    for model in (Drifts(), towers):
        one, other = (score_suite(model, suite, **HOW | {"batch_size": size}) for size in (3, 4))
        assert not one.equals(other)
    pixels = torch.rand(2, 3, 32, 32, generator=torch.manual_seed(0))
    assert not torch.equal(towers.encode_images(pixels)[0], towers.encode_images(pixels[:1])[0])


@pytest.mark.parametrize("judge", ["pairs", "towers"])
def test_a_gap_is_not_filled_by_a_merge(tiny, pictures, tmp_path, judge):
    suite = suites(pictures)["quads"]
    model = Drifts() if judge == "pairs" else tiny
    for k in (1, 3):
        answer_share(as_asked(model, cache=tmp_path, share=(k, 3), **HOW), suite, progress=False)
    with pytest.raises(InputError, match=r"expected the answers of all shards, got no answer to \d+ inputs"):
        score_suite(as_asked(model, cache=tmp_path, asks=False, **HOW), suite, progress=False)


def test_a_share_that_breaks_off_goes_on_to_the_same_bits(pictures, tmp_path):
    """Broken off after two calls, again and again, beside another share that is done."""
    suite, asked, runs = suites(pictures)["quads"], [], 0
    whole = score_suite(Drifts(), suite, chunk=CHUNK, **HOW)
    answer_share(as_asked(Drifts(), cache=tmp_path, share=(1, 2), **HOW), suite, chunk=CHUNK, progress=False)
    going = True
    while going:
        model, runs = Drifts(calls=2), runs + 1
        try:
            answer_share(as_asked(model, cache=tmp_path, share=(2, 2), **HOW), suite, chunk=CHUNK, progress=False)
            going = False
        except KeyboardInterrupt:
            asked += model.asked
    assert runs > 2
    assert len(set(asked)) == len(asked)
    merged = as_asked(Drifts(), cache=tmp_path, asks=False, **HOW)
    pd.testing.assert_frame_equal(score_suite(merged, suite, chunk=CHUNK, progress=False), whole, check_exact=True)
