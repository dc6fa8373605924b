"""Models of Hugging Face: the trainer that notebook 05 prints, on real processes, and a SigLIP in chunks."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from open_clip.loss import SigLipLoss

from eqlib.losses import EqSimLoss, GradientCache

transformers = pytest.importorskip("transformers", reason="transformers comes with the extra lora")
from hugging_face_run import SMALL, tiny_model  # noqa: E402


def test_the_notebooks_trainer_on_one_process_and_on_two(root, tmp_path):
    notebook = root / "notebooks" / "05_eqsim_by_hand.ipynb"
    script = str(Path(__file__).with_name("hugging_face_run.py"))
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2"]
    weights = []
    for number, command in enumerate(([sys.executable], launch), 1):
        path = tmp_path / f"{number}.pt"
        done = subprocess.run([*command, script, str(notebook), str(path)], capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr[-3000:]
        weights.append(torch.load(path, weights_only=True))
    alone, two = weights
    assert (alone.pop("world"), two.pop("world")) == (1, 2)
    assert abs(tiny_model().logit_scale.item() - alone["logit_scale"].item()) > 1e-4  # it trains
    for name, value in alone.items():
        torch.testing.assert_close(two[name], value, rtol=1e-4, atol=1e-6)


def test_a_siglip_in_chunks():
    torch.manual_seed(0)
    vision = SMALL | {"image_size": 16, "patch_size": 8}
    text = SMALL | {"vocab_size": 50, "projection_size": 16}
    model = transformers.SiglipModel(transformers.SiglipConfig(text_config=text, vision_config=vision)).double()
    assert model.logit_scale.shape == (1,)
    images, tokens = torch.randn(6, 3, 16, 16, dtype=torch.float64), torch.randint(0, 50, (6, 8))

    def encode(pixels, ids):
        out = model(pixel_values=pixels, input_ids=ids)
        return out.image_embeds, out.text_embeds, model.logit_scale.exp(), model.logit_bias

    loss, found = EqSimLoss(weight=4.0, contrastive=SigLipLoss()), []
    for run in (encode, GradientCache(encode, chunk_size=4).encode):
        terms, _ = loss(*run(images, tokens))
        model.zero_grad()
        sum(terms.values()).backward()
        found.append(
            (terms, [parameter.grad.clone() for parameter in model.parameters() if parameter.grad is not None])
        )
    (whole, grads), (chunked, chunked_grads) = found
    theirs = model(pixel_values=images, input_ids=tokens, return_loss=True).loss
    assert whole["contrastive"].item() == pytest.approx(theirs.item(), rel=1e-9)
    for name, term in whole.items():
        assert chunked[name].item() == pytest.approx(term.item(), rel=1e-9)
    for ours, wanted in zip(chunked_grads, grads, strict=True):
        torch.testing.assert_close(ours, wanted, rtol=1e-8, atol=1e-10)
