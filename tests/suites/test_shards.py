"""Tar shards: read in place, damage named."""

import io
import json
import multiprocessing
import tarfile

import numpy as np
import pytest
from PIL import Image

from eqlib.errors import InputError
from eqlib.study.scenes.shards import write_shards
from eqlib.suites import read
from eqlib.suites.doctor import check
from eqlib.suites.images import looks_whole, open_image, require_images


def picture(value, form="png"):
    file = io.BytesIO()
    Image.fromarray(np.full((4, 6, 3), value, np.uint8)).save(file, form)
    return file.getvalue()


def pixels(path):
    return np.asarray(open_image(path))


def write(path, members):
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as tar:
        for name, content in members.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return path


SAMPLES = {
    "a/000.png": picture(10),
    "a/000.txt": b"a dark grey\n",
    "a/000.json": json.dumps({"caption": "by the text file instead", "split": "train"}).encode(),
    "001.jpg": picture(200, "jpeg"),
    "001.json": json.dumps({"caption": ["light", "a light grey"], "split": "val"}).encode(),
    "notes.md": b"no sample",
}


def test_members_are_pictures_with_captions(tmp_path):
    suite = read("captions", write(tmp_path / "s.tar", SAMPLES))
    assert suite.images == ["s.tar/a/000.png", "s.tar/001.jpg"]
    assert suite.captions == ["a dark grey", "light", "a light grey"]
    assert suite.image_of_caption.tolist() == [0, 1, 1]
    assert pixels(suite.root / suite.images[0]).tolist() == np.full((4, 6, 3), 10).tolist()
    assert looks_whole(suite.root / suite.images[1])
    require_images(suite.root, dict.fromkeys(suite.images))
    assert read("captions", tmp_path / "s.tar", split="val").images == ["s.tar/001.jpg"]
    assert read("captions", tmp_path / "s.tar", limit=1).captions == ["a dark grey"]
    assert check("captions", tmp_path / "s.tar", show_progress=False).ok
    assert sorted(path.name for path in tmp_path.iterdir()) == ["s.tar"]  # nothing was extracted


def test_a_folder_of_scenes_and_a_split_as_a_subfolder(tmp_path):
    write_shards(tmp_path / "train", 5, split="train", seed=1, size=16, noise=0.0, per_shard=2, workers=1)
    whole, part = read("captions", tmp_path / "train"), read("captions", tmp_path, split="train")
    assert [name.split("/")[0] for name in whole.images] == ["000000.tar"] * 2 + ["000001.tar"] * 2 + ["000002.tar"]
    assert part.images == [f"train/{name}" for name in whole.images]
    assert part.captions == whole.captions
    pictures = [pixels(part.root / name) for name in part.images]
    with multiprocessing.get_context("fork").Pool(2) as pool:  # processes that inherit the index
        forked = pool.map(pixels, [whole.root / name for name in whole.images] * 4)
    assert all(np.array_equal(one, pictures[n % 5]) for n, one in enumerate(forked))


def test_a_cut_tar_is_named_wherever_it_is_cut(tmp_path):
    whole = write(tmp_path / "whole.tar", SAMPLES).read_bytes()
    end = len(whole.rstrip(b"\0"))
    for size in [0, 100, *range(512, end, 512), end]:
        path = tmp_path / f"cut{size}.tar"
        path.write_bytes(whole[:size])
        with pytest.raises(InputError, match=rf"cut{size}\.tar"):
            read("captions", path)


def test_a_damaged_header_is_not_the_end(tmp_path):
    path = write(tmp_path / "s.tar", SAMPLES)
    content = bytearray(path.read_bytes())
    start = content.index(b"001.jpg")
    content[start : start + 3] = b"\xff\xff\xff"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"s\.tar"):
        read("captions", path)


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"1.png": b""}, r"s\.tar, 1\.png: expected a caption in 1\.txt or 1\.json"),
        ({"1.png": b"", "1.txt": b" "}, r"s\.tar, 1\.txt: expected text"),
        ({"1.png": b"", "1.txt": b"\xff"}, r"s\.tar, 1\.txt: expected UTF-8"),
        ({"1.png": b"", "1.json": b"{"}, r"s\.tar, 1\.json: expected JSON"),
        ({"1.png": b"", "1.json": b"{}"}, r"s\.tar, 1\.json: expected the key 'caption'"),
        ({"../1.png": b"", "../1.txt": b"x"}, r"s\.tar, \.\./1\.png: expected a path under its root"),
        ({"1.md": b""}, r"s\.tar: expected pictures"),
    ],
)
def test_a_wrong_sample_is_named(tmp_path, members, message):
    with pytest.raises(InputError, match=message):
        read("captions", write(tmp_path / "s.tar", members))


def test_a_picture_that_is_not_there_or_damaged_is_named(tmp_path):
    path = write(tmp_path / "s.tar", {"1.png": picture(3)[:20], "1.txt": b"x"})
    for name in ("1.png", "2.png"):
        with pytest.raises(InputError, match=rf"s\.tar/{name}"):
            require_images(path.parent, {f"s.tar/{name}": "image 0"})
    assert not check("captions", path, show_progress=False).ok


def test_compressed_and_absent_shards_are_refused(tmp_path):
    with tarfile.open(tmp_path / "s.tar", "w:gz"):
        pass
    with pytest.raises(InputError, match="an uncompressed tar"):
        read("captions", tmp_path / "s.tar")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=r"no \*\.tar"):
        read("captions", tmp_path / "empty")
    with pytest.raises(InputError, match="none of split 'val'"):
        read("captions", tmp_path / "empty", split="val")
