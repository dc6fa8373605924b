"""Dual encoders of transformers against the library's own forward pass."""

import json
import sys
import time
from dataclasses import replace

import huggingface_hub.constants
import numpy as np
import open_clip
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from eqlib.errors import InputError
from eqlib.losses import EqSimLoss
from eqlib.losses.gradient_cache import GradientCache
from eqlib.models.clip import load, save
from eqlib.models.score import score_suite
from eqlib.models.trainable import add_lora, merge_lora, train_only
from eqlib.suites import read

transformers = pytest.importorskip("transformers", reason="the extra 'hf' is not installed")
from hf_families import FAMILIES, clip, make, siglip, siglip2  # noqa: E402

CAPTIONS = ["a red cup", "two dog running in the snow", "black dog on water and a white cat with the man", "unknown"]


@pytest.fixture(scope="module", params=FAMILIES, ids=lambda family: family.__name__)
def own(request, tmp_path_factory):
    """(folder, model, processor, tokenizer): the last three are the library's own objects."""
    folder = tmp_path_factory.mktemp(request.param.__name__)
    model, processor, _ = make(request.param, folder)
    return folder, model, processor, transformers.AutoTokenizer.from_pretrained(folder)


@pytest.fixture(scope="module")
def folder(own):
    return own[0]


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """Folders of a CLIP, a SigLIP and a NaFlex."""
    folder = tmp_path_factory.mktemp("small")
    for family in (clip, siglip, siglip2):
        make(family, folder / family.__name__)
    return folder


@pytest.fixture(params=["clip", "siglip", "siglip2"])
def one(request, small):
    """The folder of one, where the families differ in no more than these three."""
    return small / request.param


def drawn(count):
    rng = np.random.default_rng(0)
    return [Image.fromarray(rng.integers(0, 255, (5, 7, 3), dtype=np.uint8)).resize((80, 60)) for _ in range(count)]


@torch.no_grad()
def by_the_library(model, processor, tokenizer, pictures, captions):
    """(image features, text features, logits per image) as the family's documentation calls the model."""
    family = model.config.model_type
    if family.startswith("siglip"):  # trained on padding, so given no mask
        texts = tokenizer(captions, padding="max_length", max_length=80, truncation=True, return_tensors="pt")
        texts = {"input_ids": texts["input_ids"]}
    else:
        texts = tokenizer(captions, padding=True, return_tensors="pt")
        texts = {key: texts[key] for key in ("input_ids", "attention_mask")}
    images = dict(processor(images=pictures, return_tensors="pt"))
    if family == "flava":  # rectangular logits come from its features: its loss wants as many captions as pictures
        image = model.flava.image_projection(model.flava.image_model(**images).last_hidden_state[:, 0])
        text = model.flava.text_projection(model.flava.text_model(**texts).last_hidden_state[:, 0])
        image, text = (torch.nn.functional.normalize(side, dim=-1) for side in (image, text))
        return image, text, model.flava.logit_scale.exp() * image @ text.T
    output = model(**texts, **images)
    return output.image_embeds, output.text_embeds, output.logits_per_image


def check(own, pictures, captions):
    folder, model, processor, tokenizer = own
    bundle = load(folder)
    expected = by_the_library(model, processor, tokenizer, pictures, captions)
    pixels = torch.stack([bundle.preprocess_val(picture) for picture in pictures])
    with torch.no_grad():
        image, text, scale, *bias = bundle.model(pixels, bundle.tokenizer(captions))
        logits = scale * image @ text.T + (bias[0] if bias else 0)
    for got, wanted in zip((image, text, logits), expected, strict=True):
        torch.testing.assert_close(got, wanted, atol=1e-5, rtol=1e-5)
    assert torch.equal(bundle.encode_images(pixels), image)
    assert torch.equal(bundle.encode_captions(captions), text)
    assert scale.shape == () == sum((b.shape for b in bias), ())
    assert len(bias) == model.config.model_type.startswith("siglip")
    one = torch.cat([bundle.encode_images(picture[None]) for picture in pixels])
    torch.testing.assert_close(one, image, atol=1e-5, rtol=1e-5)
    one = torch.cat([bundle.encode_captions([caption]) for caption in captions])
    torch.testing.assert_close(one, text, atol=1e-5, rtol=1e-5)
    assert image.var(dim=0).sum() > 1e-6
    assert text.var(dim=0).sum() > 1e-6


def test_features_and_logits_are_the_librarys(own):
    check(own, drawn(4), CAPTIONS)


