"""Wrong parameters are named before the first stage, all of them at once."""

import json
import math
from copy import deepcopy

import pytest
from ruamel.yaml import YAML

from eqlib.study.check import SECTIONS, found, main
from eqlib.study.profile import overlay


@pytest.fixture(scope="module")
def params(root):
    return YAML(typ="safe").load(root / "params.yaml")


def changed(params, assignments):
    params = deepcopy(params)
    for place, value in assignments.items():
        *above, last = place.split(".")
        section = params
        for key in above:
            section = section[key]
        section[last] = value
    return params


GRID = {"weight": [1.0]}
QUADS = {"reader": "quads", "path": "quads.json"}


@pytest.mark.parametrize(
    ("place", "value", "told"),
    [
        # taken as they were
        ("compare.level", 0, "greater than 0, got 0"),
        ("compare.level", -0.5, "greater than 0, got -0.5"),
        ("select.grids", {"pairwise": [{"weight": [-5.0]}]}, "a finite number >= 0, got -5.0"),
        ("select.grids", {"cyclip": [{"in_modal": [-3.0]}]}, "a finite number >= 0, got -3.0"),
        ("select.grids", {"eqsim": [{"weight": [math.nan]}]}, "a finite number >= 0, got nan"),
        ("select.grids", {"itm": [{"hidden": [0]}]}, "a width >= 1, got 0"),
        ("select.grids", {"eqsim": []}, "at least 1 item"),
        ("select.grids", {"eqsim": [{"weight": []}]}, "at least 1 item"),
        ("select.grids", {"eqsim": [{"variant": ["hard"], "sample_num": [128]}]}, "sample_num < finetune.batch (128)"),
        ("select.seed", 2, "a seed that study.seeds does not have, got 2"),
        ("finetune.weight_decay", -5, "greater than or equal to 0, got -5"),
        ("finetune.log_every", -1, "greater than or equal to 0, got -1"),
        ("finetune.export_every", -1, "greater than or equal to 0, got -1"),
        ("finetune.patience", -1, "greater than or equal to 0, got -1"),
        ("pretrain.checkpoint_minutes", math.nan, "finite number, got nan"),
        ("pretrain.precision", "fp99", "'auto', 'no', 'bf16' or 'fp16', got 'fp99'"),
        ("data.captions", "../captions.json", "a path under its root, got '../captions.json'"),
        ("data.suites.val.path", "../../val.json", "a path under its root, got '../../val.json'"),
        ("tradeoff.classes", "../classes", "a path under its root, got '../classes'"),
        ("scenes.count", 2.5, "a valid integer, got 2.5"),
        # refused after minutes
        ("compare.resamples", 0, "a known name, got `resamples`"),
        ("compare.level", 95, "less than 1, got 95"),
        ("compare.controls", ["negclip"], "one of pairwise, eqsim, relative, got 'negclip'"),
        ("study.baseline", "siglip", "one of study.methods (contrastive, pairwise, eqsim, relative), got 'siglip'"),
        ("study.starts", [0, 1], "one seed, or 3, one for each of study.seeds, got 2"),
        ("compare.primary", "val", "a suite but the validation's"),
        ("study.seeds", [0, 0], "each value once, got [0, 0]"),
        ("study.seeds", [], "at least 1 item"),
        ("study.methods", ["contrastive", "contrastive"], "each value once"),
        ("study.methods", ["contrastive", "pairwise", "eqsim", "simclr"], "a method of contrastive, siglip, eqsim"),
        ("study.methods", ["contrastive", "pairwise", "siglip"], "a model with a logit bias"),
        ("evaluate.batch", 0, "greater than or equal to 1, got 0"),
        ("tradeoff.alphas", [], "at least 1 item"),
        ("tradeoff.alphas", [1.5], "less than or equal to 1, got 1.5"),
        # tracebacks
        ("pretrain.lr", math.nan, "got nan"),
        ("finetune.lr", -1, "greater than 0, got -1"),
        ("pretrain.seed", -1, "greater than or equal to 0, got -1"),
        ("study.seeds", [-1], "greater than or equal to 0, got -1"),
        ("finetune.workers", -1, "greater than or equal to 0, got -1"),
        ("pretrain.processes", 0, "greater than or equal to 1, got 0"),
        ("finetune.lora_rank", 0, "greater than or equal to 1, got 0"),
        ("select.grids", {"eqsim": [{"weight": ["heavy"]}]}, "a finite number >= 0, got 'heavy'"),
        ("select.grids", {"pairwise": [{"weight": ["heavy"]}]}, "a finite number >= 0, got 'heavy'"),
        ("select.grids", {"eqsim": [{"weight": 2.0}]}, "a valid list, got 2.0"),
        ("select.grids", {"cyclip": [{"between": [1.0]}]}, "no such settings for cyclip, got between"),
        ("data.splits", {"pretrain": "pretrain", "train": "train"}, "at least 3 items"),
        ("data.validation", "dev", "a suite of data.suites (val, test, compositional), got 'dev'"),
        ("data.suites", {}, "at least 1 item"),
        ("data.suites", {name: QUADS for name in ("val", "retrieval")}, "another name: the validation captions"),
        ("data.suites.val.colour", "red", "an option of its reader (columns, edition, name, root, suffix)"),
        ("data.suites.val.reader", "nobody", "a reader (eqben, winoground"),
        ("study.methods", "contrastive", "a valid list, got 'contrastive'"),
        # names
        ("finetune.stpes", 3, "a known name, got `stpes`"),
        ("finetune.warmup", 80, "warmup < steps (80), got 80"),
        ("pretrain", 3, "a mapping of names to values, got 3"),
        ("extra", {}, "a section of study, data"),
    ],
)  # fmt: skip
def test_a_wrong_value_is_named_with_its_key(params, root, monkeypatch, place, value, told):
    monkeypatch.chdir(root)
    lines = [str(one) for one in found(changed(params, {place: value}))]
    assert any(line.startswith(place) and told in line for line in lines), lines


