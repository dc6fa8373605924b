import json

import numpy as np
import pytest
import torch

from eqlib.errors import InputError
from eqlib.losses import eqsim_itm
from eqlib.models.clip import load, save
from eqlib.models.matching import MatchingHead, load_head, matching_loss, matching_scores, save_head, scorer
from eqlib.models.score import score_suite
from eqlib.quads import scores_of
from eqlib.suites import read
from eqlib.suites.images import open_image


def unit(*shape, seed=0):
    features = torch.randn(*shape, generator=torch.Generator().manual_seed(seed))
    return torch.nn.functional.normalize(features, dim=-1)


@pytest.fixture
def head():
    torch.manual_seed(0)
    return MatchingHead(32, hidden=16)


def test_the_four_scores_are_a_quad_of_the_batch(head):
    image, text = unit(6, 32), unit(6, 32, seed=1)
    scores = matching_scores(head, image, text, scale=10.0, generator=torch.Generator().manual_seed(2))
    every = head(image[:, None], text[None])  # [image, caption]
    for i, row in enumerate(scores):
        fits = [
            j
            for j in range(6)
            if j != i and torch.allclose(row, torch.stack([every[i, i], every[j, i], every[i, j], every[j, j]]))
        ]
        assert len(fits) == 1


def test_hard_partners_follow_the_similarity(head):
    image = unit(5, 32)
    text = image[[1, 0, 3, 2, 4]]  # captions 0 and 1, 2 and 3 fit the other's image exactly
    scores = matching_scores(head, image, text, scale=1e4, generator=torch.Generator().manual_seed(0))
    assert torch.allclose(scores[0, 1], head(image[1], text[0]))
    assert torch.allclose(scores[2, 1], head(image[3], text[2]))


def test_loss_by_hand():
    assert matching_loss(torch.zeros(3, 4)).item() == pytest.approx(np.log(2))
    assert matching_loss(torch.tensor([[50.0, -50.0, -50.0, 50.0]])).item() == pytest.approx(0, abs=1e-6)


def test_eqsim_reaches_the_head(head):
    image, text = unit(4, 32), unit(4, 32, seed=1)
    scores = matching_scores(head, image, text, scale=1.0, generator=torch.Generator().manual_seed(0))
    eqsim_itm(scores, activation="sigmoid").backward()
    assert all(parameter.grad is not None and parameter.grad.abs().sum() > 0 for parameter in head.parameters())


def test_a_step_of_training_lowers_the_loss(head):
    image, text = unit(8, 32), unit(8, 32, seed=1)
    optimizer = torch.optim.Adam(head.parameters(), lr=1e-2)
    losses = []
    for _ in range(60):
        generator = torch.Generator().manual_seed(0)
        loss = matching_loss(matching_scores(head, image, text, scale=1.0, generator=generator))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.1 * losses[0]


def test_the_head_scores_a_suite(tiny, head, pictures):
    quad = {"image0": "0.png", "image1": "1.png", "caption0": "a dog", "caption1": "a cat"}
    (pictures / "q.json").write_text(json.dumps([quad, quad | {"image1": "8.png"}]))
    table = score_suite(scorer(tiny, head), read("quads", pictures / "q.json"), progress=False)
    with torch.no_grad():
        pixels = tiny.preprocess_val(open_image(pictures / "1.png"))[None]
        image = tiny.model.encode_image(pixels, normalize=True)
        text = tiny.model.encode_text(tiny.tokenizer(["a cat"]), normalize=True)
        expected = head(image, text).item()
    assert scores_of(table)[0, 1, 1] == pytest.approx(expected, abs=1e-6)
    assert np.allclose(scores_of(table)[1, 0], scores_of(table)[1, 1], atol=1e-6)  # 8.png is a copy of 0.png


@pytest.mark.parametrize("precision", ["pure_bf16", "bf16", "amp"])
def test_the_head_scores_in_every_precision(config, head, pictures, precision):
    bundle = load(config, precision=precision)
    picture = open_image(pictures / "1.png")
    scores = scorer(bundle, head)([picture, picture], ["a cat", "a dog"])
    with torch.no_grad():
        image = bundle.encode_images(bundle.preprocess_val(picture)[None])
        expected = head(image, bundle.encode_captions(["a cat", "a dog"]))
    assert scores == pytest.approx(expected.tolist(), abs=1e-6)


def test_too_small_a_batch_is_refused(head):
    with pytest.raises(InputError, match="B >= 2"):
        matching_scores(head, unit(1, 32), unit(1, 32), scale=1.0, generator=torch.Generator())


def test_a_saved_head_comes_back(head, tmp_path):
    assert save_head(head, tmp_path / "model").name == "matching_head.safetensors"
    again = load_head(tmp_path / "model")
    image, text = unit(4, 32), unit(4, 32, seed=1)
    assert torch.equal(again(image, text), head(image, text))
    with pytest.raises(InputError, match=r"none/matching_head\.safetensors"):
        load_head(tmp_path / "none")
    (tmp_path / "model" / "matching_head.safetensors").write_bytes(b"cut")
    with pytest.raises(InputError, match="the weights of a matching head"):
        load_head(tmp_path / "model")


def test_a_head_beside_a_model_does_not_disturb_its_loading(tiny, head, tmp_path):
    save(tiny, tmp_path / "model")
    save_head(head, tmp_path / "model")
    assert load(tmp_path / "model").fingerprint == tiny.fingerprint
