"""What build and write_shards leave on disk."""

from __future__ import annotations

import json
import tarfile

import numpy as np
import pytest
from caption_reader import true_of
from PIL import Image

from eqlib.errors import InputError
from eqlib.study.scenes import EDITS, Dials, Place, build, captioned, check, from_dict, quads_of, render
from eqlib.study.scenes.__main__ import main
from eqlib.study.scenes.build import share_changed
from eqlib.study.scenes.shards import pictures_in, write_shards
from eqlib.study.scenes.show import nearest, quad_sheet
from eqlib.study.scenes.splits import split_of
from eqlib.suites.images import open_image
from eqlib.suites.tars import read_member, tar_index

SMALL = dict(
    pretrain=30, train=12, train_pairs=9, val=6, quads_val=3, quads_test=4, quads_compositional=2, classes=2, size=32
)  # fmt: skip


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    folder = tmp_path_factory.mktemp("scenes") / "data"
    return folder, build(folder, seed=1, workers=1, **SMALL)


def files(folder):
    """Address -> bytes of every file, and of every member of a tar in the tar's place."""
    found = {}
    for path in folder.rglob("*"):
        name = path.relative_to(folder).as_posix()
        if path.suffix == ".tar":
            found |= {f"{name}/{member}": read_member(path, member) for member in tar_index(path)}
        elif path.is_file():
            found[name] = path.read_bytes()
    return found


def test_two_builds_are_equal_for_any_number_of_workers(built, tmp_path):
    folder, manifest = built
    again = build(tmp_path / "again", seed=1, workers=2, **SMALL)
    assert again == manifest
    assert files(tmp_path / "again") == files(folder)
    other = build(tmp_path / "other", seed=2, workers=1, **SMALL)
    assert other["content"] != manifest["content"]


def test_more_items_leave_the_first_ones_as_they_are(built, tmp_path):
    more = SMALL | {"pretrain": 33, "train_pairs": 11, "classes": 3, "quads_test": 5}
    build(tmp_path / "more", seed=1, workers=1, **more)
    before, after = files(built[0]), files(tmp_path / "more")
    for name, content in before.items():
        if name.endswith(".png"):
            assert after[name] == content


def test_captions_are_a_karpathy_set(built):
    folder, _ = built
    data = json.loads((folder / "captions" / "dataset.json").read_text())
    splits = [image["split"] for image in data["images"]]
    assert {split: splits.count(split) for split in set(splits)} == {"pretrain": 30, "train": 12 + 2 * 9, "val": 6}
    for image in data["images"]:
        path = folder / "captions" / image["filepath"] / image["filename"]
        assert open_image(path).size == (32, 32)
        assert len(image["sentences"]) == 3
    item = captioned("val", 2, Dials(), seed=1, captions=3)
    assert [s["raw"] for s in data["images"][-4]["sentences"]] == list(item.captions)


def truth_of(folder):
    return {line["image"]: line["scene"] for line in map(json.loads, (folder / "scenes.jsonl").open())}


def test_only_training_pictures_have_negatives_one_for_each_caption(built):
    folder, _ = built
    truth = truth_of(folder)
    for image in json.loads((folder / "captions" / "dataset.json").read_text())["images"]:
        assert ("negatives" in image) == (image["split"] == "train")
        scene = truth[f"captions/{image['filepath']}/{image['filename']}"]
        assert len(image.get("negatives", "123")) == len(image["sentences"]) == 3
        for sentence in image["sentences"]:
            assert true_of(sentence["raw"], scene)
        for negative in image.get("negatives", []):
            assert not true_of(negative, scene), (negative, image)


