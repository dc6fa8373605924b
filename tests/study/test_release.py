"""The release bundle of a miniature study: what is in it, and what is refused."""

import hashlib
import json
import os
import shutil
import subprocess
import sys

import open_clip
import pytest
import torch
from ruamel.yaml import YAML

from eqlib.errors import InputError
from eqlib.models.clip import load, save
from eqlib.study.release import release

MODEL = {
    "embed_dim": 8,
    "vision_cfg": {"layers": 1, "width": 16, "head_width": 8, "patch_size": 16, "image_size": 32},
    "text_cfg": {"context_length": 8, "vocab_size": 49408, "width": 8, "heads": 1, "layers": 1},
}
SUMMARY = """method,suite,edition,subset,score,point,low,high,n,clusters,seeds,interval,level
eqsim,val,own,micro,text,0.1,0.1,0.1,9,9,2,wilson,0.95
eqsim,test,own,object,group,0.9,0.8,0.95,40,40,2,wilson,0.95
eqsim,test,own,micro,text,0.5267,0.5082,0.545,80,80,2,wilson,0.95
eqsim,test,own,micro,image,0.5052,0.4793,0.5312,80,80,2,wilson,0.95
eqsim,test,own,micro,group,0.3862,0.3698,0.4029,80,80,2,wilson,0.95
eqsim,test,own,micro,group_match,0.9075,0.8942,0.9193,80,80,2,wilson,0.95
"""
PIPELINE = """
stages:
  init:
    cmd: mkdir -p build && echo 1 > build/init.json
    always_changed: true
    outs:
    - build/init.json
  compare:
    cmd: mkdir -p build/compare && cp summary.csv build/compare
    deps:
    - summary.csv
    outs:
    - build/compare
"""


@pytest.fixture(scope="module")
def made(root, tmp_path_factory):
    """A study of one model whose stages DVC has run."""
    place = tmp_path_factory.mktemp("study") / "here"
    model = place / "build/finetune/eqsim-1"
    for folder in (place / "reports/tables", place / "data", place / "build/sets", place / "eqlib", model):
        folder.mkdir(parents=True)
    for name in ("params.yaml", "CITATION.cff", "LICENSE", "pyproject.toml", "README.md"):
        shutil.copy(root / name, place)
    shutil.copy(root / "eqlib/__init__.py", place / "eqlib")
    save(load(MODEL), model / "model")
    content = {
        "reports/index.html": "<p>report",
        "reports/tables/main.csv": "method\n",
        "data/manifest.json": {"edition": "scenes-9"},
        "build/sets/train.json": {"content": {"train": "abc123"}},
        "build/finetune/eqsim-1/run.json": {"recipe": {"steps": 80, "batch": 128, "lr": 0.0005}},
        "build/finetune/eqsim-1/metrics.json": {
            "method": "eqsim", "settings": {"weight": 5.0}, "seed": 1, "images": 6000, "weights": "f00",
        },
        "summary.csv": SUMMARY,
        "dvc.yaml": PIPELINE,
    }  # fmt: skip
    for name, value in content.items():
        (place / name).write_text(value if isinstance(value, str) else json.dumps(value))
    environment = os.environ | {"PATH": f"{sys.prefix}/bin{os.pathsep}{os.environ['PATH']}", "DVC_NO_ANALYTICS": "1"}
    for words in (["init", "--no-scm", "-q"], ["repro", "-q"]):
        subprocess.run([sys.executable, "-m", "dvc", *words], cwd=place, check=True, env=environment)
    return place


@pytest.fixture
def study(made, tmp_path):
    return shutil.copytree(made, tmp_path / "here", ignore=shutil.ignore_patterns("dist"))


@pytest.fixture(scope="module")
def bundle(made):
    return release(made)


def test_a_bundle_holds_all_that_its_sums_name_and_is_made_twice_alike(made, bundle):
    assert bundle == made / "dist/eqlib-0.1.0"
    sums = (bundle / "SHA256SUMS").read_text()
    named = dict(reversed(line.split("  ")) for line in sums.splitlines())
    there = {path.relative_to(bundle).as_posix() for path in bundle.rglob("*") if path.is_file()} - {"SHA256SUMS"}
    assert set(named) == there
    assert there == {
        "CITATION.cff", "LICENSE", "dvc.lock", "params.yaml", "reports/index.html", "reports/tables/main.csv",
        "eqlib-0.1.0-py3-none-any.whl", "models/eqsim-1/README.md", "models/eqsim-1/open_clip_config.json",
        "models/eqsim-1/open_clip_model.safetensors",
    }  # fmt: skip
    assert all(hashlib.sha256((bundle / name).read_bytes()).hexdigest() == total for name, total in named.items())
    assert (release(made) / "SHA256SUMS").read_text() == sums


def test_a_card_says_what_the_model_is_and_the_model_loads_as_it_says(made, bundle, monkeypatch):
    card = (bundle / "models/eqsim-1/README.md").read_text()
    front = YAML(typ="safe").load(card.split("---")[1])
    assert (front["license"], front["library_name"]) == ("apache-2.0", "open_clip")
    assert "| 52.7 [50.8, 54.5] | 50.5 [47.9, 53.1] | 38.6 [37.0, 40.3] | 90.8 [89.4, 91.9] |" in card
    assert "(own; 80 quads)" in card
    for fact in ('settings {"weight": 5.0}', "Seed: 1", "scenes-9, SHA-256 abc123", "80 steps of 128", "over 2 seeds"):
        assert fact in card
    monkeypatch.chdir(bundle)
    given = {}
    exec(card.split("```python\n")[1].split("```")[0], given)
    weights = open_clip.create_model(f"local-dir:{made / 'build/finetune/eqsim-1/model'}").state_dict()
    assert all(torch.equal(weights[name], tensor) for name, tensor in given["model"].state_dict().items())


def test_a_study_that_is_not_up_to_date_is_refused_by_its_stage(study):
    (study / "summary.csv").write_text(SUMMARY.replace("0.9", "0.8"))
    with pytest.raises(InputError, match=r"up to date \(make study\), got stale: compare$"):
        release(study)
    assert not (study / "dist").exists()


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda study: shutil.rmtree(study / "build"), "none in build/finetune"),
        (
            lambda study: (study / "CITATION.cff").write_text("version: 0.2.0\n"),
            "CITATION.cff, version: expected 0.1.0, as in pyproject.toml, got 0.2.0",
        ),
    ],
)
def test_no_build_and_another_version_are_refused(study, change, told):
    change(study)
    with pytest.raises(InputError) as refused:
        release(study)
    assert told in str(refused.value)


def test_the_versions_of_this_repository_agree(root):
    import tomllib

    cited = YAML(typ="safe").load(root / "CITATION.cff")["version"]
    assert cited == tomllib.loads((root / "pyproject.toml").read_text())["project"]["version"]
