"""Training speed against open_clip_train and the memory that gradient caching saves, each as a ratio within one run.

Both trainers get the same model, pictures (a CSV), batch, precision and clipping, in turns. Ours is timed from the
tokenizer to the last step; theirs is its epoch alone, with the data set already made: the harder comparison.
"""

from __future__ import annotations

import csv
import json
import statistics
import subprocess
import sys
import time

import numpy as np
import open_clip
import pytest
from PIL import Image

from eqlib.models.clip import load
from eqlib.study.training.batches import CaptionedImages
from eqlib.study.training.data import read_captions
from eqlib.study.training.loop import fit
from eqlib.study.training.objective import Objective
from eqlib.study.training.recipe import Recipe

IMAGES, BATCH, ROUNDS = (
    2048,
    64,
    3,
)  # enough steps that what a run costs once (reading, a collection) is not what is timed
POOL, CHUNK = 4096, 128
MODEL = {
    "embed_dim": 64,
    "vision_cfg": {"layers": 3, "width": 128, "head_width": 32, "patch_size": 16, "image_size": 64},
    "text_cfg": {"context_length": 16, "vocab_size": 49408, "width": 128, "heads": 4, "layers": 2},
}


@pytest.fixture
def folder(tmp_path):
    rng = np.random.default_rng(0)
    rows = []
    for n in range(IMAGES):
        path = tmp_path / f"{n}.png"
        Image.fromarray(rng.integers(0, 255, (64, 64, 3), dtype=np.uint8)).save(path)
        rows.append((path.name, f"picture {n} of noise", "train"))
    for name, root in (("ours.csv", ""), ("theirs.csv", f"{tmp_path}/")):  # open_clip_train takes no root
        with (tmp_path / name).open("w", newline="") as file:
            csv.writer(file).writerows([("path", "caption", "split"), *((root + path, *rest) for path, *rest in rows)])
    (tmp_path / "speed-model.json").write_text(json.dumps(MODEL))
    open_clip.add_model_config(tmp_path / "speed-model.json")
    return tmp_path


def ours(folder, number, method="contrastive") -> float:
    bundle = load(MODEL, seed=0)
    suite = read_captions(folder, "ours.csv", "train")
    recipe = Recipe(steps=IMAGES // BATCH, batch=BATCH, lr=1e-3, seed=number, warmup=1, log_every=1000, workers=0)
    started = time.perf_counter()
    data = CaptionedImages(suite, bundle.preprocess_train, bundle.tokenizer, seed=number)
    fit(bundle.model, data, Objective(method), recipe, scratch=str(folder / "scratch"))
    return IMAGES / (time.perf_counter() - started)


def theirs(folder, number, training, monkeypatch) -> float:
    epoch, spent = training.train_one_epoch, []

    def timed(*arguments, **options):
        started = time.perf_counter()
        epoch(*arguments, **options)
        spent.append(time.perf_counter() - started)

    arguments = f"""--model speed-model --dataset-type csv --train-data {folder}/theirs.csv --csv-separator ,
        --csv-img-key path --csv-caption-key caption --batch-size {BATCH} --epochs 1 --warmup 1
        --lr 1e-3 --wd 0.1 --workers 0 --grad-clip-norm 1.0 --precision fp32 --device cpu
        --log-every-n-steps 1000 --save-frequency 0
        --logs {folder}/logs --name run{number}"""
    with monkeypatch.context() as patch:
        patch.setattr(training, "train_one_epoch", timed)
        training.main(arguments.split())
    return IMAGES / sum(spent)


def test_samples_a_second_against_open_clip_train(benchmark, folder, monkeypatch):
    training = pytest.importorskip("open_clip_train.main")
    ours(folder, 0)  # both warm
    theirs(folder, 0, training, monkeypatch)
    found = []

    def turn():
        number = len(found) + 1
        found.append(
            (ours(folder, number), ours(folder, number, "eqsim"), theirs(folder, number, training, monkeypatch))
        )

    benchmark.pedantic(turn, rounds=ROUNDS)
    mine, with_eqsim, other = (statistics.median(values) for values in zip(*found, strict=True))
    ratio, again = (statistics.median(one[n] / one[2] for one in found) for n in (0, 1))
    benchmark.extra_info.update(ours=mine, with_eqsim=with_eqsim, open_clip_train=other, ratio=ratio, ratio_eqsim=again)
    rounds = ", ".join(f"{a / c:.2f} {b / c:.2f}" for a, b, c in found)
    print(f"\nsamples/s: {mine:.0f}, with EqSim {with_eqsim:.0f}, open_clip_train {other:.0f}")
    print(f"ratios {ratio:.2f}, with EqSim {again:.2f} (rounds {rounds})")
    assert ratio > 0.9
    assert again > 0.85


STEP = f"""
import json, resource, sys
import torch
from eqlib.losses import GradientCache
from eqlib.models.clip import load
from eqlib.study.training.objective import Objective

chunk = int(sys.argv[1])
model = load(json.loads(sys.argv[2]), seed=0).model.train()
objective = Objective("eqsim", {{"weight": 1.0}})
cache = GradientCache(model, chunk_size=chunk) if chunk else None
torch.manual_seed(0)
images, tokens = torch.randn({POOL}, 3, 64, 64), torch.randint(1, 40000, ({POOL}, 16))
tokens[:, -1] = 49407
rest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
terms, _ = objective(*(cache.encode if cache else model)(images, tokens))
sum(terms.values()).backward()
norm = torch.stack([p.grad.norm() for p in model.parameters() if p.grad is not None]).norm()
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - rest) / 1024, float(norm))
"""


def peak(chunk: int) -> tuple[float, float]:
    """MiB that one step adds to the process, and the norm of its gradient."""
    command = [sys.executable, "-c", STEP, str(chunk), json.dumps(MODEL)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    memory, norm = done.stdout.split()[-2:]
    return float(memory), float(norm)


def test_peak_memory_of_gradient_caching_at_a_large_pool(benchmark):
    plain, norm = peak(0)
    chunked, again = benchmark.pedantic(peak, (CHUNK,), rounds=1)
    benchmark.extra_info.update(plain=plain, chunked=chunked)
    print(f"\npool {POOL}: {plain:.0f} MiB plain, {chunked:.0f} MiB in chunks of {CHUNK}, {plain / chunked:.1f}x less")
    assert again == pytest.approx(norm, rel=1e-3)  # the same step
    assert chunked < plain / 2
