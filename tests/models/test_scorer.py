"""Functions as models: each distinct pair asked once, a log that outlives damage, answers that are missing."""

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest

from eqlib.errors import InputError
from eqlib.models.clip import load
from eqlib.models.embed import Embedder
from eqlib.models.matching import MatchingHead
from eqlib.models.plan import plan
from eqlib.models.rerank import rerank
from eqlib.models.score import as_asked, retrieval_features, score_suite
from eqlib.models.scorer import PairScorer, scorer_key
from eqlib.quads import scores_of
from eqlib.scoring import summarise
from eqlib.scoring.retrieval import DIRECTIONS
from eqlib.suites import FoilSuite, QuadSuite, RetrievalSuite
from eqlib.suites.images import open_image

QUIET = {"progress": False}


class Red:
    """How red a picture is, and how long the caption: an answer that can be worked out by hand. It counts calls."""

    fingerprint = "red 1"

    def __init__(self, refuses=()):
        self.refuses, self.calls = refuses, []

    def __call__(self, images, captions):
        self.calls.append(list(zip(map(id, images), captions, strict=True)))
        self.held = images  # as long as they are held, no other picture has their id
        return [
            None if text in self.refuses else red(image, text) for image, text in zip(images, captions, strict=True)
        ]

    @property
    def asked(self):
        return sum(map(len, self.calls))


def red(image, text):
    return float(np.asarray(image, dtype=np.float64)[..., 0].mean()) + len(text)


@pytest.fixture
def quads(pictures):
    """Four quads, of which 8.png is a copy of 0.png: five files, eleven distinct pairs."""
    rows = [
        ("0.png", "1.png", "a dog", "two dogs"),
        ("0.png", "2.png", "a dog", "a red cat"),
        ("8.png", "1.png", "a dog", "two dogs"),
        ("3.png", "9.npy", "snow", "water"),
    ]
    records = pd.DataFrame(rows, columns=["image0", "image1", "caption0", "caption1"])
    records = records.assign(quad=["a", "b", "c", "d"], subset="all", cluster=["a", "b", "c", "d"])
    return QuadSuite("own", "x", "0" * 64, pictures, records)


@pytest.mark.parametrize("batch", [1, 3, 64])
def test_each_distinct_pair_is_asked_once(quads, batch):
    """Quad a: 4 pairs; b: 4, of which (0.png, a dog) is known; c: all four known, by content; d: 4."""
    model = Red()
    table = score_suite(model, quads, batch_size=batch, chunk=2, **QUIET)
    assert model.asked == 4 + 3 + 0 + 4
    assert all(len(call) <= batch for call in model.calls)
    for record, block in zip(quads.records.to_dict("records"), scores_of(table), strict=True):
        for i, c in np.ndindex(2, 2):
            assert block[i, c] == red(open_image(quads.root / record[f"image{i}"]), record[f"caption{c}"])


def test_a_picture_is_one_object_in_a_call_and_its_pairs_come_together(quads):
    model = Red()
    score_suite(model, quads, **QUIET)
    (call,) = model.calls
    order = [picture for picture, _ in call]
    assert len(set(order)) == 5  # 0 and 8 are one picture
    assert [a == b for a, b in pairwise(order)].count(False) == 4


def test_a_second_run_asks_nothing_and_other_suites_profit(quads, tmp_path):
    cold = score_suite(Red(), quads, cache=tmp_path / "log", **QUIET)
    warm = Red()
    pd.testing.assert_frame_equal(score_suite(warm, quads, cache=tmp_path / "log", **QUIET), cold, check_exact=True)
    assert warm.asked == 0
    base = {"item": ["7", "8"], "subset": "all", "cluster": ["7", "8"], "image": ["8.png", "8.png"]}
    foils = pd.DataFrame(base | {"caption": ["a dog", "a dog"], "foil": ["two dogs", "snow"]})
    score_suite(warm, FoilSuite("foils", "x", "0" * 64, quads.root, foils), cache=tmp_path / "log", **QUIET)
    assert warm.calls[0][0][1] == "snow"
    assert warm.asked == 1


class Drifts(Red):
    """As a model in half precision: the last digits of an answer depend on the other pairs of its call."""

    def __call__(self, images, captions):
        noise = 1e-7 * sum(map(len, captions))
        return [answer + noise for answer in super().__call__(images, captions)]