def test_a_cache_that_is_a_file_is_named(params, root, monkeypatch):
    monkeypatch.chdir(root)
    assert [str(one) for one in found(changed(params, {"evaluate.cache": "README.md"}))] == [
        "evaluate.cache: expected a folder, got a file"
    ]


@pytest.mark.parametrize(
    ("model", "preprocess", "told"),
    [({"vocab_size": 10}, {}, "pretrain.init"), ({}, {"std": [0, 0, 0]}, "pretrain.init")],
)
def test_a_config_of_one_s_own_is_tried(params, root, tmp_path, monkeypatch, model, preprocess, told):
    monkeypatch.chdir(root)
    config = json.loads((root / "eqlib/models/small-64px.json").read_text())
    config["model_cfg"]["text_cfg"] |= model
    config["preprocess_cfg"] |= preprocess
    (tmp_path / "own.json").write_text(json.dumps(config))
    (line,) = [str(one) for one in found(changed(params, {"pretrain.init": str(tmp_path / "own.json")}))]
    assert line.startswith(told)


def test_a_model_with_a_bias_takes_siglip(params, root, tmp_path, monkeypatch):
    monkeypatch.chdir(root)
    config = json.loads((root / "eqlib/models/small-64px.json").read_text())
    config["model_cfg"] |= {"init_logit_bias": -10.0}
    (tmp_path / "own.json").write_text(json.dumps(config))
    methods = {"study.methods": ["contrastive", "pairwise", "siglip"], "study.seeds": [0]}
    assert found(changed(params, methods | {"pretrain.init": str(tmp_path / "own.json")})) == []


def test_all_errors_come_at_once_and_nothing_is_written(params, root, tmp_path, monkeypatch, capsys):
    wrong = {"finetune.lr": -1, "pretrain.steps": "many", "compare.level": 95, "study.seeds": [], "data.suites": {}}
    wrong |= {"compare.controls": ["negclip"], "select.grids": {"eqsim": [{"weight": [-1.0]}]}}
    params = changed(params, wrong | {"scenes.colours": 99})
    YAML(typ="safe").dump(params, tmp_path / "params.yaml")
    monkeypatch.setattr("eqlib.study.check.PARAMS", str(tmp_path / "params.yaml"))
    monkeypatch.chdir(root)
    assert main([str(tmp_path / "check.json")]) == 1
    assert not (tmp_path / "check.json").exists()
    told = capsys.readouterr().err
    assert "Traceback" not in told
    for place in (*wrong, "scenes.colours"):
        assert f"params.yaml, {place}" in told


@pytest.mark.parametrize("profile", [None, "easy", "fusion", "hard", "photographs", "smoke", "subtle"])
def test_the_study_and_every_profile_pass(params, root, monkeypatch, profile):
    monkeypatch.chdir(root)
    params = deepcopy(params)
    if profile:
        overlay(params, YAML(typ="safe").load(root / f"profiles/{profile}.yaml"), where=profile)
    assert found(params) == []
    assert found(changed(params, {"pretrain.steps": 0, "pretrain.warmup": 0})) == []  # the model as it is


def test_every_section_of_params_has_its_record(params):
    assert params.keys() == SECTIONS.keys()
    assert all(kind.__doc__ for kind in SECTIONS.values())
