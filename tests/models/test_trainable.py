import copy
import json
import re

import open_clip
import pytest
import torch

from eqlib.errors import InputError
from eqlib.models.clip import load, save
from eqlib.models.trainable import add_lora, merge_lora, train_only

TEXT = {"context_length": 8, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 3}
VIT = {"embed_dim": 16, "vision_cfg": {"layers": 3, "width": 32, "head_width": 16, "patch_size": 16, "image_size": 32}}
RESNET = {"embed_dim": 16, "vision_cfg": {"layers": [1, 1, 1, 1], "width": 16, "head_width": 32, "image_size": 32}}


TIMM_VIT = {
    "embed_dim": 16,
    "vision_cfg": {"timm_model_name": "test_vit", "timm_pool": "token", "timm_proj": "linear", "image_size": 32},
}
CONVNEXT = {
    "embed_dim": 16,
    "vision_cfg": {"timm_model_name": "test_convnext", "timm_pool": "avg", "timm_proj": "linear", "image_size": 32},
}


@pytest.fixture(params=[VIT, RESNET, TIMM_VIT, CONVNEXT], ids=["vit", "resnet", "timm-vit", "convnext"])
def bundle(request):
    return load(request.param | {"text_cfg": TEXT})


def step(model):
    """One step of SGD on random input, in training mode."""
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(4, 3, 32, 32, generator=generator)
    tokens = torch.randint(1, 400, (4, 8), generator=generator)
    model.train()
    image, text, scale = model(images, tokens)[:3]
    loss = torch.nn.functional.cross_entropy(scale * image @ text.T, torch.arange(4))
    loss.backward()
    torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.5).step()


def changed(before, model):
    return {name for name, value in model.state_dict().items() if not torch.equal(value, before[name])}


@pytest.mark.parametrize("part", ["text", "image"])
def test_one_tower_trains_and_the_other_stands_still(bundle, part):
    before = copy.deepcopy(bundle.model.state_dict())
    names = train_only(bundle.model, part)
    step(bundle.model)
    moved = changed(before, bundle.model)
    assert moved & set(names)
    assert "logit_scale" in moved
    # the statistics of batch norms move with their tower and with no other
    assert all(name.startswith("visual.") == (part == "image") for name in moved - {"logit_scale"})


def test_last_blocks(bundle):
    before = copy.deepcopy(bundle.model.state_dict())
    names = train_only(bundle.model, "last", last=1)
    assert "text_projection" in names
    step(bundle.model)
    moved = changed(before, bundle.model) - {"logit_scale"}
    first = ("visual.transformer.resblocks.0", "visual.transformer.resblocks.1", "visual.layer1", "visual.layer3")
    timm = ("visual.trunk.blocks.0", "visual.trunk.blocks.4", "visual.trunk.stages.2", "visual.trunk.stages.3.blocks.0")
    text = ("transformer.resblocks.0", "transformer.resblocks.1", "token_embedding", "positional_embedding")
    stem = ("visual.conv1", "visual.bn1", "visual.ln_pre", "visual.class_embedding", "visual.trunk.patch_embed")
    assert not [name for name in moved if name.startswith((*first, *timm, *text, *stem, "visual.trunk.stem"))]
    final = (
        "visual.transformer.resblocks.2",
        "visual.layer4",
        "visual.trunk.blocks.5",
        "visual.trunk.stages.3.blocks.1",
    )
    assert [name for name in moved if name.startswith(final)]
    assert [name for name in moved if name.startswith("transformer.resblocks.2")]
    with pytest.raises(InputError, match=r"as many last blocks as the (image|text) tower has, got 7"):
        train_only(bundle.model, "last", last=7)  # the image towers have up to six
    with pytest.raises(InputError, match="1 or more last blocks, got 0"):
        train_only(bundle.model, "last", last=0)


# What moves with one last block: the block, the final norm, the pooling and the projection; never the stem.
LAST = {
    "ViT-B-32": (
        ("visual.transformer.resblocks.11.", "visual.ln_post.", "visual.proj"),
        ("transformer.resblocks.11.", "ln_final.", "text_projection"),
    ),
    "ViT-B-16-SigLIP": (
        ("visual.trunk.blocks.11.", "visual.trunk.norm.", "visual.trunk.attn_pool."),
        ("text.transformer.resblocks.11.", "text.ln_final.", "text.text_projection."),
    ),
    "convnext_base": (
        ("visual.trunk.stages.3.blocks.2.", "visual.trunk.head.", "visual.head."),
        ("transformer.resblocks.11.", "ln_final.", "text_projection"),
    ),
    "RN50": (("visual.layer4.", "visual.attnpool."), ("transformer.resblocks.11.", "ln_final.", "text_projection")),
    "coca_ViT-B-32": (
        ("visual.transformer.resblocks.11.", "visual.ln_post.", "visual.attn_pool.", "visual.proj"),
        ("text.transformer.resblocks.11.", "text.ln_final.", "text.text_projection"),
    ),
}


@pytest.fixture(params=LAST)
def architecture(request):
    """An architecture of open_clip by name and without memory for its weights: (name, model)."""
    with torch.device("meta"):
        return request.param, open_clip.create_model(request.param, device="meta")


