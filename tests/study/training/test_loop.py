"""The loop: schedule, groups, resume to the bit, refusal of a loss that is not finite."""

import math
import os
import shutil
import signal
import subprocess
import sys
import textwrap
from contextlib import contextmanager
from dataclasses import replace

import pandas as pd
import pytest
import torch

from eqlib.errors import InputError
from eqlib.models.clip import load
from eqlib.study.training.batches import CaptionedImages
from eqlib.study.training.checkpoint import Checkpoint
from eqlib.study.training.loop import fit
from eqlib.study.training.objective import METHODS, Objective
from eqlib.study.training.recipe import Recipe, learning_rate, parameter_groups
from eqlib.suites import read

EQSIM = {"variant": "hard_easy", "weight": 1.0, "sample_num": 2}


def train_for(bundle, train, tmp_path, *, method="eqsim", steps=6, settings=None, **options):
    objective = Objective(method, settings or (EQSIM if method == "eqsim" else {}), seed=1, dim=16)
    negatives = "negatives" in objective.needs
    data = CaptionedImages(train, bundle.preprocess_train, bundle.tokenizer, seed=1, negatives=negatives)
    recipe = Recipe(steps=steps, batch=8, lr=1e-3, seed=1, warmup=2, log_every=1, **options)
    return fit(bundle.model, data, objective, recipe, scratch=tmp_path)


@pytest.fixture
def stopped_after(monkeypatch):
    """``with stopped_after(step):`` the run in it stops as soon as its checkpoint of that step is written."""

    @contextmanager
    def stopped(step):
        saved = Checkpoint.save

        def save_and_stop(self, number, state):
            saved(self, number, state)
            if number == step:
                raise KeyboardInterrupt

        with monkeypatch.context() as patch:
            patch.setattr(Checkpoint, "save", save_and_stop)
            with pytest.raises(KeyboardInterrupt):
                yield

    return stopped


def test_the_schedule_by_hand():
    recipe = Recipe(steps=10, batch=2, lr=1.0, seed=0, warmup=2)
    rates = [learning_rate(recipe, step) for step in range(10)]
    assert rates[:3] == [0.5, 1.0, 1.0]
    assert rates[6] == pytest.approx(0.5)  # half of the cosine's eight steps
    assert rates[9] == pytest.approx(0.5 * (1 + torch.cos(torch.tensor(torch.pi * 7 / 8)).item()))


def test_gains_biases_and_the_scale_do_not_decay(bundle):
    spared, decayed = parameter_groups(bundle.model, 0.1)
    assert (spared["weight_decay"], decayed["weight_decay"]) == (0.0, 0.1)
    assert any(p is bundle.model.logit_scale for p in spared["params"])
    assert all(p.ndim >= 2 for p in decayed["params"])
    assert len(spared["params"]) + len(decayed["params"]) == len(list(bundle.model.parameters()))


def test_the_history_names_every_term(bundle, train, tmp_path):
    history = train_for(bundle, train, tmp_path)
    assert history["step"].tolist() == [1, 2, 3, 4, 5, 6]
    expected = {"contrastive", "eqsim_hard", "eqsim_easy", "eqsim_active", "mean_a2", "mean_b2", "mean_I", "pool"}
    assert expected < set(history)
    assert history["contrastive"].iloc[-1] < history["contrastive"].iloc[0]
    assert not list(tmp_path.iterdir())  # nothing was asked to be kept


def test_a_run_stopped_between_steps_ends_with_the_same_weights(small, train, tmp_path, stopped_after):
    whole = load(small, seed=0)
    history = train_for(whole, train, tmp_path / "whole")
    with stopped_after(4):
        train_for(load(small, seed=0), train, tmp_path / "cut", checkpoint_every=2)
    resumed = load(small, seed=0)
    history_again = train_for(resumed, train, tmp_path / "cut", checkpoint_every=2)
    assert resumed.fingerprint == whole.fingerprint
    assert history_again.equals(history)


