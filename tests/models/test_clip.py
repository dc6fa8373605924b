import json
import os
import subprocess
import sys
import warnings

import huggingface_hub.constants
import open_clip
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from eqlib.errors import InputError
from eqlib.models.clip import QuickGELUWarning, check_quick_gelu, load, save


def outputs(model, preprocess, tokenizer):
    picture = Image.effect_mandelbrot((40, 30), (-2, -1.5, 1, 1.5), 100).convert("RGB")
    with torch.no_grad():
        return model.encode_image(preprocess(picture)[None]), model.encode_text(tokenizer(["a red cup"]))


def same(first, second):
    return all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


def test_a_config_makes_a_model_with_its_own_seed(config):
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    first, again, other = load(config, seed=1), load(config, seed=1), load(config, seed=2)
    assert torch.equal(torch.rand(1), expected)  # the global random state is untouched
    assert first.fingerprint == again.fingerprint != other.fingerprint
    assert first.preprocess_val(Image.new("RGB", (100, 50))).shape == (3, 32, 32)
    assert first.preprocess_train(Image.new("RGB", (100, 50))).shape == (3, 32, 32)
    assert first.tokenizer(["a cup", "two cups"]).shape == (2, 16)
    assert not first.model.training


def test_loading_leaves_the_generators_of_accelerators_alone(monkeypatch, config):
    """Without one here: the call that reseeds every CUDA generator must not come."""
    monkeypatch.setattr(torch.cuda, "manual_seed_all", lambda seed: pytest.fail("CUDA's generators were reseeded"))
    load(config, seed=3)


@pytest.mark.parametrize("precision", ["fp32", "bf16", "pure_bf16", "amp", "amp_bf16"])
def test_encode_by_hand(config, precision):
    bundle = load(config, precision=precision)
    picture = Image.effect_mandelbrot((40, 30), (-2, -1.5, 1, 1.5), 100).convert("RGB")
    pixels = bundle.preprocess_val(picture)[None]
    bundle.model.train()
    image, text = bundle.encode_images(pixels), bundle.encode_captions(["a red cup", "a dog"])
    assert bundle.model.training
    assert (image.dtype, image.shape, text.dtype, text.shape) == (torch.float32, (1, 32), torch.float32, (2, 32))
    assert torch.equal(text, bundle.encode_captions(bundle.tokenizer(["a red cup", "a dog"])))
    assert torch.allclose(text.norm(dim=-1), torch.ones(2))
    weights = bundle.model.eval().visual.conv1.weight.dtype
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, enabled=precision.startswith("amp")):
        expected = bundle.model.encode_image(pixels.to(weights)).float()
    assert torch.equal(image, expected / expected.norm(dim=-1, keepdim=True))
    if precision != "fp32":
        plain = load(config).encode_images(pixels)
        assert 0 < (image - plain).abs().max() < 0.02  # another precision, seen in the features


def test_the_small_resnet_of_the_study():
    text = {"context_length": 24, "vocab_size": 49408, "width": 128, "heads": 4, "layers": 3}
    vision = {"layers": [1, 1, 1, 1], "width": 32, "image_size": 64}
    bundle = load({"embed_dim": 128, "vision_cfg": vision, "text_cfg": text})
    image, caption = outputs(bundle.model, bundle.preprocess_val, bundle.tokenizer)
    assert image.shape == caption.shape == (1, 128)


def test_saved_and_read_back_by_the_same_call_and_by_open_clip(tmp_path, config):
    bundle = load({"model_cfg": config, "preprocess_cfg": {"mean": [0.5] * 3, "std": [0.25] * 3}}, seed=3)
    assert bundle.preprocess_val(Image.new("RGB", (9, 9))).unique().tolist() == [-2.0]  # (0 - 0.5) / 0.25
    folder = save(bundle, tmp_path / "model")
    assert sorted(path.name for path in folder.iterdir()) == ["open_clip_config.json", "open_clip_model.safetensors"]
    expected = outputs(bundle.model, bundle.preprocess_val, bundle.tokenizer)
    for spec in (folder, str(folder), f"local-dir:{folder}"):
        back = load(spec)
        assert back.fingerprint == bundle.fingerprint
        assert back.name == "model"
        assert same(outputs(back.model, back.preprocess_val, back.tokenizer), expected)
    model, _, preprocess = open_clip.create_model_and_transforms(f"local-dir:{folder}")
    tokenizer = open_clip.get_tokenizer(f"local-dir:{folder}")
    assert same(outputs(model.eval(), preprocess, tokenizer), expected)


