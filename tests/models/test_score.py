import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from eqlib.errors import InputError
from eqlib.models.clip import CLIP, load
from eqlib.models.embed import Embedder, model_key
from eqlib.models.score import near_ties, retrieval_features, score_suite
from eqlib.quads import SCORE_COLUMNS, TABLE_COLUMNS, scores_of
from eqlib.suites import FoilSuite, QuadSuite, RetrievalSuite, read
from eqlib.suites.images import open_image

QUIET = {"progress": False, "workers": 0, "batch_size": 4}


@pytest.fixture
def quads(pictures):
    """Five quads on ten pictures (nine distinct) with six distinct captions."""
    captions = [("a red cup", "two red cups"), ("a dog", "a cat"), ("a dog", "two dogs")]
    records = [
        {
            "image0": f"{2 * n}.png",
            "image1": f"{2 * n + 1}.{'npy' if n == 4 else 'png'}",
            "caption0": captions[n % 3][0],
            "caption1": captions[n % 3][1],
        }
        for n in range(5)
    ]
    (pictures / "q.json").write_text(json.dumps(records))
    return read("quads", pictures / "q.json")


def cosine(bundle, path, caption):
    """One pair at a time, the slow and obvious way."""
    with torch.no_grad():
        image = bundle.model.encode_image(bundle.preprocess_val(open_image(path))[None])
        text = bundle.model.encode_text(bundle.tokenizer([caption]))
    return torch.nn.functional.cosine_similarity(image, text).item()


def test_scores_are_the_cosines(tiny, quads):
    table = score_suite(tiny, quads, **QUIET)
    assert tuple(table.columns) == TABLE_COLUMNS
    assert table["quad"].tolist() == quads.records["quad"].tolist()
    for record, scores in zip(quads.records.to_dict("records"), scores_of(table), strict=True):
        for i in (0, 1):
            for c in (0, 1):
                slow = cosine(tiny, quads.root / record[f"image{i}"], record[f"caption{c}"])
                assert scores[i, c] == pytest.approx(slow, abs=1e-6)


def test_each_distinct_input_is_encoded_once(tiny, quads, encoded):
    score_suite(tiny, quads, **QUIET)
    assert encoded == {"images": 9, "captions": 5}  # 8.png is a copy of 0.png; "a dog" serves two captions


@pytest.mark.parametrize("settings", [{"chunk": 1}, {"chunk": 2}, {"batch_size": 1}, {"workers": 2}])
def test_chunks_batches_and_workers_change_nothing(tiny, quads, encoded, settings):
    expected = scores_of(score_suite(tiny, quads, **QUIET))
    before = dict(encoded)
    again = scores_of(score_suite(tiny, quads, **(QUIET | settings)))
    assert np.allclose(again, expected, atol=1e-6)
    assert encoded == {key: 2 * count for key, count in before.items()}


def test_a_warm_cache_encodes_nothing_and_gives_the_same_bits(tiny, quads, encoded, tmp_path):
    cold = score_suite(tiny, quads, cache=tmp_path / "cache", **QUIET)
    count = dict(encoded)
    warm = score_suite(tiny, quads, cache=tmp_path / "cache", **QUIET)
    assert encoded == count
    pd.testing.assert_frame_equal(cold, warm, check_exact=True)


def test_an_interrupted_run_goes_on_from_the_cache(tiny, quads, encoded, tmp_path):
    part = QuadSuite("part", "x", "0" * 64, quads.root, quads.records.iloc[:2])
    score_suite(tiny, part, cache=tmp_path / "cache", **QUIET)
    score_suite(tiny, quads, cache=tmp_path / "cache", **QUIET)
    assert encoded == {"images": 9, "captions": 5}


def test_features_of_a_run_that_broke_off_are_the_same_bits(tiny, pictures, tmp_path, monkeypatch):
    """Batches of what is left begin where those of the whole did, wherever the run was broken off."""
    paths = sorted(pictures.glob("*.png"))[:8]
    how = {"progress": False, "workers": 0, "batch_size": 3}
    whole = Embedder(tiny, **how).images(paths)
    encode, left = CLIP.encode_images, [1]

    def breaks(self, pixels):
        if not left[0]:
            raise KeyboardInterrupt
        left[0] -= 1
        return encode(self, pixels)

    monkeypatch.setattr(CLIP, "encode_images", breaks)
    for batches in (1, 0, 1):
        left[0] = batches
        with pytest.raises(KeyboardInterrupt):
            Embedder(tiny, cache=tmp_path / "cache", **how).images(paths)
    left[0] = 1  # of three batches two are there
    assert np.array_equal(Embedder(tiny, cache=tmp_path / "cache", **how).images(paths), whole)


