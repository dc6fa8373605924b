"""Data of one's own become a study in one try; docs/own-data.md shows it."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from own_data import draw
from PIL import Image

from eqlib.errors import InputError
from eqlib.study.check import found
from eqlib.study.new import batch_for, drawn_splits, main
from eqlib.study.profile import configured, copy_tree
from eqlib.study.training.data import read_captions, read_suites
from eqlib.suites import RetrievalSuite


@pytest.fixture
def study(root, tmp_path, monkeypatch):
    """A place to work in that has the study's files, and profiles of its own."""
    place = tmp_path / "study"
    (place / "profiles").mkdir(parents=True)
    for name in ("params.yaml", "dvc.yaml", "notebooks", "eqlib"):
        (place / name).symlink_to(root / name)
    monkeypatch.chdir(place)
    return place


def listing(folder):
    return {path.relative_to(folder): path.stat().st_mtime_ns for path in folder.rglob("*")}


def test_thirty_pictures_and_ten_quads_are_a_study(study, tmp_path, capsys):
    draw(tmp_path / "mine")
    before = listing(tmp_path / "mine")
    assert main([str(tmp_path / "mine")]) == 0
    told = capsys.readouterr().out
    assert listing(tmp_path / "mine") == before
    params = configured("own", [])
    assert found(params) == []
    data = params["data"]
    suites = read_suites(data["data_root"], data["suites"])
    # 30 pictures less 5 in quads; a fifth of the others validates
    train, val = (read_captions(data["data_root"], data["captions"], s, held_out=suites) for s in ("train", "val"))
    assert (len(train.images), len(val.images)) == (20, 5)
    assert not set(train.images) & set(val.images)
    assert params["study"]["methods"] == ["contrastive", "eqsim"]
    assert all(params[section]["batch"] == 10 for section in ("pretrain", "finetune"))
    assert {len(values) for product in params["select"]["grids"]["eqsim"] for values in product.values()} == {1}
    for reason in ("pairwise, relative: no minimal pairs", "negclip: no hard negatives", "no folder of classes"):
        assert reason in told
    # a profile that someone may have edited stays
    written = (study / "profiles/own.yaml").read_bytes()
    assert main([str(tmp_path / "mine")]) == 1
    assert "--force" in capsys.readouterr().err
    assert main([str(tmp_path / "mine"), "--force"]) == 0
    assert (study / "profiles/own.yaml").read_bytes() == written


def test_all_that_is_there_is_used(study, tmp_path):
    """Splits, minimal pairs, hard negatives, two files of quads, classes: the profile reads the user's own file."""
    mine = tmp_path / "mine"
    draw(mine)
    table = pd.read_csv(mine / "captions.csv")
    table = table[~table.caption.str.endswith("middle")].assign(
        group=lambda t: t.path.str.rsplit("_", n=1).str[0], negative=lambda t: t.caption.str.replace("left", "top")
    )
    table["split"] = np.where(table.path.str.contains("purple"), "val", "train")
    table.to_csv(mine / "captions.csv", index=False)
    shutil.copy(mine / "quads.jsonl", mine / "quads_val.jsonl")
    for name in ("cup", "dog"):
        (mine / "things" / name).mkdir(parents=True)
        Image.new("RGB", (8, 8)).save(mine / "things" / name / "1.png")
    assert main([str(mine)]) == 0
    params = configured("own", [])
    assert found(params) == []
    assert params["data"]["captions"] == "captions.csv"
    assert params["data"]["validation"] == "quads_val"
    assert not (study / "profiles/own.jsonl").exists()
    assert params["study"]["methods"] == ["contrastive", "eqsim", "pairwise", "relative", "negclip"]
    assert params["compare"]["controls"] == ["pairwise"]
    assert params["select"]["grids"] == configured("", [])["select"]["grids"]
    assert params["tradeoff"]["classes"] == "things"


