"""Zero-shot classification against its definition, one picture and one class at a time."""

import numpy as np
import pytest
import torch
from PIL import Image

from eqlib.errors import InputError
from eqlib.models.clip import load
from eqlib.models.zero_shot import zero_shot_top1
from eqlib.suites.images import open_image

TEMPLATES = ("a photo of a {}.", "one {}")


@pytest.fixture
def classes(tmp_path):
    rng = np.random.default_rng(0)
    for name in ("tea_cup", "dog", "blue_square"):
        (tmp_path / "classes" / name).mkdir(parents=True)
        for n in range(4):
            pixels = rng.integers(0, 255, (40, 40, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / "classes" / name / f"{n}.png")
    return tmp_path / "classes"


def test_the_nearest_class_is_counted(tiny, classes):
    def unit(vector):
        return vector / vector.norm()

    names, vectors, right = ["blue square", "dog", "tea cup"], [], 0
    with torch.no_grad():
        for name in names:
            texts = [tiny.model.encode_text(tiny.tokenizer([t.format(name)]))[0] for t in TEMPLATES]
            vectors.append(unit(sum(map(unit, texts))))
        for label, name in enumerate(names):
            for path in sorted((classes / name.replace(" ", "_")).iterdir()):
                image = tiny.model.encode_image(tiny.preprocess_val(open_image(path))[None])[0]
                right += max(range(3), key=lambda c, image=image: float(image @ vectors[c])) == label
    assert zero_shot_top1(tiny, classes, templates=TEMPLATES, batch=5) == right / 12


@pytest.mark.parametrize("precision", ["pure_bf16", "bf16", "amp"])
def test_in_every_precision(config, classes, precision):
    bundle = load(config, precision=precision)
    names, right = ["blue square", "dog", "tea cup"], 0
    texts = [bundle.encode_captions([t.format(name) for t in TEMPLATES]).mean(dim=0) for name in names]
    vectors = [text / text.norm() for text in texts]
    for label, name in enumerate(names):
        for path in sorted((classes / name.replace(" ", "_")).iterdir()):
            image = bundle.encode_images(bundle.preprocess_val(open_image(path))[None])[0]
            right += max(range(3), key=lambda c, image=image: float(image @ vectors[c])) == label
    assert zero_shot_top1(bundle, classes, templates=TEMPLATES, batch=1) == right / 12


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda folder: (folder / "cat").mkdir(), "cat"),
        (lambda folder: (folder / "dog" / "0.png").write_bytes(b"cut"), r"0\.png"),
    ],
    ids=["empty class", "damaged picture"],
)
def test_what_is_wrong_is_named(tiny, classes, damage, message):
    damage(classes)
    with pytest.raises(InputError, match=message):
        zero_shot_top1(tiny, classes)


def test_no_classes_and_no_place_for_a_name_are_named(tiny, classes, tmp_path):
    with pytest.raises(InputError, match="folders <class>"):
        zero_shot_top1(tiny, tmp_path / "none")
    with pytest.raises(InputError, match=r"templates with \{\}"):
        zero_shot_top1(tiny, classes, templates=["a photo"])