def test_on_photographs(own, shared):
    suite = read("captions", shared / "realdata" / "flickr8k" / "dataset_flickr8k.json", split="val", limit=16)
    pictures = [Image.open(suite.root / name).convert("RGB") for name in suite.images]
    check(own, pictures, suite.captions[:16])


def test_flava_is_its_contrastive_loss(tmp_path):
    from hf_families import flava

    model, processor, tokenizer = make(flava, tmp_path)
    texts = tokenizer(CAPTIONS, padding="max_length", max_length=77, return_tensors="pt")
    pixels = processor(images=drawn(4), return_tensors="pt")["pixel_values"]
    bundle = load(tmp_path)
    with torch.no_grad():
        output = model(
            input_ids=texts["input_ids"],
            attention_mask=texts["attention_mask"],
            pixel_values=pixels,
            codebook_pixel_values=torch.zeros(4, 3, 112, 112),
            input_ids_masked=texts["input_ids"],
            return_loss=False,
        )
        image, text, scale = bundle.model(pixels, texts["input_ids"])
    torch.testing.assert_close(scale * image @ text.T, output.contrastive_logits_per_image, atol=1e-5, rtol=1e-5)


def test_saved_and_read_back_here_and_by_the_library(own, tmp_path):
    bundle = load(own[0])
    again = load(save(bundle, tmp_path / "model"))
    assert again.fingerprint == bundle.fingerprint
    assert repr(again.preprocess_val) == repr(bundle.preprocess_val)
    assert repr(again.tokenizer) == repr(bundle.tokenizer)
    assert torch.equal(again.encode_captions(CAPTIONS), bundle.encode_captions(CAPTIONS))
    model = transformers.AutoModel.from_pretrained(tmp_path / "model").state_dict()
    assert all(torch.equal(model[name], value) for name, value in bundle.model.hf.state_dict().items())
    save(bundle, tmp_path / "model")  # what save wrote, it replaces
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "config.json").write_text("{}")
    with pytest.raises(InputError, match="a name that no folder has"):
        save(bundle, tmp_path / "other")


def step(bundle):
    pixels = torch.stack([bundle.preprocess_train(picture) for picture in drawn(4)])
    contrastive = open_clip.ClipLoss() if bundle.model.logit_bias is None else open_clip.loss.SigLipLoss()
    loss = EqSimLoss(contrastive=contrastive)
    trained = [parameter for parameter in bundle.model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=1e-3)
    bundle.model.train()
    image, text, scale, *bias = bundle.model(pixels, bundle.tokenizer(CAPTIONS))
    terms, _ = loss(image, text, scale, **({"logit_bias": bias[0]} if bias else {}))
    total = sum(terms.values())
    total.backward()
    optimizer.step()
    bundle.model.eval()
    return total.item()


def test_a_step_of_adamw_moves_both_towers(folder):
    bundle = load(folder)
    train_only(bundle.model, "all")
    before = {name: value.clone() for name, value in bundle.model.state_dict().items()}
    assert np.isfinite(step(bundle))
    # DistributedDataParallel stops at the second step where a parameter that may change has no gradient
    assert not [name for name, p in bundle.model.named_parameters() if p.requires_grad and p.grad is None]
    moved = {name for name, value in bundle.model.state_dict().items() if not torch.equal(value, before[name])}
    scale = "hf.temperature" if bundle.model.family == "align" else "hf.logit_scale"
    assert scale in moved
    assert ("hf.logit_bias" in moved) == (bundle.model.logit_bias is not None)
    for tower in ("hf.text_", "hf.image_" if bundle.model.family == "flava" else "hf.vision_"):
        assert [name for name in moved if name.startswith(tower)]


def test_parts(folder):
    bundle = load(folder)
    for part in ("text", "image", "last"):
        names = train_only(bundle.model, part)
        image = [name for name in names if name.startswith(("hf.vision", "hf.visual", "hf.image_model"))]
        text = [name for name in names if name.startswith("hf.text")]
        assert (bool(image), bool(text)) == (part != "text", part != "image")
    assert not [name for name in names if "embeddings" in name or ".0." in name or ".1." in name]
    assert [name for name in text if ".2." in name]
    assert np.isfinite(step(bundle))


def test_lora(folder, tmp_path):
    pytest.importorskip("peft", reason="the extra 'lora' is not installed")
    bundle = load(folder)
    expected = bundle.fingerprint
    tuner = add_lora(bundle.model, rank=2, seed=1)
    step(bundle)
    trained = bundle.encode_captions(CAPTIONS)
    merge_lora(tuner)
    assert bundle.fingerprint != expected
    torch.testing.assert_close(load(save(bundle, tmp_path / "model")).encode_captions(CAPTIONS), trained)


