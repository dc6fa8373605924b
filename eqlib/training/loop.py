"""The training loop: one screen, on accelerate, resumable, every term logged."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass

import pandas as pd
import torch
from accelerate import Accelerator

from eqlib.errors import InputError
from eqlib.progress import progress
from eqlib.training.batches import CaptionedImages, batches
from eqlib.training.checkpoint import Checkpoint
from eqlib.training.objective import Objective


@dataclass(frozen=True)
class Recipe:
    """How long, how fast, how often. ``batch`` is the global size; ``precision`` accelerate's mixed precision."""

    steps: int
    batch: int
    lr: float
    seed: int
    warmup: int = 0
    weight_decay: float = 0.1
    max_norm: float = 1.0
    log_every: int = 10
    validate_every: int = 0
    checkpoint_every: int = 0
    workers: int = 0
    precision: str = "no"

    def __post_init__(self) -> None:
        if self.steps < 1 or not 0 <= self.warmup < self.steps:
            raise InputError("steps >= 1 and 0 <= warmup < steps", f"steps {self.steps}, warmup {self.warmup}")


def learning_rate(recipe: Recipe, step: int) -> float:
    """Linear warm-up over ``warmup`` steps, then a cosine to zero: open_clip's schedule, step counted from 0."""
    if step < recipe.warmup:
        return recipe.lr * (step + 1) / recipe.warmup
    done = (step - recipe.warmup) / max(1, recipe.steps - recipe.warmup)
    return recipe.lr * 0.5 * (1 + math.cos(math.pi * done))


def parameter_groups(model: torch.nn.Module, weight_decay: float) -> list[dict]:
    """open_clip's two groups: gains, biases, norms and the logit scale do not decay."""

    def spared(name: str, parameter: torch.nn.Parameter) -> bool:
        return parameter.ndim < 2 or "bn" in name or "ln" in name or "bias" in name or "logit_scale" in name

    named = [(name, p) for name, p in model.named_parameters() if p.requires_grad]
    return [
        {"params": [p for name, p in named if spared(name, p)], "weight_decay": 0.0},
        {"params": [p for name, p in named if not spared(name, p)], "weight_decay": weight_decay},
    ]


def fit(
    model: torch.nn.Module,
    data: CaptionedImages,
    objective: Objective,
    recipe: Recipe,
    *,
    settings: dict | None = None,
    validate: Callable[[torch.nn.Module], dict[str, float]] | None = None,
    scratch: str = "scratch/checkpoints",
    cpu: bool = True,
) -> pd.DataFrame:
    """Train ``model`` (an open_clip CLIP: images, tokens -> features, features, scale) in place.

    Returns the history: one row a logged step (counted from 1) with lr, logit_scale, grad_norm, each loss term, the
    telemetry and, every ``validate_every`` steps and at the end, what ``validate`` returns. Samples a second go to
    stderr only, so that the history is the same in every run. With ``checkpoint_every`` a killed run goes on from its
    last checkpoint, found by ``recipe`` and ``settings``, and ends with the same weights.
    """
    accelerator = Accelerator(cpu=cpu, mixed_precision=recipe.precision)
    # channels_last doubles the speed of convolutions on a CPU and changes nothing else; so does fused for the optimiser
    model.to(memory_format=torch.channels_last)
    groups = parameter_groups(model, recipe.weight_decay)
    optimizer = torch.optim.AdamW(groups, lr=recipe.lr, betas=(0.9, 0.98), eps=1e-6, fused=True)
    checkpoint = Checkpoint(scratch, {"recipe": asdict(recipe), **(settings or {})})
    first, history = 0, []
    if recipe.checkpoint_every and (state := checkpoint.load()):
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        objective.load_state_dict(state["objective"])
        first, history = state["step"], state["history"]
    model, optimizer = accelerator.prepare(model, optimizer)
    loader = batches(
        data,
        batch=recipe.batch,
        first=first,
        last=recipe.steps,
        seed=recipe.seed,
        workers=recipe.workers,
        rank=accelerator.process_index,
        world=accelerator.num_processes,
    )
    started, model_itself = time.perf_counter(), accelerator.unwrap_model(model)
    bar = progress(loader, desc="training", initial=first, total=recipe.steps, disable=not accelerator.is_main_process)
    for step, (images, tokens) in enumerate(bar, first):
        model.train()
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(recipe, step)
        with accelerator.autocast():
            image_features, text_features, logit_scale = model(
                images.to(accelerator.device, memory_format=torch.channels_last), tokens.to(accelerator.device)
            )[:3]
        terms, telemetry = objective(image_features, text_features, logit_scale)
        loss = sum(terms.values())
        if not torch.isfinite(loss):
            raise FloatingPointError(
                f"step {step + 1}: loss {loss.item()} ({ {k: v.item() for k, v in terms.items()} })"
            )
        accelerator.backward(loss)
        norm = accelerator.clip_grad_norm_(model.parameters(), recipe.max_norm)
        optimizer.step()
        optimizer.zero_grad()
        with torch.no_grad():
            model_itself.logit_scale.clamp_(0, math.log(100))
        done = step + 1
        validated = validate is not None and (
            done == recipe.steps or (recipe.validate_every > 0 and done % recipe.validate_every == 0)
        )
        if validated or done == recipe.steps or done % recipe.log_every == 0:
            row = {"step": done, "lr": learning_rate(recipe, step), "logit_scale": logit_scale, "grad_norm": norm}
            row |= terms | telemetry
            if validated:
                row |= validate(model_itself)
            history.append({name: float(torch.as_tensor(value).detach()) for name, value in row.items()})
            bar.set_postfix({name: f"{float(term.detach()):.3f}" for name, term in terms.items()})
        if recipe.checkpoint_every and done % recipe.checkpoint_every == 0 and accelerator.is_main_process:
            checkpoint.save(
                {
                    "model": model_itself.state_dict(),
                    "optimizer": optimizer.state_dict(),
                    "objective": objective.state_dict(),
                    "step": done,
                    "history": history,
                }
            )
    seconds = time.perf_counter() - started
    print(f"{(recipe.steps - first) * recipe.batch / seconds:.0f} samples/s", file=sys.stderr)
    checkpoint.remove()
    table = pd.DataFrame(history)
    return table.astype({"step": int})
