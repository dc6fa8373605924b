"""Scorers of pairs against the plain loop, with one model, in one run: a forward pass of the whole model for each pair.

EqBen's and Winoground's case is the least there is to save: each picture comes with two captions, each caption with two
pictures. Sets of foils and re-ranking have more captions a picture.

Run with ``pytest tests/speed/test_scorers.py --benchmark-only -s``.
"""

import sys
import time
from pathlib import Path

import pytest
import torch
from PIL import Image

hf = pytest.importorskip("transformers", reason="the extra 'hf' is not installed")
sys.path.append(str(Path(__file__).parents[1] / "models"))
import test_itm  # noqa: E402
import test_vqa  # noqa: E402
import vqa_families  # noqa: E402

from eqlib.models.itm import load_matcher  # noqa: E402
from eqlib.models.vqa import load_vqa  # noqa: E402

PICTURES, PER_PICTURE = 12, (2, 8)


def picture(n):
    return Image.effect_mandelbrot((320, 224), (-2 + n / 50, -1, 1 + n / 50, 1), 40).convert("RGB")


def saved(model, processor, folder):
    for part in (model, processor):
        part.save_pretrained(folder)
    return model.eval(), processor


def blip(folder):
    model, processor = saved(*test_itm.blip(width=192, layers=6, side=224), folder)
    return load_matcher(folder), lambda *pair: test_itm.by_the_library(model, processor, *pair)


def qwen2_vl(folder):
    model, processor = saved(*vqa_families.qwen2_vl(width=192, layers=6, pixels=28 * 28 * 96), folder)

    def plain(*pair):
        return test_vqa.by_the_library(model, processor, *pair, "vqascore-3.1")

    return load_vqa(folder), plain


@pytest.mark.parametrize("family", [blip, qwen2_vl])
def test_by_turns(benchmark, family, tmp_path):
    """In processor time, which other work on the machine disturbs less than the clock; the least of the rounds."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        score, plain = family(tmp_path)
    caption = "a man in the snow with two dog running on water and the {} cat with a cup of water"
    pictures = [picture(n) for n in range(PICTURES)]
    taken = {}

    runs = {
        "loop": lambda pairs: [plain(*pair) for pair in pairs],
        "ours": lambda pairs: score(*zip(*pairs, strict=True)),
    }

    def turn():
        for captions in PER_PICTURE:
            pairs = [(one, caption.format("black " * n)) for one in pictures for n in range(captions)]
            for name, run in runs.items():
                start = time.process_time()
                run(pairs)
                taken.setdefault((captions, name), []).append(time.process_time() - start)

    benchmark.pedantic(turn, rounds=3)
    for captions in PER_PICTURE:
        loop, ours = (min(taken[captions, name]) for name in ("loop", "ours"))
        print(f"\n{family.__name__}, {captions} captions a picture: {loop:.2f} s, {ours:.2f} s: {loop / ours:.1f}x")
        assert ours < loop
