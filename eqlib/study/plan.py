"""What a study will take, before anything starts: ``python -m eqlib.study.plan [PROFILE] [--set a.b=value]``.

Stages as DVC reads them under the profile; inputs found or missing, each with the line of ``eqlib doctor`` that looks
closer; what is encoded; disk; and time, an estimate from a calibration of at most 30 seconds. The exit code is 1 where
an input is missing or a section is wrong. Nothing is drawn, trained or downloaded.
"""

import argparse
import logging
import math
import shlex
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from contextlib import chdir
from pathlib import Path
from typing import Any, NamedTuple

import open_clip
import torch
from dvc.repo import Repo
from huggingface_hub import snapshot_download
from open_clip.pretrained import get_pretrained_cfg
from PIL import Image

from eqlib.errors import InputError
from eqlib.models.clip import CLIP, best_device, load
from eqlib.study.check import require
from eqlib.study.command import command
from eqlib.study.parameters import sections
from eqlib.study.profile import configured, write
from eqlib.study.training.data import read_captions, read_suites
from eqlib.study.training.objective import Objective
from eqlib.study.training.recipe import parameter_groups
from eqlib.study.weights import files_of
from eqlib.suites.doctor import check as examined
from eqlib.suites.images import open_image
from eqlib.suites.suite import AnySuite, RetrievalSuite

BUDGET = 30.0
"""Seconds of the calibration, at most."""

STARTING = 8.0
"""Seconds that a notebook takes before it computes: a kernel, and open_clip in it."""


class Input(NamedTuple):
    """Something that a run reads: ``state`` is found, MISSING, or what will make it; ``line`` looks closer."""

    name: str
    state: str
    told: str
    line: str = ""


class Speed(NamedTuple):
    """Seconds for one picture of a training step, one picture encoded, one caption encoded."""

    trained: float
    picture: float
    caption: float


def stages_of(params: dict[str, Any]) -> Counter:
    """Stages that lead to the report, by name; of a matrix how many. DVC's own reading of dvc.yaml, in a scratch
    folder."""
    logging.getLogger("dvc").setLevel(logging.WARNING)
    with tempfile.TemporaryDirectory() as folder:
        for name in ("dvc.yaml", "data.dvc"):
            (Path(folder) / name).write_bytes(Path(name).read_bytes())
        write(params, Path(folder) / "params.yaml")
        with chdir(folder), Repo.init(no_scm=True) as repo:  # DVC finds a stage by its name where it works alone
            needed = repo.stage.collect("report", with_deps=True)
            return Counter(stage.addressing.partition("@")[0] for stage in needed)


def inputs_of(params: dict[str, Any]) -> list[Input]:
    """Captions, suites, classes and score files, looked at by the doctor: both ends of each picture."""
    data = params["data"]
    root = Path(data["data_root"])
    captions = {"reader": "captions", "path": data["captions"]}
    captions |= {"root": str(root)} if Path(data["captions"]).is_absolute() else {}
    splits = {f"captions {split}": captions | {"split": split} for split in data["splits"].values()}
    inputs = []
    for name, entry in [*data["suites"].items(), *splits.items()]:
        reader, path = entry["reader"], root / entry["path"]
        options = {key: value for key, value in entry.items() if key not in ("reader", "path")}
        if "root" in options:
            options["root"] = root / options["root"]
        known = [key for key in ("root", "suffix", "split") if key in options]  # of eqlib doctor
        line = shlex.join(["eqlib", "doctor", reader, str(path), *(f"--{key}={options[key]}" for key in known)])
        try:
            report = examined(reader, path, decode=False, show_progress=False, **options)
        except InputError as error:
            inputs.append(Input(name, "MISSING", str(error), line))
            continue
        counts = f"{int(report.table['records'].sum()):,} items, {int(report.table['images'].sum()):,} pictures"
        state = "MISSING" if report.offenders else "found"
        inputs.append(Input(name, state, "; ".join([counts, *report.problems]), line))
    classes, scores = params["tradeoff"]["classes"], params["conformance"]["real_scores"]
    for name, place in (("tradeoff.classes", classes and root / classes), ("conformance.real_scores", scores)):
        if place:
            inputs.append(Input(name, "found" if Path(place).is_dir() else "MISSING", str(place)))
    return inputs


