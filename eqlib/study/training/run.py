"""One run from files to files: in this process, or on as many as a launcher starts.

    torchrun --nproc-per-node 8 -m eqlib.study.training.run OUTPUT/run.json

A notebook calls ``train`` and gets the same result either way: a kernel holds one process, so several are started
beside it, never inside. ``write_run`` leaves the file without training. On several machines that share their folders:

    torchrun --nnodes 2 --nproc-per-node 8 --rdzv-backend c10d --rdzv-endpoint HOST:29500 \
        -m eqlib.study.training.run OUTPUT/run.json
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from copy import deepcopy
from dataclasses import KW_ONLY, asdict, field, replace
from pathlib import Path
from typing import Annotated, Any, Literal
from uuid import uuid4

import numpy as np
import pandas as pd
import torch
from accelerate import Accelerator
from accelerate.tracking import get_available_trackers
from accelerate.utils import broadcast_object_list
from pydantic import AfterValidator

from eqlib.errors import InputError
from eqlib.files import read_json, whole, write_json
from eqlib.models.clip import load, save
from eqlib.models.matching import save_head
from eqlib.models.score import require
from eqlib.models.trainable import add_lora, merge_lora, train_only
from eqlib.study.parameters import Positive, record
from eqlib.study.parent import end_with
from eqlib.study.training.batches import CaptionedImages, check_knows
from eqlib.study.training.data import read_captions, read_suites
from eqlib.study.training.loop import fit
from eqlib.study.training.objective import Objective
from eqlib.study.training.recipe import Recipe, accelerator_for
from eqlib.study.training.validate import validator

SCRATCH = "scratch/checkpoints"


def _installed(trackers: list[str]) -> list[str]:
    there = [str(getattr(tracker, "value", tracker)) for tracker in get_available_trackers()]  # others are dropped
    if missing := set(trackers) - set(there):
        raise InputError(f"trackers that are installed ({', '.join(there)})", ", ".join(sorted(missing)))
    return trackers


@record
class Options:
    """What trains and how, beside the recipe. ``part`` is one of ``train_only``'s, or ``lora``. ``aug_cfg`` goes to
    open_clip's training transform; ``grad_checkpointing`` computes activations twice and keeps none. ``damaged``:
    "fail" stops at a training picture that cannot be read, before the first step where it is missing or cut off; "skip"
    takes another in its place and counts it in metrics.json. ``trackers`` are accelerate's ("tensorboard", "wandb",
    ...), which write under output/logs; they decide nothing."""

    _: KW_ONLY
    part: Literal["all", "text", "image", "last", "lora"] = "all"
    last: Positive = 1
    lora_rank: Positive = 8
    aug_cfg: dict[str, Any] = field(default_factory=dict)
    grad_checkpointing: bool = False
    damaged: Literal["fail", "skip"] = "fail"
    trackers: Annotated[list[str], AfterValidator(_installed)] = field(default_factory=list)


@record
class Run(Options):
    """Everything that decides a run's weights. ``suites`` are held out of training; ``validation`` names the one that
    is watched. ``settings`` are the method's own."""

    init: str
    method: str
    data_root: str
    captions: str
    split: str
    val_split: str
    suites: dict[str, dict]
    validation: str
    recipe: Recipe
    settings: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.validation not in self.suites:
            raise InputError(f"a suite ({', '.join(self.suites)})", repr(self.validation), row="validation")

    @classmethod
    def configured(cls, values: dict[str, Any], **rest: Any) -> Run:
        """``values`` name fields of the recipe (steps, batch, lr, ...) and fields here (part, ...) in one dictionary;
        ``rest`` are fields here. Raises InputError for an unknown name or a value of another type."""
        recipe = {name: value for name, value in values.items() if name in Recipe.__dataclass_fields__}
        more = {name: value for name, value in values.items() if name not in recipe}
        return cls(recipe=Recipe(**recipe), **more, **rest)


def write_run(run: Run, output: str | Path) -> Path:
    """``output``/run.json, from which a launcher trains into ``output``. Relative paths are the launcher's."""
    write_json(Path(output) / "run.json", asdict(run))
    return Path(output) / "run.json"


def train(
    run: Run,
    output: str | Path,
    *,
    processes: int = 1,
    scratch: str = SCRATCH,
    on_log: Callable[[pd.DataFrame], None] | None = None,
) -> pd.DataFrame:
    """Train ``run``; leave ``output``/model (open_clip's folder form, with a matching head beside it where one was
    trained: `eqlib.models.matching.load_head`), step-N likewise every ``export_every`` steps, history.csv, metrics.json
    and run.json. The history. ``on_log``: see `fit`, on one process.

    ``processes`` > 1 are started by torchrun, on GPUs where there are any, else on the CPU. Raises InputError where
    there are GPUs, but fewer, and where a file is missing, before the first step.
    """
    if torch.cuda.is_available() and processes > torch.cuda.device_count():
        raise InputError(f"at most {torch.cuda.device_count()} processes, one a GPU", processes, row="processes")
    written = write_run(run, output)
    if processes == 1:
        return _train(run, Path(output), scratch, on_log)
    command = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)]
    command += ["-m", "eqlib.study.training.run", str(written), scratch]
    done = subprocess.run([sys.executable, *command], env=os.environ | {"EQLIB_PARENT": str(os.getpid())})
    if done.returncode:
        raise RuntimeError(f"training on {processes} processes failed with exit code {done.returncode}")
    return pd.read_csv(Path(output) / "history.csv")