def test_the_sides_of_a_pair_share_a_group_a_style_and_a_grain(built):
    folder, manifest = built
    assert manifest["counts"]["captions/train/pairs"] == 9
    truth, groups = truth_of(folder), {}
    for image in json.loads((folder / "captions" / "dataset.json").read_text())["images"]:
        assert ("group" in image) == image["filename"].startswith("pair-")
        if "group" in image:
            groups.setdefault(image["group"], []).append(image)
    assert len(groups) == 9
    for number, sides in enumerate(groups.values()):
        assert [side["filename"] for side in sides] == [f"pair-{number:06d}-{side}.png" for side in (0, 1)]
        paths = [f"captions/train.tar/{side['filename']}" for side in sides]
        scenes = [truth[path] for path in paths]
        assert scenes[0]["place"] == scenes[1]["place"]
        for own in (0, 1):
            for sentence in sides[own]["sentences"]:
                assert true_of(sentence["raw"], scenes[own])
                assert not true_of(sentence["raw"], scenes[1 - own])
        seen = [np.asarray(open_image(folder / path)).astype(int) for path in paths]
        drawn = [np.asarray(render(from_dict(scene), 32)).astype(int) for scene in scenes]
        still = (drawn[0] == drawn[1]).all(axis=-1)
        assert 0.2 < still.mean() < 1
        assert (seen[0] == seen[1])[still].all()
        assert (seen[0] != drawn[0])[still].any()  # there is grain to share


def test_classes_hold_one_thing_each_in_places_of_the_test_split(built):
    folder, manifest = built
    truth = {name: scene for name, scene in truth_of(folder).items() if name.startswith("classes/")}
    kinds = sorted(path.name for path in (folder / "classes").iterdir())
    assert len(kinds) == Dials().kinds
    assert sorted(truth) == [f"classes/{kind}/{number:05d}.png" for kind in kinds for number in (0, 1)]
    for name, scene in truth.items():
        assert [thing["kind"] for thing in scene["things"]] == [name.split("/")[1]]
        assert split_of(Place(**scene["place"])) == "test"
        assert Image.open(folder / name).size == (32, 32)
    assert all(manifest["counts"][f"classes/{kind}"] == 2 for kind in kinds)
    assert manifest["scenes"]["test"] == len(truth) + len(tar_index(folder / "quads" / "test.tar"))


def test_pairs_and_classes_leave_the_rest_as_it_is(built, tmp_path):
    build(tmp_path / "without", seed=1, workers=1, **(SMALL | {"train_pairs": 0, "classes": 0}))
    with_them, without = files(built[0]), files(tmp_path / "without")
    assert all(with_them[name] == content for name, content in without.items() if name.endswith(".png"))
    assert {name for name in with_them if name not in without} == {
        name for name in with_them if name.startswith(("captions/train.tar/pair-", "classes/"))
    }
    records = [json.loads(made["captions/dataset.json"])["images"] for made in (with_them, without)]
    assert [record for record in records[0] if "group" not in record] == records[1]


@pytest.mark.parametrize(("split", "n"), [("val", 3), ("test", 4), ("compositional", 2)])
def test_quads_are_eqben_records_with_ground_truth(built, split, n):
    folder, _ = built
    records = json.loads((folder / "quads" / f"{split}.json").read_text())
    truth = truth_of(folder)
    assert len({record["id"] for record in records}) == len(records) == n * len(EDITS)
    for kind in EDITS:
        assert sum(record["subset"] == kind for record in records) == n
    for record in records:
        scenes = [truth[f"quads/{record[name]}"] for name in ("image0", "image1")]
        for own, caption in enumerate((record["caption0"], record["caption1"])):
            assert true_of(caption, scenes[own])
            assert not true_of(caption, scenes[1 - own])
        assert record["cluster"].startswith(record["image0"].removesuffix(".png").replace(".tar/", "-"))
        assert 0 < record["change"] <= 1
        assert record["before"] != record["after"]
        pictures = [np.asarray(render(from_dict(scene), 32)) for scene in scenes]
        assert record["share"] == share_changed(*pictures) > 0
    shared = [record["cluster"] for record in records]
    assert len(set(shared)) < len(shared)


def test_share_changed_counts_pixels():
    one = np.zeros((4, 5, 3), dtype=np.uint8)
    other = one.copy()
    other[0, :3, 1] = 200
    other[1, 0, 0] = 8  # at the threshold: not changed
    assert share_changed(one, other) == 3 / 20


