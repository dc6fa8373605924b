"""``eqlib evaluate`` as a person calls it: every kind of suite, plug-ins, a run that is killed."""

from __future__ import annotations

import json
import os
import random
import re
import signal
import subprocess
import sys
import time

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from eqlib.cli import main
from eqlib.models.clip import load, save
from eqlib.models.score import retrieval_features, score_suite
from eqlib.quads import SCORE_COLUMNS
from eqlib.scoring import retrieval_table, summarise
from eqlib.suites import read

CONFIG = {
    "embed_dim": 32,
    "vision_cfg": {"layers": 1, "width": 32, "head_width": 16, "patch_size": 16, "image_size": 32},
    "text_cfg": {"context_length": 16, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 1},
}


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A CLIP with SigLIP's bias, as a folder."""
    return save(load(CONFIG | {"init_logit_bias": -1.0}), tmp_path_factory.mktemp("models") / "small")


@pytest.fixture(scope="module")
def suites(tmp_path_factory):
    """(reader, path, options) of a small suite of each kind, on ten pictures."""
    folder = tmp_path_factory.mktemp("suites")
    pixels = np.random.default_rng(0).integers(0, 255, (10, 40, 48, 3), dtype=np.uint8)
    for n, array in enumerate(pixels):
        Image.fromarray(array).save(folder / f"{n}.png")
    quads = [
        {
            "id": n,
            "image_0": f"{n}",
            "image_1": f"{n + 1}",
            "caption_0": f"a dog {n}",
            "caption_1": f"two cats {n % 3}",
            "tag": "Noun",
            "collapsed_tag": ("Object", "Relation")[n % 2],
        }
        for n in range(9)
    ]
    (folder / "examples.jsonl").write_text("\n".join(map(json.dumps, quads)))
    foils = {n: {"filename": f"{n}.png", "caption": f"a dog {n}", "negative_caption": f"no dog {n}"} for n in range(10)}
    (folder / "swap_obj.json").write_text(json.dumps(foils))
    captions = [
        {"filename": f"{n}.png", "split": "test", "sentences": [{"raw": f"a dog {n}"}, {"raw": f"{n} cats"}]}
        for n in range(10)
    ]
    (folder / "karpathy.json").write_text(json.dumps({"images": captions}))
    return {
        "quads": ("winoground", folder / "examples.jsonl", {}),
        "foils": ("sugarcrepe", folder / "swap_obj.json", {}),
        "retrieval": ("captions", folder / "karpathy.json", {"split": "test"}),
    }


def evaluate(capsys, model, suite, out, *more):
    """(what is printed, the table of items, run.json)."""
    reader, path, options = suite
    options = [text for name, value in options.items() for text in (f"--{name}", value)]
    assert main(["evaluate", str(model), reader, str(path), "--out", str(out), "--device", "cpu", *options, *more]) == 0
    return (
        capsys.readouterr().out,
        pd.read_parquet(out / "items.parquet"),
        json.loads((out / "run.json").read_text()),
    )


