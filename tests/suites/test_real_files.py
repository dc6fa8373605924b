"""Every real annotation beside the repository is read; counts against the published ones."""

import pytest

from eqlib.suites import read
from eqlib.suites.foils import VALID

# (reader, path, options, records, what the count is checked against)
REAL = [
    ("valse", "annotations/valse/existence.json", {}, 505, "mturk.caption >= 2 in the file"),
    ("valse", "annotations/valse/plurals.json", {}, 851, "mturk.caption >= 2 in the file"),
    ("valse", "annotations/valse/counting-hard.json", {}, 868, "mturk.caption >= 2 in the file"),
    ("valse", "annotations/valse/counting-adversarial.json", {}, 691, "mturk.caption >= 2 in the file"),
    ("valse", "annotations/valse/action-replacement.json", {}, 648, "mturk.caption >= 2 in the file"),
    ("valse", "annotations/valse/coreference-standard.json", {}, 708, "mturk.caption >= 2 in the file"),
    ("valse", "annotations/valse/coreference-hard.json", {}, 104, "mturk.caption >= 2 in the file"),
    ("valse", "annotations/valse/foil-it.json", {}, 943, "mturk.caption >= 2 in the file"),
    ("sugarcrepe", "annotations/sugar_crepe", {}, 692 + 2062 + 788 + 1652 + 245, "SugarCrepe, five of seven files"),
    ("cola", "annotations/cola/COLA_multiobjects_matching_benchmark.json", {}, 210, "Cola paper"),
    ("captions", "annotations/coco/captions_val2017.json", {}, 25014, "COCO val2017"),
    ("captions", "annotations/coco_karpathy_test/coco_karpathy_test.json", {}, 25010, "Karpathy test split"),
    ("captions", "flickr8k/dataset_flickr8k.json", {"split": "val"}, 5 * 969, "SOURCE.txt"),
    ("captions", "flickr8k/dataset_flickr8k.json", {"split": "train"}, 5 * 5821, "SOURCE.txt"),
]


@pytest.mark.parametrize(("reader", "path", "options", "count", "source"), REAL)
def test_counts(shared, reader, path, options, count, source):
    suite = read(reader, shared / "realdata" / path, **options)
    assert len(suite) == count, source
    assert len(suite.digest) == 64
    assert suite.edition


def test_valse_validity_filter(shared):
    folder = shared / "realdata" / "annotations" / "valse"
    valid, every = read("valse", folder), read("valse", folder, valid_only=False)
    assert (len(valid), len(every)) == (5318, 6126)
    assert len(valid) < VALID  # eight of eleven instruments
    assert valid.notes == every.notes == ("5318 of 6126 items are valid (mturk.caption >= 2)",)
    assert valid.edition != every.edition


def test_sugarcrepe_edition_and_names(shared):
    suite = read("sugarcrepe", shared / "realdata" / "annotations" / "sugar_crepe")
    assert suite.edition == "since 2023-11-18, 5 of 7 files"
    assert suite.counts() == {"add_att": 692, "add_obj": 2062, "replace_att": 788, "replace_obj": 1652, "swap_obj": 245}
    # 245 items with indices up to 245: one is gone, so an index is a name and not a position
    swaps = suite.records[suite.records["subset"] == "swap_obj"]
    assert swaps["item"].iloc[-1] == "swap_obj/245"


def test_captions_per_image(shared):
    path = shared / "realdata" / "annotations" / "coco_karpathy_test" / "coco_karpathy_test.json"
    suite = read("captions", path, captions_per_image=5)
    assert (len(suite.images), len(suite)) == (5000, 25000)
    assert suite.image_of_caption[:6].tolist() == [0, 0, 0, 0, 0, 1]
