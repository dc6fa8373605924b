"""Several machines: two launchers that meet at one rendezvous on this one, each with a process of its own."""

import json
import socket
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import replace

import pandas as pd
import psutil
import pytest
import torch
from safetensors.torch import load_file

from eqlib.study.training.recipe import Recipe
from eqlib.study.training.run import Run, train, write_run

PATIENCE = 600
"""Seconds until what does not end is taken to hang."""


@pytest.fixture
def run(folder, small, tmp_path, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    (tmp_path / "small.json").write_text(json.dumps(small))
    recipe = Recipe(steps=4, batch=8, lr=1e-3, seed=1, warmup=1, log_every=1)
    return Run(
        init=str(tmp_path / "small.json"), method="eqsim", settings={"variant": "hard", "sample_num": 2},
        data_root=str(folder), captions="dataset.json", split="train", val_split="val", recipe=recipe,
        suites={"mine": {"reader": "quads", "path": "quads.json"}}, validation="mine",
    )  # fmt: skip


@pytest.fixture
def machines(tmp_path):
    """``machines(written, scratch)``: two launchers of one training; what is left of them is killed at the end."""
    started = []

    def start(written, scratch):
        with socket.socket() as free:
            free.bind(("localhost", 0))
            place = f"localhost:{free.getsockname()[1]}"
        command = [sys.executable, "-m", "torch.distributed.run", "--nnodes", "2", "--nproc-per-node", "1"]
        command += ["--rdzv-backend", "c10d", "--rdzv-endpoint", place, "--local-addr", "localhost"]
        command += ["-m", "eqlib.study.training.run", str(written), str(scratch)]
        for _ in range(2):
            with (tmp_path / f"launcher-{len(started)}.txt").open("w") as said:
                started.append(subprocess.Popen(command, stdout=said, stderr=said))
        return started[-2:]

    yield start
    for launcher in started:
        stop(launcher)


def stop(launcher):
    """As when the power goes: the launcher and its process, none of which says goodbye."""
    with suppress(psutil.NoSuchProcess):
        machine = psutil.Process(launcher.pid)
        for process in (machine, *machine.children(recursive=True)):
            with suppress(psutil.NoSuchProcess):
                process.kill()
    launcher.wait()


def end_well(launchers, folder):
    codes = [launcher.wait(PATIENCE) for launcher in launchers]
    assert codes == [0, 0], [path.read_text()[-3000:] for path in sorted(folder.glob("launcher-*.txt"))]


def same(one, other, **tolerance):
    ours, theirs = (pd.read_csv(folder / "history.csv").drop(columns="grad_norm") for folder in (one, other))
    pd.testing.assert_frame_equal(ours, theirs, **tolerance)
    ours, theirs = (load_file(folder / "model" / "open_clip_model.safetensors") for folder in (one, other))
    for name, tensor in theirs.items():
        torch.testing.assert_close(ours[name], tensor, atol=1e-5, rtol=0)


def test_two_machines_train_as_one_process(run, machines, tmp_path):
    end_well(machines(write_run(run, tmp_path / "two"), tmp_path / "scratch"), tmp_path)
    assert json.loads((tmp_path / "two" / "metrics.json").read_text())["processes"] == 2
    train(run, tmp_path / "one", scratch=str(tmp_path / "scratch"))
    same(tmp_path / "two", tmp_path / "one", rtol=2e-4, atol=1e-6)
    assert not list((tmp_path / "scratch").iterdir())


@pytest.mark.slow
def test_a_machine_that_dies_ends_the_training_and_both_go_on_from_its_checkpoint(run, machines, tmp_path):
    """The other machine ends with an error soon after; started again, both end as one machine with two processes."""
    run = replace(run, recipe=replace(run.recipe, steps=60, checkpoint_every=5, log_every=5))
    scratch = tmp_path / "scratch"
    train(run, tmp_path / "one", processes=2, scratch=str(scratch))
    for dies in (0, 1):
        output = tmp_path / f"two-{dies}"
        written = write_run(run, output)
        two = machines(written, scratch)
        while not list(scratch.glob("*/step-*/state.pt")):
            assert all(launcher.poll() is None for launcher in two)
            time.sleep(0.01)
        stop(two[dies])
        assert two[1 - dies].wait(PATIENCE) != 0
        said = "".join(path.read_text() for path in sorted(tmp_path.glob("launcher-*.txt"))[-2:])
        assert "ChildFailedError" in said or "RendezvousConnectionError" in said, said[-3000:]
        assert not (output / "model").exists()
        assert list(scratch.glob("*/step-*/state.pt"))
        end_well(machines(written, scratch), tmp_path)
        same(output, tmp_path / "one", check_exact=True)
        assert not list(scratch.iterdir())