def refused(capsys, *arguments):
    assert main(["evaluate", *map(str, arguments)]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    return err.splitlines()[-1]


@pytest.mark.parametrize("kind", ["quads", "foils"])
def test_a_suite_of_items(capsys, model, suites, tmp_path, kind):
    reader, path, options = suites[kind]
    printed, items, ran = evaluate(capsys, model, suites[kind], tmp_path / "out")
    suite = read(reader, path, **options)
    expected = score_suite(load(model), suite, progress=False, workers=0)
    pd.testing.assert_frame_equal(items[list(expected)], expected)
    name = "group" if kind == "quads" else "pairwise"
    share = summarise(expected, scores=(name,)).iloc[0]
    assert ran["scores"]["average"]["micro"][name]["point"] == share["point"]
    assert f"{100 * share['point']:.2f} [{100 * share['low']:.2f}, {100 * share['high']:.2f}]" in printed
    assert (tmp_path / "out" / "scores.txt").read_text() in printed
    assert (ran["model"], ran["suite"], ran["items"]) == ("small", reader, len(suite))
    assert (ran["edition"], ran["digest"]) == (suite.edition, suite.digest)
    assert ran["versions"]["torch"]
    # what it wrote is what `eqlib score` reads
    assert main(["score", "table", "--scores", str(tmp_path / "out" / "items.parquet"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["subsets"] == ran["scores"]["subsets"]


def test_retrieval(capsys, model, suites, tmp_path):
    printed, items, ran = evaluate(capsys, model, suites["retrieval"], tmp_path / "out")
    suite = read("captions", suites["retrieval"][1], split="test")
    features = retrieval_features(load(model), suite, progress=False, workers=0)
    expected = retrieval_table(*features, suite.image_of_caption, suite="karpathy", edition="test")
    assert items["rank"].tolist() == expected["rank"].tolist()
    assert ran["scores"]["subsets"]["text_retrieval"]["R@5"]["point"] == expected["R@5"][:10].mean()
    assert "image_retrieval 20" in printed


def test_limit_and_columns(capsys, model, suites, tmp_path):
    printed, items, ran = evaluate(capsys, model, suites["quads"], tmp_path / "a", "--by", "collapsed_tag")
    for tag, part in (("Object", items[::2]), ("Relation", items[1::2])):
        assert ran["scores"]["by"]["subsets"][tag]["group_match"]["point"] == part["group_match"].mean()
    assert "by collapsed_tag" in printed
    _, items, ran = evaluate(capsys, model, suites["quads"], tmp_path / "b", "--limit", "3")
    assert len(items) == 3
    assert ran["edition"].startswith("first 3 of ")
    _, items, _ = evaluate(capsys, model, suites["retrieval"], tmp_path / "c", "--limit", "3")
    assert len(items) == 3 + 6


def test_probabilities(capsys, model, suites, tmp_path):
    """sigmoid(scale x cosine + bias); with them VALSE's scores of foils."""
    _, items, ran = evaluate(capsys, model, suites["foils"], tmp_path / "out", "--probabilities")
    bundle = load(model)
    scale = bundle.model.logit_scale.exp().item()
    assert np.allclose(items["p_caption"], 1 / (1 + np.exp(1 - scale * items["s_caption"])), atol=1e-5)
    assert ran["scores"]["average"]["micro"]["p_c"]["point"] == (items["p_caption"] > 0.5).mean()
    _, items, _ = evaluate(capsys, model, suites["quads"], tmp_path / "quads", "--probabilities")
    assert np.allclose(items["p01"], 1 / (1 + np.exp(1 - scale * items["s01"])), atol=1e-5)


def test_the_plan_starts_nothing(capsys, model, suites, tmp_path):
    reader, path, _ = suites["quads"]
    command = ["evaluate", str(model), reader, str(path), "--out", str(tmp_path / "out"), "--plan"]
    assert main(command) == 0
    printed = capsys.readouterr().out
    assert "distinct: 9 items, 10 pictures, 12 captions, 36 pairs" in printed
    assert "a forward pass each: 10 pictures, 12 captions" in printed
    assert not (tmp_path / "out" / "items.parquet").exists()
    assert not list(tmp_path.rglob("*.safetensors"))
    main(command[:-1])
    capsys.readouterr()
    main(command)
    assert "a forward pass each: 0 pictures, 0 captions" in capsys.readouterr().out


@pytest.fixture
def plug_in(root, tmp_path, monkeypatch):
    """README's example, as a module in the folder where the command is called."""
    (example,) = re.findall(r"^```python\n(# my_model\.py\n.*?)^```$", (root / "README.md").read_text(), re.M | re.S)
    (tmp_path / "my_model.py").write_text(example)
    monkeypatch.chdir(tmp_path)
    yield
    sys.modules.pop("my_model", None)
    sys.path[:] = [place for place in sys.path if place != str(tmp_path)]


def test_a_model_of_ones_own(capsys, model, suites, tmp_path, plug_in):
    _, items, ran = evaluate(capsys, "my_model:make", suites["quads"], tmp_path / "out")
    assert (ran["model"], ran["asked_for"]) == ("redness", "my_model:make")
    assert (items[list(SCORE_COLUMNS)] == 128).all(axis=None)  # no caption has "red"
    _, items, ran = evaluate(
        capsys,
        "my_model:make",
        suites["retrieval"],
        tmp_path / "retrieval",
        "--candidates",
        "3",
        "--first",
        str(model),
    )
    assert (ran["first"], ran["candidates"]) == ("small", 3)
    assert items["rank"].between(1, 20).all()
    assert "expected a dual encoder" in refused(
        capsys, "my_model:make", "captions", suites["retrieval"][1], "--split", "test", "--out", tmp_path / "no"
    )


def test_a_model_of_an_installed_package(capsys, suites, tmp_path, plug_in):
    folder = tmp_path / "redness-1.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: redness\nVersion: 1\n")
    (folder / "entry_points.txt").write_text("[eqlib.models]\nredness = my_model:make\n")
    sys.path.append(str(tmp_path))
    _, _, ran = evaluate(capsys, "redness", suites["quads"], tmp_path / "out")
    assert ran["model"] == "redness"


REFUSES = """
class Refuses:
    fingerprint = name = "refuses"

    def __call__(self, images, captions):
        return [None if caption in ("a dog 4", "no dog 4") else float(len(caption)) for caption in captions]

    def probability(self, scores):
        return 0.5 + 0 * scores

def make(device, precision, head=None):
    return Refuses()
"""


def test_missing_answers_are_counted_and_stated_both_ways(capsys, suites, tmp_path, monkeypatch):
    """A longer caption scores higher: of ten pairs of a caption and a longer foil none is right, and one is missing. Of
    the quads the one with the caption is missing, and text is right where "two cats" is the longer one."""
    (tmp_path / "refuses.py").write_text(REFUSES)
    monkeypatch.syspath_prepend(str(tmp_path))
    printed, items, ran = evaluate(capsys, "refuses:make", suites["foils"], tmp_path / "foils", "--probabilities")
    assert len(items) == 9
    assert ran["unanswered"] == ["swap_obj/4"]
    assert ran["scores"]["unanswered"] == {
        "items": 1,
        "counted_wrong": {"acc": 0.0, "p_c": 0.0, "p_f": 0.0, "pairwise": 0.0},
    }
    assert "1 of 10 items have no answer and are left out above; counted as wrong, all items give acc 0.00" in printed
    _, items, ran = evaluate(capsys, "refuses:make", suites["quads"], tmp_path / "quads")
    assert ran["unanswered"] == ["4"]
    micro, wrong = ran["scores"]["average"]["micro"], ran["scores"]["unanswered"]["counted_wrong"]
    assert wrong["group_match"] == pytest.approx(micro["group_match"]["point"] * 8 / 9)
    sys.modules.pop("refuses")


def test_a_model_without_probabilities_is_refused_before_the_run(capsys, suites, tmp_path):
    reader, path, _ = suites["foils"]
    folder = save(load(CONFIG), tmp_path / "plain")
    error = refused(capsys, folder, reader, path, "--out", tmp_path / "out", "--probabilities")
    assert "expected a model with a bias (SigLIP), got none" in error
    assert not (tmp_path / "out" / "cache").exists()


@pytest.mark.parametrize("head", ["vqascore-3.1", "yes-no"])
def test_a_generative_model(capsys, root, suites, tmp_path, monkeypatch, head):
    pytest.importorskip("transformers", reason="the extra 'hf' is not installed")
    monkeypatch.syspath_prepend(str(root / "tests" / "models"))
    from vqa_families import qwen2_vl

    from eqlib.models.vqa import load_vqa

    for part in qwen2_vl():
        part.save_pretrained(tmp_path / "model")
    options = ("--head", head, "--probabilities", "--limit", "3")
    _, items, ran = evaluate(capsys, tmp_path / "model", suites["quads"], tmp_path / "out", *options)
    assert (ran["model"], ran["head"]) == (f"model:{head}", head)
    reader, path, _ = suites["quads"]
    record = read(reader, path).records.iloc[1]
    picture = Image.open(path.parent / record["image0"]).convert("RGB")
    (score,) = load_vqa(tmp_path / "model", head)([picture], [record["caption1"]])
    assert items["s01"][1] == pytest.approx(score, abs=1e-4)
    assert items["p01"][1] == pytest.approx(1 / (1 + np.exp(-score)), abs=1e-5)


def test_a_matching_head_orders_what_its_contrastive_head_finds(capsys, root, suites, tmp_path, monkeypatch):
    pytest.importorskip("transformers", reason="the extra 'hf' is not installed")
    monkeypatch.syspath_prepend(str(root / "tests" / "models"))
    from test_itm import blip

    for part in blip():
        part.save_pretrained(tmp_path / "blip")
    options = ("--head", "itm", "--candidates", "4")
    _, items, ran = evaluate(capsys, tmp_path / "blip", suites["retrieval"], tmp_path / "out", *options)
    _, alone, _ = evaluate(capsys, tmp_path / "blip", suites["retrieval"], tmp_path / "alone")
    assert (ran["model"], ran["first"]) == ("blip:itm", "blip")
    behind = alone["rank"] > 4 + alone["tied"]  # what the first stage does not find stays where it was
    assert items["rank"][behind].tolist() == alone["rank"][behind].tolist()
    assert items["rank"].tolist() != alone["rank"].tolist()


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        (["--by", "nothing"], "--by: expected a column of the suite (quad, subset, cluster, image0,"),
        (["--first", "x"], "--first: expected a retrieval set, got winoground"),
        (["--split", "test"], "expected an option of the reader winoground"),
        (["--head", "itm"], "expected hf:ID or a folder with config.json"),
    ],
)
def test_bad_input_is_one_line(capsys, model, suites, tmp_path, more, expected):
    reader, path, _ = suites["quads"]
    assert expected in refused(capsys, model, reader, path, "--out", tmp_path / "out", *more)


@pytest.mark.parametrize("name", ["no_such_module:make", "json:no_such_function", "nothing/at-all"])
def test_a_model_that_is_not_there(capsys, suites, tmp_path, name):
    reader, path, _ = suites["quads"]
    assert name.partition("/")[0] in refused(capsys, name, reader, path, "--out", tmp_path / "out")


@pytest.mark.parametrize(
    ("option", "value", "expected"),
    [
        ("--precision", "fp17", "fp17"),  # open_clip would take it for float32
        ("--limit", "0", "expected a number of at least 1, got 0"),
        ("--workers", "-1", "expected a number of at least 0, got -1"),
        ("--level", "1", "expected a level between 0 and 1, got 1"),
        ("--batch", "many", "'many'"),
    ],
)
def test_a_value_that_is_none_is_refused_before_anything_is_read(capsys, tmp_path, option, value, expected):
    with pytest.raises(SystemExit, match="2"):
        main(["evaluate", "none", "winoground", "none", "--out", str(tmp_path), option, value])
    assert re.search(f"{option}.*{expected}", capsys.readouterr().err)


def test_without_torch_the_command_says_what_to_install(model, suites, tmp_path):
    reader, path, _ = suites["quads"]
    arguments = ["evaluate", str(model), reader, str(path), "--out", str(tmp_path)]
    code = f"import sys; sys.modules['torch'] = None; from eqlib.cli import main; sys.exit(main({arguments!r}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr.startswith(
        'eqlib: eqlib.models needs torch, which this Python does not have: pip install "eqlib['
    )
    assert done.stderr.count("\n") == 1


