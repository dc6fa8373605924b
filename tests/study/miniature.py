"""Some items of every set of the profile `full`, as its makers lay it: ``python tests/study/miniature.py REAL FOLDER``.

REAL is the folder of real files: VALSE's and SugarCrepe's annotations are their makers', and Flickr8k's photographs
with their captions stand in Flickr30K's place. All other pictures are stand-ins.
"""

import json
import shutil
import sys
from pathlib import Path

import numpy as np

from eqlib.study.stand_ins import draw
from eqlib.suites import read


def eqben(folder, quads):
    """Shuffled rows, as published; a quad of frames (.npy) and one of pictures (.png) in turn."""
    folder.mkdir(parents=True)
    rows = []
    for quad in range(quads):
        subset, suffix = ("eqbensd", "png") if quad % 2 else ("eqbenyoucook2", "npy")
        rows += [
            {
                "image": f"{subset}/video{quad // 4}/{quad}_{image}.{suffix}",
                "caption": ["a pot of salt", "a pot of pepper"][caption] + f" {quad}",
                "private_info": {"dataset": subset, "sample_cnt": quad, "name": f"c{caption}i{image}"},
            }
            for image in (0, 1) for caption in (0, 1)
        ]  # fmt: skip
    rows = [rows[place] for place in np.random.default_rng(0).permutation(len(rows))]
    (folder / "ann_json_finegrained_random.json").write_text(json.dumps(rows))
    return read("eqben", folder)


def winoground(folder, quads):
    (folder / "images").mkdir(parents=True)
    rows = [
        {"id": quad, "tag": "Noun", "collapsed_tag": "Object", "num_main_preds": 1}
        | {f"image_{side}": f"ex_{quad}_img_{side}" for side in (0, 1)}
        | {"caption_0": f"some plants surrounding a lightbulb {quad}"}
        | {"caption_1": f"a lightbulb surrounding some plants {quad}"}
        for quad in range(quads)
    ]
    (folder / "examples.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return read("winoground", folder)


def foils(name, source, folder, items, root):
    """The first ``items`` of each of the makers' files."""
    folder.mkdir(parents=True)
    for file in sorted(source.glob("*.json")):
        first = dict(list(json.loads(file.read_text()).items())[:items])
        (folder / file.name).write_text(json.dumps(first))
    return read(name, folder, root=root)


def photographs(source, folder, counts):
    """So many of each split, with their captions, under the name of Flickr30K's file."""
    content = json.loads((source / "dataset_flickr8k.json").read_text())
    kept = [
        record
        for split, count in counts.items()
        for record in [record for record in content["images"] if record["split"] == split][:count]
    ]
    for record in kept:
        path = Path(record.get("filepath", ""), record["filename"])
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source / path, folder / path)
    (folder / "dataset_flickr30k.json").write_text(json.dumps(content | {"images": kept}))


def write(real, folder, *, quads=12, items=20, train=48, val=16):
    real, folder = Path(real), Path(folder)
    suites = [
        eqben(folder / "eqben", quads),
        winoground(folder / "winoground", quads),
        foils("valse", real / "annotations/valse", folder / "valse", items, folder / "valse/images"),
        foils("sugarcrepe", real / "annotations/sugar_crepe", folder / "sugarcrepe", items, folder / "coco/val2017"),
    ]
    for suite in suites:
        draw(suite)
    photographs(real / "flickr8k", folder / "flickr30k", {"train": train, "val": val})


if __name__ == "__main__":
    write(*sys.argv[1:])
