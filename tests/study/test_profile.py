"""Profiles change values and nothing else."""

import re
import shlex
from itertools import pairwise
from pathlib import Path

import pytest
from dvc.utils.hydra import apply_overrides
from ruamel.yaml import YAML

from eqlib.errors import InputError
from eqlib.study.check import SECTIONS as RECORDS
from eqlib.study.notebook import read
from eqlib.study.parameters import accepts, check, declared, gathered
from eqlib.study.profile import main, nested, overlay, write

PROFILES = sorted(path.stem for path in (Path(__file__).resolve().parents[2] / "profiles").glob("*.yaml"))
# stage -> the sections of params.yaml that dvc.yaml gives to its notebook
SECTIONS = {
    "scenes": ["scenes"],
    "pretrain": ["data", "pretrain"],
    "select": ["data", "finetune", "select"],
    "finetune": ["data", "finetune"],
    "fusion": ["data", "fusion"],
    "evaluate": ["data", "evaluate"],
    "tradeoff": ["study", "data", "tradeoff"],
    "maps": ["data", "maps"],
    "compare": ["study", "compare"],
    "conformance": ["conformance"],
    "figures": ["study", "data"],
}


def test_a_value_is_replaced_and_the_rest_stays():
    base = {"a": {"b": 1, "c": [1]}, "data": {"suites": {"val": 1, "test": 2}}}
    overlay(base, {"a": {"c": [2, 3]}, "data": {"suites": {"mine": 3}}}, where="p.yaml")
    assert base == {"a": {"b": 1, "c": [2, 3]}, "data": {"suites": {"mine": 3}}}


@pytest.mark.parametrize("change", [{"x": 1}, {"a": {"x": 1}}])
def test_a_key_that_params_lack_is_named(change):
    with pytest.raises(InputError, match=r"p\.yaml: expected a key of params\.yaml \(.*\), got `(a\.)?x`"):
        overlay({"a": {"b": 1}}, change, where="p.yaml")


def test_an_assignment_becomes_a_tree():
    assert nested("a.b=[1, x]") == {"a": {"b": [1, "x"]}}
    with pytest.raises(InputError, match="name=value"):
        nested("a.b")


def test_an_unknown_profile_lists_those_there_are(root, monkeypatch, capsys):
    monkeypatch.chdir(root)
    assert main(["nobody"]) == 1
    assert "photographs, smoke" in capsys.readouterr().err


@pytest.mark.parametrize("profile", [None, *PROFILES])
@pytest.mark.parametrize("stage", SECTIONS)
def test_every_value_is_one_that_the_notebook_declares(root, profile, stage):
    yaml = YAML(typ="safe")
    params = yaml.load(root / "params.yaml")
    if profile:
        overlay(params, yaml.load(root / "profiles" / f"{profile}.yaml"), where=profile)
    (notebook,) = root.glob(f"notebooks/*_{stage}.ipynb")
    known = declared(read(notebook), where=notebook)
    for section in SECTIONS[stage]:
        check(gathered(params[section], known), known, where=f"{profile}: {section}")


@pytest.mark.parametrize("stage", SECTIONS)
def test_a_notebook_declares_every_name_that_a_section_may_hold(root, stage):
    (notebook,) = root.glob(f"notebooks/*_{stage}.ipynb")
    known = declared(read(notebook), where=notebook)
    for section in SECTIONS[stage]:
        assert "settings" in known or RECORDS[section].__dataclass_fields__.keys() <= known.keys()


@pytest.mark.parametrize("profile", PROFILES)
def test_a_profile_s_parameters_are_read_as_they_were_written(root, tmp_path, profile):
    yaml = YAML(typ="safe")
    params = yaml.load(root / "params.yaml")
    overlay(params, yaml.load(root / "profiles" / f"{profile}.yaml"), where=profile)
    write(params, tmp_path / "params.yaml")
    assert yaml.load(tmp_path / "params.yaml") == params


def test_an_experiment_changes_one_line_of_params(root, tmp_path):
    """``dvc exp run -S`` rewrites the whole file: it stands in the layout, and keeps the comments, that DVC writes."""
    before = (root / "params.yaml").read_text()
    (tmp_path / "params.yaml").write_text(before)
    apply_overrides(tmp_path / "params.yaml", ["finetune.steps=81"])
    after = (tmp_path / "params.yaml").read_text()
    assert after == before.replace("  steps: 80\n", "  steps: 81\n")


def test_the_sections_above_are_those_of_the_pipeline(root):
    stages = YAML(typ="safe").load(root / "dvc.yaml")["stages"]
    for stage, sections in SECTIONS.items():
        words = stages[stage]["cmd"].split()
        given = [words[at + 1] for at, word in enumerate(words) if word == "--params"]
        records = [
            name.partition(":")[0] for name in given if ":" in name
        ]  # of build/sets: what a stage reads of `data`
        assert [name.rpartition(":")[2] for name in given] == sections
        assert stages[stage]["params"] == [name for name in given if ":" not in name]
        assert set(records) <= set(stages[stage]["deps"])


@pytest.mark.parametrize("profile", [None, *PROFILES])
def test_every_option_of_a_stage_has_a_value(root, profile):
    """Also where the parameter is an empty text, as ``tradeoff.classes`` of photographs: the shell must see one."""
    yaml = YAML(typ="safe")
    params = yaml.load(root / "params.yaml")
    if profile:
        overlay(params, yaml.load(root / "profiles" / f"{profile}.yaml"), where=profile)
    for name, stage in yaml.load(root / "dvc.yaml")["stages"].items():
        command = re.sub(
            r"\$\{(\w+)\.(\w+)\}", lambda found: str(params.get(found[1], {}).get(found[2], "x")), stage["cmd"]
        )
        for option, value in pairwise([*shlex.split(command), "--"]):
            assert not (option.startswith("--") and value.startswith("--")), f"{name}: {option}"


def test_the_defaults_of_a_notebook_fit_their_own_types(root):
    for path in root.glob("notebooks/*.ipynb"):
        if path.name.startswith("00_"):
            continue
        for name, (annotation, default) in declared(read(path), where=path).items():
            assert accepts(annotation, default), f"{path.name}: {name}"
