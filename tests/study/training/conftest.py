"""A set of twenty-four drawn pictures and a model small enough to train in a test."""

import json
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from eqlib.suites import read

SMALL = {
    "embed_dim": 16,
    "vision_cfg": {"layers": 1, "width": 32, "head_width": 16, "patch_size": 16, "image_size": 32},
    "text_cfg": {"context_length": 12, "vocab_size": 49408, "width": 16, "heads": 2, "layers": 1},
}

COLOURS = {"red": (200, 30, 30), "green": (30, 160, 30), "blue": (30, 30, 200), "white": (240, 240, 240)}


def write_set(folder, images=24):
    (folder / "train").mkdir(parents=True)
    rng = np.random.default_rng(0)
    records = []
    for n in range(images):
        colour = list(COLOURS)[n % 4]
        pixels = np.full((32, 32, 3), COLOURS[colour]) + rng.integers(0, 12, (32, 32, 3))
        Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(folder / "train" / f"{n}.png")
        captions = [f"a {colour} picture", f"picture {n} is {colour}"]
        split = "val" if n >= images - 4 else "train"
        sentences = [{"raw": caption} for caption in captions]
        records.append({"filepath": "train", "filename": f"{n}.png", "split": split, "sentences": sentences})
    (folder / "dataset.json").write_text(json.dumps({"dataset": "drawn", "images": records}))
    quads = [
        {"image0": "train/0.png", "image1": "train/1.png", "caption0": "a red picture", "caption1": "a green picture"},
        {"image0": "train/2.png", "image1": "train/3.png", "caption0": "a blue picture", "caption1": "a white picture"},
    ]
    (folder / "quads.json").write_text(json.dumps(quads))
    return folder


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    return write_set(tmp_path_factory.mktemp("set") / "drawn")


@pytest.fixture(scope="session")
def train(folder):
    return read("captions", folder / "dataset.json", split="train")


@pytest.fixture(scope="session")
def paired(train):
    """The twenty pictures as ten pairs of neighbours, with a hard negative for every other caption."""
    wrong = [f"no {caption}" if n % 2 == 0 else "" for n, caption in enumerate(train.captions)]
    return replace(train, groups=np.arange(20) // 2, negatives=wrong)


@pytest.fixture(scope="session")
def small():
    return SMALL


@pytest.fixture
def bundle(small):
    from eqlib.models.clip import load

    return load(small, seed=0)
