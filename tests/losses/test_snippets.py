"""The training snippets of notebook 05, run as they are printed."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import open_clip
import pytest
import torch
from test_module import tiny_clip

from eqlib.losses import EqSimLoss


@pytest.fixture
def notebook(root):
    return root / "notebooks" / "05_eqsim_by_hand.ipynb"


def snippets(notebook):
    cells = json.loads(notebook.read_text())["cells"]
    text = "".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")
    return re.findall(r"```python\n(.*?)```", text, re.DOTALL)


def test_the_plain_snippet(notebook, root, tmp_path):
    model = open_clip.create_model(tiny_clip(tmp_path))
    names = {
        "EqSimLoss": EqSimLoss, "open_clip": open_clip, "model": model,
        "images": torch.randn(4, 3, 16, 16), "texts": open_clip.get_tokenizer("tiny-eqsim")(["a", "b", "c", "d"]),
    }  # fmt: skip
    exec(snippets(notebook)[0], names)
    assert list(names["terms"]) == ["contrastive", "eqsim_all_pairs"]
    assert model.visual.conv1.weight.grad.abs().sum() > 0
    for line in snippets(notebook)[0].splitlines():  # the README and the docstring print the same lines
        assert line in (root / "README.md").read_text()
        assert line in EqSimLoss.__doc__


def test_the_open_clip_train_snippet(notebook, tmp_path, monkeypatch, caplog):
    training = pytest.importorskip("open_clip_train.main")
    monkeypatch.setattr(training, "create_loss", training.create_loss)  # put back afterwards
    exec(snippets(notebook)[1], {"EqSimLoss": EqSimLoss})
    arguments = f"""--model {tiny_clip(tmp_path)} --dataset-type synthetic --train-num-samples 8 --batch-size 4
        --epochs 1 --warmup 1 --workers 0 --precision fp32 --device cpu --log-every-n-steps 1
        --logs {tmp_path} --name run"""
    with caplog.at_level("INFO"):
        training.main(arguments.split())
    # open_clip_train logs every named term, so EqSim's is seen next to the contrastive one.
    assert re.search(r"Contrastive: [\d.]+ .*Eqsim_all_pairs: [\d.e+-]+ .*Loss: [\d.]+", caplog.text)


def test_the_hugging_face_snippet_on_one_process_and_on_two(notebook, tmp_path):
    pytest.importorskip("transformers", reason="transformers comes with the extra lora")
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
    from hugging_face_run import tiny_model

    assert abs(tiny_model().logit_scale.item() - alone["logit_scale"].item()) > 1e-4  # it trains
    for name, value in alone.items():
        torch.testing.assert_close(two[name], value, rtol=1e-4, atol=1e-6)
