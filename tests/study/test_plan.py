"""What a study takes is told before it starts, and what is missing."""

import json
import re

import numpy as np
import pytest
from PIL import Image
from ruamel.yaml import YAML

from eqlib.cli import main as eqlib
from eqlib.models.clip import load, save
from eqlib.study.plan import Speed, main, stages_of, times
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


def picture(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (40, 32), (9, 90, 200)).save(path)


def native(folder, annotations):
    """A few records of every set of the profile `full`, as their makers publish them."""
    frames = ["eqbenyoucook2/v0/0.npy", "eqbenyoucook2/v0/1.npy"]
    (folder / "eqben/eqbenyoucook2/v0").mkdir(parents=True)
    for name in frames:
        np.save(folder / "eqben" / name, np.zeros((8, 8, 3), np.uint8))
    said, place = ["salt", "pepper"], {"dataset": "eqbenyoucook2", "sample_cnt": 0}
    rows = [
        {"image": frames[i], "caption": said[c], "private_info": place | {"name": f"c{c}i{i}"}}
        for i in (1, 0) for c in (0, 1)
    ]  # fmt: skip
    (folder / "eqben/ann_json_finegrained_random.json").write_text(json.dumps(rows))
    quad = {"id": 0, "image_0": "ex_0_img_0", "image_1": "ex_0_img_1", "caption_0": "a b", "caption_1": "b a"}
    for name in ("ex_0_img_0", "ex_0_img_1"):
        picture(folder / f"winoground/images/{name}.png")
    (folder / "winoground/examples.jsonl").write_text(json.dumps(quad) + "\n")
    for name, key, pictures in (("valse", "image_file", "valse/images"), ("sugarcrepe", "filename", "coco/val2017")):
        (folder / name).mkdir(exist_ok=True)
        for file in sorted((annotations / {"sugarcrepe": "sugar_crepe"}.get(name, name)).glob("*.json")):
            items = dict(list(json.loads(file.read_text()).items())[:20])
            (folder / name / file.name).write_text(json.dumps(items))
            for item in items.values():
                picture(folder / pictures / item[key])
    images = [
        {"filename": f"{n}.jpg", "split": "val" if n > 5 else "train", "sentences": [{"raw": f"{n} things"}]}
        for n in range(10)
    ]
    for image in images:
        picture(folder / "flickr30k" / image["filename"])
    (folder / "flickr30k/dataset_flickr30k.json").write_text(json.dumps({"images": images}))


def test_every_missing_input_is_named_with_the_line_that_checks_it(tmp_path, capsys):
    assert main(["full", "--set", f"data.data_root={tmp_path}"]) == 1
    told = capsys.readouterr().out
    assert tuple(words[2] for words in lines_of(told)) == DOCTORED
    assert told.count("MISSING") == len(DOCTORED)
    assert "6 missing" in told


def test_native_files_of_the_full_profile_are_planned(shared, tmp_path, capsys):
    native(tmp_path / "sets", shared / "realdata/annotations")
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
    (tmp_path / "sets/flickr30k/9.jpg").unlink()
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
