"""The training loop: one screen, on accelerate, resumable, every term logged."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable
from copy import deepcopy
from dataclasses import asdict
from functools import partial

import pandas as pd
import torch
from accelerate import Accelerator
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from eqlib.errors import InputError
from eqlib.losses import GradientCache
from eqlib.progress import progress
from eqlib.study.training.batches import CaptionedImages, batches
from eqlib.study.training.checkpoint import Checkpoint
from eqlib.study.training.objective import NEGATIVES, Objective
from eqlib.study.training.recipe import Recipe, learning_rate, parameter_groups


def fit(
    model: torch.nn.Module,
    data: CaptionedImages,
    objective: Objective,
    recipe: Recipe,
    *,
    accelerator: Accelerator | None = None,
    settings: dict | None = None,
    validate: Callable[[torch.nn.Module], dict[str, float]] | None = None,
    scratch: str = "scratch/checkpoints",
    tensorboard: str | None = None,
) -> pd.DataFrame:
    """Train ``model`` (an open_clip CLIP: images, tokens -> features, features, scale) in place, and with it the
    matching head of ``objective`` where that has one.

    Returns the history: one row a logged step (counted from 1) with lr, logit_scale, grad_norm, each loss term, the
    telemetry and, every ``validate_every`` steps and at the end, what ``validate`` returns. Samples a second go to
    stderr only, so that the history is the same in every run. A killed run goes on from its last checkpoint, found by
    ``recipe`` and ``settings``, and ends with the same weights (to the bit on one process). Where ``data`` skips
    damaged pictures, ``history.attrs["damaged"]`` is how many were, over all epochs, and stderr says so.
    ``tensorboard`` names a folder that the logged rows go to as well, for TensorBoard.

    Raises FloatingPointError for a loss that is not finite, InputError for a damaged picture, a missing monitor,
    ``tensorboard`` without its package, hard negatives that the method needs and ``data`` lacks (or the reverse), or an
    ``ema`` beside a matching head.
    """
    accelerator = accelerator or Accelerator(cpu=not torch.cuda.is_available(), mixed_precision=recipe.precision)
    # channels_last doubles the speed of convolutions on a CPU and changes nothing else; so does fused for the optimiser
    model.to(accelerator.device, memory_format=torch.channels_last)
    objective.to(accelerator.device)
    _check_fit(objective, data, recipe)
    groups = parameter_groups(torch.nn.ModuleList([model, objective]), recipe.weight_decay)
    optimizer = torch.optim.AdamW(groups, lr=recipe.lr, betas=(0.9, 0.98), eps=1e-6, fused=True)
    average = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(recipe.ema)) if recipe.ema else None
    parts = {"model": model, "optimizer": optimizer, "objective": objective} | ({"average": average} if average else {})
    checkpoint = Checkpoint(scratch, {"recipe": asdict(recipe), **(settings or {})})
    first, history, best = 0, [], {"value": -math.inf, "waited": 0, "weights": None}
    if (recipe.checkpoint_every or recipe.checkpoint_minutes) and (state := checkpoint.load()):
        for name, part in parts.items():
            part.load_state_dict(state[name])
        first, history, best = state["step"], state["history"], state["best"]
        data.skipped = state.get("skipped", 0) if accelerator.is_main_process else 0  # summed over processes at the end
    itself, rank, world = model, accelerator.process_index, accelerator.num_processes
    events = _events(tensorboard, first) if tensorboard and rank == 0 else None
    model, optimizer = accelerator.prepare(model, optimizer)
    encode = partial(_encode, model)
    cache = GradientCache(encode, chunk_size=recipe.chunk, again=partial(_encode, itself)) if recipe.chunk else None
    loader = batches(
        data, batch=recipe.batch, first=first, last=recipe.steps, seed=recipe.seed, workers=recipe.workers,
        rank=rank, world=world, partners=objective.partners,
    )  # fmt: skip
    started = saved = time.perf_counter()
    bar = progress(loader, desc="training", initial=first, total=recipe.steps, disable=rank > 0)
    for done, (images, *texts) in enumerate(bar, first + 1):
        model.train()
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(recipe, done - 1)
        images = images.to(accelerator.device, memory_format=torch.channels_last, non_blocking=True)
        texts = [tokens.to(accelerator.device, non_blocking=True) for tokens in texts]
        more = {"partners": texts.pop()} if objective.partners else {}
        with accelerator.autocast():
            outputs = (cache.encode if cache else encode)(images, *texts)
        if len(texts) == 2:  # a caption without a hard negative has its own tokens in the negative's place
            *outputs, more["negatives"] = outputs
            more["present"] = (texts[0] != texts[1]).any(1)
        terms, telemetry = objective(*outputs, step=done, **more)
        loss = sum(terms.values())
        if not torch.isfinite(loss):
            found = {name: float(term.detach()) for name, term in terms.items()}
            raise FloatingPointError(f"step {done}: a loss of {found}")
        accelerator.backward(loss)
        for parameter in objective.parameters():  # a matching head; the model's gradients are averaged by its wrapper
            parameter.grad = accelerator.reduce(parameter.grad, "mean")
        norm = accelerator.clip_grad_norm_([*model.parameters(), *objective.parameters()], recipe.max_norm)
        optimizer.step()
        optimizer.zero_grad()
        with torch.no_grad():
            itself.logit_scale.clamp_(0, math.log(100))
        if average:
            average.update_parameters(itself)
        last = done == recipe.steps
        validated = validate is not None and (last or _due(done, recipe.validate_every))
        if validated or last or _due(done, recipe.log_every):
            row = {"step": done, "lr": learning_rate(recipe, done - 1), "logit_scale": outputs[2], "grad_norm": norm}
            row |= {**_mean_over_ranks(terms, accelerator), **telemetry}
            if validated:
                with _weights_of(average, itself):
                    row |= validate(itself)
                    _keep_best(best, row, recipe, itself, objective)
            history.append({name: float(torch.as_tensor(value).detach()) for name, value in row.items()})
            for name in (row.keys() - {"step"}) if events else ():
                events.add_scalar(name, history[-1][name], done)
            bar.set_postfix({name: f"{float(term.detach()):.3f}" for name, term in terms.items()})
        late = recipe.checkpoint_minutes and time.perf_counter() - saved > 60 * recipe.checkpoint_minutes
        if rank == 0 and (_due(done, recipe.checkpoint_every) or late):
            states = {name: part.state_dict() for name, part in parts.items()}
            checkpoint.save({**states, "step": done, "history": history, "best": best, "skipped": data.skipped})
            saved = time.perf_counter()
        if recipe.patience and best["waited"] >= recipe.patience:
            break
    if rank == 0:
        print(f"{(done - first) * recipe.batch / (time.perf_counter() - started):.0f} samples/s", file=sys.stderr)
        checkpoint.remove()
    if events:
        events.close()
    if best["weights"] is not None:
        itself.load_state_dict(best["weights"]["model"])
        objective.load_state_dict(best["weights"]["objective"])
    elif average:
        itself.load_state_dict(average.module.state_dict())
    table = pd.DataFrame(history).astype({"step": int})
    if data.damaged == "skip":
        skipped = torch.tensor(data.skipped, device=accelerator.device)
        table.attrs["damaged"] = int(accelerator.reduce(skipped, "sum"))
        if rank == 0:
            print(f"{table.attrs['damaged']} damaged pictures skipped", file=sys.stderr)
    return table


def _check_fit(objective: Objective, data: CaptionedImages, recipe: Recipe) -> None:
    if (objective.method in NEGATIVES) != (data.negative_tokens is not None):
        wanted = "with" if objective.method in NEGATIVES else "without"
        raise InputError(f"data {wanted} hard-negative captions for {objective.method}", "the other", where="fit")
    if objective.head is not None and recipe.ema:
        raise InputError("ema 0 with a matching head, which is not averaged", recipe.ema, row="ema")


def _encode(model: torch.nn.Module, images: torch.Tensor, tokens: torch.Tensor, *negatives: torch.Tensor):
    """What ``model`` returns; the features of hard-negative captions, where given, behind all else.

    One forward call for both kinds of caption: a second would upset the wrapper that averages gradients.
    """
    if not negatives:
        return model(images, tokens)
    image, text, *others = model(images, torch.cat([tokens, *negatives]))
    return image, text[: len(tokens)], *others, text[len(tokens) :]


def _events(folder: str, first: int):
    """TensorBoard's writer; what a killed run logged behind its checkpoint is dropped."""
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise InputError("the package tensorboard (the extra `tensorboard`)", "not installed") from error
    return SummaryWriter(folder, purge_step=first + 1 if first else None)


