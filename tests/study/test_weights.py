"""Other weights under the name that ``pretrain.init`` gives are another start: the study is told."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from eqlib.study.weights import files_of, main


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_what_a_name_stands_for(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    config = write(Path("small.json"), "{}")
    weights = write(Path("runs/epoch_5.pt"), "weights")
    parts = [write(Path("model/open_clip_config.json"), "{}"), write(Path("model/sub/weights.safetensors"), "w")]
    assert files_of("small.json") == [config]
    assert files_of("ViT-B-32/runs/epoch_5.pt") == [weights]
    assert files_of("model") == files_of("local-dir:model") == parts
    for elsewhere in ("ViT-B-32-quickgelu/openai", "ViT-B-32/random", "hf-hub:laion/CLIP", "no-such-model"):
        assert files_of(elsewhere) == []


@pytest.mark.parametrize("init", ["ViT-B-32/epoch.pt", "ViT-B-32/openai"])
def test_dvc_starts_again_from_other_weights_and_from_no_others(tmp_path, root, init):
    """The stage of dvc.yaml as it is, with a second one in pretrain's place."""
    pipeline = YAML(typ="safe").load(root / "dvc.yaml")["stages"]
    assert "build/init.json" in pipeline["pretrain"]["deps"]
    copied = {"cmd": "cat build/init.json >> runs.txt && echo > out", "deps": ["build/init.json"], "outs": ["out"]}
    YAML().dump({"stages": {"init": pipeline["init"], "pretrain": copied}}, tmp_path / "dvc.yaml")
    YAML().dump({"pretrain": {"init": init}}, tmp_path / "params.yaml")
    write(tmp_path / "build/check.json", "[]")  # of a stage before
    weights = write(tmp_path / "epoch.pt", "first")
    environment = os.environ | {"PYTHONPATH": str(root), "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}

    def dvc(*command):
        subprocess.run([sys.executable, "-m", "dvc", *command, "-q"], cwd=tmp_path, check=True, env=environment)

    dvc("init", "--no-scm")
    dvc("repro")
    lock = (tmp_path / "dvc.lock").read_text()
    dvc("repro")
    assert (tmp_path / "dvc.lock").read_text() == lock
    assert (tmp_path / "runs.txt").read_text().count('"init"') == 1
    weights.write_text("other")
    dvc("repro")
    assert (tmp_path / "runs.txt").read_text().count('"init"') == (2 if init.endswith(".pt") else 1)


def test_the_fingerprint_is_the_content(tmp_path):
    weights = write(tmp_path / "epoch.pt", "first")
    records = []
    for content in ("first", "first", "other"):
        weights.write_text(content)
        main([str(weights), str(tmp_path / "init.json")])
        records.append(json.loads((tmp_path / "init.json").read_text()))
    assert records[0] == records[1] != records[2]
    assert records[0]["init"] == str(weights)
