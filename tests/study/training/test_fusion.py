from copy import deepcopy
from dataclasses import replace

import numpy as np
import pytest
import torch

from eqlib.errors import InputError
from eqlib.losses import eqsim_itm
from eqlib.models.clip import load
from eqlib.models.score import score_suite
from eqlib.quads import scores_of
from eqlib.study.evaluation.judge import judged, judges_of
from eqlib.study.fusion.model import FUSION, Fused, encode, load_fused, read_quads, save_fused, score_quads
from eqlib.study.fusion.train import METHODS, fit_fused, hard_partners, itm_loss, quad_scores, with_mates
from eqlib.study.training.batches import CaptionedImages
from eqlib.study.training.recipe import Recipe
from eqlib.suites import read
from eqlib.suites.images import open_image

CAPTIONS = ["red", "a long green picture of a", "blue", "a white picture"]


@pytest.fixture
def fused(bundle):
    return Fused.on(bundle, seed=0)


@pytest.fixture
def seen(fused):
    pixels = torch.randn(4, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    return encode(fused.bundle.model, pixels, fused.bundle.tokenizer(CAPTIONS))


@pytest.mark.parametrize(("config", "size", "places"), [("ViT", 32, 4), ("ResNet", 64, 4)])
def test_tokens_of_both_towers(small, root, config, size, places):
    bundle = load(small if config == "ViT" else root / "eqlib/models/small-64px.json")
    pixels, tokens = torch.randn(3, 3, size, size), bundle.tokenizer(CAPTIONS[:2])
    with torch.inference_mode():
        seen = encode(bundle.model, pixels, tokens)
        logits = Fused.on(bundle).head(seen.image[[0, 2]], seen.text, seen.end)
    assert logits.shape == (2,)
    assert seen.image.shape[:2] == (3, places)
    assert seen.text.shape[:2] == (2, 8)  # begin, six words, end: the longest caption
    assert seen.end.tolist() == [2, 7]
    assert torch.allclose(seen.image_features, bundle.encode_images(pixels), atol=1e-6)
    assert torch.allclose(seen.text_features, bundle.encode_captions(tokens), atol=1e-6)


def test_a_pair_has_one_logit_in_any_company(fused, seen):
    together = fused.head(seen.image, seen.text, seen.end)
    for n, caption in enumerate(CAPTIONS):
        length = int(seen.end[n]) + 1
        alone = fused.head(seen.image[n : n + 1], seen.text[n : n + 1, :length], seen.end[n : n + 1])
        assert torch.allclose(together[n], alone[0], atol=1e-5), caption
    other_picture = fused.head(seen.image[[1, 0, 3, 2]], seen.text, seen.end)
    assert not torch.allclose(together, other_picture, atol=1e-4)


def test_a_partner_is_never_the_own_pair_nor_one_described_alike():
    tokens = torch.tensor([[1], [2], [1], [3], [4], [4]])  # 0 and 2, 4 and 5 have the same caption
    generator = torch.Generator().manual_seed(0)
    drawn = torch.stack([hard_partners(30 * torch.eye(6), tokens, generator=generator) for _ in range(2000)])
    found = [set(column.tolist()) for column in drawn.T]
    assert found == [{1, 3, 4, 5}, {0, 2, 3, 4, 5}, {1, 3, 4, 5}, {0, 1, 2, 4, 5}, {0, 1, 2, 3}, {0, 1, 2, 3}]


def test_partners_follow_the_similarity_in_either_direction():
    similarity = torch.zeros(3, 3)
    similarity[0, 1] = 40  # picture 0 resembles caption 1: hard for both
    tokens, generator = torch.arange(3)[:, None], torch.Generator().manual_seed(0)
    drawn = torch.stack([hard_partners(similarity, tokens, generator=generator) for _ in range(500)])
    # of row 0, captions 1 and 2: 1 + 1/3 and 0 + 1/3 of chance; of row 1, rows 0 and 2: 1/3 + 1 and 1/3 + 0
    assert np.allclose((drawn[:, :2] == torch.tensor([1, 0])).float().mean(0), 0.8, atol=0.06)


def test_three_passes_give_the_four_scores(fused, seen):
    partners = torch.tensor([2, 3, 1, 0])
    scores = quad_scores(fused.head, seen, partners)
    for i, j in enumerate(partners):
        quad = [(i, i), (j, i), (i, j), (j, j)]  # picture, caption
        asked = [fused.head(seen.image[p][None], seen.text[c][None], seen.end[c][None])[0] for p, c in quad]
        assert torch.allclose(scores[i], torch.stack(asked), atol=1e-5)


def test_terms_by_hand():
    scores = torch.tensor([[2.0, 1.0, 0.5, 1.5]])  # a = 0.5, b = 0.5: text side 0, image side 1, below and above 0.1
    assert METHODS["eqsim_matching"](scores).item() == pytest.approx(0.5 * (1 - 0.1))
    for method, activation in (("eqsim_matching", None), ("eqsim_probability", "sigmoid")):
        asked = eqsim_itm(3 * scores, activation=activation, weight=0.5, margin=0.1)
        assert torch.equal(METHODS[method](3 * scores), asked)
    apart = torch.tensor([[np.log(3.0), 0.0, np.log(9.0), 0.0]])
    assert METHODS["pairwise_matching"](apart).item() == pytest.approx(0.5 * (np.log(4 / 3) + np.log(4)) / 2)
    assert itm_loss(torch.tensor([[np.log(3.0), 0.0, np.log(3.0), 99.0]])).item() == pytest.approx(
        (np.log(4 / 3) + np.log(2) + np.log(4)) / 3
    )


def test_what_was_saved_gives_the_same_logits(fused, folder, tmp_path):
    for parameter in fused.head.parameters():
        parameter.data += 0.01
    images = [open_image(folder / "train" / f"{n}.png") for n in range(4)]
    answers = fused(images, CAPTIONS)
    saved = save_fused(fused, tmp_path / "model")
    again = load_fused(saved)
    assert again(images, CAPTIONS) == answers
    assert again.fingerprint == fused.fingerprint
    quads = read("quads", folder / "quads.json")
    by_name = judged(judges_of("eqlib.study.fusion.model:load_fused", str(saved)), quads, batch=64)
    scores = scores_of(score_suite(fused, quads, progress=False))
    assert np.allclose(scores_of(by_name), scores, atol=1e-6)
    record = quads.records.iloc[0]
    one = fused([open_image(folder / record["image1"])], [record["caption0"]])
    assert scores[0, 1, 0] == pytest.approx(one[0], abs=1e-5)
    by_head, by_cosine = score_quads(fused, *read_quads(fused.bundle, quads), batch=1)
    assert np.allclose(by_head, scores, atol=1e-5)
    assert np.allclose(by_cosine, scores_of(score_suite(fused.bundle, quads, progress=False)), atol=1e-6)


def test_a_folder_without_fusion_layers_is_named(tmp_path):
    with pytest.raises(InputError, match=FUSION):
        load_fused(tmp_path)


def run(fused, paired, method="matching", *, pairs=False, **changed):
    own = deepcopy(fused)
    data = CaptionedImages(paired, own.bundle.preprocess_val, own.bundle.tokenizer, seed=0)
    recipe = Recipe(**{"steps": 30, "batch": 10, "lr": 2e-3, "seed": 0} | changed)
    return own, fit_fused(own, data, recipe, method, pairs=pairs)


def test_a_tiny_run_learns(fused, paired):
    history = run(fused, paired, pairs=True)[1]
    guessing = np.log(3) - 2 / 3 * np.log(2)  # the entropy of one matched pair in three
    assert history["matching"][:5].mean() > guessing
    assert history["matching"][-5:].mean() < 0.95 * guessing


def test_a_run_repeats(fused, paired):
    own, history = run(fused, paired, pairs=True, steps=3)
    again, same = run(fused, paired, pairs=True, steps=3)
    assert history.equals(same)
    assert own.fingerprint == again.fingerprint != fused.fingerprint
    assert not history.equals(run(fused, paired, pairs=True, steps=3, seed=1)[1])


@pytest.mark.parametrize("pairs", [False, True])
def test_methods_see_the_same_batches_and_add_one_thing(fused, paired, pairs):
    plain = run(fused, paired, pairs=pairs, steps=2)[1]
    for method in METHODS.keys() - {"matching"}:
        _, history = run(fused, paired, method, pairs=pairs, steps=2)
        assert history.loc[0, plain.columns].equals(plain.loc[0])
        added = ["eqsim_easy", "eqsim_hard"] if method == "eqsim_contrastive" else [method]
        assert list(history.columns.difference(plain.columns)) == added
        moved = not history.loc[1, plain.columns].equals(plain.loc[1])
        assert moved == (history.loc[0, added].sum() > 0)  # below its margin EqSim changes nothing


def test_images_without_a_mate_are_left_out(paired):
    found = with_mates(replace(paired, groups=np.array([7, 7, *range(100, 117), 7])))
    assert found.images == [paired.images[n] for n in (0, 1, 19)]
    assert found.groups.tolist() == [7, 7, 7]
    told = [[found.captions[n] for n in np.flatnonzero(found.image_of_caption == image)] for image in range(3)]
    assert told == [[paired.captions[n] for n in np.flatnonzero(paired.image_of_caption == i)] for i in (0, 1, 19)]
    assert len(found.negatives) == len(found.captions) == 6


def test_another_method_is_named(fused, paired):
    with pytest.raises(InputError, match=r"matching, eqsim_contrastive.*'itm'"):
        run(fused, paired, "itm", steps=1)