def test_no_room_for_the_cache_is_one_line(model, suites, tmp_path):
    """A file may not grow beyond a kibibyte: to the program that is a full disk."""
    reader, path, _ = suites["quads"]
    command = f"{sys.executable} -m eqlib.cli evaluate {model} {reader} {path} --out {tmp_path / 'out'} --device cpu"
    done = subprocess.run(["bash", "-c", f"ulimit -f 1; {command}"], capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1] == "eqlib: File too large"
    assert not list((tmp_path / "out").rglob("*.safetensors"))


SLOWER = """
import sys, time
sys.path.insert(0, {tests!r})
from eqlib.models.itm import load_matcher
from eqlib.models.scorer import scorer_key

def make(device, precision):
    matcher = load_matcher("blip", "itm", device=device, precision=precision)

    def score(images, captions):
        time.sleep(0.05)  # so that there is time to kill it
        return matcher(images, captions)

    score.fingerprint, score.name = scorer_key(matcher), matcher.name
    return score
"""


@pytest.mark.parametrize("kills", [1, pytest.param(5, marks=pytest.mark.slow)])
def test_killed_and_started_again_it_ends_with_the_same_bytes(root, tmp_path, kills):
    """SIGKILL at random moments of a real matching head with random weights, once it has written something new."""
    pytest.importorskip("transformers", reason="the extra 'hf' is not installed")
    sys.path.insert(0, str(root / "tests" / "models"))
    from test_itm import blip

    for part in blip():
        part.save_pretrained(tmp_path / "blip")
    (tmp_path / "slower.py").write_text(SLOWER.format(tests=str(root / "tests" / "models")))
    pixels = np.random.default_rng(0).integers(0, 255, (20, 40, 48, 3), dtype=np.uint8)
    for n, array in enumerate(pixels):
        Image.fromarray(array).save(tmp_path / f"{n}.png")
    quads = [
        {"image0": f"{n % 20}.png", "image1": f"{(n + 7) % 20}.png", "caption0": f"a dog {n}", "caption1": f"{n} cats"}
        for n in range(60 + 90 * kills)
    ]
    (tmp_path / "q.json").write_text(json.dumps(quads))

    def start(out):
        command = [sys.executable, "-m", "eqlib.cli", "evaluate", "slower:make", "quads", "q.json", "--batch", "8"]
        how = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE, "env": os.environ | {"OMP_NUM_THREADS": "1"}}
        return subprocess.Popen([*command, "--device", "cpu", "--out", out], cwd=tmp_path, **how)

    def shards():
        return len(list((tmp_path / "killed").rglob("pair-*")))

    whole = start("whole")
    moments = random.Random(0)
    for _ in range(kills):
        before, process = shards(), start("killed")
        while shards() == before and process.poll() is None:
            time.sleep(0.01)
        time.sleep(moments.random())
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL, process.stderr.read().decode()
        assert not (tmp_path / "killed" / "items.parquet").exists()
    last = start("killed")
    for process in (whole, last):
        _, err = process.communicate()
        assert process.returncode == 0, err.decode()
    for name in ("items.parquet", "scores.txt", "run.json"):
        assert (tmp_path / "killed" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    assert not list((tmp_path / "killed").glob(".*"))
