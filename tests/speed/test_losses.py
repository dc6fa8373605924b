"""What EqSim adds to a training step: ratios of medians within one run, forward and backward, d = 512.

Every round runs the contrastive loss and the candidate one after the other: what else the machine does meets both.
Printed beside each: (contrastive + EqSim) / contrastive against open_clip's own ClipLoss, against a ClipLoss that
multiplies the features once instead of twice (EqSimLoss lets it: the harder comparison), and the peak memory of both.
In brackets the ratio of processor time; on a busy machine set OMP_NUM_THREADS=1, or threads wait for each other.
On a GPU: absolute times, and the bytes a second of one read and one write of the matrix forward and backward.
"""

from __future__ import annotations

import ctypes
import gc
import re
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from open_clip import ClipLoss
from torch.nn.functional import normalize

from eqlib.losses import EqSimLoss, eqsim_all_pairs, eqsim_all_pairs_from_features

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


class OneProduct(ClipLoss):
    """ClipLoss with one product of the features where open_clip's has two."""

    def get_logits(self, image_features, text_features, logit_scale, logit_bias=None):
        logits = logit_scale * image_features @ text_features.T
        return logits, logits.T


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
        result = loss(*inputs)
        terms = result[0] if isinstance(result, tuple) else result
        (sum(terms.values()) if isinstance(terms, dict) else terms).backward()
        if DEVICE == "cuda":
            torch.cuda.synchronize()

    return run


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


def compare(benchmark, candidate, references, rounds):
    """Medians of interleaved rounds: ratios candidate / reference, kept in the benchmark's extra info."""
    runs = {"candidate": candidate, **references}
    times = {name: [] for name in runs}
    for run in runs.values():
        run()  # first calls pay for allocation and threads

    def one_round():
        for name, run in runs.items():
            times[name].append(seconds(run))

    benchmark.pedantic(one_round, rounds=rounds, iterations=1)
    medians = {name: [statistics.median(kind) for kind in zip(*values, strict=True)] for name, values in times.items()}
    ratios = {
        name: [ours / theirs for ours, theirs in zip(medians["candidate"], medians[name], strict=True)]
        for name in references
    }
    benchmark.extra_info |= {"milliseconds": 1e3 * medians["candidate"][0], "ratios (clock, processor)": ratios}
    return medians["candidate"][0], ratios


def report(capsys, line):
    with capsys.disabled():
        print(f"\n{DEVICE}: {line}")


@pytest.mark.parametrize("batch", ROUNDS)
@pytest.mark.parametrize("variant", VARIANTS)
def test_beside_the_contrastive_loss(benchmark, capsys, variant, batch):
    """Goal: at most 1.10 of ClipLoss at 1,024 pairs, 1.05 at 4,096."""
    inputs = features(batch)
    candidate = step(EqSimLoss(contrastive=ClipLoss(), check_values=False, **VARIANTS[variant]), inputs)
    references = {"ClipLoss": step(ClipLoss(), inputs), "one product": step(OneProduct(), inputs)}
    median, ratios = compare(benchmark, candidate, references, ROUNDS[batch])
    memory = [peak_bytes(run) / 2**20 for run in (candidate, *references.values())]
    text = ", ".join(f"{clock:.2f} ({processor:.2f}) of {name}" for name, (clock, processor) in ratios.items())
    peaks = "peak MiB {:.0f}, ClipLoss {:.0f}, one product {:.0f}".format(*memory)
    bandwidth = ""
    if DEVICE == "cuda" and variant == "all_pairs":
        sim = (inputs[0] @ inputs[1].T).detach().requires_grad_()
        alone = statistics.median(seconds(step(eqsim_all_pairs, [sim]))[0] for _ in range(20))
        # forward reads S, writes and reads the difference; backward reads it and writes the gradient
        bandwidth = f"; EqSim on the matrix alone {1e3 * alone:.3f} ms, {5 * 4 * batch**2 / alone / 1e9:.0f} GB/s"
    report(capsys, f"{variant} B={batch}: {1e3 * median:.1f} ms, {text}; {peaks}{bandwidth}")


@pytest.mark.parametrize("batch", [1024, 4096, 16384, 65536])
def test_gram_form(benchmark, capsys, batch):
    """Time a pair stays flat; memory stays far below one B x B matrix."""
    image, text, _ = features(batch)
    run = step(eqsim_all_pairs_from_features, [image, text])
    run()
    peak = peak_bytes(run)
    benchmark.pedantic(run, rounds=3, iterations=1)
    matrix = 4 * batch**2
    median = benchmark.stats.stats.median
    benchmark.extra_info |= {"peak": peak, "matrix": matrix}
    if batch >= 16384:
        assert peak < matrix / 2
    sizes = f"peak {peak / 2**20:.0f} MiB where one B x B matrix has {matrix / 2**20:.0f}"
    report(capsys, f"Gram B={batch}: {1e3 * median:.0f} ms, {1e6 * median / batch:.1f} us a pair; {sizes}")


@pytest.mark.parametrize("batch", [1024, 4096])
def test_gram_form_beside_the_matrix_form(benchmark, capsys, batch):
    """From features, the contrastive loss left out: which form EqSimLoss should take."""
    inputs = features(batch)[:2]
    candidate = step(eqsim_all_pairs_from_features, inputs)
    references = {"matrix form": step(lambda i, t: eqsim_all_pairs(i @ t.T), inputs)}
    _, ratios = compare(benchmark, candidate, references, ROUNDS[batch])
    clock, processor = ratios["matrix form"]
    report(capsys, f"Gram B={batch}: {clock:.2f} ({processor:.2f}) of the matrix form from features")


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
    _, ratios = compare(benchmark, candidate, {"loop": loop}, 5)
    report(capsys, f"all pairs B=1024: {1 / ratios['loop'][0]:.0f} times the speed of a loop over rows")