def test_saving_replaces_an_older_model(tmp_path, config):
    save(load(config, seed=1), tmp_path / "model")
    newer = load(config, seed=2)
    save(newer, tmp_path / "model")
    assert load(tmp_path / "model").fingerprint == newer.fingerprint
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_a_json_file_is_a_new_model(tmp_path, config):
    path = tmp_path / "small.json"
    path.write_text(json.dumps(config))
    assert load(path, seed=1).fingerprint == load(config, seed=1).fingerprint
    assert load(path).name == "small"


def test_new_weights_of_an_architecture_are_asked_for():
    first, other = load("ViT-S-32-alt/random", seed=1), load("ViT-S-32-alt/random", seed=2)
    assert first.name == "ViT-S-32-alt/random"  # where its scores are shown, so is this
    assert first.fingerprint != other.fingerprint


def test_architecture_with_a_local_checkpoint(tmp_path):
    architecture = "ViT-S-32-alt"
    model = open_clip.create_model(architecture)
    torch.save({"state_dict": model.state_dict()}, tmp_path / "epoch_1.pt")
    bundle = load(f"{architecture}/{tmp_path / 'epoch_1.pt'}")
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), bundle.model.parameters(), strict=True))
    folder = save(bundle, tmp_path / "model")
    assert load(folder).fingerprint == bundle.fingerprint


def test_fingerprint_follows_the_weights_and_the_config(config):
    bundle = load(config)
    before = bundle.fingerprint
    with torch.no_grad():
        bundle.model.logit_scale += 1e-3
    assert bundle.fingerprint != before
    assert load(config, quick_gelu=True).fingerprint != before  # the same weights, another activation


def test_precision(config):
    bundle = load(config, precision="pure_bf16")
    assert bundle.model.visual.conv1.weight.dtype == torch.bfloat16


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ("no-such-model", "a model folder or a JSON config"),
        ("ViT-B-32", "ViT-B-32/random to draw new weights"),  # scores of random weights are never wanted by accident
        ("ViT-B-32/no_such_tag", r"a pretrained tag \(.*laion2b_s34b_b79k"),
        ({"embed_dim": 8}, "vision_cfg, text_cfg missing"),
        ({"embed_dim": 8, "vision_cfg": {"depth": 3}, "text_cfg": {}}, "a model that open_clip can build"),
        ({"embed_dim": 8, "vision_cfg": 3, "text_cfg": {}}, "a model that open_clip can build"),
    ],
)
def test_what_names_no_model_is_refused(spec, expected):
    with pytest.raises(InputError, match=expected):
        load(spec)


def test_damaged_folders_are_named(tmp_path, tiny):
    folder = save(tiny, tmp_path / "model")
    weights = folder / "open_clip_model.safetensors"
    whole = weights.read_bytes()
    weights.write_bytes(whole[:1000])
    with pytest.raises(InputError, match="model: expected a model that open_clip can build"):
        load(folder)
    weights.unlink()
    with pytest.raises(InputError, match=r"weights beside open_clip_config\.json"):
        load(folder)
    (folder / "open_clip_config.json").write_text("{")
    with pytest.raises(InputError, match=r"open_clip_config\.json: expected JSON"):
        load(folder)


@pytest.mark.parametrize("spec", ["ViT-B-32-quickgelu/openai", "hf-hub:nobody/no-such-model"])
def test_without_a_network_the_message_is_clear(monkeypatch, tmp_path, spec):
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(InputError, match="download") as caught:
        load(spec)
    assert str(caught.value).startswith(spec)


def test_a_hub_model_from_the_local_cache(monkeypatch, tmp_path, tiny):
    """The hub's own cache layout, filled by hand: the whole path of ``hf-hub:`` but the network."""
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    model = tmp_path / "models--somebody--small"
    (model / "refs").mkdir(parents=True)
    (model / "refs" / "main").write_text("0" * 40)
    snapshot = save(tiny, model / "snapshots" / ("0" * 40))
    bundle = load("hf-hub:somebody/small")
    assert (bundle.fingerprint, bundle.name) == (tiny.fingerprint, f"hf-hub:somebody/small@{'0' * 40}")
    (snapshot / "open_clip_model.safetensors").unlink()
    with pytest.raises(InputError, match="downloadable or cached"):  # and never a model with random weights
        load("hf-hub:somebody/small")


