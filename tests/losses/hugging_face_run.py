"""Two steps of notebook 05's trainer: ``python hugging_face_run.py notebook.ipynb weights.pt``, or under torchrun."""

from __future__ import annotations

import json
import re
import sys
import tempfile
from pathlib import Path

import torch
from open_clip import ClipLoss
from transformers import CLIPConfig, CLIPModel, Trainer, TrainingArguments

from eqlib.losses import EqSimLoss

BATCH = 8
SMALL = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}


def snippet(notebook):
    cells = json.loads(Path(notebook).read_text())["cells"]
    text = "".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")
    return re.search(r"```python\n(class EqSimTrainer.*?)```", text, re.DOTALL)[1]


def tiny_model():
    torch.manual_seed(0)
    vision = SMALL | {"image_size": 16, "patch_size": 8}
    return CLIPModel(CLIPConfig(text_config=SMALL | {"vocab_size": 50}, vision_config=vision, projection_dim=8))


def main(notebook, path):
    generator = torch.Generator().manual_seed(1)
    images = torch.randn(BATCH, 3, 16, 16, generator=generator)
    tokens = torch.randint(0, 50, (BATCH, 6), generator=generator)
    dataset = [{"pixel_values": image, "input_ids": ids} for image, ids in zip(images, tokens, strict=True)]
    with tempfile.TemporaryDirectory() as folder:
        args = TrainingArguments(
            folder, max_steps=2, optim="sgd", learning_rate=0.5, use_cpu=True, report_to=[], save_strategy="no",
            disable_tqdm=True,
        )  # fmt: skip
        args.per_device_train_batch_size = BATCH // args.world_size
        model = tiny_model()
        names = {"ClipLoss": ClipLoss, "EqSimLoss": EqSimLoss, "Trainer": Trainer}
        names |= {"model": model, "args": args, "dataset": dataset}
        exec(snippet(notebook), names)
    assert list(names["trainer"].eqsim.telemetry["pool"].reshape(1)) == [BATCH - 1]  # the pool of all processes
    if args.process_index == 0:
        torch.save({"world": args.world_size, **model.state_dict()}, path)


if __name__ == "__main__":
    main(*sys.argv[1:])
