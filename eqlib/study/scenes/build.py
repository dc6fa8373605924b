"""The embedded data: captioned pictures and quads, written whole, the same for any number of workers."""

import json
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from functools import partial
from itertools import chain
from pathlib import Path

import numpy as np
from PIL import Image

from eqlib.errors import InputError
from eqlib.files import content_hash, made_here, whole, write_json
from eqlib.study.scenes.compose import RECIPES
from eqlib.study.scenes.dials import Dials
from eqlib.study.scenes.edits import EDITS, value_of
from eqlib.study.scenes.items import Captioned, captioned, grainy, lone, pair_of, picture, quads_of
from eqlib.study.scenes.render import render
from eqlib.study.scenes.scene import Scene, key_of, to_dict
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
    for name, value in (pictures | {f"quads_{split}": n for split, n in quads.items()} | more).items():
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
    make = _Maker(dials, seed, size, captions, noise, subsets)
    with whole(folder, replace_folder=made_here(folder, "manifest.json")) as draft, Workers(workers) as pool:
        draft.mkdir()
        with (draft / "scenes.jsonl").open("w", encoding="utf-8") as truth:

            def keep(add: Callable, split: str, at: str, made: Iterable[list[Made]]) -> list[dict]:
                """Store pictures under the address ``at``, and what they show; the records of those that have one."""
                records = []
                for record, name, content, scene in chain.from_iterable(made):
                    add(name, content)
                    line = {"split": split, "image": f"{at}/{name}", "scene": scene}
                    truth.write(json.dumps(line, sort_keys=True) + "\n")
                    records += [record] if record else []
                return records

            images = []
            for split, n in pictures.items():
                at = f"captions/{split}.tar"
                with tar_writer(draft / at) as add:
                    images += keep(add, split, at, pool.run(partial(make.captioned, split), n, f"{split} pictures"))
                    if split == "train":
                        images += keep(add, split, at, pool.run(make.pair, train_pairs, "train pairs"))
            write_json(draft / "captions" / "dataset.json", {"dataset": EDITION, "images": images})
            counts = {f"captions/{split}": n for split, n in pictures.items()}
            if train_pairs:
                counts["captions/train/pairs"] = train_pairs
            for split, n in quads.items():
                at = f"quads/{split}.tar"
                with tar_writer(draft / at) as add:
                    made = pool.run(partial(make.quads, split, n), 6 * -(-n // 2), f"{split} base scenes")
                    records = keep(add, split, at, made)
                records.sort(key=lambda record: EDITS.index(record["subset"]))
                write_json(draft / "quads" / f"{split}.json", records)
                found = Counter(record["subset"] for record in records)
                counts |= {f"quads/{split}/{kind}": found[kind] for kind in subsets}
            if classes:
                kinds = tuple(KINDS)[: dials.kinds]
                for kind in kinds:
                    (draft / "classes" / kind).mkdir(parents=True)
                    counts[f"classes/{kind}"] = classes
                made = pool.run(partial(make.lone, kinds), classes * len(kinds), "things alone")
                keep(lambda name, content: (draft / "classes" / name).write_bytes(content), "test", "classes", made)
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


Made = tuple[dict | None, str, bytes, dict]
"""A picture: its record, where it has one, its name, its PNG, its scene as `to_dict` writes it."""


@dataclass(frozen=True)
class _Maker:
    """Makes the pictures of an item by its number."""

    dials: Dials
    seed: int
    size: int
    captions: int
    noise: float
    subsets: tuple[str, ...]

    def captioned(self, split: str, number: int) -> list[Made]:
        options = {"noise": self.noise if split == "pretrain" else 0.0, "negatives": split == "train"}
        item = captioned(split, number, self.dials, seed=self.seed, captions=self.captions, **options)
        return [self._told(split, f"{number:06d}.png", item, number)]

    def pair(self, number: int) -> list[Made]:
        pair = pair_of("train", number, self.dials, seed=self.seed, captions=self.captions, kinds=self.subsets)
        group = {"group": f"train-{number:06d}-{key_of(pair.sides[0].scene)}"}
        return [
            self._told("train", f"pair-{number:06d}-{side}.png", item, number, group)
            for side, item in enumerate(pair.sides)
        ]

    def _told(self, split: str, name: str, item: Captioned, grain: int, more: dict | None = None) -> Made:
        sentences = [{"raw": caption} for caption in item.captions]
        record = {"filepath": f"{split}.tar", "filename": name, "split": split, "sentences": sentences} | (more or {})
        if item.negatives:
            record["negatives"] = list(item.negatives)
        return record, name, png(picture(item.scene, self.size, self.dials, grain=grain)), to_dict(item.scene)

    def lone(self, kinds: tuple[str, ...], number: int) -> list[Made]:
        turn, which = divmod(number, len(kinds))
        scene = lone(kinds[which], turn, self.dials, seed=self.seed)
        content = png(picture(scene, self.size, self.dials, grain=turn))
        return [(None, f"{kinds[which]}/{turn:05d}.png", content, to_dict(scene))]

    def quads(self, split: str, most: int, number: int) -> list[Made]:
        """The picture of a base scene, then the other one of each of its quads."""
        # A kind stands in two of six recipes; of an odd number the last round gives the first of its two only.
        served = Counter(kind for before in range(number) for kind in RECIPES[before % len(RECIPES)])
        every = quads_of(split, number, self.dials, seed=self.seed, kinds=self.subsets)
        quads = [quad for quad in every if served[quad.change.focus.kind] < most]
        if not quads:
            return []

        def made(record: dict | None, name: str, clean: Image.Image, scene: Scene) -> Made:
            return record, name, png(grainy(clean, self.dials.sensor, grain=number)), to_dict(scene)

        scene, base_name = quads[0].scenes[0], f"{number:05d}.png"
        base = render(scene, self.size)
        found = [made(None, base_name, base, scene)]
        for quad in quads:
            focus = quad.change.focus
            after = render(quad.scenes[1], self.size)
            name = f"{number:05d}-{focus.kind}.png"
            record = {
                "id": f"{split}-{number:05d}-{focus.kind}",
                "subset": focus.kind,
                "kind": focus.kind,
                "aspect": focus.aspect,
                "before": value_of(scene, focus),
                "after": value_of(quad.scenes[1], focus),
                "cluster": f"{split}-{number:05d}-{key_of(scene)}",
                "image0": f"{split}.tar/{base_name}",
                "image1": f"{split}.tar/{name}",
                "caption0": quad.captions[0],
                "caption1": quad.captions[1],
                "change": round(quad.change.distance, 4),
                "share": share_changed(np.asarray(base), np.asarray(after)),
            }
            found.append(made(record, name, after, quad.scenes[1]))
        return found
