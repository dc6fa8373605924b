"""Real processes, started by torchrun: they train as one does, and go on after a kill."""

import os
import random
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from ranks import METHODS, training
from safetensors.torch import load_file


def launch(processes, *arguments, kill=0):
    program = Path(__file__).with_name("ranks.py")
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [*command, str(program), *map(str, arguments), str(kill)], env=environment, capture_output=True, text=True
    )
    assert (done.returncode == 0) == (kill == 0), done.stderr[-3000:]


def same_as_one(processes, folder, tmp_path, seed):
    launch(processes, folder, tmp_path / "scratch", tmp_path, kill=random.Random(seed).randint(3, 6))
    assert list((tmp_path / "scratch").glob("*/step-*/state.pt"))
    launch(processes, folder, tmp_path / "scratch", tmp_path)
    for name in METHODS:
        several, one = load_file(tmp_path / f"{name}.safetensors"), training(name, folder, str(tmp_path / "one"))
        assert several.pop("world") == processes
        assert one.pop("world") == 1
        assert several.keys() == one.keys()
        torch.testing.assert_close(several.pop("terms"), one.pop("terms"), rtol=2e-4, atol=1e-6)
        for key, value in one.items():  # the same partners were drawn: others would move weights by the learning rate
            distance = (several[key] - value).abs().max()
            assert distance < 1e-5, f"{name}, {key}: {distance}"


def test_two_killed_processes_end_with_the_weights_of_one(folder, tmp_path):
    same_as_one(2, folder, tmp_path, seed=0)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2])
def test_four_killed_processes_end_with_the_weights_of_one(folder, tmp_path, seed):
    same_as_one(4, folder, tmp_path, seed=seed)
