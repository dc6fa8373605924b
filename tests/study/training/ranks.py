"""Trainings that torchrun starts on several processes and a test on one: ``ranks.py SET SCRATCH OUTPUT KILL``.

KILL is the step at whose forward pass the last process kills itself, 0 for none.
"""

import os
import signal
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file

from eqlib.models.clip import load
from eqlib.study.training.batches import CaptionedImages
from eqlib.study.training.loop import fit
from eqlib.study.training.objective import Objective
from eqlib.study.training.recipe import Recipe, accelerator_for
from eqlib.suites import read

WITH_BIAS = {
    "embed_dim": 16,
    "init_logit_bias": -10.0,  # a SigLIP's: under every other loss a parameter without a gradient
    "vision_cfg": {"layers": 1, "width": 32, "head_width": 16, "patch_size": 16, "image_size": 32},
    "text_cfg": {"context_length": 12, "vocab_size": 49408, "width": 16, "heads": 2, "layers": 1},
}
METHODS = {
    "drawn": ("eqsim", {"variant": "hard_easy", "sample_num": 2, "similarity": "softmax"}, {}),
    "siglip": ("siglip+eqsim", {"weight": 4.0}, {}),
    "three": ("contrastive+eqsim+negclip", {"eqsim.variant": "minimal_pairs", "eqsim.own_change": True}, {"ema": 0.9}),
    "matching": ("eqsim_itm", {"hidden": 8, "activation": "sigmoid"}, {}),
    "pairwise": ("pairwise", {}, {"accum": 2}),
}


def training(name, folder, scratch, kill=0):
    """The weights after six steps, and the head's."""
    method, settings, options = METHODS[name]
    bundle = load(WITH_BIAS, seed=0)
    train = read("captions", Path(folder) / "dataset.json", split="train")
    wrong = [f"no {caption}" if n % 2 == 0 else "" for n, caption in enumerate(train.captions)]
    train = replace(train, groups=np.arange(20) // 2, negatives=wrong)
    recipe = Recipe(steps=6, batch=8, lr=1e-4, seed=1, warmup=2, log_every=2, checkpoint_every=2, **options)
    accelerator = accelerator_for(recipe)
    objective = Objective(method, settings, seed=1, dim=16)
    data = CaptionedImages(
        train, bundle.preprocess_train, bundle.tokenizer, seed=1, negatives="negatives" in objective.needs
    )
    steps = iter(range(1, 100))

    def dies(*_):
        last = accelerator.process_index == accelerator.num_processes - 1
        if kill and next(steps) == kill and last:
            os.kill(os.getpid(), signal.SIGKILL)

    hook = bundle.model.register_forward_pre_hook(dies)
    history = fit(bundle.model, data, objective, recipe, accelerator=accelerator, scratch=scratch)
    hook.remove()
    weights = bundle.model.state_dict() | {f"head.{key}": value for key, value in objective.named_parameters()}
    weights["terms"] = torch.tensor(history.drop(columns="grad_norm").to_numpy())
    weights["world"] = torch.tensor(accelerator.num_processes)
    return {key: value.detach().clone().contiguous() for key, value in weights.items()}


if __name__ == "__main__":
    folder, scratch, output, kill = sys.argv[1:]
    for name in METHODS:
        found = training(name, folder, scratch, int(kill) if name == "drawn" else 0)
        if int(os.environ["RANK"]) == 0:
            save_file(found, f"{output}/{name}.safetensors")
    torch.distributed.destroy_process_group()