def test_a_run_that_breaks_off_goes_on_to_the_same_bits(quads, tmp_path):
    whole = score_suite(Drifts(), quads, batch_size=3, **QUIET)

    class Breaks(Drifts):
        left = 2

        def __call__(self, images, captions):
            self.left -= 1
            if self.left < 0:
                raise KeyboardInterrupt
            return super().__call__(images, captions)

    asked = 0
    for _ in range(2):
        model = Breaks()
        with pytest.raises(KeyboardInterrupt):
            score_suite(model, quads, batch_size=3, cache=tmp_path / "log", **QUIET)
        asked += model.asked
    Breaks.left = 100
    model = Breaks()
    table = score_suite(model, quads, batch_size=3, cache=tmp_path / "log", **QUIET)
    pd.testing.assert_frame_equal(table, whole, check_exact=True)
    assert asked + model.asked == 11


@pytest.mark.parametrize("damage", ["cut", "flipped", "empty"])
def test_what_is_damaged_in_the_log_is_asked_again(quads, tmp_path, damage):
    cold = score_suite(Red(), quads, batch_size=4, chunk=1, cache=tmp_path, **QUIET)
    shards = sorted(tmp_path.rglob("pair-*"), key=lambda path: path.stat().st_size)
    assert len(shards) == 3  # of quad c nothing was asked
    raw = bytearray(shards[-1].read_bytes())
    raw[-3] ^= 1
    shards[-1].write_bytes({"cut": raw[:-9], "flipped": raw, "empty": b""}[damage])
    model = Red()
    with pytest.warns(UserWarning, match="a damaged cache shard is left out"):
        again = score_suite(model, quads, batch_size=4, chunk=1, cache=tmp_path, **QUIET)
    pd.testing.assert_frame_equal(again, cold, check_exact=True)
    assert model.asked == 4


def test_a_missing_answer_costs_its_item_and_is_counted(quads):
    """ "a dog" is in the quads a, b and c: d alone has all its answers."""
    table = score_suite(Red(refuses=["a dog"]), quads, **QUIET)
    assert table["quad"].tolist() == ["d"]
    assert table.attrs["unanswered"] == ["a", "b", "c"]
    assert np.isfinite(scores_of(table)).all()
    table = score_suite(Red(refuses=["a red cat"]), quads, **QUIET)
    assert (table["quad"].tolist(), table.attrs["unanswered"]) == (["a", "c", "d"], ["b"])
    assert len(summarise(table, scores=("group",)))
    with pytest.raises(InputError, match="own: expected an answer to all pairs of at least one item"):
        score_suite(Red(refuses=["a dog", "snow"]), quads, **QUIET)


def test_a_missing_answer_is_not_asked_for_again(quads, tmp_path):
    first = score_suite(Red(refuses=["snow"]), quads, cache=tmp_path, **QUIET)
    model = Red()
    second = score_suite(model, quads, cache=tmp_path, **QUIET)
    assert model.asked == 0
    assert first.attrs["unanswered"] == second.attrs["unanswered"] == ["d"]


def test_a_log_has_the_name_of_its_model(quads, tmp_path):
    with pytest.raises(InputError, match=r"model: expected a model with a fingerprint \(a text\), or no cache"):
        score_suite(lambda images, captions: [0.0] * len(images), quads, cache=tmp_path, **QUIET)
    one, two = Red(), Red()
    two.fingerprint = "red 2"
    assert scorer_key(one) == scorer_key(Red()) != scorer_key(two)
    score_suite(one, quads, cache=tmp_path, **QUIET)
    score_suite(two, quads, cache=tmp_path, **QUIET)
    assert one.asked == two.asked == 11


def test_a_damaged_picture_is_named_and_what_was_answered_stays(quads, tmp_path):
    path = quads.root / "3.png"
    raw = bytearray(path.read_bytes())
    raw[60:90] = bytes(30)
    path.write_bytes(raw)
    model = Red()
    for asked in (7, 7):
        with pytest.raises(InputError, match=r"3\.png, quad d: expected a readable image"):
            score_suite(model, quads, batch_size=2, cache=tmp_path, **QUIET)
        assert model.asked == asked


@pytest.fixture
def retrieval(pictures):
    """Eight pictures, two captions each."""
    names, of = [f"{n}.png" for n in range(8)], np.arange(16) // 2
    captions = [f"caption {'x' * (7 * n % 17)} {n:02d}" for n in range(16)]
    return RetrievalSuite("own", "x", "0" * 64, pictures, names, captions, of)


def slow_ranks(similarity, answers, own, k):
    """Of each query, one at a time: its k most similar candidates by their answers, then the others."""
    ranks = []
    for row in range(len(similarity)):
        order = sorted(range(similarity.shape[1]), key=lambda n: -similarity[row, n])
        top = sorted(order[:k], key=lambda n: -answers[row, n])
        ranks.append(1 + min(place for place, n in enumerate(top + order[k:]) if own[row, n]))
    return ranks


