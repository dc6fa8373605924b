import numpy as np
import pytest
from PIL import Image

from eqlib.models.clip import load

CONFIG = {
    "embed_dim": 32,
    "vision_cfg": {"layers": 1, "width": 32, "head_width": 16, "patch_size": 16, "image_size": 32},
    "text_cfg": {"context_length": 16, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 1},
}


@pytest.fixture(scope="session")
def config():
    return CONFIG


@pytest.fixture(scope="session")
def tiny():
    """A small CLIP with random weights; tests must not change it."""
    return load(CONFIG)


@pytest.fixture
def encoded(tiny):
    """How many pictures and captions the model encodes, counted where they enter its towers."""
    counts = {"images": 0, "captions": 0}

    def count(kind):
        def hook(_, inputs):
            counts[kind] += len(inputs[0])

        return hook

    handles = [
        tiny.model.visual.register_forward_pre_hook(count("images")),
        tiny.model.token_embedding.register_forward_pre_hook(count("captions")),
    ]
    yield counts
    for handle in handles:
        handle.remove()


@pytest.fixture
def pictures(tmp_path):
    """Ten pictures 40 x 48: eight png of random pixels, 8.png a copy of 0.png, 9.npy the pixels of 1.png in BGR."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    pixels = np.random.default_rng(0).integers(0, 255, (8, 48, 40, 3), dtype=np.uint8)
    for n, array in enumerate(pixels):
        Image.fromarray(array).save(folder / f"{n}.png")
    (folder / "8.png").write_bytes((folder / "0.png").read_bytes())
    np.save(folder / "9.npy", pixels[1][:, :, ::-1])
    return folder
