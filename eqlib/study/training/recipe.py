"""How long, how fast, how often: the settings of a run, open_clip's schedule and its parameter groups."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from eqlib.errors import InputError


@dataclass(frozen=True)
class Recipe:
    """One run. ``batch`` is the global size, over all processes; it is also EqSim's pool of partners.

    ``chunk`` encodes so many pairs of a process's share at a time by gradient caching (0: all at once), with the pool
    unchanged. ``precision`` is accelerate's ("no", "bf16", "fp16"). ``ema`` keeps an exponential average of the weights
    with this decay and ends with it. ``patience`` stops after so many validations in a row without a better
    ``monitor``; with it, or with ``keep_best``, the best weights seen are the ones kept. ``*_every`` count steps, 0 is
    never; ``checkpoint_minutes`` counts time.
    """

    steps: int
    batch: int
    lr: float
    seed: int
    warmup: int = 0
    weight_decay: float = 0.1
    max_norm: float = 1.0
    chunk: int = 0
    precision: str = "no"
    ema: float = 0.0
    log_every: int = 10
    validate_every: int = 0
    checkpoint_every: int = 0
    checkpoint_minutes: float = 0.0
    patience: int = 0
    keep_best: bool = False
    monitor: str = "val_group"
    workers: int = 0

    def __post_init__(self) -> None:
        if self.steps < 1 or not 0 <= self.warmup < self.steps:
            raise InputError("steps >= 1 and 0 <= warmup < steps", f"steps {self.steps}, warmup {self.warmup}")
        if not 0 <= self.ema < 1:
            raise InputError("a decay in [0, 1)", self.ema, row="ema")
        if (self.patience or self.keep_best) and not self.validate_every:
            raise InputError("validate_every > 0 with patience or keep_best", 0, row="validate_every")
        if self.chunk and self.precision == "fp16":
            raise InputError("precision no or bf16 with chunk", "fp16", row="precision")


def learning_rate(recipe: Recipe, step: int) -> float:
    """Linear warm-up over ``warmup`` steps, then a cosine to zero: open_clip's schedule, step counted from 0."""
    if step < recipe.warmup:
        return recipe.lr * (step + 1) / recipe.warmup
    done = (step - recipe.warmup) / max(1, recipe.steps - recipe.warmup)
    return recipe.lr * 0.5 * (1 + math.cos(math.pi * done))


def parameter_groups(model: torch.nn.Module, weight_decay: float) -> list[dict]:
    """open_clip's two groups: gains, biases, norms and the logit scale do not decay. Frozen parameters are in none."""

    def spared(name: str, parameter: torch.nn.Parameter) -> bool:
        return parameter.ndim < 2 or "bn" in name or "ln" in name or "bias" in name or "logit_scale" in name

    named = [(name, p) for name, p in model.named_parameters() if p.requires_grad]
    return [
        {"params": [p for name, p in named if spared(name, p)], "weight_decay": 0.0},
        {"params": [p for name, p in named if not spared(name, p)], "weight_decay": weight_decay},
    ]
