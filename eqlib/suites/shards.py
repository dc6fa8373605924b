"""Captioned pictures in tar shards, WebDataset's form: members ``key.png`` (jpg, jpeg, webp) and ``key.txt`` or
``key.json``, as ``eqlib.study.scenes`` and img2dataset write them. Pictures stay in the tar: ``shard.tar/key.png``.

The caption is the ``.txt``, else ``caption`` of the ``.json`` (a text or a list); where that JSON is read it may also
name a ``group`` and list ``negatives``.
"""

import json
from collections.abc import Iterator
from pathlib import Path

from eqlib.errors import InputError
from eqlib.files import reading
from eqlib.suites.fields import Row, image_path
from eqlib.suites.pictures import Picture, picture_of
from eqlib.suites.tars import read_member, tar_index

PICTURES = ("png", "jpg", "jpeg", "webp")


def tars_of(path: Path, split: str | None) -> list[Path]:
    """One tar, or a folder's ``*.tar`` in order of name; of its subfolder ``split`` where there is one."""
    inside = split is not None and (path / split).is_dir()
    tars = [path] if path.is_file() else sorted((path / split if inside else path).glob("*.tar"))
    if not tars:
        got = "no *.tar" if split is None else f"none of split {split!r}"
        raise InputError("a tar file, or a folder of them", got, where=path)
    return tars


def pictures_of(tars: list[Path], root: Path, split: str | None) -> Iterator[Picture]:
    """Every sample of ``tars`` as a picture under ``root``. ``split`` asks for the JSON of each, which names the
    sample's. A sample's key ends at the first dot of its base name.

    Raises InputError naming tar and member: a damaged tar, a picture without caption.
    """
    for tar in tars:
        try:
            folder = tar.relative_to(root).as_posix()
        except ValueError as error:
            raise InputError(f"shards under {root}", "another folder", where=tar) from error
        index = tar_index(tar)
        for member in index:
            above, slash, base = member.rpartition("/")
            stem, _, ending = base.partition(".")
            if ending.lower() not in PICTURES:
                continue
            image_path(member, where=tar, row=member)
            key = above + slash + stem
            record, read = {}, member
            if f"{key}.json" in index and (split is not None or f"{key}.txt" not in index):
                read = f"{key}.json"
                record = _json(tar, read)
            if f"{key}.txt" in index:
                record["caption"], read = _text(tar, f"{key}.txt"), f"{key}.txt"
            if read == member:
                raise InputError(f"a caption in {key}.txt or {key}.json", "neither", where=tar, row=member)
            yield picture_of(Row(record, tar, read), f"{folder}/{member}")


def _text(tar: Path, member: str) -> str:
    with reading(tar, "UTF-8 text", UnicodeDecodeError, row=member):
        return read_member(tar, member).decode("utf-8-sig").strip()


def _json(tar: Path, member: str) -> dict:
    with reading(tar, "JSON", ValueError, RecursionError, row=member):
        return Row(json.loads(read_member(tar, member)), tar, member).record