def test_a_matching_head_learns_and_resumes_to_the_bit(small, folder, tmp_path, stopped_after):
    four = read("captions", folder / "dataset.json", split="train", limit=4, captions_per_image=1)  # a colour each
    settings = {"hidden": 32, "activation": "sigmoid", "weight": 0.5}

    def run(scratch):
        bundle, objective = load(small, seed=0), Objective("eqsim_itm", settings, seed=1, dim=16)
        data = CaptionedImages(four, bundle.preprocess_val, bundle.tokenizer, seed=1)
        recipe = Recipe(steps=40, batch=4, lr=2e-3, seed=1, log_every=1, checkpoint_every=30)
        start = {name: value.clone() for name, value in objective.head.state_dict().items()}
        history = fit(bundle.model, data, objective, recipe, scratch=scratch)
        assert all(not start[name].equal(value) for name, value in objective.head.state_dict().items())
        return history, bundle.fingerprint, objective.head.state_dict()

    history, weights, head = run(tmp_path / "whole")
    assert history["matching"].iloc[-1] < 0.8 * history["matching"].iloc[0]
    assert history["matching_right"].iloc[-1] == 1
    assert history["mean_I"].iloc[-1] > 1
    with stopped_after(30):
        run(tmp_path / "cut")
    again, same_weights, same_head = run(tmp_path / "cut")
    assert same_weights == weights
    assert again.equals(history)
    assert all(head[name].equal(same_head[name]) for name in head)


def test_the_best_head_is_kept_with_the_best_weights(bundle, paired, tmp_path):
    objective = Objective("itm", HEAD["itm"], seed=1, dim=16)
    data = CaptionedImages(paired, bundle.preprocess_val, bundle.tokenizer, seed=1)
    recipe = Recipe(steps=3, batch=8, lr=1e-2, seed=1, validate_every=1, keep_best=True, monitor="score")
    scores, heads = iter([0.0, 0.1, 0.5, 0.4]), []  # the first is what it starts from

    def validate(model):
        heads.append({name: value.clone() for name, value in objective.head.state_dict().items()})
        return {"score": next(scores)}

    fit(bundle.model, data, objective, recipe, validate=validate, scratch=tmp_path)
    assert all(heads[2][name].equal(value) for name, value in objective.head.state_dict().items())


def test_a_head_is_not_averaged_and_negatives_are_neither_lost_nor_unused(bundle, paired, tmp_path):
    recipe = Recipe(steps=2, batch=8, lr=1e-3, seed=1)
    plain = CaptionedImages(paired, bundle.preprocess_val, bundle.tokenizer, seed=1)
    wrong = CaptionedImages(paired, bundle.preprocess_val, bundle.tokenizer, seed=1, negatives=True)
    for data, method, options, message in (
        (plain, "itm", {"ema": 0.9}, "ema 0 with a matching head"),
        (plain, "negclip", {}, "data with hard-negative captions for negclip"),
        (wrong, "eqsim", {}, "data without hard-negative captions for eqsim"),
    ):
        with pytest.raises(InputError, match=message):
            fit(bundle.model, data, Objective(method, dim=16), replace(recipe, **options), scratch=tmp_path)


def test_eqsim_waits_and_then_rises(bundle, train, tmp_path):
    settings = {"variant": "all_pairs", "weight": 4.0, "start": 2, "ramp": 4}
    history = train_for(bundle, train, tmp_path, settings=settings, steps=8)
    assert history["ramp"].tolist() == [0, 0, 0.25, 0.5, 0.75, 1, 1, 1]
    assert history["eqsim_all_pairs"].tolist()[:2] == [0, 0]
    means = 2 * (history["mean_a2"] + history["mean_b2"])  # text and image side without margin
    assert history["eqsim_all_pairs"].to_numpy() == pytest.approx((4.0 * history["ramp"] * means).to_numpy(), rel=1e-4)


def test_a_term_that_waits_changes_nothing(small, train, tmp_path):
    plain, waiting = load(small, seed=0), load(small, seed=0)
    train_for(plain, train, tmp_path, method="contrastive", steps=3)
    train_for(waiting, train, tmp_path, settings={"weight": 4.0, "start": 3}, steps=3)
    for a, b in zip(plain.model.parameters(), waiting.model.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("method", "settings", "message"),
    [
        ("eqsim", {"ramp": -1}, r"settings\.ramp: expected a number of steps"),
        ("eqsim", {"start": 1.5}, r"settings\.start"),
        ("contrastive", {"weight": 1.0}, "no such settings for contrastive, got weight"),
        ("negclip", {"ramp": 3}, "got ramp"),
        ("pairwise", {"weight": 2.0, "margin": 0.1}, "got margin"),
        ("itm", {"hidden": 4, "weight": 1.0}, "got weight"),
        ("eqsim_itm", {"activation": "tanh"}, "an activation among"),
        ("eqsim_itm", {"colour": 1}, "colour"),
    ],
)
def test_settings_that_a_method_does_not_take_are_named(method, settings, message):
    with pytest.raises(InputError, match=message):
        Objective(method, settings, dim=16)
    with pytest.raises(InputError, match="dim"):
        Objective("itm")


