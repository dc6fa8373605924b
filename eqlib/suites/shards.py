"""Captioned pictures in tar shards, WebDataset's form: members ``key.png`` (jpg, jpeg, webp) and ``key.txt`` or
``key.json``, as ``eqlib.study.scenes`` and img2dataset write them. Pictures stay in the tar: ``shard.tar/key.png``."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from eqlib.errors import InputError
from eqlib.files import content_hash
from eqlib.suites.fields import Row, image_path, is_text
from eqlib.suites.pairs import group_numbers, group_of, negatives_of, some
from eqlib.suites.suite import RetrievalSuite
from eqlib.suites.tars import read_member, tar_index

PICTURES = ("png", "jpg", "jpeg", "webp")


def read_shards(
    path: str | Path,
    *,
    split: str | None = None,
    root: str | Path | None = None,
    name: str | None = None,
    limit: int | None = None,
) -> RetrievalSuite:
    """A RetrievalSuite from one tar, or from a folder's ``*.tar`` in order of name.

    ``split`` is a subfolder that holds its own tars, else the value of ``split`` in each sample's JSON; None takes
    every sample of the tars at ``path``. The caption is the ``.txt``, else ``caption`` of the ``.json`` (a text or a
    list); where that JSON is read it may also name a ``group`` and list ``negatives``, as in read_karpathy.
    ``limit`` keeps the first so many pictures. ``root`` is the folder that image names are relative to.
    ``digest`` covers the shards' bytes: each is read through once.

    Raises InputError naming tar and member: a damaged tar, a picture without caption, a split that is not there.
    """
    path = Path(path)
    inside = split is not None and (path / split).is_dir()
    tars = [path] if path.is_file() else sorted((path / split if inside else path).glob("*.tar"))
    if not tars:
        raise InputError(
            "a tar file, or a folder of them", "no *.tar" if split is None else f"none of split {split!r}", where=path
        )
    root = Path(root or (path.parent if path.is_file() else path))
    images, captions, owner, groups, negatives = [], [], [], [], []
    for tar in tars:
        try:
            folder = tar.relative_to(root).as_posix()
        except ValueError as error:
            raise InputError(f"shards under {root}", "another folder", where=tar) from error
        for member, texts, truth in _samples(tar, None if inside else split):
            owner += [len(images)] * len(texts)
            captions += texts
            groups.append(group_of(truth) if truth else None)
            negatives += negatives_of(truth, len(texts)) if truth else [""] * len(texts)
            images.append(f"{folder}/{member}")
            if len(images) == limit:
                break
        if len(images) == limit:
            break
    if not images:
        raise InputError("captioned pictures" + (f" of split {split!r}" if split else ""), "none", where=path)
    edition = split or "all"
    return RetrievalSuite(
        name or path.stem,
        edition if limit is None else f"{edition}-first{limit}",
        content_hash(tars),
        root,
        images,
        captions,
        np.asarray(owner, dtype=np.int64),
        groups=group_numbers(groups),
        negatives=some(negatives),
    )


def _samples(tar: Path, split: str | None) -> Iterator[tuple[str, list[str], Row | None]]:
    """Picture, captions and JSON (where read) of each sample of ``split``. A sample's key ends at the first dot of its
    base name."""
    index = tar_index(tar)
    for member in index:
        folder, slash, base = member.rpartition("/")
        stem, _, ending = base.partition(".")
        if ending.lower() not in PICTURES:
            continue
        image_path(member, where=tar, row=member)
        key = folder + slash + stem
        truth = None
        if f"{key}.json" in index and (split is not None or f"{key}.txt" not in index):
            truth = _json(tar, f"{key}.json")
        if split is not None and (truth is None or truth.record.get("split") != split):
            continue
        if f"{key}.txt" in index:
            yield member, [_text(tar, f"{key}.txt")], truth
        elif truth is not None:
            several = isinstance(truth.get("caption"), list)
            yield member, truth.texts("caption") if several else [truth.text("caption")], truth
        else:
            raise InputError(f"a caption in {key}.txt or {key}.json", "neither", where=tar, row=member)


def _text(tar: Path, member: str) -> str:
    try:
        text = read_member(tar, member).decode("utf-8-sig").strip()
    except UnicodeDecodeError as error:
        raise InputError("UTF-8 text", str(error), where=tar, row=member) from error
    if not is_text(text):
        raise InputError("a caption", "an empty text", where=tar, row=member)
    return text


def _json(tar: Path, member: str) -> Row:
    try:
        return Row(json.loads(read_member(tar, member)), tar, member)
    except (ValueError, RecursionError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError("JSON", str(error), where=tar, row=member) from error
