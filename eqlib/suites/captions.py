"""Captioned pictures to train on and to retrieve among, in any of the forms they are shared in:

- a table (.csv, .parquet, .jsonl, .json list): ``path`` (or ``image``) and ``caption``, a text or a list; optionally
  ``split``, ``group`` and ``negative``. Rows of one path are captions of one picture. BLIP ships Karpathy's test split
  of COCO so.
- Karpathy-style JSON (Flickr8k, Flickr30k, COCO): ``{images: [{filepath?, filename, split, sentences: [{raw}],
  negatives?, group?}]}``; a picture is ``root/filepath/filename``
- COCO's own ``captions_*.json``: ``{images: [{id, file_name}], annotations: [{image_id, caption}]}``
- tar shards, WebDataset's form: members ``key.png`` (jpg, jpeg, webp) and ``key.txt`` or ``key.json``, as
  ``eqlib.study.scenes`` and img2dataset write them. The caption is the ``.txt``, else ``caption`` of the ``.json``,
  which may also name ``split``, ``group`` and ``negatives``. Pictures stay in the tar: ``shard.tar/key.png``.

``group`` names the minimal pair that a picture belongs to; ``negatives`` lists one hard-negative caption for each
caption, ``negative`` is that of a row's one.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from eqlib.errors import InputError, shown
from eqlib.files import content_hash, parse_json, read_json, reading
from eqlib.suites.fields import Row, image_path, records_of, unique
from eqlib.suites.quadfile import FORMS, read_records
from eqlib.suites.suite import RetrievalSuite
from eqlib.suites.tars import read_member, tar_index

PICTURES = ("png", "jpg", "jpeg", "webp")


class Picture(NamedTuple):
    """One picture: its path, its captions and, for each of them, a text that is false of it ("" for none).

    ``row`` is the record that it comes from, which may name a ``split`` and a ``group`` (the minimal pair).
    """

    row: Row
    image: str
    captions: list[str]
    negatives: list[str]


def read_captions(
    path: str | Path,
    *,
    split: str | None = None,
    root: str | Path | None = None,
    captions_per_image: int | None = None,
    limit: int | None = None,
) -> RetrievalSuite:
    """A RetrievalSuite of the pictures of one ``split`` (None takes every one), in order of first appearance.

    Paths are relative to ``root``, by default the file's folder. ``captions_per_image`` keeps the first so many:
    published COCO and Flickr retrieval uses 5, while a few COCO images carry 6 or 7. ``limit`` keeps the first so many
    images. ``digest`` covers the annotation, or the shards' bytes.

    Raises InputError naming file and row: a missing or empty field, a path that leaves its root, a picture in two
    splits or groups or without caption, or a split asked of a file that has none, which would train and validate on
    the same pictures.
    """
    path = Path(path)
    base, folder, asked = Path(root or (path if path.is_dir() else path.parent)), path, split
    if split is not None and (path / split).is_dir():
        folder, asked = path / split, None  # whose samples need not name it
    files = sorted(folder.glob("*.tar")) if path.is_dir() else [path]
    if not files:
        got = "no *.tar" if split is None else f"none of split {split!r}"
        raise InputError("a tar file, or a folder of them", got, where=path)
    if path.is_dir() or path.suffix == ".tar":
        found = (_picture(row, image) for tar in files for row, image in _shard(tar, base, asked))
    elif path.suffix.lower() in FORMS:
        found = _merged(_rows(path))
    else:
        raise InputError(f"captions as {', '.join(FORMS)}, a .tar or a folder of them", shown(path.name), where=path)
    kept, splits = [], set()
    for picture in found:
        if asked is not None:
            splits.add(picture.row.label("split"))
            if picture.row.label("split") != asked:
                continue
        kept.append(picture)
        if len(kept) == limit:
            break
    if not kept:
        expected = f"pictures of split {split!r}" if split else "pictures"
        raise InputError(expected, f"splits {sorted(splits)}", where=path)
    texts = [picture.captions[:captions_per_image] for picture in kept]
    negatives = [text for picture in kept for text in picture.negatives[:captions_per_image]]
    edition = (split or "all") + ("" if limit is None else f"-first{limit}")
    return RetrievalSuite(
        path.stem.removeprefix("dataset_"),
        edition + (f", {captions_per_image} captions an image" if captions_per_image else ""),
        content_hash(files),
        base,
        [picture.image for picture in kept],
        [text for captions in texts for text in captions],
        np.repeat(np.arange(len(kept)), [len(captions) for captions in texts]),
        groups=_groups(kept),
        negatives=negatives if any(negatives) else None,
    )


def _rows(path: Path) -> Iterator[tuple[Row, str]]:
    """Each record of a file, its texts under ``caption``, and the path of its picture."""
    content = read_json(path) if path.suffix.lower() == ".json" else read_records(path)
    if not isinstance(content, dict):
        for number, record in enumerate(records_of(content, path)):
            row = Row(record, path, number)
            yield row, row.image("image" if "image" in row.record else "path")
        return
    listed = records_of(Row(content, path, None).get("images"), path)
    images = [Row(record, path, f"images[{n}]") for n, record in enumerate(listed)]
    yield from _coco(images, content["annotations"], path) if "annotations" in content else map(_karpathy, images)


def _karpathy(row: Row) -> tuple[Row, str]:
    folder, name = row.optional_label("filepath", ""), row.image("filename")
    row.text("split")
    sentences = row.get("sentences")
    if not isinstance(sentences, list) or not sentences:
        raise row.fail("a list of sentences", sentences)
    row.record["caption"] = [Row(sentence, **row.place).text("raw") for sentence in sentences]
    return row, image_path(f"{folder}/{name}" if folder else name, **row.place)


def _coco(rows: list[Row], annotations: object, path: Path) -> Iterator[tuple[Row, str]]:
    unique([str(row.number("id")) for row in rows], "id", path)
    unique([row.image("file_name") for row in rows], "file_name", path)
    texts: dict[int, list[str]] = {row.number("id"): [] for row in rows}
    for n, record in enumerate(records_of(annotations, path)):
        row = Row(record, path, f"annotations[{n}]")
        if row.number("image_id") not in texts:
            raise row.fail("the id of an image in the file", row.number("image_id"))
        texts[row.number("image_id")].append(row.text("caption"))
    for row in rows:
        row.record["caption"], image = texts[row.number("id")], row.image("file_name")
        if not row.record["caption"]:
            raise InputError("a caption for every image", "none", where=path, row=image)
        yield row, image


def _merged(rows: Iterable[tuple[Row, str]]) -> Iterable[Picture]:
    """Rows of one path are captions of one picture."""
    found: dict[str, Picture] = {}
    for row, image in rows:
        picture = _picture(row, image)
        first = found.setdefault(image, Picture(row, image, [], []))
        for key in ("split", "group"):
            if first.row.optional_label(key, "") != row.optional_label(key, ""):
                raise row.fail(f"{image} in one {key} ({first.row.record.get(key)!r})", row.record.get(key))
        first.captions.extend(picture.captions)
        first.negatives.extend(picture.negatives)
    return found.values()


def _picture(row: Row, image: str) -> Picture:
    """From a record whose ``caption`` is a text or a list of texts."""
    texts, found = row.texts("caption"), row.record.get("negatives")
    if row.record.get("negative") and len(texts) == 1:
        found = [row.text("negative")]
    if found is None:
        found = [""] * len(texts)
    if not isinstance(found, list) or len(found) != len(texts):
        raise row.fail(f"a list of {len(texts)} under 'negatives', one for each caption", found)
    if not all(text is None or isinstance(text, str) for text in found):
        raise row.fail("texts under 'negatives'", found)
    return Picture(row, image, texts, [(text or "").strip() for text in found])


def _shard(tar: Path, root: Path, split: str | None) -> Iterator[tuple[Row, str]]:
    """As ``_rows``, the samples of a tar under ``root``; each sample's JSON names its split, where one is asked for. A
    sample's key ends at the first dot of its base name."""
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
        text, more = f"{above}{slash}{stem}.txt", f"{above}{slash}{stem}.json"
        if text not in index and more not in index:
            raise InputError(f"a caption in {stem}.txt or {stem}.json", "neither", where=tar, row=member)
        read, record = text, {}
        if more in index and (split is not None or text not in index):
            read, record = more, Row(parse_json(_text(tar, more), tar, row=more), tar, more).record
        if text in index:
            record["caption"], read = _text(tar, text).strip(), text
        yield Row(record, tar, read), f"{folder}/{member}"


def _text(tar: Path, member: str) -> str:
    with reading(tar, "UTF-8 text", UnicodeDecodeError, row=member):
        return read_member(tar, member).decode("utf-8-sig")


def _groups(pictures: list[Picture]) -> np.ndarray | None:
    """(n,) int64: equal names get one number, in order of first appearance, a picture without a name one of its own.
    None where no picture names a group."""
    names = [picture.row.optional_label("group", "") for picture in pictures]
    keys = [f"group {name}" if name else f"picture {n}" for n, name in enumerate(names)]
    return pd.factorize(np.array(keys))[0].astype(np.int64) if any(names) else None
