"""EqBen-format evaluation against the official example's loop, with one model, in one run.

The official example (``example/eqben_eval_CLIP.py``) goes through the shuffled annotation row by row: each of its
1,004,192 rows opens a picture and runs both towers, in batches of 128, without workers. Every picture and caption comes
at least twice.

Run with ``pytest tests/speed/test_embeddings.py --benchmark-only -s``.
"""

import json
import random
import subprocess
import sys
import time

import numpy as np
import pytest
import torch
from PIL import Image

from eqlib.models.clip import load
from eqlib.models.score import score_suite
from eqlib.quads import scores_of
from eqlib.suites import read
from eqlib.suites.eqben_scores import CELLS
from eqlib.suites.images import open_image

QUADS = 300
CONFIG = {
    "embed_dim": 128,
    "vision_cfg": {"layers": [1, 1, 1, 1], "width": 32, "image_size": 64},
    "text_cfg": {"context_length": 24, "vocab_size": 49408, "width": 128, "heads": 4, "layers": 3},
}


def make_eqben(folder, quads, size=(320, 240)):
    """An annotation of ``quads`` quads, every picture in one quad only: the least there is to save."""
    rng = np.random.default_rng(0)
    rows = []
    for n in range(quads):
        where = folder / "eqbenag" / f"v{n // 20}"
        where.mkdir(parents=True, exist_ok=True)
        base = rng.integers(0, 255, (24, 32, 3), dtype=np.uint8)
        for i in (0, 1):
            Image.fromarray(base + np.uint8(i)).resize(size, Image.Resampling.BICUBIC).save(where / f"{n}_{i}.jpg")
            for c in (0, 1):
                info = {"dataset": "eqbenag", "name": f"c{c}i{i}", "sample_cnt": n}
                image, caption = (
                    f"eqbenag/v{n // 20}/{n}_{i}.jpg",
                    f"person {n} is holding the {'cup' if c else 'book'}",
                )
                rows.append({"image": image, "caption": caption, "private_info": info})
    random.Random(1234).shuffle(rows)
    (folder / "ann_json_finegrained_random.json").write_text(json.dumps(rows))
    return folder


@pytest.fixture(scope="module")
def eqben(tmp_path_factory):
    return make_eqben(tmp_path_factory.mktemp("eqben"), QUADS)


def official_loop(bundle, folder, batch=128):
    """What the official example does, with open_clip's model in place of CLIP's."""
    rows = json.loads((folder / "ann_json_finegrained_random.json").read_text())
    scores = []
    for start in range(0, len(rows), batch):
        part = rows[start : start + batch]
        images = torch.stack([bundle.preprocess_val(open_image(folder / row["image"])) for row in part])
        with torch.no_grad():
            text = bundle.model.encode_text(bundle.tokenizer([row["caption"] for row in part]))
            text /= text.norm(dim=-1, keepdim=True)
            image = bundle.model.encode_image(images)
            image /= image.norm(dim=-1, keepdim=True)
            scores.append((text * image).sum(dim=-1))
    place = [4 * row["private_info"]["sample_cnt"] + CELLS[row["private_info"]["name"]] for row in rows]
    return torch.cat(scores)[np.argsort(place)].reshape(-1, 2, 2).numpy()


@pytest.fixture(scope="module")
def bundle():
    return load(CONFIG)


def test_official_loop(benchmark, bundle, eqben):
    benchmark.pedantic(official_loop, (bundle, eqben), rounds=3, warmup_rounds=1)


def evaluate(bundle, folder, cache=None):
    return score_suite(bundle, read("eqben", folder), cache=cache, batch_size=128, progress=False)


def test_cold(benchmark, bundle, eqben):
    table = benchmark.pedantic(evaluate, (bundle, eqben), rounds=3, warmup_rounds=1)
    assert np.allclose(scores_of(table), official_loop(bundle, eqben), atol=1e-5)


def test_warm(benchmark, bundle, eqben, tmp_path):
    benchmark.pedantic(evaluate, (bundle, eqben, tmp_path), rounds=5, warmup_rounds=1)


def test_by_turns(benchmark, bundle, eqben, tmp_path):
    """The three side by side in processor time, which other work on the machine disturbs less than the clock."""
    evaluate(bundle, eqben, tmp_path)
    runs = {
        "official loop": lambda: official_loop(bundle, eqben),
        "cold": lambda: evaluate(bundle, eqben),
        "warm": lambda: evaluate(bundle, eqben, tmp_path),
    }
    taken = {name: [] for name in runs}

    def turn():
        for name, run in runs.items():
            start = time.process_time()
            run()
            taken[name].append(time.process_time() - start)

    benchmark.pedantic(turn, rounds=3)
    least = {name: min(times) for name, times in taken.items()}
    print("\n" + ", ".join(f"{name} {least[name]:.2f} s" for name in runs), end=": ")
    print(", ".join(f"{name} {least['official loop'] / least[name]:.1f}x" for name in ("cold", "warm")))


MEASURE = """
import resource, sys
from eqlib.models.clip import load
from eqlib.models.score import score_suite
from eqlib.suites import read
import json
bundle = load(json.loads(sys.argv[2]))
score_suite(bundle, read("eqben", sys.argv[1]), batch_size=64, workers=0, chunk=256, progress=False)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""


def peak_memory(folder):
    command = [sys.executable, "-c", MEASURE, str(folder), json.dumps(CONFIG)]
    return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def test_peak_memory_is_flat(benchmark, tmp_path):
    """One and ten times as many pictures, each in a process of its own."""
    small, large = (make_eqben(tmp_path / str(n), n, size=(96, 72)) for n in (QUADS, 10 * QUADS))
    before = peak_memory(small)
    after = benchmark.pedantic(peak_memory, (large,), rounds=1)
    print(f"\npeak memory {before:.0f} MiB at {2 * QUADS} pictures, {after:.0f} MiB at {20 * QUADS}")
    assert after < 1.1 * before