def test_weights_precision_and_preprocessing_have_caches_of_their_own(tiny, config, tmp_path):
    keys = {
        model_key(tiny),
        model_key(load(config, seed=1)),
        model_key(load(config, precision="pure_bf16")),
        model_key(load({"model_cfg": config, "preprocess_cfg": {"mean": [0.5] * 3}})),
        model_key(load(config | {"text_cfg": config["text_cfg"] | {"context_length": 8}})),
    }
    assert len(keys) == 5
    assert model_key(load(config)) == model_key(tiny)


def test_the_cache_of_amp_belongs_to_the_precision_of_the_device(tiny):
    """``amp`` is float16 on CUDA and bfloat16 on a CPU: on a CPU it shares nothing with fp32, all with amp_bf16."""
    keys = [model_key(replace(tiny, precision=precision)) for precision in ("fp32", "amp", "amp_bf16", "amp_bfloat16")]
    assert keys[0] != keys[1] == keys[2] == keys[3]


class Shrink:
    """A transform of the user's own, without a name for its settings."""

    def __init__(self, tiny, by):
        self.preprocess, self.by = tiny.preprocess_val, by

    def __call__(self, image):
        return self.preprocess(image) / self.by


class NamedShrink(Shrink):
    def __repr__(self):
        return f"NamedShrink({self.by})"


def test_a_transform_without_a_name_is_not_cached(tiny, quads, tmp_path):
    """Two of them would share a folder, and the second would be given the features of the first."""
    cache = tmp_path / "cache"
    for transform in (lambda image: tiny.preprocess_val(image), Shrink(tiny, 2), Shrink(tiny, 3)):
        bundle = replace(tiny, preprocess_val=transform)
        with pytest.raises(InputError, match=r"a class with a __repr__ that shows its settings.*got .* at 0x"):
            score_suite(bundle, quads, cache=cache, **QUIET)
        score_suite(bundle, quads, **QUIET)  # without a cache there is nothing to mix up
    with pytest.raises(InputError, match="tokenizer: expected a class with a __repr__"):
        score_suite(replace(tiny, tokenizer=lambda texts: tiny.tokenizer(texts)), quads, cache=cache, **QUIET)
    assert not cache.exists()
    two, three = (
        score_suite(replace(tiny, preprocess_val=NamedShrink(tiny, by)), quads, cache=cache, **QUIET) for by in (2, 3)
    )
    assert np.abs(scores_of(two) - scores_of(three)).max() > 1e-3
    assert len(list(cache.iterdir())) == 2


def test_a_missing_picture_stops_before_the_first_is_encoded(tiny, quads, encoded):
    (quads.root / "7.png").unlink()
    with pytest.raises(InputError, match=r"7\.png, quad 3, image1: expected an image file"):
        score_suite(tiny, quads, **QUIET)
    assert encoded == {"images": 0, "captions": 0}


def test_a_truncated_picture_stops_before_the_first_is_encoded(tiny, quads, encoded):
    path = quads.root / "9.npy"
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(InputError, match=r"9\.npy, quad 4"):
        score_suite(tiny, quads, **QUIET)
    assert encoded == {"images": 0, "captions": 0}


@pytest.mark.parametrize("workers", [0, 2])
def test_damage_in_the_middle_is_named_from_a_worker(tiny, quads, workers):
    path = quads.root / "6.png"
    data = bytearray(path.read_bytes())
    data[60:90] = bytes(30)
    path.write_bytes(data)
    with pytest.raises(InputError, match=r"6\.png, quad 3: expected a readable image"):
        score_suite(tiny, quads, **(QUIET | {"workers": workers}))


def test_near_ties_are_decided_in_fp32(tiny, config, quads):
    rough = load(config, precision="pure_bf16")
    low, high = (scores_of(score_suite(model, quads, **QUIET)) for model in (rough, tiny))
    assert 1e-5 < np.abs(low - high).max() < 0.05
    gaps = np.sort(np.abs(low[:, :, 0] - low[:, :, 1]).min(axis=1))
    tolerance = float(gaps[1:3].mean())  # two quads closer than this on the text side
    table = score_suite(rough, quads, exact=tiny, near_tie=tolerance, **QUIET)
    close = near_ties(low, tolerance)
    assert 2 <= close.sum() == table.attrs["rescored"]
    assert np.allclose(scores_of(table)[close], high[close], rtol=0, atol=1e-6)  # another batch, other last bits
    assert np.array_equal(scores_of(table)[~close], low[~close])


