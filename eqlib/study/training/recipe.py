"""How long, how fast, how often: the settings of a run, open_clip's schedule and its parameter groups."""

import math
import os
from typing import Annotated, Literal

import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from pydantic import Field

from eqlib.errors import InputError
from eqlib.study.parameters import Amount, Count, Positive, Seed, record


@record
class Recipe:
    """One run. ``batch`` is the global size, over all processes; it is also EqSim's pool of partners.

    ``accum`` encodes a process's share in so many parts, by gradient caching: the pool stays the batch. ``precision``
    is accelerate's ("no", "bf16", "fp16") or "auto": bf16 on a GPU that has it. ``workers`` read ahead; None: up to 8 a
    process beside a GPU, else 0. ``max_norm`` 0 clips nothing. ``ema`` keeps an exponential average of the weights with
    this decay and ends with it. ``patience`` stops after so many validations in a row without a better ``monitor``;
    with it, or with ``keep_best``, the best weights seen are the ones kept. ``*_every`` count steps, 0 is never;
    ``checkpoint_minutes`` counts time, looked at when a step is logged.
    """

    steps: Positive
    batch: Positive
    lr: Annotated[float, Field(gt=0, allow_inf_nan=False)]
    seed: Seed
    warmup: Count = 0
    weight_decay: Amount = 0.1
    max_norm: Amount = 1.0
    accum: Positive = 1
    precision: Literal["auto", "no", "bf16", "fp16"] = "auto"
    ema: Annotated[float, Field(ge=0, lt=1)] = 0.0
    log_every: Count = 10
    validate_every: Count = 0
    export_every: Count = 0
    checkpoint_every: Count = 0
    checkpoint_minutes: Amount = 0.0
    patience: Count = 0
    keep_best: bool = False
    monitor: str = "val_group"
    workers: Count | None = None

    def __post_init__(self) -> None:
        if self.warmup >= self.steps:
            raise InputError(f"warmup < steps ({self.steps})", self.warmup, row="warmup")
        if (self.patience or self.keep_best) and not self.validate_every:
            raise InputError("validate_every > 0 with patience or keep_best", 0, row="validate_every")

    def workers_of(self, processes: int) -> int:
        """Of each of ``processes`` on this machine."""
        if self.workers is not None:
            return self.workers
        return min(8, (os.cpu_count() or 1) // processes) if torch.cuda.is_available() else 0


def accelerator_for(recipe: Recipe, **options) -> Accelerator:
    """accelerate for ``recipe`` on the GPUs there are, else on the CPU; float32 products of a GPU in TF32. ``options``
    are Accelerator's own."""
    cuda, precision = torch.cuda.is_available(), recipe.precision
    if precision == "auto":
        precision = "bf16" if cuda and torch.cuda.is_bf16_supported() else "no"
    if cuda:
        torch.set_float32_matmul_precision("high")
    AcceleratorState._reset_state()  # else a second run in one kernel could not have another precision
    return Accelerator(cpu=not cuda, mixed_precision=precision, **options)


def learning_rate(recipe: Recipe, step: int) -> float:
    """Linear warm-up over ``warmup`` steps, then a cosine to zero: open_clip's schedule, step counted from 0."""
    if step < recipe.warmup:
        return recipe.lr * (step + 1) / recipe.warmup
    done = (step - recipe.warmup) / max(1, recipe.steps - recipe.warmup)
    return recipe.lr * 0.5 * (1 + math.cos(math.pi * done))


def adamw(model: torch.nn.Module, recipe: Recipe) -> torch.optim.AdamW:
    """open_clip's optimiser of a ViT."""
    groups = parameter_groups(model, recipe.weight_decay)
    return torch.optim.AdamW(groups, lr=recipe.lr, betas=(0.9, 0.98), eps=1e-6, fused=True)


def parameter_groups(model: torch.nn.Module, weight_decay: float) -> list[dict]:
    """open_clip's two groups: gains, biases, norms and the logit scale do not decay. Frozen parameters are in none."""

    def spared(name: str, parameter: torch.nn.Parameter) -> bool:
        return parameter.ndim < 2 or "bn" in name or "ln" in name or "bias" in name or "logit_scale" in name

    named = [(name, p) for name, p in model.named_parameters() if p.requires_grad]
    return [
        {"params": [p for name, p in named if spared(name, p)], "weight_decay": 0.0},
        {"params": [p for name, p in named if not spared(name, p)], "weight_decay": weight_decay},
    ]
