"""What a run must never do: lose its weights, mix with another, ignore its seed, or leave a model other than found."""

from dataclasses import replace

import pandas as pd
import pytest
import torch

from eqlib.errors import InputError
from eqlib.models.clip import load
from eqlib.study.training.batches import CaptionedImages
from eqlib.study.training.loop import fit
from eqlib.study.training.objective import Objective
from eqlib.study.training.recipe import Recipe

RECIPE = Recipe(steps=6, batch=8, lr=1e-3, seed=1, warmup=2, log_every=1, checkpoint_every=2)


def trained(small, train, scratch, method="contrastive", settings=None, *, bundle=None, recipe=RECIPE, **options):
    bundle = bundle or load(small, seed=0)
    data = CaptionedImages(train, bundle.preprocess_train, bundle.tokenizer, seed=1)
    objective = Objective(method, settings or {}, seed=1, dim=16)
    history = fit(bundle.model, data, objective, recipe, scratch=scratch, **options)
    return bundle, history


class Full(Exception):
    """The disk is full."""


def test_a_full_disk_after_training_loses_no_checkpoint(small, train, tmp_path):
    def no_space(name, history):
        raise Full

    with pytest.raises(Full):
        trained(small, train, tmp_path, export=no_space)
    names = []
    bundle, history = trained(
        small, train, tmp_path, export=lambda name, history: names.append(name)
    )  # the last step's checkpoint: none is left
    whole, expected = trained(small, train, tmp_path / "other")
    assert names == ["model"]
    assert bundle.fingerprint == whole.fingerprint
    pd.testing.assert_frame_equal(history, expected)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]  # gone once the model is kept


@pytest.mark.parametrize("change", ["method", "settings", "data", "weights"])
def test_a_checkpoint_is_found_by_its_own_experiment_alone(small, train, tmp_path, change):
    def no_space(name, history):
        raise Full

    with pytest.raises(Full):
        trained(small, train, tmp_path, "eqsim", {"weight": 4.0}, export=no_space)
    method, settings, seed, data = "eqsim", {"weight": 4.0}, 0, train
    if change == "method":
        method, settings = "contrastive", {}
    elif change == "settings":
        settings = {"weight": 5.0}
    elif change == "data":
        data = replace(train, captions=["another caption", *train.captions[1:]])
    else:
        seed = 7
    here, there = (
        trained(small, data, folder, method, settings, bundle=load(small, seed=seed))[0]
        for folder in (tmp_path, tmp_path / "empty")
    )
    assert here.fingerprint == there.fingerprint


def test_the_seed_decides_dropout_and_a_resumed_run_continues_it(small, train, tmp_path):
    def run(scratch, noise, **options):
        bundle = load(small, seed=0)
        bundle.model.visual.transformer.resblocks[0].mlp.append(torch.nn.Dropout(0.5))
        torch.manual_seed(noise)
        return trained(small, train, scratch, bundle=bundle, **options)[0].fingerprint

    whole = run(tmp_path / "a", 1)
    assert run(tmp_path / "b", 2) == whole
    stop = iter([False] * 4 + [True])

    def killed(history):
        if next(stop):
            raise Full

    with pytest.raises(Full):
        run(tmp_path / "c", 3, on_log=killed)
    assert run(tmp_path / "c", 4) == whole
    assert run(tmp_path / "d", 1, recipe=replace(RECIPE, seed=2)) != whole


def test_a_run_leaves_the_global_generator_as_it_was(small, train, tmp_path):
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    trained(small, train, tmp_path)
    assert torch.equal(torch.rand(2), expected)


def test_the_model_comes_back_without_a_wrapper_and_precisions_may_change(small, train, tmp_path):
    bundle, _ = trained(small, train, tmp_path, recipe=replace(RECIPE, precision="bf16"))
    plain = load(small, seed=0)
    plain.model.load_state_dict(bundle.model.state_dict())
    images, tokens = torch.randn(2, 3, 32, 32), bundle.tokenizer(["one", "two"])
    bundle.model.eval()
    with torch.no_grad():
        for a, b in zip(bundle.model(images, tokens), plain.model(images, tokens), strict=True):
            assert torch.equal(a, b)
    _, history = trained(small, train, tmp_path, bundle=bundle, recipe=replace(RECIPE, precision="no"))
    assert len(history) == 6