def test_near_ties_by_hand():
    scores = np.array([[[0.5, 0.1], [0.1, 0.5]], [[0.5, 0.4999], [0.1, 0.3]], [[0.5, 0.1], [0.5001, 0.3]]])
    assert near_ties(scores, 1e-3).tolist() == [False, True, True]
    assert near_ties(scores[:, :1], 1e-3).tolist() == [False, True, False]


def test_any_function_of_pictures_and_captions_is_a_model(quads):
    def brightness_of_red(images, captions):
        return [
            np.asarray(image)[..., 0].mean() + len(caption) for image, caption in zip(images, captions, strict=True)
        ]

    table = score_suite(brightness_of_red, quads, **QUIET)
    record = quads.records.iloc[4]  # image1 is the .npy copy of 1.png
    red = np.asarray(open_image(quads.root / "1.png"))[..., 0].mean()
    assert table["s11"][4] == pytest.approx(red + len(record["caption1"]))
    assert table["s10"][4] - table["s11"][4] == pytest.approx(len(record["caption0"]) - len(record["caption1"]))


@pytest.mark.parametrize("answer", [[1.0], [float("inf")] * 4, np.ones((4, 4))])
def test_a_model_that_answers_wrongly_is_refused(quads, answer):
    with pytest.raises(InputError, match="finite scores from the model"):
        score_suite(lambda images, captions: answer, quads, **QUIET)


def test_foils(tiny, pictures):
    base = {"item": ["7"], "subset": ["all"], "cluster": ["7"], "image": ["0.png"]}
    text = {"caption": ["a dog"]}
    where = ("own", "x", "0" * 64, pictures)
    foil = score_suite(tiny, FoilSuite(*where, pd.DataFrame(base | text | {"foil": ["a cat"]})), **QUIET)
    assert foil["s_foil"][0] == pytest.approx(cosine(tiny, pictures / "0.png", "a cat"), abs=1e-6)


def test_retrieval_features(tiny, pictures):
    suite = RetrievalSuite("own", "x", "0" * 64, pictures, ["0.png", "9.npy"], ["a dog", "a cat"], np.array([0, 1]))
    images, captions = retrieval_features(tiny, suite, **QUIET)
    assert images.dtype == captions.dtype == np.float32
    assert np.allclose(np.linalg.norm(images, axis=1), 1, atol=1e-6)
    assert (images @ captions.T)[1, 0] == pytest.approx(cosine(tiny, pictures / "1.png", "a dog"), abs=1e-6)


def test_one_embedder_serves_several_suites(tiny, quads, encoded):
    embedder = Embedder(tiny, progress=False, workers=0)
    score_suite(embedder, quads, progress=False)
    retrieval = RetrievalSuite("own", "x", "0" * 64, quads.root, ["0.png"], ["a dog"], np.array([0]))
    retrieval_features(embedder, retrieval)
    assert encoded == {"images": 9, "captions": 5}


def test_training_mode_is_off_while_embedding_and_on_again_after(config, quads):
    bundle = load(config | {"vision_cfg": config["vision_cfg"] | {"patch_dropout": 0.5}})
    expected = score_suite(bundle, quads, **QUIET)
    bundle.model.train()
    pd.testing.assert_frame_equal(score_suite(bundle, quads, **QUIET), expected)
    assert bundle.model.training


@pytest.mark.parametrize(
    ("reader", "path"),
    [
        ("eqlib.study.trials.aurora:read_aurora", "aurora_pairs/pairs.json"),
        ("eqlib.study.trials.near_session:read_near_session", "flickr8k/near_session_pairs.json"),
    ],
)
def test_real_pictures_end_to_end(tiny, shared, reader, path):
    suite = read(reader, shared / "realdata" / path)
    table = score_suite(tiny, suite, progress=False, workers=0)
    assert len(table) == len(suite)
    values = table[list(SCORE_COLUMNS)].to_numpy()
    assert np.abs(values).max() <= 1
    assert len(np.unique(values)) > 0.5 * values.shape[0]


def test_real_retrieval_end_to_end(tiny, shared):
    path = shared / "realdata" / "flickr8k" / "dataset_flickr8k.json"
    suite = read("captions", path, split="val", limit=200)
    images, captions = retrieval_features(tiny, suite, progress=False, workers=0)
    assert (images.shape, captions.shape) == ((200, 32), (1000, 32))
    assert suite.image_of_caption.tolist() == [n // 5 for n in range(1000)]
