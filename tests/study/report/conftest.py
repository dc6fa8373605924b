"""A small study with known answers in the place of a trained one: tables as ``compare`` writes them, and pictures.

The similarity of a quad is drawn as I, a and b (see docs of eqlib.quads), so that the methods differ in a known way:
EqSim has the same I as contrastive fine-tuning and smaller a and b.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image, ImageDraw

from eqlib.scoring import compare, summarise
from eqlib.study.evaluation.decomposition import decompose
from eqlib.study.evaluation.kinds import SIDES, scores_in
from eqlib.study.report.study import Study, read_study
from eqlib.suites.quadfile import read_quads

SUBSETS = ("attribute", "count", "location", "object")
SPREAD = {"pretrained": 0.075, "contrastive": 0.07, "eqsim": 0.06}
GAP = {"attribute": 0.24, "object": 0.16, "count": 0.1, "location": 0.05}
SHAPES, PAINTS = ("cube", "ball", "cone"), ("red", "blue", "green", "yellow")


def stand_in(folder: Path, quads: int = 120, seeds: int = 3) -> Path:
    """Write compare/, finetune/ and data/ under ``folder``; return it."""
    rng = np.random.default_rng(0)
    records = _records(folder / "data" / "quads", quads, rng)
    items = pd.concat(_runs(records, seeds, rng), ignore_index=True)
    (folder / "compare" / "items").mkdir(parents=True)
    items.to_parquet(folder / "compare" / "items" / "test.parquet", index=False)
    queries = _queries(seeds, rng)
    queries.to_parquet(folder / "compare" / "items" / "retrieval.parquet", index=False)
    summary = pd.concat([summarise(items), summarise(queries, scores=scores_in(queries))], ignore_index=True)
    summary.assign(level=0.95).to_csv(folder / "compare" / "summary.csv", index=False)
    differences = [compare(items, baseline=baseline) for baseline in ("pretrained", "contrastive")]
    pd.concat(differences).assign(level=0.95).to_csv(folder / "compare" / "differences.csv", index=False)
    decomposition = decompose(items, baseline="contrastive").assign(level=0.95)
    decomposition.to_csv(folder / "compare" / "decomposition.csv", index=False)
    for method in ("contrastive", "eqsim"):
        for seed in range(seeds):
            _history(folder / "finetune" / f"{method}-{seed}", method, rng)
    _extras(folder, rng)
    return folder


def _records(root: Path, quads: int, rng: np.random.Generator) -> list[dict]:
    (root / "test").mkdir(parents=True)
    records = []
    for number in range(quads):
        subset = SUBSETS[number % len(SUBSETS)]
        shape, paint = rng.choice(SHAPES), rng.choice(PAINTS)
        place = rng.integers(20, 60, 2)
        first, second = {"shape": shape, "paint": paint, "n": 1, "at": place}, None
        second = dict(first)
        if subset == "attribute":
            second["paint"] = rng.choice([p for p in PAINTS if p != paint])
        elif subset == "object":
            second["shape"] = rng.choice([s for s in SHAPES if s != shape])
        elif subset == "count":
            second["n"] = 2
        else:
            second["at"] = np.array([place[0], 90 - place[1]])
        record = {"id": f"q{number}", "subset": subset, "cluster": f"scene{number // 2}", "kind": subset}
        record["aspect"] = "size" if subset == "attribute" and number % 12 == 0 else "colour"
        for side, scene in enumerate((first, second)):
            record[f"image{side}"] = f"test/{number}-{side}.png"
            _draw(scene).save(root / record[f"image{side}"])
            words = "two {paint} {shape}s" if scene["n"] == 2 else "a {paint} {shape}"
            side_word = "the top" if scene["at"][1] < 45 else "the bottom"
            place_words = f" near {side_word}" if subset == "location" else " on a table"
            record[f"caption{side}"] = words.format(**scene) + place_words
        record["change"] = float(rng.uniform(0.01, 0.3))
        records.append(record)
    (root / "test.json").write_text(json.dumps(records))
    _captions(root.parent / "captions", records)
    return records


def _captions(root: Path, records: list[dict]) -> None:
    root.mkdir()
    images = []
    for split, record in zip(("pretrain", "train", "val"), records, strict=False):
        Image.new("RGB", (8, 8)).save(root / f"{split}.png")
        images.append({"filename": f"{split}.png", "split": split, "sentences": [{"raw": record["caption0"]}]})
    (root / "dataset.json").write_text(json.dumps({"images": images}))


def _draw(scene: dict) -> Image.Image:
    picture = Image.new("RGB", (96, 96), (222, 219, 212))
    draw = ImageDraw.Draw(picture)
    draw.rectangle((0, 62, 96, 96), fill=(190, 180, 165))
    for copy in range(scene["n"]):
        x, y = scene["at"] + copy * np.array([22, 6])
        box = (x - 12, y - 12, x + 12, y + 12)
        if scene["shape"] == "ball":
            draw.ellipse(box, fill=scene["paint"])
        elif scene["shape"] == "cube":
            draw.rectangle(box, fill=scene["paint"])
        else:
            draw.polygon([(x, y - 14), (x - 12, y + 12), (x + 12, y + 12)], fill=scene["paint"])
    return picture


def _runs(records: list[dict], seeds: int, rng: np.random.Generator):
    base = rng.normal(0, 1, (len(records), 3))
    for method, spread in SPREAD.items():
        for seed in range(1 if method == "pretrained" else seeds):
            noise = 0.8 * base + 0.6 * rng.normal(0, 1, base.shape)
            gap = np.array([GAP[r["subset"]] + 0.5 * (r["change"] - 0.15) for r in records]) + 0.07 * noise[:, 0]
            a, b = spread * noise[:, 1], 1.2 * spread * noise[:, 2]
            columns = {"s00": gap / 4 + a / 2, "s01": -gap / 4 - b / 2, "s10": -gap / 4 + b / 2, "s11": gap / 4 - a / 2}
            table = pd.DataFrame({key: 0.25 + value for key, value in columns.items()}).astype("float32")
            keys = pd.DataFrame([{"subset": r["subset"], "quad": r["id"], "cluster": r["cluster"]} for r in records])
            yield pd.concat([keys, table], axis=1).assign(suite="test", edition="stand-in", method=method, seed=seed)


def _queries(seeds: int, rng: np.random.Generator) -> pd.DataFrame:
    """Ranks of 200 images and 200 captions; better from method to method."""
    tables = []
    for number, method in enumerate(SPREAD):
        for seed in range(1 if method == "pretrained" else seeds):
            for side in SIDES:
                names = [f"{side} {n}" for n in range(200)]
                rank = rng.geometric(0.35 + 0.02 * number, 200)
                run = {"suite": "retrieval", "edition": "stand-in", "method": method, "seed": seed, "subset": side}
                found = {f"R@{k}": rank <= k for k in (1, 5, 10)}
                tables.append(pd.DataFrame({"quad": names, "cluster": names, "rank": rank, **found}).assign(**run))
    return pd.concat(tables, ignore_index=True)


def _history(folder: Path, method: str, rng: np.random.Generator) -> None:
    folder.mkdir(parents=True)
    steps = np.arange(0, 120, 5)
    decay = np.exp(-steps / 40)
    columns = {"step": steps, "lr": 1e-3 * np.cos(steps / 80), "logit_scale": 14 + steps / 60}
    columns["contrastive"] = 1.2 + 1.5 * decay + 0.05 * rng.normal(size=len(steps))
    if method == "eqsim":
        columns["eqsim_all_pairs"] = 0.02 + 0.05 * decay + 0.002 * rng.normal(size=len(steps))
        columns["eqsim_active"] = np.ones(len(steps))
    shrink = 0.7 if method == "eqsim" else 1.0
    columns["mean_a2"] = shrink * (0.004 + 0.003 * decay) + 1e-4 * rng.normal(size=len(steps))
    columns["mean_b2"] = shrink * (0.006 + 0.004 * decay) + 1e-4 * rng.normal(size=len(steps))
    columns["mean_I"] = 0.3 - 0.2 * decay + 0.01 * rng.normal(size=len(steps))
    pd.DataFrame(columns).to_csv(folder / "history.csv", index=False)


def _extras(folder: Path, rng: np.random.Generator) -> None:
    tried = [("contrastive", None, None, 0.36, 0.5)]
    for weight in (0.5, 1, 2, 4, 8):
        gain = 0.01 * np.log1p(weight)
        tried.append(("eqsim", "all pairs, margin 0.1", weight, 0.36 + gain, 0.5))
        tried.append(("eqsim", "hard", weight, 0.36 + 3 * gain, 0.5 - 0.004 * weight))
    columns = ["method", "form", "weight", "val_group", "val_image_to_text_r1"]
    table = pd.concat([pd.DataFrame(tried, columns=columns).assign(seed=seed) for seed in (100, 101)])
    recall = table["val_image_to_text_r1"] - 0.1
    table = table.assign(point=table["val_group"], val_text_to_image_r1=recall, zero_shot_top1=recall + 0.2)
    table.to_csv(folder / "selection.csv", index=False)
    path = [
        (method, seed, alpha, 0.40 + bend * alpha - 0.01 * alpha**2, 0.36 + 0.07 * alpha - lift * alpha**2)
        for method, bend, lift in (("contrastive", 0.03, 0.02), ("eqsim", 0.045, 0.03))
        for seed in range(3)
        for alpha in np.linspace(0, 1, 6)
    ]
    pd.DataFrame(path, columns=["method", "seed", "alpha", "group", "recall"]).to_csv(folder / "path.csv", index=False)


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The stand-in's folder: compare/, finetune/, data/."""
    return stand_in(tmp_path_factory.mktemp("study") / "study")


@pytest.fixture(scope="session")
def study(folder: Path) -> Study:
    extras = {"selection": folder / "selection.csv", "path": folder / "path.csv"}
    suites = {"test": read_quads(folder / "data" / "quads" / "test.json")}
    return read_study(folder / "compare", finetune=folder / "finetune", suites=suites, **extras)


@pytest.fixture(scope="session")
def with_recall(study: Study) -> Study:
    """``study`` whose compare stage tested recall: EqSim loses images' captions and keeps captions' images."""
    tested = {"score": "R@1", "suite": "retrieval", "method": "eqsim", "baseline": "contrastive", "level": 0.95}
    made = [
        tested | {"subset": side, "point": point, "low": point - 0.01, "high": point + 0.01, "p_holm": p}
        for side, point, p in (("text_retrieval", -0.042, 0.004), ("image_retrieval", 0.001, 0.8))
    ]
    return replace(study, differences=pd.concat([study.differences, pd.DataFrame(made)], ignore_index=True))
