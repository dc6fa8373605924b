"""What a study takes is told before it starts, and what is missing."""

import re

import miniature
import pytest
from ruamel.yaml import YAML

from eqlib.cli import main as eqlib
from eqlib.models.clip import load, save
from eqlib.study.plan import STARTING, Speed, _duration, main, stages_of, times
from eqlib.study.profile import configured

CONFIG = {
    "embed_dim": 16,
    "vision_cfg": {"layers": 1, "width": 32, "head_width": 16, "patch_size": 16, "image_size": 32},
    "text_cfg": {"context_length": 12, "vocab_size": 49408, "width": 16, "heads": 2, "layers": 1},
}
DOCTORED = ("eqben", "winoground", "valse", "sugarcrepe", "captions", "captions")


@pytest.fixture(autouse=True)
def here(root, monkeypatch):
    monkeypatch.chdir(root)


def lines_of(text):
    """The lines of `eqlib doctor` that a plan shows."""
    return [line.split() for line in text.splitlines() if line.strip().startswith("eqlib doctor")]


def test_every_missing_input_is_named_with_the_line_that_checks_it(tmp_path, capsys):
    assert main(["full", "--set", f"data.data_root={tmp_path}"]) == 1
    told = capsys.readouterr().out
    assert tuple(words[2] for words in lines_of(told)) == DOCTORED
    assert told.count("MISSING") == len(DOCTORED)
    assert "6 missing" in told


def test_native_files_of_the_full_profile_are_planned(shared, tmp_path, capsys):
    miniature.write(shared / "realdata", tmp_path / "sets")
    save(load(CONFIG), tmp_path / "model")
    given = ["--set", f"data.data_root={tmp_path / 'sets'}", "--set", f"pretrain.init={tmp_path / 'model'}"]
    assert main(["full", *given]) == 0
    told = capsys.readouterr().out
    assert "MISSING" not in told
    assert "finetune: 6 = 2 methods x 3 seeds" in told
    assert "encodes, each of 7 models:" in told
    for words in lines_of(told):  # the line does what it says: 1 for a part of a set, 2 for one that is not there
        assert eqlib([*words[1:], "--quiet"]) in (0, 1)
    capsys.readouterr()
    next((tmp_path / "sets/flickr30k/dev").iterdir()).unlink()
    assert main(["full", *given]) == 1
    assert "MISSING  captions val" in capsys.readouterr().out


def test_stages_are_those_that_dvc_would_run(root):
    """By the matrices of dvc.yaml, for a study of 2 methods, 3 seeds, 2 models on 4 suites."""
    models = [{"name": name, "model": "ViT-B-32/random"} for name in ("a", "b")]
    params = configured("full", [])
    params["study"] |= {"models": models}
    stages = stages_of(params)
    assert (stages["finetune"], stages["evaluate"], stages["weights"], stages["models"]) == (6, 6, 2, 8)
    assert not stages["scenes"]  # other data
    assert stages_of(configured("", []))["scenes"] == 1
    assert set(stages) - {"data.dvc"} <= set(YAML(typ="safe").load(root / "dvc.yaml")["stages"])


def test_times_add_up_by_hand():
    """Two settings, 2 methods x 3 seeds of 10 steps of 4 pictures at a second each, all else free; then the reverse."""
    params = configured("", [])
    params["study"] = {"methods": ["contrastive", "eqsim"], "seeds": [0, 1, 2], "starts": [0]}
    params["pretrain"] = {"steps": 5, "batch": 2}
    params["finetune"] = {"steps": 10, "batch": 4, "validate_every": 5}
    params["select"]["grids"] = {"eqsim": [{"weight": [1.0, 2.0], "margin": [0.0]}]}
    params["tradeoff"]["alphas"] = [0.0, 0.5, 1.0]
    found = times(params, Speed(1.0, 0.0, 0.0), (7, 7), (3, 3))
    assert found == {"pretrain": 10, "select": 3 * 40, "finetune": 6 * 40, "evaluate": 0, "tradeoff": 0}
    found = times(params, Speed(0.0, 1.0, 10.0), (7, 7), (3, 3))
    # a look is 33, a score 77; fine-tuning looks at steps 0, 5 and 10
    assert found == {"pretrain": 33, "select": 3 * 33, "finetune": 6 * 99, "evaluate": 7 * 77, "tradeoff": 18 * 33}


def test_wrong_sections_stop_a_plan_first(capsys):
    assert main(["full", "--set", "finetune.lr=-1", "--set", "compare.level=95"]) == 1
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.count("error: ") == 2


def test_the_data_guide_names_the_lines_that_the_plan_shows(root, tmp_path, capsys):
    guide = re.findall(r"^\$ eqlib doctor (.*)$", (root / "docs/data.md").read_text(), re.MULTILINE)
    main(["full", "--set", f"data.data_root={tmp_path}"])
    shown = [" ".join(words[2:]).replace(f"{tmp_path}/", "") for words in lines_of(capsys.readouterr().out)]
    assert set(shown) <= set(guide)
    for line in guide:
        assert eqlib(["doctor", *line.split(), "--quiet"]) == 2  # a command, of a set that is not here
    assert "nothing there" in capsys.readouterr().err


def test_what_the_examples_expect_of_one_gpu_is_the_plan_s_arithmetic(root):
    """From the speeds and counts that stand on the page itself."""
    page = (root / "docs/examples.md").read_text()
    lines = [line.strip("|").split("|") for line in page.splitlines() if line.startswith("| ")]
    rows = [[cell.strip() for cell in line] for line in lines]
    number = {row[0]: [int(cell.replace(",", "")) for cell in row[1:] if re.fullmatch(r"[\d,]+", cell)] for row in rows}
    trained, encoded, captions, decoded = (
        1 / number[name][0] for name in ("pairs trained", "pictures encoded", "captions encoded", "pictures decoded")
    )
    params = configured("full", [])
    every, watched = number["by each of 7 models"], number["at each look while training"]
    found = times(params, Speed(trained, encoded + decoded, captions), tuple(every), tuple(watched))
    found |= {"starting the notebooks": STARTING * sum(stages_of(params).values())}
    told = {row[0].partition(",")[0]: row[1] for row in rows if row[0].partition(",")[0] in found}
    assert told == {name: _duration(seconds) for name, seconds in found.items() if seconds}
