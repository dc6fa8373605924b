"""A profile that fits data of your own: ``python -m eqlib.study.new FOLDER [--model NAME]``.

Looks at every table under FOLDER (captioned pictures, quads, foils) and at folders of classes, and writes
``profiles/own.yaml``: which methods the data allow, and batch, steps and warm-up for their size. Captions without a
split for validation get one by a seeded draw, in ``profiles/own.jsonl``; nothing is written to FOLDER. What was left
out is said, with the reason. The profile is written last: every picture is there by then, every section checked.
"""

import argparse
import os
import sys
from copy import deepcopy
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from eqlib.errors import InputError
from eqlib.files import read_json, whole
from eqlib.study.check import require
from eqlib.study.command import command
from eqlib.study.evaluation.kinds import RETRIEVAL
from eqlib.study.plan import model_of
from eqlib.study.profile import configured, overlay, write
from eqlib.study.training.batches import check_knows
from eqlib.study.training.data import read_captions, read_suites
from eqlib.study.training.order import Order
from eqlib.suites import QuadSuite, RetrievalSuite
from eqlib.suites.captions import PICTURES
from eqlib.suites.doctor import check as examined
from eqlib.suites.quadfile import FORMS, read_records
from eqlib.suites.suite import AnySuite

PROFILE, TABLE = Path("profiles/own.yaml"), Path("profiles/own.jsonl")

KEYS = {  # reader: what a record of its file has
    "eqben": {"image", "caption", "private_info"},
    "quads": {"image0", "image1", "caption0", "caption1"},
    "winoground": {"image_0", "image_1", "caption_0", "caption_1"},
    "bivlc": {"image", "negative_image", "caption", "negative_caption"},
    "colorswap": {"image_1", "image_2", "caption_1", "caption_2"},
    "valse": {"image_file", "caption", "foil"},
    "sugarcrepe": {"filename", "caption", "negative_caption"},
}
TRAIN, VAL = ("train", "training"), ("val", "valid", "validation", "dev")
FEWEST, SMALLEST = 4, 8
"""Pictures to validate on, and of a batch: EqSim's hard partners are four others of it."""


class Table(NamedTuple):
    """A file that a reader takes: ``splits`` are those that its records name."""

    reader: str
    path: Path
    splits: list[str]


def table_of(path: Path) -> Table | None:
    """What the first record of a file says it is; None for anything else. Raises InputError for a damaged file."""
    content: Any = read_json(path) if path.suffix.lower() == ".json" else read_records(path)
    karpathy = isinstance(content, dict) and isinstance(content.get("images"), list)
    if isinstance(content, dict):
        content = content["images"] if karpathy else list(content.values())
    records = [record for record in content if isinstance(record, dict)] if isinstance(content, list) else []
    keys = records[0].keys() if records else set()
    if karpathy or ("caption" in keys and keys & {"path", "image"} and not any(k <= keys for k in KEYS.values())):
        return Table("captions", path, list(dict.fromkeys(str(r["split"]) for r in records if r.get("split"))))
    reader = next((reader for reader, needed in KEYS.items() if needed <= keys), None)
    return Table(reader, path, []) if reader else None


