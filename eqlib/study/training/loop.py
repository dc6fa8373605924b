"""The training loop, on accelerate: resumable, every term logged, each step a function of the seed and its number."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import asdict
from functools import partial

import numpy as np
import pandas as pd
import torch
from accelerate import Accelerator
from accelerate.utils import broadcast_object_list
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from eqlib.errors import InputError
from eqlib.losses import GradientCache
from eqlib.models.clip import weights_digest
from eqlib.progress import progress
from eqlib.study.training.batches import CaptionedImages, batches
from eqlib.study.training.checkpoint import Checkpoint
from eqlib.study.training.objective import Objective
from eqlib.study.training.order import ORDER
from eqlib.study.training.recipe import Recipe, accelerator_for, adamw, learning_rate

_DROPOUT = ORDER + 3  # a random stream of the seed, beside those of the batches


def fit(
    model: torch.nn.Module,
    data: CaptionedImages,
    objective: Objective,
    recipe: Recipe,
    *,
    accelerator: Accelerator | None = None,
    settings: dict | None = None,
    validate: Callable[[torch.nn.Module], dict[str, float]] | None = None,
    on_log: Callable[[pd.DataFrame], None] | None = None,
    export: Callable[[str, pd.DataFrame], None] | None = None,
    scratch: str = "scratch/checkpoints",
) -> pd.DataFrame:
    """Train ``model`` (images, tokens -> features, features, scale[, bias]) in place, and with it the matching head of
    ``objective`` where that has one. The model comes back as it was wrapped: not at all.

    Returns the history: one row a logged step (counted from 1) with lr, logit_scale, grad_norm, each loss term, the
    telemetry and, every ``validate_every`` steps and at the end, what ``validate`` returns; before them a row of step 0
    which has that alone. The same rows go to the trackers of ``accelerator``, and all so far to ``on_log``. ``export``
    gets "step-N" every ``export_every`` steps and "model" at the end, when ``model`` holds the weights to keep, and the
    history. All three are the main process's.

    A killed run goes on from its last checkpoint and ends with the same weights (to the bit on one process). The
    checkpoint is that of recipe, objective, data, initial weights, number of processes and ``settings``, which adds
    what cannot be seen here (transforms); it goes once ``export`` has returned. Where ``data`` skips damaged pictures,
    ``history.attrs["damaged"]`` is how many were, over all epochs. Samples a second and these go to stderr.

    Raises FloatingPointError for a loss that is not finite, InputError for a damaged picture, a missing monitor, hard
    negatives that the objective needs and ``data`` lacks (or the reverse), or an ``ema`` beside a matching head.
    """
    accelerator = accelerator or accelerator_for(recipe)
    if ("negatives" in objective.needs) != (data.negative_tokens is not None):
        wanted = "with" if "negatives" in objective.needs else "without"
        raise InputError(f"data {wanted} hard-negative captions for {objective.method}", "the other", where="fit")
    if objective.head is not None and recipe.ema:
        raise InputError("ema 0 with a matching head, which is not averaged", recipe.ema, row="ema")
    with _left_as_found(model, accelerator):
        device, rank, world = accelerator.device, accelerator.process_index, accelerator.num_processes
        main, several = rank == 0, torch.nn.ModuleList([model, objective]).to(device)
        # with channels last a ResNet is 10 to 20 % faster on a CPU; a ViT, with its one convolution, is slower
        convolutions = sum(isinstance(module, torch.nn.Conv2d) for module in model.modules())
        layout = torch.channels_last if convolutions > 1 else torch.contiguous_format
        model.to(memory_format=layout)
        optimizer = adamw(several, recipe)
        average = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(recipe.ema)) if recipe.ema else None
        # open_clip_train's ceiling of 100, but never below a released temperature: SigLIP's models come with more
        scales = {
            p: max(math.log(100), float(p.detach().max()))
            for n, p in model.named_parameters()
            if n.endswith("logit_scale")
        }
        checkpoint = None
        if recipe.checkpoint_every or recipe.checkpoint_minutes:
            checkpoint = Checkpoint(scratch, accelerator, {
                "recipe": asdict(recipe), "method": objective.method, "settings": objective.settings, "more": settings,
                "data": data.digest, "processes": world,
                "weights": weights_digest(torch.nn.ModuleList(filter(None, [model, objective.head])), ""),
            })  # fmt: skip
        bare = model
        model, optimizer = accelerator.prepare(model, optimizer)
        history, best, first = [], {"value": -math.inf, "waited": 0, "weights": None}, 0
        parts = {"objective": objective} | ({"average": average} if average else {})
        if checkpoint and (state := checkpoint.load(*parts, "step", "history", "best", "skipped")):
            for name, part in parts.items():
                part.load_state_dict(state[name])
            first, history, best = state["step"], state["history"], state["best"]
            data.skipped = state["skipped"] if main else 0  # summed over processes at the end
        encode = partial(_encode, model)
        rows = math.ceil(recipe.batch / world / recipe.accum)
        if recipe.accum > 1:
            encode = GradientCache(encode, chunk_size=rows, again=partial(_encode, bare)).encode
        loader = batches(
            data, batch=recipe.batch, first=first, last=recipe.steps, seed=recipe.seed, rank=rank, world=world,
            workers=recipe.workers_of(max(1, torch.cuda.device_count()) if world > 1 else 1),
            partners="partners" in objective.needs,
        )  # fmt: skip

        def log(step: int, row: dict[str, float]) -> None:
            history.append({"step": step, **row})
            accelerator.log(row, step=step)
            if on_log and main:
                on_log(pd.DataFrame(history))

        if validate is not None and recipe.validate_every and not first:
            log(0, _on_main(accelerator, validate, bare))
        step, started = first, time.perf_counter()
        saved, failed = started, torch.zeros((), dtype=torch.long, device=device)
        bar = progress(desc="training", initial=first, total=recipe.steps, disable=not main)
        while step < recipe.steps and not (recipe.patience and best["waited"] >= recipe.patience):
            images, *texts = next(loader)
            step += 1
            _seed(recipe.seed, step, rank, device)
            model.train()
            for group in optimizer.param_groups:
                group["lr"] = learning_rate(recipe, step - 1)
            images = images.to(device, memory_format=layout, non_blocking=True)
            texts = [tokens.to(device, non_blocking=True) for tokens in texts]
            brought = {"partners": texts.pop()} if "partners" in objective.needs else {}
            with accelerator.autocast():
                outputs = encode(images, *texts)
            if len(texts) == 2:  # a caption without a hard negative has its own tokens in the negative's place
                *outputs, brought["negative_text_features"] = outputs
                brought["present"] = (texts[0] != texts[1]).any(1)
            terms, telemetry = objective(*outputs, step=step, **brought)
            # scale and bias at no weight: a parameter that no loss reads would leave data-parallel gradients waiting
            loss = sum(terms.values(), 0 * sum(output.sum() for output in outputs[2:]))
            failed = torch.where((failed == 0) & ~loss.detach().isfinite(), step, failed)
            accelerator.backward(loss)
            for parameter in objective.parameters():  # a head's; the wrapper averages the model's
                parameter.grad = accelerator.reduce(parameter.grad, "mean")
            norm = accelerator.clip_grad_norm_(
                [*model.parameters(), *objective.parameters()], recipe.max_norm or math.inf
            )
            optimizer.step()
            optimizer.zero_grad()
            with torch.no_grad():
                for scale, ceiling in scales.items():
                    scale.clamp_(0, ceiling)
            if average:
                average.update_parameters(bare)
            bar.update()
            last = step == recipe.steps
            validating = validate is not None and (last or _due(step, recipe.validate_every))
            logging, saving = validating or last or _due(step, recipe.log_every), _due(step, recipe.checkpoint_every)
            if (logging or saving) and int(failed):
                found = {name: float(term.detach()) for name, term in terms.items()}
                raise FloatingPointError(
                    f"step {int(failed)}: a loss that is not finite; terms of step {step}: {found}"
                )
            if logging:
                row = {"lr": learning_rate(recipe, step - 1), "logit_scale": outputs[2], "grad_norm": norm}
                # a process's term covers its own pairs: the mean is what one process with the whole batch would log
                row |= accelerator.reduce({name: term.detach() for name, term in terms.items()}, "mean") | telemetry
                row = {name: float(torch.as_tensor(value).detach()) for name, value in row.items()}
                if validating:
                    with _weights_of(average, bare):
                        row |= _on_main(accelerator, validate, bare)
                        _keep_best(best, row, recipe, bare, objective)
                log(step, row)
                bar.set_postfix({name: f"{row[name]:.3f}" for name in terms})
                if recipe.checkpoint_minutes:
                    late = time.perf_counter() - saved > 60 * recipe.checkpoint_minutes
                    saving = broadcast_object_list([saving or late])[0]  # clocks differ, and all must save together
            if export and _due(step, recipe.export_every) and main:
                with _weights_of(average, bare):
                    export(f"step-{step}", pd.DataFrame(history))
            if checkpoint and saving:
                states = {name: part.state_dict() for name, part in parts.items()}
                skipped = int(accelerator.reduce(torch.tensor(data.skipped, device=device), "sum"))
                checkpoint.save(step, {**states, "step": step, "history": history, "best": best, "skipped": skipped})
                saved = time.perf_counter()
        bar.close()
        if best["weights"] is not None:
            bare.load_state_dict(best["weights"]["model"])
            objective.load_state_dict(best["weights"]["objective"])
        elif average:
            bare.load_state_dict(average.module.state_dict())
        table = pd.DataFrame(history).astype({"step": int})
        if data.damaged == "skip":
            table.attrs["damaged"] = int(accelerator.reduce(torch.tensor(data.skipped, device=device), "sum"))
        if main:
            speed = (step - first) * recipe.batch / (time.perf_counter() - started)
            more = "".join(f", {count} damaged pictures skipped" for count in table.attrs.values())
            print(f"{speed:.0f} samples/s{more}", file=sys.stderr)
            accelerator.unwrap_model(model, keep_fp32_wrapper=False)
            if export:
                export("model", table)
        accelerator.wait_for_everyone()
        if checkpoint:
            checkpoint.remove()
        return table


@contextmanager
def _left_as_found(model: torch.nn.Module, accelerator: Accelerator) -> Iterator[None]:
    """After it ``model`` has no wrapper, random numbers go on as before and ``accelerator`` can prepare another."""
    with torch.random.fork_rng(devices=[torch.cuda.current_device()] if torch.cuda.is_available() else []):
        try:
            yield
        finally:
            accelerator.unwrap_model(model, keep_fp32_wrapper=False)
            accelerator.free_memory()


def _encode(model: torch.nn.Module, images: torch.Tensor, tokens: torch.Tensor, *negatives: torch.Tensor):
    """What ``model`` returns; the features of hard-negative captions, where given, behind all else.

    One forward call for both kinds of caption: a second would upset the wrapper that averages gradients.
    """
    if not negatives:
        return model(images, tokens)
    image, text, *others = model(images, torch.cat([tokens, *negatives]))
    return image, text[: len(tokens)], *others, text[len(tokens) :]


def _seed(seed: int, step: int, rank: int, device: torch.device) -> None:
    """Dropout, too, depends on seed and step alone: nothing that drew before, or was resumed, changes it."""
    value = int(np.random.SeedSequence([seed, _DROPOUT, step, rank]).generate_state(1)[0])
    torch.default_generator.manual_seed(value)
    if device.type == "cuda":
        torch.cuda.manual_seed(value)


def _due(step: int, every: int) -> bool:
    return every > 0 and step % every == 0


def _on_main(accelerator: Accelerator, validate: Callable, model: torch.nn.Module) -> dict[str, float]:
    """What ``validate`` finds, the same on every process: all decide alike when to stop."""
    return broadcast_object_list([validate(model) if accelerator.is_main_process else None])[0]


def _keep_best(best: dict, row: dict, recipe: Recipe, model: torch.nn.Module, objective: Objective) -> None:
    if not (recipe.patience or recipe.keep_best):
        return
    if recipe.monitor not in row:
        raise InputError(f"a monitor among {', '.join(row)}", repr(recipe.monitor), row="monitor")
    if row[recipe.monitor] > best["value"]:
        weights = {name: value.detach().cpu().clone() for name, value in model.state_dict().items()}
        best["weights"] = {"model": weights, "objective": deepcopy(objective.state_dict())}
        best["value"], best["waited"] = row[recipe.monitor], 0
    else:
        best["waited"] += 1


@contextmanager
def _weights_of(average: AveragedModel | None, model: torch.nn.Module) -> Iterator[None]:
    """The averaged weights, where there are any, in the model's place while it is validated or exported."""
    if average is None:
        yield
        return
    own = deepcopy(model.state_dict())
    model.load_state_dict(average.module.state_dict())
    try:
        yield
    finally:
        model.load_state_dict(own)
