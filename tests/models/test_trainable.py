import copy

import pytest
import torch

from eqlib.errors import InputError
from eqlib.models.clip import load, save
from eqlib.models.trainable import add_lora, merge_lora, train_only

TEXT = {"context_length": 8, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 3}
VIT = {"embed_dim": 16, "vision_cfg": {"layers": 3, "width": 32, "head_width": 16, "patch_size": 16, "image_size": 32}}
RESNET = {"embed_dim": 16, "vision_cfg": {"layers": [1, 1, 1, 1], "width": 16, "head_width": 32, "image_size": 32}}


@pytest.fixture(params=[VIT, RESNET], ids=["vit", "resnet"])
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
    text = ("transformer.resblocks.0", "transformer.resblocks.1", "token_embedding", "positional_embedding")
    stem = ("visual.conv1", "visual.bn1", "visual.ln_pre", "visual.class_embedding")
    assert not [name for name in moved if name.startswith((*first, *text, *stem))]
    assert [name for name in moved if name.startswith(("visual.transformer.resblocks.2", "visual.layer4"))]
    assert [name for name in moved if name.startswith("transformer.resblocks.2")]
    with pytest.raises(InputError, match=r"1 to \d last blocks of the (image|text) tower, got 4"):
        train_only(bundle.model, "last", last=4)  # the text tower has three


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
    moved = {name for name in changed(before, bundle.model) if "running" not in name and "num_batches" not in name}
    assert moved
    assert all("resblocks" in name or name == "logit_scale" for name in moved)
    assert load(save(bundle, tmp_path / "model")).fingerprint == bundle.fingerprint


def test_without_peft_the_message_names_the_extra(monkeypatch, bundle):
    monkeypatch.setitem(__import__("sys").modules, "peft", None)
    with pytest.raises(InputError, match=r"eqlib\[lora\]"):
        add_lora(bundle.model)