@pytest.mark.parametrize("k", [1, 3, 8, 16, 100])
def test_reranking_is_the_slow_reference(tiny, retrieval, k):
    images, captions = retrieval_features(tiny, retrieval, **QUIET, workers=0)
    model = Red()
    table = rerank((images, captions), PairScorer(model, **QUIET), retrieval, k=k)
    answers = np.array([
        [red(open_image(retrieval.root / name), text) for text in retrieval.captions] for name in retrieval.images
    ])  # fmt: skip
    own = retrieval.image_of_caption[None, :] == np.arange(8)[:, None]
    similarity = images @ captions.T
    expected = slow_ranks(similarity, answers, own, k) + slow_ranks(similarity.T, answers.T, own.T, k)
    assert table["rank"].tolist() == expected
    assert table["subset"].tolist() == [DIRECTIONS[0]] * 8 + [DIRECTIONS[1]] * 16
    assert model.asked <= min(k, 16) * 8 + min(k, 8) * 16
    assert model.asked == 128 if k == 100 else True


def test_a_candidate_without_an_answer_stands_behind_those_with_one(tiny, retrieval):
    features = retrieval_features(tiny, retrieval, **QUIET, workers=0)
    text = retrieval.captions[5]
    table = rerank(features, PairScorer(Red(refuses=[text]), **QUIET), retrieval, k=16).set_index("quad")
    assert table["rank"]["caption 5"] == 8  # of eight pictures none has an answer: all tie, against the query
    assert len(table.attrs["unanswered"]) == 8 + 1


@pytest.mark.parametrize("part", [0, 2, 4])
def test_the_plan_of_a_dual_encoder_is_what_it_does(tiny, quads, encoded, tmp_path, part):
    """Cold, after a part of the run, and after all of it."""
    if part:
        some = QuadSuite("part", "x", "0" * 64, quads.root, quads.records.iloc[:part])
        score_suite(tiny, some, cache=tmp_path, **QUIET, workers=0)
    told = plan(Embedder(tiny, cache=tmp_path, **QUIET), quads)
    assert (told["items"], told["pictures"], told["captions"]) == (4, 5, 5)
    before = dict(encoded)
    score_suite(tiny, quads, cache=tmp_path, **QUIET, workers=0)
    done = {"picture": encoded["images"] - before["images"], "caption": encoded["captions"] - before["captions"]}
    assert told["passes"] == done
    assert told["bytes"] == (32 + 4 * 32) * sum(done.values())
    assert (told["seconds"] > 0) == bool(sum(done.values()))


@pytest.mark.parametrize("part", [0, 2, 4])
def test_the_plan_of_a_scorer_is_what_it_does(quads, tmp_path, part):
    if part:
        some = QuadSuite("part", "x", "0" * 64, quads.root, quads.records.iloc[:part])
        score_suite(Red(), some, cache=tmp_path, **QUIET)
    told = plan(as_asked(Red(), cache=tmp_path, **QUIET), quads)
    model = Red()
    score_suite(model, quads, cache=tmp_path, **QUIET)
    assert told["passes"] == {"pair": model.asked}
    assert told["pairs"] == 11


def test_a_matching_head_on_a_clip_has_a_log_too(tiny, quads, tmp_path):
    """A dataclass is named by its fields: the weights of its modules, the text of the others."""
    from dataclasses import dataclass

    @dataclass(frozen=True)
    class Judge:
        model: object
        prompt: str
        batch: int = 8

        def __call__(self, images, captions):
            return [float(len(text)) for text in captions]

    head, other = MatchingHead(8), MatchingHead(8)
    assert scorer_key(Judge(head, "?")) == scorer_key(Judge(head, "?", batch=1))
    assert len({scorer_key(Judge(head, "?")), scorer_key(Judge(other, "?")), scorer_key(Judge(head, "!"))}) == 3
    with pytest.raises(InputError, match="a class with a __repr__"):
        scorer_key(Judge(head, lambda text: text))


def test_probabilities_are_siglips_alone(config, tiny):
    with pytest.raises(InputError, match=r"a model with a bias \(SigLIP\)"):
        tiny.probability(np.zeros(3))
    bundle = load(config | {"init_logit_bias": -10.0})
    assert bundle.probability([0.0])[0] == pytest.approx(1 / (1 + np.exp(10)), rel=1e-5)
    scale = bundle.model.logit_scale.exp().item()
    assert bundle.probability([10 / scale])[0] == pytest.approx(0.5, abs=1e-5)
