"""BLIP as a cross-encoder that trains: against transformers' own forward pass."""

import numpy as np
import pytest
import torch
from PIL import Image

from eqlib.models.clip import load
from eqlib.study.fusion.model import Fused, encode, load_fused, save_fused
from eqlib.study.fusion.train import fit_fused
from eqlib.study.training.batches import CaptionedImages
from eqlib.study.training.recipe import Recipe
from eqlib.suites import read
from eqlib.suites.images import open_image

pytest.importorskip("transformers", reason="the extra 'hf' is not installed")
from test_itm import blip

from eqlib.models.itm import ENC

CAPTIONS = ["a red picture", "picture is green in the snow", "a dog"]


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    folder = tmp_path_factory.mktemp("blip")
    torch.manual_seed(0)
    model, processor = blip()
    for part in (model, processor):
        part.save_pretrained(folder)
    return folder, model.eval(), processor


@pytest.fixture(scope="module")
def suite(tmp_path_factory):
    folder = tmp_path_factory.mktemp("set")
    draw = np.random.default_rng(0)
    for n in range(10):
        Image.fromarray(draw.integers(0, 255, (40, 50, 3), dtype=np.uint8)).save(folder / f"{n}.png")
    words = ["red", "cup", "two", "dog", "snow", "water", "white", "cat", "man", "black"]
    (folder / "captions.csv").write_text("path,caption\n" + "".join(f"{n}.png,a {words[n]}\n" for n in range(10)))
    return read("captions", folder / "captions.csv")


def test_its_logits_are_the_odds_of_the_librarys_classes(saved, suite):
    path, model, processor = saved
    fused = load_fused(path)
    images = [open_image(suite.root / name) for name in suite.images[:3]]
    inputs = processor(images, CAPTIONS, padding=True, return_tensors="pt")
    inputs["input_ids"][:, 0] = ENC
    with torch.no_grad():
        no, yes = model(**inputs)[0].unbind(1)
    torch.testing.assert_close(torch.tensor(fused(images, CAPTIONS)), yes - no, atol=1e-5, rtol=1e-4)
    pixels, tokens = torch.stack([fused.bundle.preprocess_val(i) for i in images]), fused.bundle.tokenizer(CAPTIONS)
    with torch.no_grad():
        seen = encode(fused.bundle.model, pixels, tokens)
    torch.testing.assert_close(seen.image_features, fused.bundle.encode_images(pixels))
    torch.testing.assert_close(seen.text_features, fused.bundle.encode_captions(tokens))
    assert seen.end.tolist() == [(row != 0).sum() - 1 for row in tokens]


@pytest.mark.parametrize("method", ["matching", "eqsim_contrastive", "eqsim_matching"])
def test_it_trains_and_is_saved_whole(saved, suite, tmp_path, method):
    fused = Fused.on(load(saved[0]))
    before = {name: value.clone() for name, value in fused.bundle.model.hf.state_dict().items()}
    data = CaptionedImages(suite, fused.bundle.preprocess_val, fused.bundle.tokenizer, seed=0)
    recipe = Recipe(steps=3, batch=5, lr=1e-3, seed=0)
    history = fit_fused(fused, data, recipe, method)
    assert history["matching"].notna().all()
    moved = {name for name, value in fused.bundle.model.hf.state_dict().items() if not value.equal(before[name])}
    for part in ("vision_model", "vision_proj", "text_encoder", "text_proj", "itm_head", "crossattention"):
        assert any(part in name for name in moved), part
    images = [open_image(suite.root / name) for name in suite.images[:3]]
    again = load_fused(save_fused(fused, tmp_path / "model"))
    assert again(images, CAPTIONS) == fused(images, CAPTIONS)
    assert again.fingerprint == fused.fingerprint
