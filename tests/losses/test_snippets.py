"""The training snippets of notebook 05, run as they are printed."""

from __future__ import annotations

import json
import re

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
    monkeypatch.setattr(training, "setup_logging", lambda *_: None)  # it would make every logger of the process talk
    exec(snippets(notebook)[1], {"EqSimLoss": EqSimLoss})
    arguments = f"""--model {tiny_clip(tmp_path)} --dataset-type synthetic --train-num-samples 8 --batch-size 4
        --epochs 1 --warmup 1 --workers 0 --precision fp32 --device cpu --log-every-n-steps 1
        --logs {tmp_path} --name run"""
    with caplog.at_level("INFO"):
        training.main(arguments.split())
    # open_clip_train logs every named term, so EqSim's is seen next to the contrastive one.
    assert re.search(r"Contrastive: [\d.]+ .*Eqsim_all_pairs: [\d.e+-]+ .*Loss: [\d.]+", caplog.text)