def _due(step: int, every: int) -> bool:
    return every > 0 and step % every == 0


def _mean_over_ranks(terms: dict[str, torch.Tensor], accelerator: Accelerator) -> dict[str, torch.Tensor]:
    """What one process with the whole batch would log: a rank's term covers its own rows."""
    return {name: accelerator.reduce(term.detach(), "mean") for name, term in terms.items()}


def _keep_best(best: dict, row: dict, recipe: Recipe, model: torch.nn.Module, objective: Objective) -> None:
    if not (recipe.patience or recipe.keep_best):
        return
    if recipe.monitor not in row:
        raise InputError(f"a monitor among {', '.join(row)}", repr(recipe.monitor), row="monitor")
    if float(row[recipe.monitor]) > best["value"]:
        weights = {name: value.detach().cpu().clone() for name, value in model.state_dict().items()}
        best["weights"] = {"model": weights, "objective": deepcopy(objective.state_dict())}
        best["value"], best["waited"] = float(row[recipe.monitor]), 0
    else:
        best["waited"] += 1


class _weights_of:
    """The averaged weights in the model's place while it is validated."""

    def __init__(self, average: AveragedModel | None, model: torch.nn.Module):
        self.average, self.model = average, model

    def __enter__(self) -> None:
        if self.average:
            self.own = {name: value.clone() for name, value in self.model.state_dict().items()}
            self.model.load_state_dict(self.average.module.state_dict())

    def __exit__(self, *_: object) -> None:
        if self.average:
            self.model.load_state_dict(self.own)
