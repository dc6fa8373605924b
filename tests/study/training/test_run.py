"""A run from files to files, on one process and on two."""

import json
import shutil
from dataclasses import replace

import pandas as pd
import pytest

from eqlib.errors import InputError
from eqlib.models.clip import load
from eqlib.study.training.recipe import Recipe
from eqlib.study.training.run import Run, check, train

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


@pytest.mark.parametrize(
    ("method", "settings"),
    [
        ("contrastive", {}),
        ("eqsim", {"variant": "all_pairs", "weight": 4.0, "ramp": 3}),
        ("eqsim", {"variant": "minimal_pairs", "own_change": True, "margin": 0.1}),
        ("pairwise", {"weight": 2.0}),
        ("negclip", {}),
        ("eqsim_itm", {"hidden": 8, "activation": "sigmoid"}),
    ],
    ids=["contrastive", "eqsim", "minimal_pairs", "pairwise", "negclip", "eqsim_itm"],
)
def test_two_processes_draw_the_loss_curve_of_one(run, knowing, tmp_path, method, settings):
    of_pairs = replace(run(method, settings), data_root=knowing)
    curves = [train(of_pairs, tmp_path / str(n), processes=n, scratch=str(tmp_path / f"s{n}")) for n in (1, 2)]
    shown = [name for name in curves[0] if name not in ("grad_norm",)]
    pd.testing.assert_frame_equal(curves[0][shown], curves[1][shown], rtol=2e-4, atol=1e-6)


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