def test_a_killed_process_resumes_to_the_same_weights(small, train, tmp_path):
    program = tmp_path / "run.py"
    program.write_text(
        textwrap.dedent(f"""
        import os, pathlib, signal, sys
        from eqlib.models.clip import load
        from eqlib.suites import read
        from eqlib.study.training import loop
        from eqlib.study.training.recipe import Recipe
        from eqlib.study.training.batches import CaptionedImages
        from eqlib.study.training.objective import Objective

        folder, scratch, kill = sys.argv[1:]
        bundle = load({small!r}, seed=0)
        data = CaptionedImages(read("captions", pathlib.Path(folder) / "dataset.json", split="train"),
                               bundle.preprocess_train, bundle.tokenizer, seed=1)
        recipe = Recipe(steps=6, batch=8, lr=1e-3, seed=1, warmup=2, checkpoint_every=2)
        rate = loop.learning_rate
        def killing(recipe, step):
            if step == 5 and kill == "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            return rate(recipe, step)
        loop.learning_rate = killing
        loop.fit(bundle.model, data, Objective("eqsim", {EQSIM!r}, seed=1), recipe, scratch=scratch)
        print(bundle.fingerprint)
        """)
    )
    command = [sys.executable, str(program), str(train.root), str(tmp_path / "scratch")]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    killed = subprocess.run([*command, "kill"], capture_output=True, env=environment)
    assert killed.returncode == -signal.SIGKILL
    assert list((tmp_path / "scratch").glob("*/step-*/state.pt"))
    resumed = subprocess.run([*command, "no"], capture_output=True, text=True, env=environment, check=True)
    command[-1] = str(tmp_path / "other")
    whole = subprocess.run([*command, "no"], capture_output=True, text=True, env=environment, check=True)
    assert resumed.stdout == whole.stdout != ""


def test_a_loss_that_is_not_finite_stops_the_run(bundle, train, tmp_path):
    with torch.no_grad():
        bundle.model.text_projection.fill_(float("nan"))
    data = CaptionedImages(train, bundle.preprocess_train, bundle.tokenizer, seed=1)
    recipe = Recipe(steps=2, batch=8, lr=1e-3, seed=1)
    with pytest.raises((FloatingPointError, InputError), match=r"step 1|finite"):
        fit(bundle.model, data, Objective("contrastive"), recipe, scratch=tmp_path)


@pytest.mark.parametrize(
    ("name", "value"),
    [("steps", 0), ("warmup", 5), ("warmup", -1), ("lr", math.nan), ("lr", -1.0), ("seed", -1), ("workers", -1),
     ("precision", "fp99"), ("weight_decay", -5.0), ("patience", -1), ("checkpoint_minutes", math.nan), ("accum", 0)],
)  # fmt: skip
def test_an_impossible_recipe_is_refused(name, value):
    with pytest.raises(InputError, match=f"^{name}: expected"):
        Recipe(**{"steps": 5, "batch": 2, "lr": 1.0, "seed": 0, name: value})


def test_an_unknown_method_is_named():
    with pytest.raises(InputError, match="eqsim, cyclip, pairwise, relative, separate, rank, negclip"):
        Objective("simclr")


TERMS = {
    "contrastive": {"contrastive"},
    "eqsim": {"contrastive", "eqsim_hard", "eqsim_easy"},
    "cyclip": {"contrastive", "cyclip_in_modal", "cyclip_cross_modal"},
    "pairwise": {"contrastive", "pairwise"},
    "relative": {"contrastive", "relative"},
    "separate": {"contrastive", "separate"},
    "rank": {"contrastive", "rank"},
    "negclip": {"negclip"},
    "eqsim_negclip": {"negclip", "eqsim_all_pairs"},
    "itm": {"contrastive", "matching"},
    "eqsim_itm": {"contrastive", "matching", "eqsim_itm"},
}
HEAD = {"itm": {"hidden": 8}, "eqsim_itm": {"hidden": 8, "activation": "sigmoid", "weight": 2.0}}


@pytest.mark.parametrize("method", TERMS)
def test_every_method_trains(bundle, paired, tmp_path, method):
    history = train_for(bundle, paired, tmp_path, method=method, settings=HEAD.get(method), steps=3)
    every = set().union(*TERMS.values())
    assert set(history) & every == TERMS[method]
    assert len(history) == 3


def test_eqsim_acts_on_the_pairs_that_the_data_knows(bundle, train, paired, tmp_path):
    settings = {"variant": "minimal_pairs", "own_change": True, "margin": 0.5, "weight": 2.0}
    history = train_for(bundle, paired, tmp_path, settings=settings, steps=12)
    assert history["eqsim_hard"].iloc[-1] < history["eqsim_hard"].iloc[0]
    with pytest.raises(InputError, match="images in minimal pairs"):
        train_for(bundle, train, tmp_path, settings=settings, steps=3)