def test_gradients_in_chunks_equal_those_in_one_piece(one):
    bundle = load(one)
    bundle.model.double()
    pixels = torch.stack([bundle.preprocess_val(picture) for picture in drawn(4)]).double()
    tokens = bundle.tokenizer(CAPTIONS)

    def loss(image, text, scale, *bias):
        logits = scale * image @ text.T + (bias[0] if bias else 0)
        return torch.nn.functional.cross_entropy(logits, torch.arange(4)) + logits.square().mean()

    loss(*bundle.model(pixels, tokens)).backward()
    whole = {name: p.grad.clone() for name, p in bundle.model.named_parameters() if p.grad is not None}
    bundle.model.zero_grad()
    cache = GradientCache(bundle.model, chunk_size=2)
    loss(*cache.encode(pixels, tokens)).backward()
    for name, parameter in bundle.model.named_parameters():
        if name in whole:
            torch.testing.assert_close(parameter.grad, whole[name], atol=1e-7, rtol=1e-5)


def test_precisions(one):
    plain = load(one)
    pixels = torch.stack([plain.preprocess_val(picture) for picture in drawn(4)])
    for bundle in (load(one, precision="bf16"), replace(plain, precision="amp")):
        assert 0 < (bundle.encode_captions(CAPTIONS) - plain.encode_captions(CAPTIONS)).abs().max() < 0.1
        assert 0 < (bundle.encode_images(pixels) - plain.encode_images(pixels)).abs().max() < 0.1


def test_a_suite_through_the_cache(one, pictures, tmp_path):
    quad = {"image0": "0.png", "image1": "1.png", "caption0": "a red cup", "caption1": "two dog"}
    (pictures / "q.json").write_text(json.dumps([quad]))
    suite = read("quads", pictures / "q.json")
    bundle = load(one)
    cold = score_suite(bundle, suite, cache=tmp_path / "cache", progress=False)
    bundle.model.encode_image = bundle.model.encode_text = lambda *_: pytest.fail("encoded again")
    assert score_suite(bundle, suite, cache=tmp_path / "cache", progress=False).equals(cold)


@pytest.mark.parametrize("family", ["siglip", "siglip2"])
def test_probabilities_are_the_librarys(small, family, pictures, tmp_path):
    """sigmoid of its ``logits_per_image``, pair by pair."""
    quad = {"image0": "0.png", "image1": "1.png", "caption0": "a red cup", "caption1": "two dog"}
    (pictures / "q.json").write_text(json.dumps([quad]))
    bundle = load(small / family)
    table = score_suite(bundle, read("quads", pictures / "q.json"), progress=False)
    found = bundle.probability(table[["s00", "s01", "s10", "s11"]].to_numpy().reshape(2, 2))
    model = transformers.AutoModel.from_pretrained(small / family).eval()
    words = bundle.tokenizer(["a red cup", "two dog"])
    processor = transformers.AutoImageProcessor.from_pretrained(small / family)
    images = [Image.open(pictures / name).convert("RGB") for name in ("0.png", "1.png")]
    with torch.no_grad():
        logits = model(input_ids=words, **processor(images=images, return_tensors="pt")).logits_per_image
    assert np.allclose(found, torch.sigmoid(logits).numpy(), atol=1e-5)


def test_blips_contrastive_head(tmp_path):
    """The library's cosines of its matching model, all pairs at once."""
    from test_itm import blip

    model, processor = blip()
    for part in (model, processor):
        part.save_pretrained(tmp_path / "blip")
    bundle = load(tmp_path / "blip")
    pictures = drawn(3)
    inputs = processor(pictures, CAPTIONS, padding=True, return_tensors="pt")
    with torch.no_grad():
        expected = model.eval()(**inputs, use_itm_head=False)[0]
    images = bundle.encode_images(torch.stack([bundle.preprocess_val(picture) for picture in pictures]))
    assert torch.allclose(images @ bundle.encode_captions(CAPTIONS).T, expected, atol=1e-5)
    assert bundle.config["model_cfg"]["embed_dim"] == images.shape[1]


def hub(cache, folder, repository):
    """``folder`` in the hub's own cache layout, as if downloaded."""
    model = cache / f"models--{repository.replace('/', '--')}"
    (model / "refs").mkdir(parents=True)
    (model / "refs" / "main").write_text("1" * 40)
    (model / "snapshots").mkdir()
    (model / "snapshots" / ("1" * 40)).symlink_to(folder)