def test_a_file_a_split_and_a_pretrained_model(study, tmp_path):
    mine = tmp_path / "mine"
    draw(mine)
    table = pd.read_csv(mine / "captions.csv")
    (mine / "lists").mkdir()
    table["path"] = table["path"].str.removeprefix("pictures/")
    table.iloc[:20].to_csv(mine / "pictures" / "train.csv", index=False)
    table.iloc[20:].to_csv(mine / "pictures" / "dev.csv", index=False)
    (mine / "captions.csv").unlink()
    assert main([str(mine), "--model", "ViT-B-32/random"]) == 0
    params = configured("own", [])
    records = [json.loads(line) for line in (study / "profiles/own.jsonl").read_text().splitlines()]
    assert [record["split"] for record in records] == ["dev"] * 10 + ["train"] * 20
    assert all((mine / record["path"]).is_file() for record in records)
    assert params["data"]["splits"] == {"pretrain": "train", "train": "train", "val": "dev"}
    assert params["pretrain"] | {"init": "ViT-B-32/random", "steps": 0} == params["pretrain"]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda mine: (mine / "quads.jsonl").unlink(), "expected quads: a table of image0"),
        (lambda mine: (mine / "captions.csv").unlink(), "expected captions: a table"),
        (lambda mine: shutil.copy(mine / "captions.csv", mine / "more.csv"), "got captions.csv, more.csv"),
        (lambda mine: (mine / "pictures/red_square_left.png").unlink(), "red_square_left.png"),
        (lambda mine: (mine / "captions.csv").write_text("path,caption\npictures/red_square_left.png,x\n"), "train"),
        (lambda mine: shutil.rmtree(mine), "expected a folder"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_the_data_is_said_at_once(study, tmp_path, capsys, change, told):
    draw(tmp_path / "mine")
    change(tmp_path / "mine")
    assert main([str(tmp_path / "mine")]) == 1
    assert told in capsys.readouterr().err
    assert not (study / "profiles/own.yaml").exists()


def test_files_of_other_things_and_damaged_ones_are_left_out_by_name(study, tmp_path, capsys):
    draw(tmp_path / "mine")
    (tmp_path / "mine" / "prices.csv").write_text("what,price\ncup,3\n")
    (tmp_path / "mine" / "broken.json").write_text("[{")
    assert main([str(tmp_path / "mine")]) == 0
    told = capsys.readouterr().out
    assert re.search(r"left out +prices\.csv: no captions", told)
    assert re.search(r"left out +broken\.json: .*JSON", told)


def test_splits_without_one_to_validate_on_are_drawn_anew(study, tmp_path, capsys):
    draw(tmp_path / "mine")
    pd.read_csv(tmp_path / "mine/captions.csv").assign(split="train").to_csv(
        tmp_path / "mine/captions.csv", index=False
    )
    assert main([str(tmp_path / "mine")]) == 0
    assert "left out   splits train: not one to train and one to validate on" in capsys.readouterr().out
    assert "val" in (study / "profiles/own.jsonl").read_text()


def test_a_model_that_nobody_has_is_refused_and_a_folder_is_named_in_full(study, tmp_path, capsys):
    draw(tmp_path / "mine")
    assert main([str(tmp_path / "mine"), "--model", "nobody"]) == 1
    assert "--model: expected ARCHITECTURE/TAG" in capsys.readouterr().err
    (study / "here").mkdir()
    (study / "here/open_clip_config.json").write_text((study / "eqlib/models/small-64px.json").read_text())
    assert main([str(tmp_path / "mine"), "--model", "here"]) == 0
    assert configured("own", [])["pretrain"]["init"] == str(study / "here")


@pytest.mark.parametrize(
    ("images", "size", "batch"), [(1000, 1, 128), (300, 3, 126), (40, 2, 20), (23, 1, 11), (16, 1, 8)]
)
def test_a_batch_is_filled_by_whole_groups_twice_an_epoch(images, size, batch):
    assert batch_for(images, None if size == 1 else np.arange(images) // size) == batch


@pytest.mark.parametrize(("images", "size"), [(15, 1), (30, 17)])
def test_too_few_pictures_for_two_batches_are_refused(images, size):
    with pytest.raises(InputError, match="16 pictures to train on"):
        batch_for(images, np.arange(images) // size)


@pytest.mark.parametrize("size", [1, 2, 5])
def test_a_drawn_split_keeps_groups_whole_and_shown_pictures_out(tmp_path, size):
    images = [f"{n}.png" for n in range(100)]
    groups = np.arange(100) // size
    suite = RetrievalSuite("s", "all", "", tmp_path, images, images, np.arange(100), groups=groups)
    shown = {(tmp_path / name).resolve() for name in images[:10]}
    splits = drawn_splits(suite, shown)
    assert set(splits[:10]) == {"train"}
    assert 18 <= (splits == "val").sum() < 18 + size
    assert all(len(set(splits[10:][groups[10:] == group])) == 1 for group in range(10 // size + 1, 100 // size))


@pytest.fixture(scope="module")
def followed(root, tmp_path_factory):
    """docs/own-data.md in a copy of the repository: its commands with what they print on the page, and where to run."""
    clone = tmp_path_factory.mktemp("you") / "eqlib"
    copy_tree(root, clone)
    for path in clone.glob("profiles/own.*"):
        path.unlink()
    subprocess.run(["git", "init", "--quiet"], cwd=clone, check=True)
    page = (root / "docs/own-data.md").read_text()
    blocks = re.findall(r"^```console\n\$ (.*?)\n(.*?)^```$", page, re.DOTALL | re.MULTILINE)
    return clone, dict(blocks)


def run(clone, command):
    words = [sys.executable if word == "python" else word for word in shlex.split(command)]
    environment = os.environ | {"PYTHONPATH": str(clone)}
    done = subprocess.run(words, cwd=clone, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.replace(str(clone.parent), "/home/you")


def test_the_page_prints_what_its_commands_print(followed):
    clone, blocks = followed
    for command, printed in blocks.items():
        if "profile own" in command:
            continue
        found = run(clone, command).splitlines()
        for line in printed.splitlines():
            if not re.search(r"\d (s|min)$|^$", line):  # times are the machine's
                assert line in found, f"{command}: {line}"


@pytest.mark.slow
def test_the_study_of_one_s_own_data_runs_to_its_report(followed):
    clone, blocks = followed
    for command in blocks:
        if "own_data" not in command or not (clone.parent / "mine").exists():  # the page may have been followed above
            run(clone, f"{command} --force" if "study.new" in command else command)
    page = (clone / "scratch/profile/own/reports/index.html").read_text()
    assert "Measured on 10 quads" in page
    assert "No difference in the group score between EqSim and contrastive fine-tuning could be shown" in page
