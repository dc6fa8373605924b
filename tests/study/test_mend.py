"""What was damaged on the disk is found, named and made again."""

import hashlib

from eqlib.study.mend import mend


def test_a_damaged_object_goes_with_its_copies_and_nothing_else(tmp_path):
    contents = {b"scores": "build/a/quads.parquet", b"pictures": "data/test.tar", b"mine": "data/mine.txt"}
    objects = {}
    for content, name in contents.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(content)
        md5 = hashlib.md5(content).hexdigest()
        objects[content] = tmp_path / ".dvc/cache/files/md5" / md5[:2] / md5[2:]
        objects[content].parent.mkdir(parents=True, exist_ok=True)
        objects[content].write_bytes(content)
    assert mend(tmp_path) == []
    listing = objects[b"mine"].rename(objects[b"mine"].with_name(objects[b"mine"].name + ".dir"))
    assert mend(tmp_path) == []  # the name of a listing is the MD5 of its text as well
    objects[b"scores"].write_bytes(b"scorez")
    (tmp_path / "build/a/quads.parquet").write_bytes(b"scorez")  # DVC took it from there
    (tmp_path / "data/mine.txt").write_bytes(b"edited")  # a person's own change
    removed = mend(tmp_path)
    assert removed == [objects[b"scores"], tmp_path / "build/a/quads.parquet"]
    assert not any(path.exists() for path in removed)
    assert (tmp_path / "data/mine.txt").read_bytes() == b"edited"
    assert listing.exists()
    assert objects[b"pictures"].exists()