def model_of(spec: str, name: str) -> Input:
    """Whether the weights of a model are here: on the disk, in the hub's cache, or to be fetched or drawn."""
    architecture, _, tag = spec.partition("/")
    ours = architecture in open_clip.list_models()
    hub = spec.partition(":")[2] if spec.startswith(("hf:", "hf-hub:")) else ""
    if ours and (known := get_pretrained_cfg(architecture, tag)):
        hub = known["hf_hub"]
    if hub:
        repository, _, revision = "/".join(hub.split("/")[:2]).partition("@")
        try:
            snapshot_download(repository, revision=revision or None, local_files_only=True)
        except Exception:  # the hub's own, and ValueError
            return Input(name, "to fetch", f"{spec}: fetched from its hub at the first run")
        return Input(name, "found", f"{spec}, in the hub's cache")
    if files_of(spec):
        return Input(name, "found", spec)
    if ours and tag == "random":
        return Input(name, "to draw", spec)
    plug_in = ":" in spec and not spec.startswith("local-dir:")  # a function of your own
    return Input(name, "found" if plug_in else "MISSING", spec)


def encoded(data: dict[str, Any]) -> tuple[tuple[set[Path], set[str]], tuple[set[Path], set[str]]]:
    """(pictures, captions) of all suites and the validation captions, and of what is watched while training. Pictures
    are told apart by path."""
    suites = read_suites(data["data_root"], data["suites"])
    val = read_captions(data["data_root"], data["captions"], data["splits"]["val"], held_out=suites)
    return _distinct(*suites.values(), val), _distinct(suites[data["validation"]], val)


def _distinct(*suites: AnySuite) -> tuple[set[Path], set[str]]:
    pictures: set[Path] = set()
    captions: set[str] = set()
    for suite in suites:
        pictures.update(suite.root / name for name in suite.pictures()["picture"].unique())
        retrieval = isinstance(suite, RetrievalSuite)
        captions.update(*([suite.captions] if retrieval else [suite.records[column] for column in suite.CAPTIONS]))
    return pictures, captions


def calibrated(bundle: CLIP, pictures: list[Path], batch: int, workers: int = 0) -> Speed:
    """From one training step and one batch encoded, of real pictures where there are some, which ``workers`` decode. A
    batch that would not fit into BUDGET is timed by a part of it."""
    images = [open_image(path) for path in pictures] or [Image.new("RGB", (256, 256))]
    decoding = _seconds(lambda: [bundle.preprocess_train(open_image(path)) for path in pictures])
    decoding /= len(images) * max(1, workers)
    pixels, device = torch.stack([bundle.preprocess_val(image) for image in images]), bundle.device
    objective = Objective("contrastive")
    optimizer = torch.optim.AdamW(parameter_groups(bundle.model, 0.1), lr=0.0)
    tokens = bundle.tokenizer(["a photograph of a thing"])

    def step(size: int) -> None:
        shown = pixels.repeat(math.ceil(size / len(pixels)), 1, 1, 1)[:size].to(device)
        terms, _ = objective(*bundle.model(shown, tokens.expand(size, -1).to(device)))
        sum(terms.values()).backward()
        optimizer.step()
        optimizer.zero_grad()

    bundle.model.train()
    size = min(8, batch)
    step(size)  # allocates and compiles
    each = _seconds(lambda: step(size)) / size
    if each * batch < BUDGET / 2:
        each = _seconds(lambda: step(batch)) / batch
    shown, texts = pixels.repeat(4, 1, 1, 1), tokens.expand(32, -1)
    picture = _seconds(lambda: bundle.encode_images(shown)) / len(shown)
    return Speed(each + decoding, picture + decoding, _seconds(lambda: bundle.encode_captions(texts)) / len(texts))


def _seconds(do: Callable[[], object]) -> float:
    began = time.perf_counter()
    do()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter() - began


def times(params: dict[str, Any], speed: Speed, every: tuple[int, int], watched: tuple[int, int]) -> dict[str, float]:
    """Seconds of each costly stage, without what a notebook takes to start."""
    pretrain, finetune, study = params["pretrain"], params["finetune"], params["study"]
    runs, starts = len(study["methods"]) * len(study["seeds"]), len(study["starts"])
    grids = params["select"]["grids"].values()
    settings = sum(math.prod(map(len, product.values())) for products in grids for product in products)
    look, score = (pictures * speed.picture + captions * speed.caption for pictures, captions in (watched, every))

    def training(section: dict[str, Any], every: int | None = None) -> float:
        looks = 1 + (math.ceil(section["steps"] / every) if every else 0)  # also at step 0; without, at the last
        return section["steps"] * section["batch"] * speed.trained + looks * look

    return {
        "pretrain": starts * training(pretrain, pretrain.get("validate_every")) if pretrain["steps"] else 0.0,
        "select": (1 + settings) * training(finetune),
        "finetune": runs * training(finetune, finetune.get("validate_every")),
        "evaluate": (starts + runs) * score,
        "tradeoff": runs * len(params["tradeoff"]["alphas"]) * look,
    }