def test_the_check_reads_what_is_on_disk(built, tmp_path):
    folder, manifest = built
    assert check(folder) == manifest["scenes"]
    lines = (folder / "scenes.jsonl").read_text().splitlines()
    leaked = json.loads(lines[0]) | {"split": "test", "image": "quads/test/leak.png"}
    (tmp_path / "scenes.jsonl").write_text("\n".join([*lines, json.dumps(leaked)]))
    with pytest.raises(InputError, match=r"quads/test/leak\.png"):
        check(tmp_path)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"train": -1}, "train: expected a count of 0 or more, got -1"),
        ({"train_pairs": -1}, "train_pairs: expected a count of 0 or more, got -1"),
        ({"classes": -2}, "classes: expected a count of 0 or more, got -2"),
        ({"workers": 0}, "workers: expected at least one worker, got 0"),
        ({"subsets": ("colour",)}, r"subsets: expected subsets out of attribute, .*, got \['colour'\]"),
        ({"captions": 0}, "captions: expected at least one caption, got 0"),
        ({"noise": 1.5}, "noise: expected 0 to 1, got 1.5"),
        ({"size": 8}, "size: expected a picture of 16 to 4096 pixels, got 8"),
    ],
)
def test_bad_arguments_leave_nothing(tmp_path, wrong, message):
    with pytest.raises(InputError, match=message):
        build(tmp_path / "data", **(SMALL | {"workers": 1} | wrong))
    assert not (tmp_path / "data").exists()


def test_dials_are_checked():
    with pytest.raises(InputError, match=r"vigour: expected a value greater than or equal to 0\.2, got 0"):
        Dials(vigour=0)
    with pytest.raises(InputError, match=r"count: expected a valid integer, got 2\.5"):
        Dials(count=2.5)


def test_a_subset_alone(tmp_path):
    build(tmp_path / "one", workers=1, **(SMALL | {"subsets": ("count",)}))
    records = json.loads((tmp_path / "one" / "quads" / "test.json").read_text())
    assert [record["subset"] for record in records] == ["count"] * 4
    groups = json.loads((tmp_path / "one" / "captions" / "dataset.json").read_text())["images"]
    lengths = [
        len(truth_of(tmp_path / "one")[f"captions/train.tar/{i['filename']}"]["things"]) for i in groups if "group" in i
    ]
    assert [abs(one - other) for one, other in zip(lengths[::2], lengths[1::2], strict=True)] == [1] * 9


def test_shards_hold_the_same_items(tmp_path):
    manifest = write_shards(tmp_path, 7, split="train", seed=1, size=32, noise=0.0, per_shard=4, workers=1)
    assert list(manifest["shards"]) == ["000000.tar", "000001.tar"]
    with tarfile.open(tmp_path / "000001.tar") as tar:
        assert [entry.name for entry in tar][:3] == ["000000004.png", "000000004.txt", "000000004.json"]
        caption = tar.extractfile("000000005.txt").read().decode()
        scene = from_dict(json.load(tar.extractfile("000000005.json")))
    item = captioned("train", 5, Dials(), seed=1)
    assert (caption, scene) == (item.caption, item.scene)
    assert write_shards(tmp_path, 7, split="train", seed=1, size=32, noise=0.0, per_shard=4, workers=1) == manifest


def test_the_command_says_what_is_wrong(tmp_path, capsys):
    assert main([str(tmp_path), "0"]) == 1
    assert capsys.readouterr().err.startswith("error: n: expected n and per_shard of at least 1")


@pytest.mark.slow
def test_memory_is_flat(tmp_path):
    """Peak memory of the parent process for 200 and 4,000 pictures."""
    import resource

    def peak(n):
        write_shards(tmp_path / str(n), n, size=16, workers=1)
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    small = peak(200)
    assert peak(4_000) < small * 1.1


def test_nearest_finds_the_copy(built):
    folder, _ = built
    pictures = list(pictures_in(folder / "captions" / "pretrain.tar"))
    found = nearest([("copy", pictures[4][1])], pictures)
    assert found.loc[0, "nearest"] == pictures[4][0] == "000004.png"
    assert found.loc[0, "distance"] < 1e-3


def test_a_sheet_has_room_for_every_quad():
    quads = quads_of("val", 0, Dials())
    picture = quad_sheet(quads, size=64, columns=1)
    assert picture.width == 2 * 64 + 3 * 8
    assert picture.height > 3 * 64
