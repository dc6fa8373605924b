"""The embedded data: captioned pictures and quads, written whole, the same for any number of workers."""

import json
from collections import Counter
from dataclasses import asdict
from functools import partial
from itertools import chain
from pathlib import Path

import numpy as np

from eqlib.errors import InputError
from eqlib.files import content_hash, made_here, whole, write_json
from eqlib.study.scenes.compose import RECIPES
from eqlib.study.scenes.dials import Dials
from eqlib.study.scenes.edits import EDITS, value_of
from eqlib.study.scenes.items import Captioned, captioned, grainy, lone, pair_of, picture, quads_of
from eqlib.study.scenes.render import render
from eqlib.study.scenes.scene import key_of, to_dict
from eqlib.study.scenes.shards import png, tar_writer
from eqlib.study.scenes.splits import check_splits
from eqlib.study.scenes.vocabulary import KINDS
from eqlib.study.scenes.workers import Workers

EDITION = "scenes-4"


def build(
    folder: str | Path,
    *,
    seed: int = 0,
    size: int = 64,
    pretrain: int = 8000,
    train: int = 2000,
    train_pairs: int = 0,
    val: int = 500,
    quads_val: int = 150,
    quads_test: int = 400,
    quads_compositional: int = 100,
    classes: int = 0,
    captions: int = 3,
    noise: float = 0.2,
    subsets: tuple[str, ...] = EDITS,
    dials: Dials | None = None,
    workers: int = 2,
) -> dict:
    """Write the embedded data under ``folder`` and return its manifest.

    ``pretrain``, ``train``, ``val``: pictures with so many ``captions`` each; those of ``pretrain`` have ``noise``, the
    others none. ``train_pairs``: so many minimal pairs more in the split train, the edit kinds of ``subsets`` in turn;
    the two sides share a ``group``. A record of train also holds ``negatives``: for each caption one of a scene an edit
    away, false of the picture.
    ``quads_*``: quads in each of the ``subsets``; a record also tells aspect, before, after, change (distance in the
    attribute, 0..1) and share (of pixels that differ). ``classes``: pictures of each kind of thing alone, in places of
    the split test, for zero-shot classification. ``size``: side of a picture in pixels. Layout:
    captions/dataset.json (Karpathy form); captions/<split>.tar with <number>.png, of train also
    pair-<number>-<side>.png; quads/<split>.json (EqBen form) and quads/<split>.tar; classes/<kind>/<number>.png
    (ImageFolder form); scenes.jsonl (ground truth of every picture); manifest.json. A picture in a tar is addressed as
    ``train.tar/000000.png``: six files in place of 29,000, which DVC would hash, copy and look at one by one.
    Raises InputError for a negative count, an unknown subset, a size out of range, or a folder of other things.
    """
    dials = dials or Dials()
    pictures = {"pretrain": pretrain, "train": train, "val": val}
    quads = {"val": quads_val, "test": quads_test, "compositional": quads_compositional}
    more = {"train_pairs": train_pairs, "classes": classes}
    for name, value in [*pictures.items(), *((f"quads_{split}", n) for split, n in quads.items()), *more.items()]:
        if value < 0:
            raise InputError("a count of 0 or more", value, row=name)
    unknown = set(subsets) - set(EDITS)
    if unknown or not subsets:
        raise InputError(f"subsets out of {', '.join(EDITS)}", sorted(unknown), row="subsets")
    if captions < 1:
        raise InputError("at least one caption", captions, row="captions")
    if not 0 <= noise <= 1:
        raise InputError("0 to 1", noise, row="noise")
    subsets = tuple(kind for kind in EDITS if kind in subsets)
    with whole(folder, replace_folder=made_here(folder, "manifest.json")) as draft, Workers(workers) as pool:
        draft.mkdir()
        with (draft / "scenes.jsonl").open("w", encoding="utf-8") as truth:
            images = []
            for split, n in pictures.items():
                make = partial(_captioned, split, dials, seed, size, noise * (split == "pretrain"), captions)
                made = pool.run(make, n, f"{split} pictures")
                if split == "train":
                    make = partial(_pair, dials, seed, size, subsets, captions)
                    made = chain(made, chain.from_iterable(pool.run(make, train_pairs, "train pairs")))
                with tar_writer(draft / "captions" / f"{split}.tar") as add:
                    for record, content, scene in made:
                        add(record["filename"], content)
                        images.append(record)
                        truth.write(_line(split, f"captions/{record['filepath']}/{record['filename']}", scene))
            write_json(draft / "captions" / "dataset.json", {"dataset": EDITION, "images": images})
            counts = {f"captions/{split}": n for split, n in pictures.items()}
            if train_pairs:
                counts["captions/train/pairs"] = train_pairs
            for split, n in quads.items():
                make = partial(_quads, split, dials, seed, size, subsets, n)
                records = []
                with tar_writer(draft / "quads" / f"{split}.tar") as add:
                    for made in pool.run(make, 6 * -(-n // 2), f"{split} base scenes"):
                        for record, name, content, scene in made:
                            add(name, content)
                            truth.write(_line(split, f"quads/{split}.tar/{name}", scene))
                            if record is not None:
                                records.append(record)
                records.sort(key=lambda record: EDITS.index(record["subset"]))
                write_json(draft / "quads" / f"{split}.json", records)
                found = Counter(record["subset"] for record in records)
                counts |= {f"quads/{split}/{kind}": found[kind] for kind in subsets}
            if classes:
                kinds = tuple(KINDS)[: dials.kinds]
                for kind in kinds:
                    (draft / "classes" / kind).mkdir(parents=True)
                make = partial(_lone, dials, seed, size, kinds)
                for name, content, scene in pool.run(make, classes * len(kinds), "things alone"):
                    (draft / "classes" / name).write_bytes(content)
                    truth.write(_line("test", f"classes/{name}", scene))
                counts |= {f"classes/{kind}": classes for kind in kinds}
        scenes = check(draft)
        files = sorted(path for path in draft.rglob("*") if path.is_file())
        manifest = {
            "edition": EDITION,
            "seed": seed,
            "parameters": {"size": size, "captions": captions, "noise": noise, "subsets": list(subsets)}
            | asdict(dials),
            "counts": counts,
            "scenes": scenes,
            "content": content_hash(files),
        }
        write_json(draft / "manifest.json", manifest)
    return manifest


def check(folder: str | Path) -> dict[str, int]:
    """Prove that the splits of built data share no scene and that no held-out combination leaked: the number of
    scenes in each split. Raises InputError naming the picture where they do."""
    with (Path(folder) / "scenes.jsonl").open(encoding="utf-8") as lines:
        records = map(json.loads, lines)
        return check_splits((record["split"], record["image"], record["scene"]) for record in records)


def share_changed(one: np.ndarray, other: np.ndarray, threshold: int = 8) -> float:
    """Share of pixels (0..1) that differ by more than ``threshold`` of 255 in any channel."""
    apart = np.abs(one.astype(np.int16) - other.astype(np.int16)).max(axis=-1)
    return round(float((apart > threshold).mean()), 5)


def _line(split: str, image: str, scene: dict) -> str:
    return json.dumps({"split": split, "image": image, "scene": scene}, sort_keys=True) + "\n"


def _captioned(
    split: str, dials: Dials, seed: int, size: int, noise: float, captions: int, number: int
) -> tuple[dict, bytes, dict]:
    item = captioned(split, number, dials, seed=seed, noise=noise, captions=captions, negatives=split == "train")
    return _item(split, f"{number:06d}.png", item, dials, size, grain=number)


def _pair(
    dials: Dials, seed: int, size: int, subsets: tuple[str, ...], captions: int, number: int
) -> list[tuple[dict, bytes, dict]]:
    pair = pair_of("train", number, dials, seed=seed, captions=captions, kinds=subsets)
    group = f"train-{number:06d}-{key_of(pair.sides[0].scene)}"
    made = []
    for side, item in enumerate(pair.sides):
        record, content, scene = _item("train", f"pair-{number:06d}-{side}.png", item, dials, size, grain=number)
        made.append((record | {"group": group}, content, scene))
    return made


def _item(split: str, name: str, item: Captioned, dials: Dials, size: int, *, grain: int) -> tuple[dict, bytes, dict]:
    sentences = [{"raw": caption} for caption in item.captions]
    record: dict = {"filepath": f"{split}.tar", "filename": name, "split": split, "sentences": sentences}
    if item.negatives:
        record["negatives"] = list(item.negatives)
    return record, png(picture(item.scene, size, dials, grain=grain)), to_dict(item.scene)


def _lone(dials: Dials, seed: int, size: int, kinds: tuple[str, ...], number: int) -> tuple[str, bytes, dict]:
    kind, turn = kinds[number % len(kinds)], number // len(kinds)
    scene = lone(kind, turn, dials, seed=seed)
    return f"{kind}/{turn:05d}.png", png(picture(scene, size, dials, grain=turn)), to_dict(scene)


def _quads(
    split: str, dials: Dials, seed: int, size: int, subsets: tuple[str, ...], most: int, number: int
) -> list[tuple]:
    """The quads of one base scene: (record or None, picture's name, its bytes, scene) for each picture."""
    made, base = [], None
    base_name = f"{number:05d}.png"
    for quad in quads_of(split, number, dials, seed=seed, kinds=subsets):
        kind = quad.change.focus.kind
        # A kind stands in two of six recipes; of an odd number the last round gives the first of its two only.
        if sum(kind in RECIPES[before % len(RECIPES)] for before in range(number)) >= most:
            continue
        if base is None:
            base = render(quad.scenes[0], size)
            made.append((None, base_name, png(grainy(base, dials.sensor, grain=number)), to_dict(quad.scenes[0])))
        after = render(quad.scenes[1], size)
        name = f"{number:05d}-{kind}.png"
        record = {
            "id": f"{split}-{number:05d}-{kind}",
            "subset": kind,
            "kind": kind,
            "aspect": quad.change.focus.aspect,
            "before": value_of(quad.scenes[0], quad.change.focus),
            "after": value_of(quad.scenes[1], quad.change.focus),
            "cluster": f"{split}-{number:05d}-{key_of(quad.scenes[0])}",
            "image0": f"{split}.tar/{base_name}",
            "image1": f"{split}.tar/{name}",
            "caption0": quad.captions[0],
            "caption1": quad.captions[1],
            "change": round(quad.change.distance, 4),
            "share": share_changed(np.asarray(base), np.asarray(after)),
        }
        made.append((record, name, png(grainy(after, dials.sensor, grain=number)), to_dict(quad.scenes[1])))
    return made