def _stages_text(stages: Counter, params: dict[str, Any]) -> list[str]:
    matrices = {}
    for name, stage in sections("dvc.yaml")["stages"].items():
        if name in stages and "matrix" in stage:
            sides = {side: place[2:-1].split(".") for side, place in stage["matrix"].items()}  # ${section.key}
            counts = {side: len(params[section][key]) for side, (section, key) in sides.items()}
            sizes = [f"{count} {side}{'s' * (count != 1)}" for side, count in counts.items()]
            matrices[name] = f"  {name}: {stages[name]} = {' x '.join(sizes)}"
    single = sorted(stages.keys() - matrices.keys())
    return [f"stages: {sum(stages.values())}", *matrices.values(), f"  one each: {', '.join(single)}"]


def _duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:,.0f} s"
    return f"{seconds / 60:,.0f} min" if seconds < 7200 else f"{seconds / 3600:,.1f} h"


def planned(name: str, params: dict[str, Any]) -> bool:
    """Print the plan of ``params`` under the profile ``name``; whether every input is there. Raises InputError for a
    picture or a model that cannot be read."""
    stages = stages_of(params)
    print(*_stages_text(stages, params), sep="\n")
    if name:  # a relative path is one in the copy that a profile runs in
        params["data"]["data_root"] = str(Path("scratch/profile", name, params["data"]["data_root"]))
    drawn = "data.dvc" in stages and not Path(params["data"]["data_root"]).exists()
    inputs = [Input("data", "to draw", "by the stage scenes")] if drawn else inputs_of(params)
    inputs.append(init := model_of(params["pretrain"]["init"], "pretrain.init"))
    inputs += [model_of(entry["model"], f"study.models, {entry['name']}") for entry in params["study"]["models"]]
    print("inputs:")
    for one in inputs:
        print(f"  {one.state:<8} {one.name}: {one.told}" + (f"\n           {one.line}" if one.line else ""))
    if missing := sum(one.state == "MISSING" for one in inputs):
        print(f"{missing} missing: encodes, disk and time are told once they are there")
        return False
    models = 1 + len(params["study"]["methods"]) * len(params["study"]["seeds"])
    nothing: tuple[set[Path], set[str]] = (set(), set())
    both = (nothing, nothing) if drawn else encoded(params["data"])
    every, watched = ((len(pictures), len(captions)) for pictures, captions in both)
    known = "known once the data are drawn" if drawn else f"{every[0]:,} pictures and {every[1]:,} captions"
    print(f"encodes, each of {models} models: {known}")
    spec, finetune = params["pretrain"]["init"], params["finetune"]
    if init.state == "to fetch":
        spec = f"{spec.partition('/')[0]}/random"  # of the same size
        if spec.partition("/")[0] not in open_clip.list_models():
            print("disk and time: told once the model is here")
            return True
    bundle = load(spec, device=best_device())
    megabytes = 4 * sum(parameter.numel() for parameter in bundle.model.parameters()) / 1e6
    twice = f"{2 * models * megabytes:,.0f} MB"
    print(f"disk: {models} models of {megabytes:,.0f} MB, in build/ and in DVC's cache: {twice}")
    speed = calibrated(bundle, sorted(both[0][0])[:8], finetune["batch"], finetune.get("workers") or 0)
    found = times(params, speed, every, watched) | {"starting the notebooks": STARTING * sum(stages.values())}
    print(f"time on {bundle.device.type}, an estimate from one step and one batch: {_duration(sum(found.values()))}")
    print(*(f"  {name}: {_duration(seconds)}" for name, seconds in found.items()), sep="\n")
    if params["study"]["models"]:
        print("  study.models are not in it: eqlib evaluate MODEL SUITE PATH --out FOLDER --plan times each")
    return True


@command
def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m eqlib.study.plan", description=__doc__.splitlines()[0])
    parser.add_argument("name", nargs="?", default="", help="a file of profiles/, without .yaml; none: the study")
    parser.add_argument("--set", action="append", default=[], metavar="a.b=value", help="one more change")
    options = parser.parse_args(arguments)
    params = configured(options.name, options.set)
    require(params)
    return 0 if planned(options.name, params) else 1


if __name__ == "__main__":
    sys.exit(main())
