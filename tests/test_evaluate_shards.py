"""``eqlib evaluate --shard`` and ``--merge``: the files of one run, and what is refused."""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import load_file

from eqlib.cli import main
from eqlib.errors import InputError
from eqlib.evaluate import shard_of
from eqlib.models.cache import FeatureCache
from eqlib.models.clip import load, save

CONFIG = {
    "embed_dim": 32,
    "vision_cfg": {"layers": 1, "width": 32, "head_width": 16, "patch_size": 16, "image_size": 32},
    "text_cfg": {"context_length": 16, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 1},
}
DRIFTS = """
import os, time

class Drifts:  # in its last digits an answer depends on the other pairs of its call
    fingerprint = name = os.environ.get("DRIFTS", "drifts 1")

    def __call__(self, images, captions):
        time.sleep(float(os.environ.get("SLOWLY", 0)))
        noise = 1e-7 * sum(map(len, captions)) + 1e-9 * sum(image.getpixel((1, 1))[0] for image in images)
        return [len(text) + image.getpixel((0, 0))[0] + noise for image, text in zip(images, captions)]

def make(device, precision):
    return Drifts()
"""
FILES = ("items.parquet", "scores.txt", "run.json")


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Twelve pictures, sixty quads and twelve captions of them, a small CLIP, a scorer of pairs."""
    folder = tmp_path_factory.mktemp("place")
    save(load(CONFIG), folder / "small")
    (folder / "drifts.py").write_text(DRIFTS)
    pixels = np.random.default_rng(0).integers(0, 255, (12, 40, 48, 3), dtype=np.uint8)
    for n, array in enumerate(pixels):
        Image.fromarray(array).save(folder / f"{n}.png")
    quads = [
        dict(zip(("image0", "image1", "caption0", "caption1"), row, strict=True))
        for n in range(60)
        for row in [(f"{n % 12}.png", f"{(n + n // 12 + 1) % 12}.png", f"a dog {n % 9}", f"{n} cats")]
    ]
    (folder / "quads.json").write_text(json.dumps(quads))
    captions = [{"filename": f"{n}.png", "split": "test", "sentences": [{"raw": f"a dog {n}"}]} for n in range(12)]
    (folder / "karpathy.json").write_text(json.dumps({"images": captions}))
    return folder


@pytest.fixture
def evaluate(place, capsys, monkeypatch):
    """``evaluate(model, *options, out=folder)``: the exit code and the last line, of stderr where it is not 0."""
    monkeypatch.chdir(place)
    monkeypatch.delitem(sys.modules, "drifts", raising=False)

    def run(model, *options, out, suite=("quads", "quads.json")):
        arguments = [model, *suite, "--out", out, "--device", "cpu", "--batch", "4", "--workers", "0", *options]
        code = main(["evaluate", *map(str, arguments)])
        printed = capsys.readouterr()
        return code, (printed.err if code else printed.out).splitlines()[-1]

    yield run
    sys.path[:] = [path for path in sys.path if path != str(place)]


def test_shards_of_a_dual_encoder_on_items_and_retrieval(evaluate, tmp_path):
    for kind, suite in {"quads": ("quads", "quads.json"), "captions": ("captions", "karpathy.json")}.items():
        one, many = tmp_path / kind / "one", tmp_path / kind / "many"
        more = ("--split", "test") if kind == "captions" else ("--by", "cluster")
        assert evaluate("small", *more, out=one, suite=suite)[0] == 0
        for shard in ("2/3", "3/3", "1/3"):
            code, said = evaluate("small", *more, "--shard", shard, out=many, suite=suite)
            assert (code, said) == (0, f"{many}: shard {shard[0]} of 3 is answered; --merge makes the tables of all")
            assert not (many / "items.parquet").exists()
        before = set(many.rglob("*.safetensors"))
        assert evaluate("small", *more, "--merge", out=many, suite=suite)[0] == 0
        assert set(many.rglob("*.safetensors")) == before
        for name in FILES:
            assert (many / name).read_bytes() == (one / name).read_bytes()


def start(place, out, *options, slowly=0.05):
    command = [sys.executable, "-m", "eqlib.cli", "evaluate", "drifts:make", "quads", "quads.json", "--batch", "4"]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "SLOWLY": str(slowly)}
    how = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE, "text": True, "env": environment}
    return subprocess.Popen([*command, "--device", "cpu", "--out", out, *options], cwd=place, **how)


def test_two_shards_at_once_one_of_them_killed(evaluate, place, tmp_path):
    """In one folder; the killed one goes on, and the merge has the bytes of one run."""
    one, many = tmp_path / "one", tmp_path / "many"
    killed, other = (start(place, many, "--shard", f"{k}/2", slowly=0.2 / k) for k in (1, 2))
    while not list(many.rglob("pair-1-of-2-*")) and killed.poll() is None:
        time.sleep(0.01)
    killed.send_signal(signal.SIGKILL)
    assert killed.wait() == -signal.SIGKILL, killed.stderr.read()
    assert other.wait() == 0, other.stderr.read()
    assert [path.name for path in (many / "shards").iterdir()] == ["2-of-2.json"]
    code, said = evaluate("drifts:make", "--merge", out=many)
    assert (code, said) == (2, f"eqlib: {many / 'shards'}: expected records of 2 shards, got none of 1-of-2")
    assert evaluate("drifts:make", "--shard", "1/2", out=many)[0] == 0
    assert evaluate("drifts:make", "--merge", out=many)[0] == 0
    assert evaluate("drifts:make", out=one)[0] == 0
    for name in FILES:
        assert (many / name).read_bytes() == (one / name).read_bytes()


@pytest.fixture
def two(evaluate, tmp_path):
    """The folder of two shards that are done."""
    for shard in ("1/2", "2/2"):
        assert evaluate("drifts:make", "--shard", shard, out=tmp_path / "two")[0] == 0
    return tmp_path / "two"


@pytest.mark.parametrize(
    ("model", "more", "expected"),
    [
        ("small", (), "1-of-2.json: expected model 'small', as in this run and all shards, got 'drifts 1'"),
        (
            "drifts:make",
            ("--limit", "59"),
            "expected edition 'first 59 of own', as in this run and all shards, got 'own'",
        ),
        ("drifts:make", ("--batch", "5"), "expected batch 5, as in this run and all shards, got 4"),
    ],
)
def test_a_merge_of_another_run_is_refused(evaluate, two, model, more, expected):
    code, said = evaluate(model, "--merge", *more, out=two)
    assert code == 2
    assert expected in said
    assert not (two / "items.parquet").exists()


def test_a_merge_checks_that_the_shards_are_of_one_kind(evaluate, two):
    """A shard of an older version of the model, and then one of another cut."""
    record = two / "shards" / "2-of-2.json"
    told = json.loads(record.read_text())
    record.write_text(json.dumps(told | {"key": "0" * 32}))
    code, said = evaluate("drifts:make", "--merge", out=two)
    assert code == 2
    assert f"{record}: expected key '{told['key']}', as in this run and all shards, got '{'0' * 32}'" in said
    record.write_text(json.dumps(told))
    assert evaluate("drifts:make", "--shard", "1/4", out=two)[0] == 0
    code, said = evaluate("drifts:make", "--merge", out=two)
    assert code == 2
    assert "expected records of the shards of one cut (--shard writes them), got one of 2, one of 4" in said


def test_a_merge_without_shards_or_with_a_log_lost(evaluate, two, tmp_path):
    code, said = evaluate("drifts:make", "--merge", out=tmp_path / "none")
    assert code == 2
    assert "expected records of the shards of one cut (--shard writes them), got none" in said
    lost = next(two.rglob("pair-2-of-2-*"))
    lost.unlink()
    code, said = evaluate("drifts:make", "--merge", out=two)
    assert code == 2
    assert "expected the answers of all shards, got no answer to " in said
    assert evaluate("drifts:make", "--shard", "2/2", out=two)[0] == 0
    assert evaluate("drifts:make", "--merge", out=two)[0] == 0


def test_two_answers_to_one_pair_are_refused_but_for_the_last_digits(evaluate, two):
    """A scorer whose weights changed between two shards, and whose fingerprint did not."""
    log = next(two.rglob("pair-1-of-2-*"))
    shard = load_file(log)
    FeatureCache(log.parent, "pair-3-of-3").put([key.tobytes() for key in shard["keys"]], shard["features"] + 1e-3)
    assert evaluate("drifts:make", "--merge", out=two)[0] == 0
    FeatureCache(log.parent, "pair-4-of-4").put([key.tobytes() for key in shard["keys"]], shard["features"] + 100)
    code, said = evaluate("drifts:make", "--merge", out=two)
    assert code == 2
    assert "expected the answers that other files beside it have to " in said


@pytest.mark.parametrize("text", ["0/8", "9/8", "8", "1/0", "-1/2", "a/b", "1/2/3", "", "1.0/2"])
def test_a_shard_that_is_none(evaluate, tmp_path, text):
    code, said = evaluate("drifts:make", f"--shard={text}", out=tmp_path)
    assert (code, said) == (2, f"eqlib: --shard: expected K/N with K from 1 to N, or auto, got '{text}'")


def test_pairs_that_retrieval_finds_as_it_goes_have_no_shards(evaluate, tmp_path):
    options = ("--split", "test", "--first", "small", "--shard", "1/2")
    code, said = evaluate("drifts:make", *options, out=tmp_path, suite=("captions", "karpathy.json"))
    assert code == 2
    assert "--shard: expected a dual encoder, or quads or foils" in said


def array(task, low, high, count):
    names = dict(zip(("ID", "MIN", "MAX", "COUNT"), map(str, (task, low, high, count)), strict=True))
    return {f"SLURM_ARRAY_TASK_{name}": value for name, value in names.items()}


def test_the_shard_of_a_process_or_of_a_task():
    assert shard_of("3/8", {"RANK": "5", "WORLD_SIZE": "6"}) == (3, 8)  # the environment counts where it is asked for
    assert shard_of("auto", {"RANK": "5", "WORLD_SIZE": "6"}) == (6, 6)
    assert shard_of("auto", array(0, 0, 7, 8)) == (1, 8)
    assert shard_of("auto", array(8, 1, 8, 8)) == (8, 8)
    for given, got in (
        ({}, "neither"),
        ({"RANK": "0", "WORLD_SIZE": "2"} | array(1, 1, 2, 2), "both"),
        (array(3, 3, 3, 1), "1 tasks from 3 to 3"),
        (array(1, 1, 7, 4), "4 tasks from 1 to 7"),
    ):
        with pytest.raises(InputError, match=got):
            shard_of("auto", given)


@pytest.mark.slow
def test_processes_of_torchrun_take_a_shard_each(evaluate, place, tmp_path):
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    command += ["-m", "eqlib.cli", "evaluate", "drifts:make", "quads", "quads.json", "--batch", "4", "--device", "cpu"]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(place)}
    command += ["--out", str(tmp_path / "many"), "--shard", "auto"]
    done = subprocess.run(command, cwd=place, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert evaluate("drifts:make", "--merge", out=tmp_path / "many")[0] == 0
    assert evaluate("drifts:make", out=tmp_path / "one")[0] == 0
    for name in FILES:
        assert (tmp_path / "many" / name).read_bytes() == (tmp_path / "one" / name).read_bytes()