def test_a_released_temperature_above_100_is_not_moved(small, train, tmp_path):
    bundle = load(small, seed=0)
    with torch.no_grad():
        bundle.model.logit_scale.fill_(4.7652)  # ViT-B-16-SigLIP
    trained(small, train, tmp_path, bundle=bundle, recipe=replace(RECIPE, lr=1e-6))
    assert bundle.model.logit_scale.item() == pytest.approx(4.7652, abs=1e-4)
    low = load(small | {"init_logit_bias": -10.0}, seed=0)
    with torch.no_grad():
        low.model.logit_scale.fill_(4.60)
    trained(small, train, tmp_path, "siglip", bundle=low, recipe=replace(RECIPE, lr=0.1, max_norm=0.0))
    assert low.model.logit_scale.item() <= 4.6052  # ln 100, as in open_clip_train


def test_no_clipping_is_not_a_frozen_model(small, train, tmp_path):
    bundle, history = trained(small, train, tmp_path, recipe=replace(RECIPE, max_norm=0.0))
    start = load(small, seed=0).model.visual.class_embedding  # does not decay: only a gradient moves it
    assert (bundle.model.visual.class_embedding - start).abs().max() > 1e-4
    assert history["grad_norm"].iloc[0] > 0


def test_an_image_without_a_caption_is_named(bundle, train):
    bare = replace(train, captions=train.captions[2:], image_of_caption=train.image_of_caption[2:])
    with pytest.raises(InputError, match="a caption for every image"):
        CaptionedImages(bare, bundle.preprocess_val, bundle.tokenizer, seed=0)


@pytest.mark.parametrize("damage", ["cut", "empty", "flipped", "missing"])
@pytest.mark.parametrize("file", ["state.pt", "model.safetensors", "optimizer.bin"])
def test_a_damaged_checkpoint_is_said_and_the_run_begins_anew(small, train, tmp_path, capsys, file, damage):
    def no_space(name, history):
        raise Full

    expected = trained(small, train, tmp_path / "other")[0].fingerprint
    with pytest.raises(Full):
        trained(small, train, tmp_path, export=no_space)
    (path,) = tmp_path.glob(f"*/step-*/{file}")
    content = bytearray(path.read_bytes())
    if damage == "missing":
        path.unlink()
    else:
        content[len(content) // 2] ^= 4
        path.write_bytes({"cut": content[: len(content) // 2], "empty": b"", "flipped": content}[damage])
    steps = []
    bundle, _ = trained(small, train, tmp_path, on_log=lambda history: steps.append(len(history)))
    assert steps[0] == 1
    assert bundle.fingerprint == expected
    assert "a damaged checkpoint" in capsys.readouterr().err


def test_a_damaged_checkpoint_of_the_step_that_is_saved_next_is_replaced(small, train, tmp_path):
    def stopped(history):
        if len(history) == 3:
            raise Full

    with pytest.raises(Full):
        trained(small, train, tmp_path, on_log=stopped)
    (folder,) = tmp_path.glob("*/step-*")
    assert folder.name == "step-000000002"
    (folder / "state.pt").write_bytes(b"")
    bundle, _ = trained(small, train, tmp_path)
    assert bundle.fingerprint == trained(small, train, tmp_path / "other")[0].fingerprint


def test_a_checkpoint_of_other_names_is_left_out(small, train, tmp_path, monkeypatch, capsys):
    """As one that an older version of the loop wrote."""
    from eqlib.study.training.checkpoint import Checkpoint

    def stopped(history):
        if len(history) == 3:
            raise Full

    def fewer(self, step, state):
        return written(self, step, {name: value for name, value in state.items() if name != "skipped"})

    written = Checkpoint.save
    with monkeypatch.context() as patch:
        patch.setattr(Checkpoint, "save", fewer)
        with pytest.raises(Full):
            trained(small, train, tmp_path, on_log=stopped)
    bundle, _ = trained(small, train, tmp_path)
    assert "of another version" in capsys.readouterr().err
    assert bundle.fingerprint == trained(small, train, tmp_path / "other")[0].fingerprint
