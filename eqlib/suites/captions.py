"""Captioned pictures to train on and to retrieve among, in any of the forms they are shared in:

- a table (.csv, .parquet, .jsonl, .json list): ``path`` (or ``image``) and ``caption``, a text or a list; optionally
  ``split``, ``group`` and ``negative``. Rows of one path are captions of one picture. BLIP ships Karpathy's test split
  of COCO so.
- Karpathy-style JSON (Flickr8k, Flickr30k, COCO): ``{images: [{filepath?, filename, split, sentences: [{raw}],
  negatives?, group?}]}``; a picture is ``root/filepath/filename``
- COCO's own ``captions_*.json``: ``{images: [{id, file_name}], annotations: [{image_id, caption}]}``
- tar shards, see ``eqlib.suites.shards``

``group`` names the minimal pair that a picture belongs to; ``negatives`` lists one hard-negative caption for each
caption, ``negative`` is that of a row's one.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from eqlib.errors import InputError
from eqlib.files import content_hash, read_json
from eqlib.suites.fields import Row, image_path, records_of, unique
from eqlib.suites.pictures import Picture, negatives_of, picture_of
from eqlib.suites.quadfile import FORMS, read_records
from eqlib.suites.shards import pictures_of, tars_of
from eqlib.suites.suite import RetrievalSuite


def read_captions(
    path: str | Path,
    *,
    split: str | None = None,
    root: str | Path | None = None,
    name: str | None = None,
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
    if path.is_dir() or path.suffix == ".tar":
        base = Path(root or (path if path.is_dir() else path.parent))
        files = tars_of(path, split)
        inside = split is not None and (path / split).is_dir()
        found = pictures_of(files, base, None if inside else split)
    elif path.suffix.lower() in FORMS:
        base, files, inside = Path(root or path.parent), [path], False
        found = _pictures(path)
    else:
        raise InputError(f"captions as {', '.join(FORMS)}, a .tar or a folder of them", repr(path.name), where=path)
    kept, splits = [], set()
    for picture in found:
        if split is not None and not inside:
            splits.add(picture.row.label("split"))
            if picture.row.label("split") != split:
                continue
        kept.append(picture)
        if len(kept) == limit:
            break
    if not kept:
        raise InputError(
            f"pictures of split {split!r}" if split else "pictures", f"splits {sorted(splits)}", where=path
        )
    texts = [picture.captions[:captions_per_image] for picture in kept]
    negatives = [text for picture in kept for text in picture.negatives[:captions_per_image]]
    edition = split or "all" if limit is None else f"{split or 'all'}-first{limit}"
    return RetrievalSuite(
        name or path.stem.removeprefix("dataset_"),
        edition + (f", {captions_per_image} captions an image" if captions_per_image else ""),
        content_hash(files),
        base,
        [picture.image for picture in kept],
        [text for captions in texts for text in captions],
        np.repeat(np.arange(len(kept)), [len(captions) for captions in texts]),
        groups=_groups(kept),
        negatives=negatives if any(negatives) else None,
    )


def _pictures(path: Path) -> Iterable[Picture]:
    content = read_json(path) if path.suffix.lower() == ".json" else read_records(path)
    if not isinstance(content, dict):
        return _rows(records_of(content, path), path)
    if "images" not in content:
        raise InputError("an object with a list 'images'", sorted(content), where=path)
    rows = [Row(record, path, f"images[{n}]") for n, record in enumerate(records_of(content["images"], path))]
    return _coco(rows, content["annotations"], path) if "annotations" in content else map(_karpathy, rows)


def _rows(records: list, path: Path) -> Iterable[Picture]:
    found: dict[str, Picture] = {}
    for number, record in enumerate(records):
        row = Row(record, path, number)
        image = row.image("image" if "image" in row.record else "path")
        _, _, captions, negatives = picture_of(row, image)
        if row.record.get("negative") and len(captions) == 1:
            negatives = [row.text("negative")]
        first = found.setdefault(image, Picture(row, image, [], []))
        for key in ("split", "group"):
            if first.row.optional_label(key, "") != row.optional_label(key, ""):
                raise row.fail(f"{image} in one {key} ({first.row.record.get(key)!r})", row.record.get(key))
        first.captions.extend(captions)
        first.negatives.extend(negatives)
    return found.values()


def _karpathy(row: Row) -> Picture:
    folder, name = row.optional_label("filepath", ""), row.image("filename")
    sentences = row.get("sentences")
    if not isinstance(sentences, list) or not sentences:
        raise row.fail("a list of sentences", sentences)
    texts = [Row(sentence, row.where, row.row).text("raw") for sentence in sentences]
    row.text("split")
    image = image_path(f"{folder}/{name}" if folder else name, **row.place)
    return Picture(row, image, texts, negatives_of(row, len(texts)))


def _coco(rows: list[Row], annotations: object, path: Path) -> Iterator[Picture]:
    unique([str(row.number("id")) for row in rows], "id", path)
    unique([row.image("file_name") for row in rows], "file_name", path)
    texts: dict[int, list[str]] = {row.number("id"): [] for row in rows}
    for n, record in enumerate(records_of(annotations, path)):
        row = Row(record, path, f"annotations[{n}]")
        if row.number("image_id") not in texts:
            raise row.fail("the id of an image in the file", row.number("image_id"))
        texts[row.number("image_id")].append(row.text("caption"))
    for row in rows:
        captions = texts[row.number("id")]
        if not captions:
            raise InputError("a caption for every image", "none", where=path, row=row.image("file_name"))
        yield Picture(row, row.image("file_name"), captions, [""] * len(captions))


def _groups(pictures: list[Picture]) -> np.ndarray | None:
    """(n,) int64: equal names get one number, in order of first appearance, a picture without a name one of its own.
    None where no picture names a group."""
    names = [picture.row.optional_label("group", "") for picture in pictures]
    keys = [f"group {name}" if name else f"picture {n}" for n, name in enumerate(names)]
    return pd.factorize(np.array(keys))[0].astype(np.int64) if any(names) else None
