"""A small valid file of every format that the command line reads, and the command that reads it."""

import io
import json
import tarfile
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from PIL import Image

from eqlib.quads import score_table


class Format(NamedTuple):
    """``command`` reads ``files`` (name -> bytes) from its working folder; any of them may be damaged."""

    command: list[str]
    files: dict[str, bytes]


NAMES = ("c0i0", "c0i1", "c1i0", "c1i1")
SCORES = np.array([[[4.0, 1.0], [2.0, 3.0]], [[1.0, 2.0], [2.0, 1.0]], [[4.0, 1.0], [2.0, 3.0]]])
PICTURE = np.arange(6 * 5 * 3, dtype=np.uint8).reshape(6, 5, 3)


def as_json(value):
    return json.dumps(value, ensure_ascii=False).encode()


def as_lines(records):
    return "\n".join(json.dumps(record, ensure_ascii=False) for record in records).encode()


def as_file(write, *more, **options):
    file = io.BytesIO()
    write(file, *more, **options)
    return file.getvalue()


def as_table(records, kind):
    table = pd.DataFrame(records)
    if kind == "parquet":
        return as_file(table.to_parquet, index=False)
    if kind == "xlsx":
        return as_file(table.to_excel, index=False)
    return table.to_csv(index=False, sep="\t" if kind == "tsv" else ",").encode()


def as_picture(kind, **options):
    return as_file(Image.fromarray(PICTURE).save, kind, **options)


def as_array(values):
    return as_file(np.save, values)


def as_tar(members):
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as tar:
        for name, content in members.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return file.getvalue()


def as_tensor(values):
    import torch

    return as_file(lambda file: torch.save(torch.tensor(values), file))


def eqben():
    info = [{"dataset": "eqbenag", "name": name, "sample_cnt": quad} for quad in range(3) for name in NAMES]
    return [
        {"image": f"eqbenag/v/{i['sample_cnt']}{i['name'][3]}.png", "caption": i["name"][:2], "private_info": i}
        for i in info
    ], info