def test_last_blocks_of_released_architectures(architecture):
    name, model = architecture
    towers = tuple(prefix for tower in LAST[name] for prefix in tower)
    expected = {n for n, _ in model.named_parameters() if n.startswith(towers)}
    assert all(any(n.startswith(prefix) for n in expected) for prefix in towers)
    got = {n for n in train_only(model, "last") if not n.startswith("text_decoder.")}  # CoCa's third tower
    assert got - {"logit_scale", "logit_bias"} == expected
    assert got == {n for n, p in model.named_parameters() if p.requires_grad and not n.startswith("text_decoder.")}


def test_last_blocks_of_a_text_tower_from_the_hub(tmp_path):
    """open_clip's wrapper of a RoBERTa counts its groups otherwise: it has none for the projection."""
    pytest.importorskip("transformers", reason="the extra 'hf' is not installed")
    size = {"hidden_size": 16, "num_hidden_layers": 3, "num_attention_heads": 2, "intermediate_size": 16}
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "roberta", "vocab_size": 99} | size))
    text = {"hf_model_name": str(tmp_path), "hf_model_pretrained": False, "hf_proj_type": "mlp"}
    model = open_clip.model.CustomTextCLIP(embed_dim=16, vision_cfg=VIT["vision_cfg"], text_cfg=text)
    names = [name for name in train_only(model, "last") if name.startswith("text.")]
    assert all(name.startswith(("text.transformer.encoder.layer.2.", "text.proj.")) for name in names)
    assert len({name.split(".")[1] for name in names}) == 2


def test_lora_reaches_both_towers_of_released_architectures(architecture):
    pytest.importorskip("peft", reason="the extra 'lora' is not installed")
    name, model = architecture
    add_lora(model, rank=2)
    adapters = [n for n, p in model.named_parameters() if p.requires_grad and "lora_" in n]
    layers = {n.split(".lora_")[0].removesuffix(".base_layer") for n in adapters}
    for tower in LAST[name]:
        assert [n for n in layers if n.startswith(tower[0])], f"no adapter under {tower[0]}"
    if name == "ViT-B-16-SigLIP":
        block = "visual.trunk.blocks.11."
        assert {n.removeprefix(block) for n in layers if n.startswith(block)} == {
            *("attn.qkv", "attn.proj", "mlp.fc1", "mlp.fc2")
        }


def test_all_is_everything(bundle):
    train_only(bundle.model, "text")
    assert train_only(bundle.model, "all") == [name for name, _ in bundle.model.named_parameters()]
    assert all(parameter.requires_grad for parameter in bundle.model.parameters())
    with pytest.raises(InputError, match="one of all, text, image, last"):
        train_only(bundle.model, "both")


def test_lora_trains_adapters_and_merges_to_a_plain_model(bundle, tmp_path):
    pytest.importorskip("peft", reason="the extra 'lora' is not installed")
    before = copy.deepcopy(bundle.model.state_dict())
    images, tokens = torch.randn(2, 3, 32, 32), torch.randint(1, 400, (2, 8))
    with torch.no_grad():
        expected = bundle.model.eval()(images, tokens)[0]
    tuner = add_lora(bundle.model, rank=2)
    with torch.no_grad():
        assert torch.allclose(bundle.model(images, tokens)[0], expected, atol=1e-6)  # an adapter starts as nothing
    step(bundle.model)
    with torch.no_grad():
        trained = bundle.model.eval()(images, tokens)[:2]
    assert merge_lora(tuner) is bundle.model
    with torch.no_grad():
        merged = bundle.model(images, tokens)[:2]
    assert all(torch.allclose(a, b, atol=1e-5) for a, b in zip(trained, merged, strict=True))
    assert bundle.model.state_dict().keys() == before.keys()
    moved = changed(before, bundle.model) - {"logit_scale"}
    assert all(any(name.startswith("visual.") == image for name in moved) for image in (True, False))
    assert all(re.search(r"(resblocks|blocks|stages|layer)\.?\d", name) for name in moved)
    assert not [name for name in moved if "running" in name or "norm" in name or "bn" in name]
    assert load(save(bundle, tmp_path / "model")).fingerprint == bundle.fingerprint


def test_the_seed_decides_the_adapters_and_nothing_else(bundle):
    pytest.importorskip("peft", reason="the extra 'lora' is not installed")

    def first_matrices(seed, noise):
        torch.manual_seed(noise)
        model = copy.deepcopy(bundle.model)
        expected = torch.random.get_rng_state()
        add_lora(model, rank=2, seed=seed)
        assert torch.equal(torch.random.get_rng_state(), expected)
        return torch.cat([p.flatten() for n, p in model.named_parameters() if "lora_A" in n])

    assert torch.equal(first_matrices(1, noise=0), first_matrices(1, noise=9))
    assert not torch.equal(first_matrices(1, noise=0), first_matrices(2, noise=0))


def test_without_peft_the_message_names_the_extra(monkeypatch, bundle):
    monkeypatch.setitem(__import__("sys").modules, "peft", None)
    with pytest.raises(InputError, match=r"eqlib\[lora\]"):
        add_lora(bundle.model)
