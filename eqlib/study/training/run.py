"""One run from files to files: in this process, or on several through ``accelerate launch``.

    python -m eqlib.study.training.run SETTINGS.json     # what the launcher starts on every process

A notebook calls ``train`` and gets the same result either way: a kernel holds one process, so several are started
beside it, never inside.
"""

from __future__ import annotations

import subprocess
import sys
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import pandas as pd
import torch
from accelerate import Accelerator

from eqlib.errors import InputError
from eqlib.files import read_json, whole, write_json
from eqlib.models.clip import load, save
from eqlib.models.matching import save_head
from eqlib.models.score import require
from eqlib.models.trainable import add_lora, merge_lora, train_only
from eqlib.study.training.batches import CaptionedImages, check_knows
from eqlib.study.training.loop import fit
from eqlib.study.training.material import read_captions, read_suites
from eqlib.study.training.objective import NEGATIVES, Objective
from eqlib.study.training.recipe import Recipe
from eqlib.study.training.validate import validator


@dataclass(frozen=True)
class Run:
    """Everything that decides a run's weights. ``suites`` are held out of training; ``validation`` names the one that
    is watched. ``part`` is one of ``train_only``'s, or ``lora``. ``settings`` are the method's own. ``damaged``:
    "fail" stops at a training picture that cannot be read, before the first step where it is missing or cut off; "skip"
    takes another in its place and counts it in metrics.json. ``tensorboard`` is a folder for TensorBoard's event files,
    or empty; it decides nothing."""

    init: str
    method: str
    data_root: str
    captions: str
    split: str
    val_split: str
    suites: dict[str, dict]
    validation: str
    recipe: Recipe
    settings: dict = field(default_factory=dict)
    part: str = "all"
    last: int = 1
    lora_rank: int = 8
    damaged: str = "fail"
    tensorboard: str = ""


def train(run: Run, output: str | Path, *, processes: int = 1, scratch: str = "scratch/checkpoints") -> pd.DataFrame:
    """Train ``run``; leave ``output``/model (open_clip's folder form, with a matching head beside it where one was
    trained: `eqlib.models.matching.load_head`), history.csv and metrics.json. The history.

    With ``processes`` > 1 ``accelerate launch`` starts them: GPUs where there are that many, else CPU processes. For
    several machines start ``python -m eqlib.study.training.run`` under torchrun yourself. Raises InputError where
    ``validation`` is not among the suites or a file is missing, before the first step.
    """
    if run.validation not in run.suites:
        raise InputError(f"a suite ({', '.join(run.suites)})", repr(run.validation), row="validation")
    output = Path(output)
    if processes == 1:
        return _train(run, output, scratch)
    settings = Path(scratch) / f"launch-{output.name}.json"
    write_json(settings, {**asdict(run), "output": str(output), "scratch": scratch})
    where = [] if torch.cuda.device_count() >= processes else ["--cpu"]
    several = ["--multi_gpu"] if not where else []
    command = ["-m", "accelerate.commands.launch", *where, *several, "--num_processes", str(processes)]
    options = ["--num_machines", "1", "--mixed_precision", run.recipe.precision, "--dynamo_backend", "no"]
    done = subprocess.run([sys.executable, *command, *options, "-m", "eqlib.study.training.run", str(settings)])
    if done.returncode:
        raise RuntimeError(f"training on {processes} processes failed with exit code {done.returncode}")
    settings.unlink()
    return pd.read_csv(output / "history.csv")


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
        check_knows(captions[source], negatives=run.method in NEGATIVES, partners=objective.partners)


def _train(run: Run, output: Path, scratch: str) -> pd.DataFrame:
    recipe = run.recipe
    accelerator = Accelerator(cpu=not torch.cuda.is_available(), mixed_precision=recipe.precision)
    quads = read_suites(run.data_root, run.suites)
    captions = read_captions(run.data_root, run.captions, run.split, held_out=quads)
    val = read_captions(run.data_root, run.captions, run.val_split, held_out=quads)
    for suite in (*([captions] if run.damaged == "fail" else []), val, *quads.values()):
        require(suite)
    bundle = load(run.init, seed=recipe.seed, device=accelerator.device)
    init = bundle.fingerprint
    tuner = add_lora(bundle.model, rank=run.lora_rank) if run.part == "lora" else None
    if tuner is None:
        train_only(bundle.model, run.part, last=run.last)
    objective = Objective(
        run.method,
        run.settings,
        seed=recipe.seed,
        rank=accelerator.process_index,
        world=accelerator.num_processes,
        dim=bundle.config["model_cfg"]["embed_dim"],
    )
    history = fit(
        bundle.model,
        CaptionedImages(
            captions,
            bundle.preprocess_train,
            bundle.tokenizer,
            seed=recipe.seed,
            damaged=run.damaged,
            negatives=run.method in NEGATIVES,
        ),
        objective,
        recipe,
        accelerator=accelerator,
        settings={
            "run": asdict(replace(run, tensorboard="")),
            "data": captions.digest,
            "init": init,
            "world": accelerator.num_processes,
        },
        validate=validator(bundle, quads[run.validation], val, head=objective.head),
        scratch=scratch,
        tensorboard=run.tensorboard or None,
    )
    if tuner is not None:
        merge_lora(tuner)
    if accelerator.is_main_process:
        save(bundle, output / "model")
        if objective.head is not None:
            save_head(objective.head, output / "model")
        with whole(output / "history.csv") as file:
            history.to_csv(file, index=False)
        kept = {"method": run.method, "settings": run.settings, "seed": recipe.seed, "notes": captions.notes}
        last = history.iloc[-1].drop("step").dropna().to_dict()
        write_json(
            output / "metrics.json",
            {**kept, "weights": bundle.fingerprint, "images": len(captions.images), "last": last, **history.attrs},
        )
    accelerator.wait_for_everyone()
    return history


def main() -> None:
    given = read_json(sys.argv[1])
    output, scratch = given.pop("output"), given.pop("scratch")
    run = Run(**{**given, "recipe": Recipe(**given["recipe"])})
    _train(run, Path(output), scratch)
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()


if __name__ == "__main__":
    main()