def check(*runs: Run) -> None:
    """Raises InputError where one of ``runs`` could not start, for its method's settings or for what its captions lack.

    A stage that trains many calls it before the first: hours later is too late.
    """
    captions = {}
    for run in runs:
        objective = Objective(run.method, run.settings, dim=1)
        source = (run.data_root, run.captions, run.split)
        if source not in captions:
            captions[source] = read_captions(*source, held_out=read_suites(run.data_root, run.suites))
        check_knows(captions[source], **{need: True for need in objective.needs})


def _train(run: Run, output: Path, scratch: str, on_log: Callable | None = None) -> pd.DataFrame:
    recipe = run.recipe
    accelerator = accelerator_for(recipe, log_with=run.trackers or None, project_dir=str(output))
    plain = {"method": run.method, **{k: v for k, v in asdict(recipe).items() if v is not None}}
    accelerator.init_trackers("logs", config=plain)
    quads = read_suites(run.data_root, run.suites)
    captions = read_captions(run.data_root, run.captions, run.split, held_out=quads)
    val = read_captions(run.data_root, run.captions, run.val_split, held_out=quads)
    if accelerator.is_local_main_process:
        for suite in (*([captions] if run.damaged == "fail" else []), val, *quads.values()):
            require(suite)
    bundle = load(run.init, seed=recipe.seed, device=accelerator.device, aug_cfg=run.aug_cfg or None)
    objective = Objective(run.method, run.settings, seed=recipe.seed, dim=bundle.config["model_cfg"]["embed_dim"])
    if run.grad_checkpointing:
        bundle.model.set_grad_checkpointing(True)
    tuner = add_lora(bundle.model, rank=run.lora_rank, seed=recipe.seed) if run.part == "lora" else None
    if tuner is None:
        train_only(bundle.model, run.part, last=run.last)
    data = CaptionedImages(
        captions,
        bundle.preprocess_train,
        _once(bundle.tokenizer, accelerator, Path(scratch)),
        seed=recipe.seed,
        damaged=run.damaged,
        negatives="negatives" in objective.needs,
    )

    amp = {"no": "fp32", "bf16": "amp_bf16", "fp16": "amp"}[accelerator.mixed_precision]
    watched = replace(bundle, precision=amp)

    def export(name: str, history: pd.DataFrame) -> None:
        model = bundle.model if tuner is None else merge_lora(deepcopy(tuner))
        kept = replace(bundle, model=model)
        save(kept, output / name)
        if objective.head is not None:
            save_head(objective.head, output / name)
        if name != "model":
            return
        numbers = history.select_dtypes("float")  # ten digits: those behind are the processor's
        kept_digits = history.assign(**{name: [float(f"{v:.10g}") for v in numbers[name]] for name in numbers})
        with whole(output / "history.csv") as file:
            kept_digits.to_csv(file, index=False)
        found = {"method": run.method, "settings": run.settings, "seed": recipe.seed, "notes": captions.notes}
        found |= {"weights": kept.fingerprint, "images": len(captions.images), "processes": accelerator.num_processes}
        last = kept_digits.iloc[-1].drop("step").dropna().to_dict()
        write_json(output / "metrics.json", {**found, "last": last, **history.attrs})

    history = fit(
        bundle.model,
        data,
        objective,
        recipe,
        accelerator=accelerator,
        settings=asdict(replace(run, trackers=[])),
        validate=validator(watched, quads[run.validation], val, head=objective.head, workers=recipe.workers_of(1)),
        on_log=on_log,
        export=export,
        scratch=scratch,
    )
    accelerator.end_training()
    return history


def _once(tokenizer: Callable, accelerator: Accelerator, scratch: Path) -> Callable:
    """``tokenizer`` as one process of each machine runs it; the others map what it found into their memory."""

    def tokens(texts: list[str]) -> torch.Tensor:
        path = scratch / f"tokens-{broadcast_object_list([uuid4().hex])[0]}.npy"
        if accelerator.is_local_main_process:
            with whole(path) as draft, draft.open("wb") as file:
                np.save(file, tokenizer(texts).numpy())
        accelerator.wait_for_everyone()
        mapped = torch.from_numpy(np.load(path, mmap_mode="c"))
        accelerator.wait_for_everyone()
        path.unlink(missing_ok=True)  # what is mapped stays
        return mapped

    return tokens if accelerator.num_processes > 1 else tokenizer


def main() -> None:
    if "EQLIB_PARENT" in os.environ:
        end_with(int(os.environ["EQLIB_PARENT"]))
    written = Path(sys.argv[1])
    values = read_json(written)
    _train(Run(**values | {"recipe": Recipe(**values["recipe"])}), written.parent, (*sys.argv[2:], SCRATCH)[0])


if __name__ == "__main__":
    main()