def batch_for(images: int, groups: np.ndarray | None) -> int:
    """The largest up to 128 of which an epoch has at least two, and that whole groups fill. Raises InputError."""
    for batch in range(min(128, images // 2), SMALLEST - 1, -1):
        try:
            Order(images, batch, seed=0, groups=groups)
        except InputError:
            continue
        return batch
    raise InputError(f"{2 * SMALLEST} pictures to train on, in groups that fill a batch", images)


def settings_for(suite: RetrievalSuite, epochs: int) -> dict[str, int]:
    """Batch, steps, warm-up and how often to look, for the size of a training set."""
    images = len(suite.images)
    batch = batch_for(images, suite.groups)
    steps = max(20, epochs * images // batch)
    every = steps // 4
    made = {"steps": steps, "batch": batch, "warmup": steps // 10, "log_every": max(1, steps // 40)}
    workers = 0 if images < 1_000 else min(8, max(1, (os.cpu_count() or 2) - 1))  # few pictures stay in memory, decoded
    return made | {"validate_every": every, "checkpoint_every": every, "workers": workers}


def tables_in(folder: Path, said: list[str]) -> list[Table]:
    """Every table under ``folder`` whose pictures are all there (InputError); the others go to ``said``."""
    tables = []
    for path in sorted(path for path in folder.rglob("*") if path.suffix.lower() in FORMS and path.is_file()):
        try:
            table, why = table_of(path), "no captions, quads or foils that a reader knows"
        except InputError as error:
            table, why = None, str(InputError(error.expected, error.got, row=error.row))
        if table is None:
            said.append(f"left out   {path.relative_to(folder)}: {why}")
            continue
        report = examined(table.reader, path, decode=False, show_progress=False)
        for picture, record, what in report.offenders:
            raise InputError("a picture", f"{what} (of {len(report.offenders):,})", where=picture, row=record)
        tables.append(table)
    return tables


def suites_of(folder: Path, tables: list[Table], said: list[str]) -> tuple[dict[str, dict], dict[str, AnySuite]]:
    """``data.suites`` of all tables but captions, and what they hold. Raises InputError where none holds quads."""
    suites: dict[str, dict[str, Any]] = {}
    for table in tables:
        if table.reader != "captions":
            taken = table.path.stem in (RETRIEVAL, *suites)
            name = f"{table.path.stem}_{len(suites)}" if taken else table.path.stem
            suites[name] = {"reader": table.reader, "path": table.path.relative_to(folder).as_posix()}
    read = read_suites(folder, suites)
    said += [f"suite      {name}: {len(suite):,} items" for name, suite in read.items()]
    if not any(isinstance(suite, QuadSuite) for suite in read.values()):
        raise InputError("quads: a table of image0, image1, caption0, caption1", "none", where=folder)
    return suites, read


def captions_of(
    folder: Path, tables: list[Table], suites: dict[str, AnySuite], said: list[str]
) -> tuple[str, dict[str, str]]:
    """``data.captions`` and ``data.splits``: the file that there is, or TABLE, written from files of a split each or
    from a file without splits."""
    names = [table.path.relative_to(folder).as_posix() for table in tables]
    known = tables[0].splits if len(tables) == 1 else [table.path.stem for table in tables]
    train, val, pretrain = (
        next((name for name in known if name.lower() in words), "") for words in (TRAIN, VAL, ("pretrain",))
    )
    drawn = not (train and val)
    if not tables or (len(tables) > 1 and drawn):
        expected = f"captions: a table ({', '.join(FORMS)}) of path and caption, or one named train and one val"
        raise InputError(expected, ", ".join(names) or "none", where=folder)
    if drawn and known:
        said.append(f"left out   splits {', '.join(known)}: not one to train and one to validate on")
    if drawn:
        pretrain, train, val = "", "train", "val"
    splits = {"pretrain": pretrain or train, "train": train, "val": val}
    if len(tables) == 1 and not drawn:
        said.append(f"captions   {names[0]}, splits {train} and {val}")
        said += [f"left out   split {name} of {names[0]}" for name in known if name not in splits.values()]
        return names[0], splits
    how = "a split to train and one to validate on are drawn" if drawn else "a split is a file"
    said.append(f"captions   {', '.join(names)}: {how}, in {TABLE}")
    shown = {(s.root / name).resolve() for s in suites.values() for name in s.pictures()["picture"].unique()}
    with whole(TABLE) as draft, draft.open("w", encoding="utf-8") as file:
        for table, name in zip(tables, known or [""], strict=False):
            suite = read_captions(folder, table.path.relative_to(folder).as_posix(), "")
            pictures = pd.DataFrame({"path": suite.images, "split": drawn_splits(suite, shown) if drawn else name})
            pictures["path"] = [(table.path.parent / image).relative_to(folder).as_posix() for image in suite.images]
            if suite.groups is not None:
                pictures["group"] = [f"{table.path.stem} {group}" for group in suite.groups]
            texts = pd.DataFrame({"caption": suite.captions, "negatives": suite.negatives}).dropna(axis=1)
            pictures = pictures.join(texts.groupby(suite.image_of_caption).agg(list))
            pictures.to_json(file, orient="records", lines=True, force_ascii=False)
    return str(TABLE.resolve()), splits


def drawn_splits(suite: RetrievalSuite, shown: set[Path]) -> np.ndarray:
    """``train`` or ``val`` for each picture: a fifth of those that no suite shows, at most 1,000, validates. Whole
    groups go to one side, and the draw is the same every time."""
    groups = np.arange(len(suite.images)) if suite.groups is None else suite.groups
    free = np.array([(suite.root / image).resolve() not in shown for image in suite.images])
    drawn, sizes = np.unique(groups[free], return_counts=True)
    order = np.random.default_rng(0).permutation(len(drawn))
    wanted = max(FEWEST, min(1_000, int(free.sum()) // 5))
    val = drawn[order][: np.searchsorted(np.cumsum(sizes[order]), wanted) + 1]
    return np.where(free & np.isin(groups, val), "val", "train")


def fitted(
    data: dict[str, Any], suites: dict[str, AnySuite], quads: dict[str, int], model: str | None, said: list[str]
) -> dict[str, Any]:
    """Changes to the other sections of params.yaml: methods, grids and sizes that the section ``data`` allows, whose
    ``suites`` these are, with so many ``quads``."""
    train, val, pretrain = (
        read_captions(data["data_root"], data["captions"], data["splits"][role], held_out=suites)
        for role in ("train", "val", "pretrain")
    )
    for role, suite, least in (("train", train, 2 * SMALLEST), ("val", val, FEWEST)):
        if len(suite.images) < least:
            raise InputError(f"at least {least} pictures that no suite shows", len(suite.images), where=role)
        said.append(f"pictures   {len(suite.images):,} of {role} that no suite shows")
    methods = ["contrastive", "eqsim"]
    for those, need, why in (
        (["pairwise", "relative"], "partners", "minimal pairs (a `group` for every picture, which two of them share)"),
        (["negclip"], "negatives", "hard negatives (a caption's `negative`)"),
    ):
        try:
            check_knows(train, **{need: True})
            methods += those
        except InputError:
            said.append(f"left out   {', '.join(those)}: no {why}")
    if len(quads) == 1:
        said.append("left out   a choice of settings: the quads are the only ones, so each method has one setting")
    named = {
        suite.root / picture for suite in (*suites.values(), train, val) for picture in suite.pictures()["picture"]
    }
    if not (classes := classes_in(Path(data["data_root"]), named)):
        said.append("left out   classification by name: no folder of classes (<folder>/<class>/<picture>)")
    own = "a small one, trained on these captions alone; --model NAME starts from a pretrained one"
    said.append(f"model      {model or own}")
    slow = {"lr": 1e-5} if model else {}
    sizes = {
        "pretrain": {"init": model, "steps": 0, "warmup": 0} if model else settings_for(pretrain, 30),
        "finetune": settings_for(train, 5) | slow,
    }
    told = (f"{made['steps']:,} of {made['batch']}, {name}" for name, made in sizes.items() if made["steps"])
    said.append(f"steps      {'; '.join(told)}")
    return sizes | {
        "study": {"methods": methods},
        "select": {"grids": grids_for(configured("", [])["select"]["grids"], methods, len(quads) > 1)},
        "compare": {
            "controls": [method for method in methods if method == "pairwise"],
            "primary": next((name for name in quads if name != data["validation"]), ""),
        },
        "tradeoff": {"classes": classes},
    }


def grids_for(grids: dict, methods: list[str], choice: bool) -> dict:
    """The study's own grids, without forms that need minimal pairs where there are none, and each method's first
    setting alone where there is no ``choice``."""
    kept: dict[str, list[dict]] = {}
    for method in [method for method in grids if method in methods]:
        kept[method] = deepcopy(grids[method])
        for product in kept[method]:
            if "variant" in product and "pairwise" not in methods:
                product["variant"] = [name for name in product["variant"] if name != "minimal_pairs"]
        kept[method] = [product for product in kept[method] if all(product.values())]
        if not choice:
            kept[method] = [{name: values[:1] for name, values in kept[method][0].items()}]
    return kept


def classes_in(folder: Path, named: set[Path]) -> str:
    """A folder of two or more folders of pictures, none of which a table names; "" where there is none."""
    for top in sorted(path for path in folder.rglob("*") if path.is_dir()):
        below = [path for path in top.iterdir() if path.is_dir()]
        pictures = [[file for file in path.iterdir() if file.suffix.lower()[1:] in PICTURES] for path in below]
        if len(below) > 1 and all(pictures) and not named & {file for files in pictures for file in files}:
            return top.relative_to(folder).as_posix()
    return ""


def profile(folder: Path, model: str | None, said: list[str]) -> dict[str, Any]:
    """Changes to params.yaml that fit the data in ``folder``; what there is and what was left out goes to ``said``."""
    tables = tables_in(folder, said)
    entries, suites = suites_of(folder, tables, said)
    captions, splits = captions_of(folder, [table for table in tables if table.reader == "captions"], suites, said)
    quads = {name: len(suite) for name, suite in suites.items() if isinstance(suite, QuadSuite)}
    validation = min(quads, key=lambda name: (not any(word in name.lower() for word in VAL), quads[name], name))
    said.append(f"validation {validation}, watched while training")
    data = {"data_root": str(folder), "captions": captions, "splits": splits, "suites": entries}
    data |= {"validation": validation}
    return {"data": data} | fitted(data, suites, quads, model, said)


@command
def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m eqlib.study.new", description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="captions and quads, with their pictures")
    parser.add_argument("--model", help="a pretrained model to start from (ViT-B-32-quickgelu/openai, a folder, ...)")
    parser.add_argument("--force", action="store_true", help=f"replace {PROFILE}")
    options = parser.parse_args(arguments)
    if PROFILE.exists() and not options.force:
        raise InputError("no profile of this name, or --force", "one", where=PROFILE)
    if not options.folder.is_dir():
        raise InputError("a folder", "none", where=options.folder)
    model = options.model
    if model and model_of(model, "").state == "MISSING":
        raise InputError("ARCHITECTURE/TAG of open_clip, hf-hub:ID, hf:ID or a folder", repr(model), where="--model")
    if model and Path(model).exists():
        model = str(Path(model).resolve())  # a profile runs elsewhere
    said: list[str] = []
    try:
        changes = profile(options.folder.resolve(), model, said)
    finally:
        print(*said, sep="\n")
    params = configured("", [])
    overlay(params, changes, where=PROFILE)
    require(params)
    with whole(PROFILE) as draft, draft.open("w", encoding="utf-8") as file:
        header = [f"# Made by `python -m eqlib.study.new {options.folder}`, to be changed by hand.", *said]
        file.write("\n# ".join(header) + "\n")
        write(changes, file)
    print(f"\n{PROFILE}: every section checked. Next:\n\n  python -m eqlib.study.profile {PROFILE.stem}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