@pytest.fixture
def tagged(monkeypatch, tmp_path):
    """The hub's cache folder of a pretrained tag, ``ViT-S-32-alt/ours``, that open_clip's own table lists; offline."""
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    tag = {"hf_hub": "somebody/vit/", "mean": (0.5, 0.4, 0.3), "std": (0.2, 0.2, 0.2), "interpolation": "bilinear"}
    monkeypatch.setitem(open_clip.pretrained._PRETRAINED, "ViT-S-32-alt", {"ours": tag})
    model = tmp_path / "models--somebody--vit"
    (model / "refs").mkdir(parents=True)
    (model / "refs" / "main").write_text("2" * 40)
    (model / "snapshots" / ("2" * 40)).mkdir(parents=True)
    return model / "snapshots" / ("2" * 40)


def test_a_tag_comes_from_the_local_cache_with_its_own_preprocessing(tagged):
    model = open_clip.create_model("ViT-S-32-alt")
    save_file(model.state_dict(), tagged / "open_clip_model.safetensors")
    bundle = load("ViT-S-32-alt/ours")
    assert bundle.name == f"ViT-S-32-alt/ours@{'2' * 40}"
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), bundle.model.parameters(), strict=True))
    # what open_clip's own call makes of the tag
    table = {
        "ours": open_clip.get_pretrained_cfg("ViT-S-32-alt", "ours")
        | {"file": str(tagged / "open_clip_model.safetensors")}
    }
    open_clip.pretrained._PRETRAINED["ViT-S-32-alt"] = table
    _, _, val = open_clip.create_model_and_transforms("ViT-S-32-alt", pretrained="ours")
    assert repr(bundle.preprocess_val) == repr(val)
    assert bundle.config["preprocess_cfg"]["mean"] == (0.5, 0.4, 0.3)


def test_a_tag_that_is_only_a_pickle_is_refused(tagged):
    torch.save({}, tagged / "open_clip_pytorch_model.bin")
    with pytest.raises(InputError, match="downloadable or cached"):
        load("ViT-S-32-alt/ours")


@pytest.mark.parametrize("spec", ["ViT-B-32-quickgelu/openai", "ViTamin-S/datacomp1b", "hf-hub:nobody/no-such-model"])
def test_without_a_network_the_answer_comes_at_once(tmp_path, spec):
    """No offline switch: a hub that cannot be reached. Retries would take the better part of a minute."""
    code = f"""
import time
from eqlib.models.clip import load
began = time.process_time(), time.monotonic()
try:
    load({spec!r})
except ValueError as error:
    print(error)
print(time.monotonic() - began[1])
"""
    env = os.environ | {"HF_HUB_CACHE": str(tmp_path), "HF_ENDPOINT": "http://127.0.0.1:9", "HF_HUB_OFFLINE": "0"}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True)
    message, seconds = done.stdout.splitlines()[-2:]
    assert message.startswith(f"{spec}: expected a model on the hub, downloadable or cached")
    assert float(seconds) < 15


@pytest.mark.parametrize(
    ("architecture", "tag", "warns"),
    [
        ("ViT-B-32", "openai", True),
        ("ViT-B-32-quickgelu", "openai", False),
        ("ViT-B-32", "laion2b_s34b_b79k", False),
        ("roberta-ViT-B-32", "laion2b_s12b_b32k", True),  # the reverse: a config with it, a tag without
        ("RN50", "openai", True),
        ("ViT-L-14", "dfn2b", True),
    ],
)
def test_quick_gelu_is_guarded_both_ways(architecture, tag, warns):
    config = open_clip.get_model_config(architecture)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        check_quick_gelu(f"{architecture}/{tag}", architecture, tag, config)
    assert [issubclass(w.category, QuickGELUWarning) for w in said] == [True] * warns
    if warns:
        assert ("-quickgelu" in str(said[0].message)) == (not config.get("quick_gelu"))


def test_quick_gelu_forced_on_weights_trained_without_it():
    config = open_clip.get_model_config("ViT-B-32")
    with pytest.warns(QuickGELUWarning, match="without QuickGELU"):
        check_quick_gelu("ViT-B-32/laion2b_e16", "ViT-B-32", "laion2b_e16", config, forced=True)
    with pytest.raises(InputError, match="a pretrained tag"):  # the other way into the trap is no tag at all
        load("ViT-B-32-quickgelu/laion2b_e16")


def test_quick_gelu_of_a_folder_is_guarded_by_its_name(tmp_path, tiny):
    folder = save(tiny, tmp_path / "vit-openai-finetuned")
    with pytest.warns(QuickGELUWarning, match="quick_gelu=True"):
        load(folder)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        load(folder, quick_gelu=True)


def test_weights_that_are_not_finite_are_named(config, tmp_path):
    bundle = load(config)
    with torch.no_grad():
        bundle.model.text_projection[0, 0] = torch.nan
    with pytest.raises(InputError, match="model: expected finite weights, got NaN or infinity in text_projection"):
        load(save(bundle, tmp_path / "model"))
