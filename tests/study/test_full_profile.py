"""The profile `full` on native files, from plan to report; test_plan.py has the plan alone."""

import os
import subprocess
import sys

import miniature
import pytest

from eqlib.models.clip import load, save
from eqlib.study.profile import copy_tree

SMALL = {  # four steps of eight pictures
    "study.seeds": "[0,1]", "tradeoff.alphas": "[0.5]", "evaluate.batch": 32, "evaluate.workers": 0,
    "finetune.steps": 4, "finetune.batch": 8, "finetune.warmup": 1, "finetune.log_every": 1,
    "finetune.validate_every": 2, "finetune.checkpoint_every": 2, "finetune.workers": 0,
}  # fmt: skip
CONFIG = {
    "embed_dim": 16,
    "vision_cfg": {"layers": 1, "width": 32, "head_width": 16, "patch_size": 16, "image_size": 32},
    "text_cfg": {"context_length": 12, "vocab_size": 49408, "width": 16, "heads": 2, "layers": 1},
}


@pytest.mark.slow
def test_the_full_profile_in_miniature_is_planned_run_and_reported(root, shared, tmp_path):
    copy_tree(root, clone := tmp_path / "study")
    subprocess.run(["git", "init", "--quiet"], cwd=clone, check=True)
    miniature.write(shared / "realdata", tmp_path / "sets", items=6)
    save(load(CONFIG), tmp_path / "model")
    changes = SMALL | {"data.data_root": tmp_path / "sets", "pretrain.init": tmp_path / "model"}
    given = [word for key, value in changes.items() for word in ("--set", f"{key}={value}")]
    for module in ("eqlib.study.plan", "eqlib.study.profile"):
        command = [sys.executable, "-m", module, "full", *given]
        environment = os.environ | {"PYTHONPATH": str(clone)}
        done = subprocess.run(command, cwd=clone, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
    page = (clone / "scratch/profile/full/reports/index.html").read_text()
    assert "Measured on 12 quads of eqben" in page
    for suite in ("winoground", "valse", "sugarcrepe"):
        assert suite in page