def every():
    """Format by name."""
    rows, info = eqben()
    scores, natural, order = as_array(np.arange(12.0)), as_array(SCORES.reshape(3, 4)), as_json(list(range(12)))
    clusters = as_table([{"quad": n, "cluster": n // 2} for n in range(3)], "csv")
    layout = as_json({"subsets": [{"name": "eqbenag", "quads": 2}, {"name": "eqbensd", "quads": 1}]})
    table = score_table(SCORES, suite="mine", edition="1", subset=["a", "a", "b"]).to_dict("records")
    wino = [
        {"label": f"{n}_c{c}_i{i}", "score": float(SCORES[n, i, c])} for n in range(3) for i in (0, 1) for c in (0, 1)
    ]
    group = [
        {"eqlib_group": {"id": n, "image": i, "caption": c, "value": float(SCORES[n, i, c]), "subset": "a"}}
        for n in range(3)
        for i in (0, 1)
        for c in (0, 1)
    ]
    foils = [{"item": n, "subset": "plurals", "caption": 0.9 - n / 4, "foil": 0.5} for n in range(3)]
    foil_lines = [{"label": f"{n}_{side}", "score": 0.5 + n / 9, "instrument": "x"} for n in range(3) for side in "cf"]
    vsr = [{"id": n, "label": n % 2, "score": 0.3 + n / 5, "relation": "on"} for n in range(3)]
    said = [{"index": n, "answer": "Yes", "prediction": text} for n, text in enumerate(("Yes", "no.", "perhaps"))]
    natural_bench = [
        {"index": n, "answer": "yes" if n in (0, 3) else "no", "type": "yes_no", "prediction": "Yes"} for n in range(4)
    ]
    samples = [{"target": r["answer"], "naturalbench_G_ACC": {"id": r["index"], "score": 1}} for r in natural_bench]
    correct = [{"type": "swap", "subtype": "obj", "filename": f"{n}.jpg", "correct": n % 2} for n in range(3)]
    bivlc = [
        {"type": "add", "subtype": "obj", "caption": "x", "text_score": "True", "image_score": "False"}
        | {"group_score": "False"}
        for n in range(3)
    ]
    ask = "Does this image present (A) a red cup, or (B) a blue cup? Note, choose"
    swap = {
        which: [
            {"id": n} | {f"response_{which}_{k}": "(A)" if which == "image" else "the first" for k in (1, 2)}
            | {f"prompt_{which}_{k}": ask for k in (1, 2)}
            | {f"log_{k}": {"correct_answer": "A" if which == "image" else "first"} for k in (1, 2)}
            for n in range(2)
        ]
        for which in ("image", "caption")
    }  # fmt: skip
    quads = [
        {"image0": "a.png", "image1": "b.jpg", "caption0": "one cup", "caption1": "two cups", "id": "q", "subset": "s"},
        {"image0": "c.webp", "image1": "d.npy", "caption0": "a dog", "caption1": "ein Hündchen 🐕", "cluster": "7"},
    ]
    pictures = {
        "a.png": as_picture("png"),
        "b.jpg": as_picture("jpeg"),
        "c.webp": as_picture("webp"),
        "d.npy": as_array(PICTURE),
        "e.gif": as_picture("gif"),
        "f.tif": as_picture("tiff"),
        "g.bmp": as_picture("bmp"),
    }
    captions = [
        {"path": name, "caption": f"a cup, {n}", "split": "test", "group": n // 2, "negative": "no cup"}
        for n, name in enumerate(pictures)
    ]
    karpathy = [
        {"filename": "a.png", "filepath": ".", "split": "test", "sentences": [{"raw": "a dog"}, {"raw": "dogs"}]},
        {"filename": "b.jpg", "split": "val", "sentences": [{"raw": "a cup"}], "negatives": ["no cup"], "group": "p"},
    ]
    coco = {
        "images": [{"id": n, "file_name": name} for n, name in enumerate(pictures)],
        "annotations": [{"image_id": n, "caption": "a cup"} for n in range(len(pictures))],
    }
    shard = as_tar({
        "0.png": as_picture("png"), "0.txt": b"a cup",
        "b/1.jpg": as_picture("jpeg"), "b/1.json": as_json({"caption": ["two", "cups"], "group": "g", "split": "test"}),
    })  # fmt: skip
    winoground = [
        {"id": n, "image_0": "a.png", "image_1": "b.jpg", "caption_0": "x", "caption_1": "y", "tag": "T"}
        for n in range(2)
    ]
    valse = {"1": {"image_file": "a.png", "caption": "a dog", "foil": "a cat", "dataset": "coco"}}
    valse["1"] |= {"linguistic_phenomena": "nouns", "mturk": {"caption": 3}}
    crepe = {str(n): {"filename": "a.png", "caption": "a dog", "negative_caption": "a cat"} for n in range(2)}
    cola = [["http://h/a.png?x", "x", "http://h/b.jpg", "y"]]
    bivlc_quads = [{"image": "a.png", "negative_image": "b.png", "caption": "x", "negative_caption": "y"}]
    swaps = [{"id": 1, "image_1": "a.png", "image_2": "b.png", "caption_1": "x", "caption_2": "y"}]
    own = {**pictures, "q.json": as_json(quads)}
    found = {
        "eqben annotation": (
            ["eqben", "--scores", "s.npy", "--annotation", "a.json"],
            {"s.npy": scores, "a.json": as_json(rows)},
        ),
        "eqben index": (
            ["eqben", "--scores", "s.npy", "--index", "i.json", "--info", "p.json", "--clusters", "c.csv"],
            {"s.npy": scores, "i.json": order, "p.json": as_json(info), "c.csv": clusters},
        ),
        "eqben layout": (
            ["eqben", "--scores", "n.npy", "--layout", "l.json", "--clusters", "c.jsonl"],
            {
                "n.npy": natural,
                "l.json": layout,
                "c.jsonl": as_lines([{"quad": n, "cluster": "v"} for n in range(3)]),
            },
        ),
        "eqben json": (
            ["eqben", "--scores", "s.json", "--annotation", "a.json"],
            {"s.json": order, "a.json": as_json(rows)},
        ),
        "winoground lines": (
            ["winoground", "--scores", "w.jsonl", "--also", "equivariance"],
            {"w.jsonl": as_lines(wino)},
        ),
        "winoground against": (
            ["winoground", "--scores", "w.jsonl", "--against", "v.jsonl"],
            {"w.jsonl": as_lines(wino), "v.jsonl": as_lines(wino[::-1])},
        ),
        "winoground array": (
            ["winoground", "--scores", "w.npy", "--quads", "q.jsonl"],
            {"w.npy": as_array(SCORES[:2].astype(np.float32)), "q.jsonl": as_lines(quads)},
        ),
        "winoground tensor": (
            ["winoground", "--scores", "w.pt", "--quads", "q.json"],
            {"w.pt": as_tensor(SCORES[:2]), "q.json": as_json(quads)},
        ),
        "winoground samples": (["winoground", "--scores", "w.jsonl"], {"w.jsonl": as_lines(group)}),
        "valse table": (["valse", "--scores", "v.csv", "--probabilities"], {"v.csv": as_table(foils, "csv")}),
        "valse parquet": (["valse", "--scores", "v.parquet"], {"v.parquet": as_table(foils, "parquet")}),
        "valse lines": (["valse", "--scores", "v.jsonl", "--probabilities"], {"v.jsonl": as_lines(foil_lines)}),
        "vsr lines": (["vsr", "--scores", "v.jsonl"], {"v.jsonl": as_lines(vsr)}),
        "naturalbench samples": (["naturalbench", "--scores", "n.jsonl"], {"n.jsonl": as_lines(samples)}),
        "sugarcrepe correct": (["sugarcrepe", "--scores", "c.csv"], {"c.csv": as_table(correct, "csv")}),
        "sugarcrepe json": (["sugarcrepe", "--scores", "c.json"], {"c.json": as_json(foils)}),
        "bivlc": (["bivlc", "--scores", "b.csv"], {"b.csv": as_table(bivlc, "csv")}),
        "colorswap": (
            ["colorswap", "--scores", "t.json", "--image-answers", "i.json"],
            {"t.json": as_json(swap["image"]), "i.json": as_json(swap["caption"])},
        ),
    }
    for kind in ("tsv", "xlsx", "json"):
        for name, records in (("vsr", said), ("naturalbench", natural_bench)):
            content = as_json(records) if kind == "json" else as_table(records, kind)
            found[f"{name} {kind}"] = ([name, "--scores", f"p.{kind}"], {f"p.{kind}": content})
    for kind, content in {"csv": as_table, "parquet": as_table, "jsonl": as_lines, "json": as_json}.items():
        made = content(table, kind) if content is as_table else content(table)
        found[f"table {kind}"] = (["table", "--scores", f"t.{kind}", "--also", "shortcuts"], {f"t.{kind}": made})
    made = {name: Format(["score", *command, "--json"], files) for name, (command, files) in found.items()}
    checked = {
        "eqben": ("a.json", {"a.json": as_json(rows)}),
        "eqben older": ("a.json", {"a.json": as_json([{"image": r["image"], "caption": r["caption"]} for r in rows])}
                        | {"private_random_idx.json": order, "private_info.json": as_json(info)}),
        "eqben videos": ("v.json", {"v.json": as_json({"v": {"s": [q | {"image0": "eqbenag/a.png"} for q in quads]}})}),
        "quads": ("q.json", own),
        "quads lines": ("q.jsonl", pictures | {"q.jsonl": as_lines(quads)}),
        "quads csv": ("q.csv", pictures | {"q.csv": as_table(quads, "csv")}),
        "quads parquet": ("q.parquet", pictures | {"q.parquet": as_table(quads, "parquet")}),
        "quads xlsx": ("q.xlsx", pictures | {"q.xlsx": as_table(quads, "xlsx")}),
        "winoground": (".", pictures | {"examples.jsonl": as_lines(winoground)}),
        "valse": (".", pictures | {"existence.json": as_json(valse)}),
        "sugarcrepe": ("swap_obj.json", pictures | {"swap_obj.json": as_json(crepe)}),
        "bivlc": ("b.json", {"b.json": as_json(bivlc_quads)}),
        "colorswap": ("c.json", {"c.json": as_json(swaps)}),
        "cola": ("c.json", pictures | {"c.json": as_json(cola)}),
        "captions table": ("c.csv", pictures | {"c.csv": as_table(captions, "csv")}),
        "captions parquet": ("c.parquet", pictures | {"c.parquet": as_table(captions, "parquet")}),
        "captions karpathy": ("d.json", pictures | {"d.json": as_json({"images": karpathy})}),
        "captions coco": ("d.json", pictures | {"d.json": as_json(coco)}),
        "captions shard": ("s.tar", {"s.tar": shard}),
    }  # fmt: skip
    for name, (path, files) in checked.items():
        made[f"doctor {name}"] = Format(["doctor", name.split()[0], path, "--quiet"], files)
    return made


def write(folder: Path, files: dict[str, bytes]) -> None:
    for name, content in files.items():
        (folder / name).write_bytes(content)