def test_an_id_of_the_hub_loads_from_the_cache_and_names_its_commit(small, tmp_path, monkeypatch):
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    hub(tmp_path, small / "siglip", "somebody/small")
    bundle = load("hf:somebody/small")
    assert bundle.name == f"hf:somebody/small@{'1' * 40}"
    assert bundle.fingerprint == load(small / "siglip").fingerprint == load(f"hf:{small / 'siglip'}").fingerprint
    assert load(f"hf:somebody/small@{'1' * 40}").name == bundle.name


@pytest.mark.parametrize("name", ["hf:nobody/no-such-model", "hf-hub:nobody/no-such-model"])
def test_without_a_network_the_error_comes_at_once(tmp_path, monkeypatch, name):
    """By the hub's own retries it would come after half a minute."""
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", "http://127.0.0.1:9")
    start = time.monotonic()
    with pytest.raises(InputError, match="downloadable or cached"):
        load(name)
    assert time.monotonic() - start < 12


def damaged(folder, where, damage):
    for path in folder.iterdir():
        (where / path.name).write_bytes(path.read_bytes())
    damage(where)
    return where


def as_pickle(folder):
    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()


def without_projection(folder):
    tensors = load_file(folder / "model.safetensors")
    tensors.pop("text_projection.weight")
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})


def test_the_activation_of_a_model_of_transformers_is_its_own(small):
    with pytest.raises(InputError, match="quick_gelu for a model of open_clip"):
        load(small / "clip", quick_gelu=True)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (as_pickle, r"as model\*\.safetensors, made by .*weights_only=True.*got pytorch_model\.bin"),
        (without_projection, r"no weights of text_projection\.weight"),  # else drawn at random, with a line in a log
        (lambda folder: (folder / "tokenizer.json").unlink(), "a model that transformers can load"),
        (lambda folder: (folder / "model.safetensors").write_bytes(b"cut"), "a model that transformers can load"),
        (lambda folder: (folder / "config.json").write_text('{"model_type": "bert"}'), "one of clip, .*got 'bert'"),
    ],
    ids=["pickle", "missing tensor", "no tokenizer", "cut weights", "another family"],
)
def test_what_is_wrong_with_a_folder_is_named(small, tmp_path, damage, message):
    with pytest.raises(InputError, match=message):
        load(damaged(small / "clip", tmp_path, damage))


def test_captions_of_clip_are_tokens_as_open_clip_makes_them():
    """The released vocabulary, from open_clip's file: the same ids, padded with the end token in place of 0."""
    words = open_clip.get_tokenizer("ViT-B-32")
    names = {"<start_of_text>": "<|startoftext|>", "<end_of_text>": "<|endoftext|>"}
    vocabulary = {names.get(word, word): n for word, n in words.encoder.items()}
    tokens = transformers.CLIPTokenizer(vocab=vocabulary, merges=list(words.bpe_ranks), model_max_length=77)
    from eqlib.models.hf import Tokens

    captions = ["a red cup", "Two dogs, running!", "a " * 100]
    with pytest.warns(UserWarning, match="1 of 3 captions are cut: they are longer than the 77 tokens"):
        ours = Tokens(tokens, 77)(captions)
    theirs = words(captions)
    ends = torch.arange(77) <= (theirs == 49407).int().argmax(dim=1, keepdim=True)
    assert torch.equal(ours[ends], theirs[ends])
    assert (ours[~ends] == 49407).all()


def test_siglip_reads_small_letters(tmp_path):
    """The released SigLIP 2 of fixed size has a tokenizer that keeps capitals, and was trained without them."""
    _, _, words = make(siglip, tmp_path)
    words.backend_tokenizer.normalizer = None
    words.save_pretrained(tmp_path)
    bundle = load(tmp_path)
    kept = bundle.tokenizer.tokenizer(["A Red Cup", "a red cup"])["input_ids"]
    assert kept[0] != kept[1]
    assert torch.equal(*bundle.tokenizer(["A Red Cup", "a red cup"]))


def test_without_transformers_the_message_names_the_extra(small, monkeypatch):
    monkeypatch.setitem(sys.modules, "transformers", None)
    monkeypatch.delitem(sys.modules, "eqlib.models.hf")
    with pytest.raises(ImportError, match=r"eqlib\[hf\]"):
        load(small / "clip")
