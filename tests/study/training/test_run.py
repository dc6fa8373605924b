"""A run from files to files, on one process and on two."""

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
import torch

from eqlib.errors import InputError
from eqlib.models.clip import load
from eqlib.study.evaluation.judge import check_kept
from eqlib.study.training.recipe import Recipe
from eqlib.study.training.run import Run, check, train, write_run

SUITES = {"mine": {"reader": "quads", "path": "quads.json"}}


@pytest.fixture
def run(folder, small, tmp_path, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    config = tmp_path / "small.json"
    config.write_text(json.dumps(small))
    recipe = Recipe(steps=4, batch=8, lr=1e-3, seed=1, warmup=1, log_every=1)
    return lambda method, settings, **more: Run(
        init=str(config), method=method, settings=settings, data_root=str(folder), captions="dataset.json",
        split="train", val_split="val", suites=SUITES, validation="mine", recipe=recipe, **more,
    )  # fmt: skip


def test_a_run_leaves_a_model_that_open_clip_reads(run, tmp_path):
    import open_clip

    history = train(run("eqsim", {"weight": 4.0}), tmp_path / "out", scratch=str(tmp_path / "scratch"))
    assert {"contrastive", "eqsim_all_pairs", "val_group"} <= set(history)
    again = load(tmp_path / "out" / "model")
    model = open_clip.create_model(f"local-dir:{tmp_path / 'out' / 'model'}")
    theirs = model.state_dict()
    assert all((value == theirs[name]).all() for name, value in again.model.state_dict().items())


@pytest.fixture
def knowing(folder, tmp_path):
    """The set with pairs of neighbours as groups and a hard negative for each first caption."""
    root = shutil.copytree(folder, tmp_path / "knowing")
    content = json.loads((root / "dataset.json").read_text())
    for n, record in enumerate(content["images"]):
        record |= {"group": str(n // 2), "negatives": [f"no {record['sentences'][0]['raw']}", ""]}
    (root / "dataset.json").write_text(json.dumps(content))
    return str(root)


def test_two_processes_under_torchrun_draw_the_loss_curve_of_one(run, tmp_path):
    settings = {"variant": "hard", "sample_num": 2, "weight": 2.0, "ramp": 3}
    curves = [
        train(run("eqsim", settings), tmp_path / str(n), processes=n, scratch=str(tmp_path / f"s{n}")) for n in (1, 2)
    ]
    started = [json.loads((tmp_path / str(n) / "metrics.json").read_text())["processes"] for n in (1, 2)]
    assert started == [1, 2]
    shown = [name for name in curves[0] if name not in ("grad_norm",)]
    pd.testing.assert_frame_equal(curves[0][shown], curves[1][shown], rtol=2e-4, atol=1e-6)
    assert not list((tmp_path / "s2").glob("*"))


def test_more_processes_than_gpus_are_refused(run, tmp_path, monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 1)
    with pytest.raises(InputError, match="at most 1 processes"):
        train(run("contrastive", {}), tmp_path / "out", processes=2)


def test_a_written_run_is_what_a_launcher_trains(run, tmp_path):
    written = write_run(run("contrastive", {}), tmp_path / "out")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["run.json"]
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "-m", "eqlib.study.training.run"]
    subprocess.run([*command, str(written), str(tmp_path / "scratch")], check=True, capture_output=True)
    train(run("contrastive", {}), tmp_path / "other", scratch=str(tmp_path / "scratch"))
    launched, here = (load(tmp_path / name / "model").model.state_dict() for name in ("out", "other"))
    for name, tensor in here.items():  # a launcher gives each process one thread: sums come in another order
        torch.testing.assert_close(launched[name], tensor, atol=1e-5, rtol=0)


@pytest.fixture(params=["open_clip", "transformers"])
def siglip(request, small, tmp_path):
    """A small SigLIP with random weights and the temperature of the released ones."""
    if request.param == "open_clip":
        path = tmp_path / "siglip.json"
        path.write_text(json.dumps(small | {"init_logit_bias": -10.0, "init_logit_scale": 4.7652}))
        return str(path)
    pytest.importorskip("transformers")
    sys.path.append(str(Path(__file__).parents[2] / "models"))
    import hf_families

    sys.path.pop()
    hf, processor, tokenizer = hf_families.siglip()
    hf.logit_scale.data.fill_(4.7652)
    for part in (hf, processor, tokenizer):
        part.save_pretrained(tmp_path / "siglip")
    return str(tmp_path / "siglip")


def test_a_siglip_with_adapters_and_eqsim_goes_on_after_a_failure(run, siglip, tmp_path):
    plain = run("siglip+eqsim", {"variant": "hard", "sample_num": 2}, part="lora", lora_rank=2)
    plain = replace(
        plain,
        init=siglip,
        grad_checkpointing=True,
        aug_cfg={"scale": [0.4, 1.0]},
        recipe=replace(plain.recipe, checkpoint_every=2, export_every=2, validate_every=2, keep_best=True),
    )

    def stop(history):
        if history["step"].max() == 3:
            raise OSError("no space left")

    with pytest.raises(OSError, match="no space"):
        train(plain, tmp_path / "cut", scratch=str(tmp_path / "scratch"), on_log=stop)
    seen = []
    train(plain, tmp_path / "cut", scratch=str(tmp_path / "scratch"), on_log=lambda history: seen.append(len(history)))
    assert seen == [4, 5]  # two of the four steps were kept, and what it starts from
    train(plain, tmp_path / "whole", scratch=str(tmp_path / "scratch"))
    names = ("model", "step-2", "step-4")
    prints = [[load(tmp_path / run / name).fingerprint for name in names] for run in ("cut", "whole")]
    assert prints[0] == prints[1]
    assert prints[0][1] != prints[0][2]
    assert load(tmp_path / "cut" / "model").model.logit_scale.item() == pytest.approx(4.7652, abs=0.01)


def test_trackers_hold_the_history(run, tmp_path):
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    plain, seen = run("eqsim", {}, trackers=["tensorboard"]), []
    history = train(
        replace(plain, recipe=replace(plain.recipe, validate_every=2)),
        tmp_path / "out",
        scratch=str(tmp_path / "scratch"),
        on_log=lambda history: seen.append(history["step"].tolist()),
    )
    assert seen == [[0], [0, 1], [0, 1, 2], [0, 1, 2, 3], [0, 1, 2, 3, 4]]
    events = EventAccumulator(str(tmp_path / "out" / "logs")).Reload()
    assert set(history) - {"step"} <= set(events.Tags()["scalars"])
    for name, steps in (("contrastive", [1, 2, 3, 4]), ("lr", [1, 2, 3, 4]), ("val_group", [0, 2, 4])):
        assert [event.step for event in events.Scalars(name)] == steps
        expected = history[name].dropna().tolist()
        assert [event.value for event in events.Scalars(name)] == pytest.approx(expected, rel=1e-6)
    with pytest.raises(InputError, match="trackers that are installed"):
        train(run("eqsim", {}, trackers=["carrier pigeon"]), tmp_path / "none")


def test_settings_are_one_dictionary_with_checked_names(run):
    known = {name: value for name, value in vars(run("eqsim", {})).items() if name not in ("recipe",)}
    rest = {name: known[name] for name in ("init", "method", "data_root", "captions", "split", "val_split")}
    rest |= {"suites": SUITES, "validation": "mine"}
    values = {"steps": 4, "batch": 8, "lr": 1e-3, "seed": 1, "warmup": 1, "log_every": 1}
    assert Run.configured(values, **rest) == run("eqsim", {})
    assert Run.configured(values | {"part": "lora", "weight_decay": 0.0}, **rest).recipe.weight_decay == 0
    for wrong, message in (({"step": 4}, "step"), ({"lr": "fast"}, "lr"), ({"warmup": 9}, "warmup < steps")):
        with pytest.raises(InputError, match=message):
            Run.configured(values | wrong, **rest)


def test_a_head_is_left_beside_its_model_and_scores_the_same(run, folder, tmp_path):
    from eqlib.models.matching import load_head, scorer
    from eqlib.models.score import score_suite
    from eqlib.quads import scores_of
    from eqlib.scoring import matching
    from eqlib.suites import read

    history = train(run("itm", {"hidden": 8}), tmp_path / "out", scratch=str(tmp_path / "scratch"))
    model, head = load(tmp_path / "out" / "model"), load_head(tmp_path / "out" / "model")
    right = matching(scores_of(score_suite(scorer(model, head), read("quads", folder / "quads.json"), progress=False)))
    assert {name: history[f"val_head_{name}"].iloc[-1] for name in right} == {n: r.mean() for n, r in right.items()}
    with pytest.raises(InputError, match="hard negatives"):
        train(run("negclip", {}), tmp_path / "none", scratch=str(tmp_path / "scratch"))


def test_one_tower_trains_and_the_other_stays(run, small, tmp_path):
    train(run("contrastive", {}, part="text"), tmp_path / "out", scratch=str(tmp_path / "scratch"))
    before, after = load(small, seed=1).model.state_dict(), load(tmp_path / "out" / "model").model.state_dict()
    changed = {name.startswith("visual.") for name in before if not before[name].equal(after[name])}
    assert changed == {False}


def test_what_a_later_run_lacks_is_said_before_the_first(run, knowing):
    pairs = run("eqsim", {"variant": "minimal_pairs"})
    fine = run("contrastive", {})
    check(fine)
    check(*(replace(one, data_root=knowing) for one in (fine, pairs, run("negclip", {}))))
    with pytest.raises(InputError, match="images in minimal pairs"):
        check(fine, pairs)
    with pytest.raises(InputError, match="hard negatives"):
        check(fine, run("negclip", {}))
    with pytest.raises(InputError, match="one of all_pairs"):
        check(fine, run("eqsim", {"variant": "some_pairs"}))


def test_a_validation_suite_that_is_not_there_is_named(run, tmp_path):
    with pytest.raises(InputError, match="mine"):
        train(replace(run("contrastive", {}), validation="other"), tmp_path / "out")


def test_a_run_counts_the_damaged_pictures_it_skips(run, folder, tmp_path, capsys):
    import json

    shutil.copytree(folder, tmp_path / "cut")
    (tmp_path / "cut" / "train" / "9.png").write_bytes(b"cut")
    failing = replace(run("contrastive", {}), data_root=str(tmp_path / "cut"))
    with pytest.raises(InputError, match=r"9\.png"):
        train(failing, tmp_path / "out", scratch=str(tmp_path / "scratch"))
    history = train(replace(failing, damaged="skip"), tmp_path / "out", scratch=str(tmp_path / "scratch"))
    assert history["step"].tolist() == [1, 2, 3, 4]
    # four steps of 8 are two epochs of the 16 images that no quad shows
    assert json.loads((tmp_path / "out" / "metrics.json").read_text())["damaged"] == 2
    assert "2 damaged pictures skipped" in capsys.readouterr().err


def test_shards_train_and_validate_where_they_lie(run, folder, tmp_path):
    import io
    import tarfile

    root = tmp_path / "set"
    shutil.copytree(folder, root)
    for split, numbers in (("train", range(4, 20)), ("val", range(20, 24))):
        (root / "shards" / split).mkdir(parents=True)
        with tarfile.open(root / "shards" / split / "0.tar", "w") as tar:
            for n in numbers:
                tar.add(root / "train" / f"{n}.png", f"{n:02d}.png")
                caption = tarfile.TarInfo(f"{n:02d}.txt")
                caption.size = 2
                tar.addfile(caption, io.BytesIO(f"{n:02d}".encode()))
    of_tars = replace(run("contrastive", {}), data_root=str(root), captions="shards")
    histories = [
        train(
            replace(of_tars, recipe=replace(of_tars.recipe, workers=workers)),
            tmp_path / str(workers),
            scratch=str(tmp_path / "scratch"),
        )
        for workers in (0, 2)
    ]
    assert histories[0].equals(histories[1])
    assert "val_image_to_text_r1" in histories[0]


def test_a_model_with_a_flipped_byte_is_refused(run, tmp_path):
    train(run("contrastive", {}), tmp_path / "out", scratch=str(tmp_path / "scratch"))
    model = tmp_path / "out" / "model"
    check_kept(load(model), model)
    weights = model / "open_clip_model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-3] ^= 1
    weights.write_bytes(content)
    with pytest.raises(InputError, match=r"out/model: expected the weights .*`python -m eqlib\.study\.mend"):
        check_kept(load(model), model)