def test_every_method_but_that_of_a_logit_bias_is_tried():
    assert {*TERMS, "siglip"} == set(METHODS)


@pytest.mark.parametrize("method", ["eqsim_negclip", "eqsim_itm"])
def test_parts_carry_negatives_and_heads_too(small, paired, tmp_path, method):
    whole, parted = load(small, seed=0), load(small, seed=0)
    one = train_for(whole, paired, tmp_path, method=method, settings=HEAD.get(method), steps=3)
    other = train_for(parted, paired, tmp_path, method=method, settings=HEAD.get(method), steps=3, accum=3)
    pd.testing.assert_frame_equal(one, other, rtol=1e-3, atol=1e-5)
    for a, b in zip(whole.model.parameters(), parted.model.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-5)


@pytest.fixture
def one_thread():
    """Sums in one order: Adam makes much of a zero that another number of threads rounds otherwise."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.mark.usefixtures("one_thread")
def test_parts_change_the_memory_and_not_the_weights(small, train, tmp_path):
    whole, parted = load(small, seed=0), load(small, seed=0)
    one = train_for(whole, train, tmp_path, steps=4)
    other = train_for(parted, train, tmp_path, steps=4, accum=3)
    assert one["pool"].tolist() == other["pool"].tolist() == [7.0] * 4  # partners come from the whole batch
    for a, b in zip(whole.model.parameters(), parted.model.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)


def test_an_average_of_weights_lags_behind_and_survives_a_stop(small, train, tmp_path, stopped_after):
    plain, averaged = load(small, seed=0), load(small, seed=0)
    start = plain.model.text_projection.detach().clone()
    train_for(plain, train, tmp_path)
    train_for(averaged, train, tmp_path, ema=0.9)
    moved = [(b.model.text_projection - start).norm() for b in (plain, averaged)]
    assert 0 < moved[1] < moved[0]
    with stopped_after(4):
        train_for(load(small, seed=0), train, tmp_path, ema=0.9, checkpoint_every=4)
    resumed = load(small, seed=0)
    train_for(resumed, train, tmp_path, ema=0.9, checkpoint_every=4)
    assert resumed.fingerprint == averaged.fingerprint


def test_the_best_weights_seen_are_kept_and_patience_ends_the_run(bundle, train, tmp_path):
    data = CaptionedImages(train, bundle.preprocess_train, bundle.tokenizer, seed=1)
    recipe = Recipe(steps=9, batch=8, lr=1e-3, seed=1, validate_every=1, patience=2, monitor="score")
    scores, prints = iter([0.8, 0.1, 0.5, 0.4, 0.5, 0.9]), []  # the first is what it starts from, and not kept

    def validate(model):
        prints.append(bundle.fingerprint)
        return {"score": next(scores)}

    history = fit(bundle.model, data, Objective("contrastive"), recipe, validate=validate, scratch=tmp_path)
    assert history["step"].max() == 4  # 0.5 at step 2, then two without a better one
    assert bundle.fingerprint == prints[2]
    assert history.loc[0, ["step", "score"]].tolist() == [0, 0.8]
    assert history.loc[0, "lr":"contrastive"].isna().all()


def test_a_monitor_that_nobody_returns_is_named(bundle, train, tmp_path):
    data = CaptionedImages(train, bundle.preprocess_train, bundle.tokenizer, seed=1)
    recipe = Recipe(steps=2, batch=8, lr=1e-3, seed=1, validate_every=1, keep_best=True)
    with pytest.raises(InputError, match="val_group"):
        fit(bundle.model, data, Objective("contrastive"), recipe, validate=lambda _: {"x": 1.0}, scratch=tmp_path)


def test_a_resumed_run_counts_what_it_skipped_before(small, train, tmp_path, stopped_after):
    shutil.copytree(train.root, tmp_path / "cut")
    (tmp_path / "cut" / train.images[3]).write_bytes(b"cut")
    cut = replace(train, root=tmp_path / "cut")

    def run(scratch):
        bundle = load(small, seed=0)
        data = CaptionedImages(cut, bundle.preprocess_train, bundle.tokenizer, seed=1, damaged="skip")
        recipe = Recipe(steps=8, batch=10, lr=1e-3, seed=1, checkpoint_every=4)
        history = fit(bundle.model, data, Objective("contrastive"), recipe, scratch=scratch)
        return history.attrs["damaged"], bundle.fingerprint

    whole = run(tmp_path / "whole")
    assert whole[0] == 4  # 8 steps of 10 are four epochs of the 20 pictures
    with stopped_after(4):
        run(tmp_path / "stopped")
    assert run(tmp_path / "stopped") == whole
