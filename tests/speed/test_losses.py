"""What EqSim adds to a training step: ratios of medians within one run, forward and backward.

Every round runs the reference and the candidate one after the other: what else the machine does meets both. The first
test is what a user pays, a step of ViT-B-32 with and without EqSim; the others look at the losses alone, d = 512, where
EqSim makes a third product of the features beside ClipLoss's two. In brackets the ratio of processor time; on a busy
machine set OMP_NUM_THREADS=1, or threads wait for each other.
"""

from __future__ import annotations

import ctypes
import gc
import re
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import open_clip
import pytest
import torch
from open_clip import ClipLoss
from torch.nn.functional import normalize

from eqlib.losses import EqSimLoss, eqsim_all_pairs

WIDTH = 512
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
ROUNDS = {256: 15, 1024: 9, 4096: 5}

VARIANTS = {
    "all_pairs": {},
    "all_pairs, margin": {"margin": 0.01},
    "hard": {"variant": "hard"},
    "hard_easy": {"variant": "hard_easy"},
    "released": {"variant": "hard_easy", "similarity": "softmax", "weight": 0.5, "margin": 0.1},
}


def features(batch):
    generator = torch.Generator().manual_seed(0)
    image = normalize(torch.randn(batch, WIDTH, generator=generator), dim=1)
    text = normalize(image + normalize(torch.randn(batch, WIDTH, generator=generator), dim=1), dim=1)
    return [values.to(DEVICE).requires_grad_() for values in (image, text, torch.tensor(50.0))]


def step(loss: Callable, inputs) -> Callable[[], None]:
    """Forward, backward, gradients dropped."""

    def run():
        for values in inputs:
            values.grad = None
        total_of(loss(*inputs)).backward()
        if DEVICE == "cuda":
            torch.cuda.synchronize()

    return run


def total_of(result):
    """Of ``EqSimLoss`` (terms, telemetry), of a loss of one tensor as it is."""
    return sum(result[0].values()) if isinstance(result, tuple) else result


def seconds(run) -> tuple[float, float]:
    """By the clock, and of processor time, which a busy machine disturbs less."""
    clock, processor = time.perf_counter(), time.process_time()
    run()
    return time.perf_counter() - clock, time.process_time() - processor


def peak_bytes(run) -> int:
    """Memory above the resting level: the allocator's own count on a GPU, the process's high-water mark on Linux."""
    gc.collect()
    if DEVICE == "cuda":
        torch.cuda.reset_peak_memory_stats()
        rest = torch.cuda.memory_allocated()
        run()
        return torch.cuda.max_memory_allocated() - rest
    ctypes.CDLL(None).malloc_trim(0)  # give back what earlier rounds left, or the mark would not move
    Path("/proc/self/clear_refs").write_text("5")  # the mark, down to what is resident now
    rest = resident("VmRSS")
    run()
    return resident("VmHWM") - rest


def resident(field: str) -> int:
    return 1024 * int(re.search(rf"{field}:\s*(\d+) kB", Path("/proc/self/status").read_text())[1])


def compare(benchmark, candidate, reference, rounds):
    """Of interleaved rounds: the candidate's median seconds, and the ratios of medians, by the clock and of processor
    time."""
    runs, times = (candidate, reference), ([], [])
    for run in runs:
        run()  # first calls pay for allocation and threads

    def one_round():
        for run, kept in zip(runs, times, strict=True):
            kept.append(seconds(run))

    benchmark.pedantic(one_round, rounds=rounds, iterations=1)
    ours, theirs = ([statistics.median(kind) for kind in zip(*kept, strict=True)] for kept in times)
    ratios = [one / other for one, other in zip(ours, theirs, strict=True)]
    benchmark.extra_info |= {"milliseconds": 1e3 * ours[0], "ratios (clock, processor)": ratios}
    return ours[0], *ratios


def report(capsys, line):
    with capsys.disabled():
        print(f"\n{DEVICE}: {line}")


PAIRS = 16 if DEVICE == "cpu" else 256


@pytest.mark.parametrize("variant", ["all_pairs", "released"])
def test_a_step_of_vit_b_32(benchmark, capsys, variant):
    """Goal: less than 1 % of a step. Random weights and inputs; the optimiser's part is left out."""
    model = open_clip.create_model("ViT-B-32").to(DEVICE)
    images = torch.randn(PAIRS, 3, 224, 224, device=DEVICE)
    texts = torch.randint(1, 49406, (PAIRS, 77), device=DEVICE)
    texts[:, -1] = 49407

    def train(loss):
        def run():
            model.zero_grad()
            total_of(loss(*model(images, texts))).backward()
            if DEVICE == "cuda":
                torch.cuda.synchronize()

        return run

    eqsim = EqSimLoss(contrastive=ClipLoss(), **VARIANTS[variant])
    median, clock, processor = compare(benchmark, train(eqsim), train(ClipLoss()), 3)
    inputs = features(PAIRS)
    alone = [statistics.median(seconds(step(loss, inputs))[0] for _ in range(50)) for loss in (eqsim, ClipLoss())]
    share = (alone[0] - alone[1]) / median
    text = f"{1e3 * median:.0f} ms, {clock:.3f} ({processor:.3f}) of the step with ClipLoss"
    report(capsys, f"ViT-B-32, {variant}, {PAIRS} pairs: {text}; from the losses alone, EqSim is {100 * share:.3f} %")
    assert share < 0.01


@pytest.mark.parametrize("batch", ROUNDS)
@pytest.mark.parametrize("variant", VARIANTS)
def test_beside_the_contrastive_loss(benchmark, capsys, variant, batch):
    """(contrastive + EqSim) / contrastive of the losses alone, features given."""
    inputs = features(batch)
    candidate = step(EqSimLoss(contrastive=ClipLoss(), **VARIANTS[variant]), inputs)
    reference = step(ClipLoss(), inputs)
    median, clock, processor = compare(benchmark, candidate, reference, ROUNDS[batch])
    peaks = "peak MiB {:.0f}, ClipLoss {:.0f}".format(*(peak_bytes(run) / 2**20 for run in (candidate, reference)))
    report(capsys, f"{variant} B={batch}: {1e3 * median:.1f} ms, {clock:.2f} ({processor:.2f}) of ClipLoss; {peaks}")


def loop_over_rows(sim):
    """All pairs as the plain loop: a row's quads at a time, gathered and stacked."""
    diagonal = sim.diagonal()
    parts = []
    for i in range(len(sim) - 1):
        own, others = sim[i, i].expand(len(sim) - i - 1), diagonal[i + 1 :]
        parts.append(torch.stack([own, sim[i, i + 1 :], sim[i + 1 :, i], others]))
    c0_i0, c1_i0, c0_i1, c1_i1 = torch.cat(parts, dim=1)
    text = ((c0_i0 - c1_i0) - (c1_i1 - c0_i1)).square().mean()
    return text + ((c0_i0 - c0_i1) - (c1_i1 - c1_i0)).square().mean()


def test_against_a_plain_loop(benchmark, capsys):
    """Goal: at least 20 times at 1,024 pairs, on the matrix."""
    image, text, _ = features(1024)
    sim = (image @ text.T).detach().requires_grad_()
    torch.testing.assert_close(loop_over_rows(sim), eqsim_all_pairs(sim))
    candidate, loop = step(eqsim_all_pairs, [sim]), step(loop_over_rows, [sim])
    _, clock, _ = compare(benchmark, candidate, loop, 5)
    report(capsys, f"all pairs B=1024: {1 / clock:.0f} times the speed of a loop over rows")
