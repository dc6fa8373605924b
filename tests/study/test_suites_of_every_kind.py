"""A study of quads, foils and a retrieval set together, its notebooks run on models of random weights."""

import json
from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from eqlib.cli import main as eqlib
from eqlib.models.clip import load, save
from eqlib.study import notebook
from eqlib.study.evaluation.judge import judged
from eqlib.study.evaluation.standings import standings
from eqlib.study.report import browser, build
from eqlib.study.report.study import read_study
from eqlib.study.report.tables import models_table
from eqlib.study.sets import records
from eqlib.study.training.data import read_suites

CONFIG = {
    "embed_dim": 16,
    "vision_cfg": {"layers": 1, "width": 32, "head_width": 16, "patch_size": 16, "image_size": 32},
    "text_cfg": {"context_length": 12, "vocab_size": 49408, "width": 16, "heads": 2, "layers": 1},
}
PUBLISHED = "CLIP ViT-B/32 openai"
MODELS = [{"name": "other", "model": "", "published": PUBLISHED}]
SUITES = {
    "test": {"reader": "quads", "path": "quads.json"},
    "swapped": {"reader": "valse", "path": "valse"},
    "found": {"reader": "captions", "path": "found.jsonl"},
}


def run(root, monkeypatch, file, **values):
    """The code of a notebook in this process: a kernel for each would take most of the test's time."""
    monkeypatch.chdir(root)
    said = []
    given = {"display": lambda *shown, **_: said.extend(shown)}
    monkeypatch.setattr("IPython.display.display", given["display"])
    for cell in notebook.read(root / "notebooks" / file).cells:
        if cell.cell_type == "code":
            exec(cell.source, given)
        if "parameters" in cell.metadata.get("tags", []):
            given |= values
    plt.close("all")
    return said


def write_set(folder):
    """Twelve quads, twelve foils of six pictures, ten captioned pictures, five of training and four of validation."""
    rng = np.random.default_rng(0)
    (folder / "valse").mkdir(parents=True)
    names = [f"{n}.png" for n in range(40)]
    for name in names:
        Image.fromarray(rng.integers(0, 255, (32, 32, 3), dtype=np.uint8)).save(folder / name)
        Image.open(folder / name).save(folder / "valse" / name)
    says = [f"a picture of number {n}" for n in range(40)]
    quads = [
        {"id": f"q{n}", "subset": "ab"[n % 2], "image0": names[n], "image1": names[n + 1],
         "caption0": says[n], "caption1": says[n + 1]} for n in range(12)
    ]  # fmt: skip
    (folder / "quads.json").write_text(json.dumps(quads))
    for instrument in ("plurals", "existence"):
        items = {
            f"{instrument}_{n}": {"image_file": names[12 + n], "caption": says[n], "foil": says[n + 9],
                                  "dataset": "visual7w", "linguistic_phenomena": instrument, "mturk": {"caption": 3}}
            for n in range(6)
        }  # fmt: skip
        (folder / "valse" / f"{instrument}.json").write_text(json.dumps(items))
    pd.DataFrame({"path": names[20:30], "caption": says[20:30]}).to_json(
        folder / "found.jsonl", orient="records", lines=True
    )
    images = [
        {"filename": names[30 + n], "split": split, "sentences": [{"raw": says[30 + n]}]}
        for n, split in enumerate(("pretrain", *["val"] * 4, *["train"] * 5))
    ]
    (folder / "captions.json").write_text(json.dumps({"images": images}))


@pytest.fixture(scope="module")
def made(root, tmp_path_factory):
    """The folders that the stages evaluate, models, compare and figures leave."""
    folder = tmp_path_factory.mktemp("kinds")
    write_set(folder / "data")
    splits = {name: name for name in ("pretrain", "train", "val")}
    data = {"data_root": str(folder / "data"), "captions": "captions.json", "splits": splits, "suites": SUITES}
    data["validation"] = "test"
    models = [entry | {"model": str(folder / "models" / "other")} for entry in MODELS]
    study = {"methods": ["contrastive"], "baseline": "contrastive", "seeds": [0], "models": models}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EQLIB_STAGE", "1")
        for seed, name in enumerate(("pretrained-0", "contrastive-0", "other")):
            save(load(CONFIG, seed=seed), folder / "models" / name)
        for name in ("pretrained-0", "contrastive-0"):
            model = str(folder / "models" / name)
            run(root, patch, "40_evaluate.ipynb", **data, model=model, output=str(folder / "evaluate" / name))
        for suite in SUITES:
            cell = records(data)[f"suites/{suite}"]["data"] | models[0]
            run(root, patch, "40_evaluate.ipynb", **cell, output=str(folder / "evaluate" / "models" / "other" / suite))
        given = {"evaluations": str(folder / "evaluate"), "output": str(folder / "compare"), **study}
        run(root, patch, "50_compare.ipynb", **given)
        given = {"compare": str(folder / "compare"), "finetune": str(folder), "output": str(folder / "figures")}
        run(root, patch, "60_figures.ipynb", **given, **study, **data)
    return folder


@pytest.fixture(scope="module")
def study(made):
    return read_study(made / "compare", suites=read_suites(made / "data", SUITES), baseline="contrastive")


def test_the_command_line_takes_what_the_study_scored(made, capsys):
    for suite, score in (("test", "group"), ("swapped", "pairwise")):
        scores = made / "evaluate" / "contrastive-0" / "suites" / f"{suite}.parquet"
        assert eqlib(["score", "table", "--scores", str(scores), "--json"]) == 0
        found = json.loads(capsys.readouterr().out)
        assert found["suite"] == suite
        summary = pd.read_csv(made / "compare" / "summary.csv").set_index(["suite", "subset", "score", "method"])
        assert found["average"]["micro"][score]["point"] == summary.loc[(suite, "micro", score, "contrastive"), "point"]


def test_each_kind_stands_with_its_own_scores(made):
    table = pd.read_json(made / "figures" / "tables" / "suites.json", typ="series")
    shown = [(row[0]["text"], row[1]["text"]) for row in table["rows"]]
    found, retrieval = (
        [(name, f"{side} R@{k}") for side in ("I→T", "T→I") for k in (1, 5, 10)] for name in ("found", "retrieval")
    )
    quads = [("test", name) for name in ("Text", "Image", "Group", "Group match")]
    assert shown == [*quads, *found, *retrieval, ("swapped", "Accuracy")]
    swapped = pd.read_parquet(made / "evaluate" / "pretrained-0" / "suites" / "swapped.parquet")
    accuracy = 100 * (swapped["s_caption"] > swapped["s_foil"]).mean()
    assert float(table["rows"][-1][2]["text"]) == pytest.approx(accuracy, abs=0.05)
    assert (made / "figures" / "figures" / "foils.png").is_file()


def test_metrics_name_each_kind_s_scores(study):
    found = build.metrics(study.summary)
    assert set(found["swapped"]["contrastive"]) == {"accuracy"}
    assert set(found["test"]["contrastive"]) == {"text", "image", "group", "group_match"}
    sides = [f"{side}_retrieval_r{k}" for side in ("text", "image") for k in (1, 5, 10)]
    assert sorted(found["found"]["contrastive"]) == sorted(sides)
    assert found["found"]["contrastive"]["text_retrieval_r10"] == 100  # ten pictures


def test_other_models_stand_in_a_table(made, study):
    table = models_table(study)
    assert table.columns == ["Model", "found: I→T R@1", "found: T→I R@1", "swapped: Accuracy", "test: Group", "Seconds"]
    other = next(row for row in table.rows if row[0].text == "other")
    assert other[0].small == str(made / "models" / "other")
    assert other[3].small.endswith("published 65.3, 67.53")  # of VALSE, both with their source in published.csv
    assert other[-1].value > 0
    assert all(row[-1].text == "–" for row in table.rows if row[0].text != "other")
    assert "published" not in other[4].small


def test_a_study_without_other_models_says_nothing_of_them(study):
    assert models_table(replace(study, models=None)) is None


@pytest.mark.parametrize(("suite", "noun"), [("swapped", "12 of 12 foils"), ("found", "20 of 20 queries")])
def test_items_of_every_kind_are_shown(study, suite, noun):
    text = browser.render(study.suites[suite], study.others[suite])
    assert noun in text
    payload = json.loads(text.split('id="payload">')[1].split("</script>")[0])
    for item in payload["items"]:
        right = [run["right"][-1] for run in item["runs"].values()]
        assert all((run["margin"] >= 0) or not share for run, share in zip(item["runs"].values(), right, strict=True))
    if suite == "swapped":
        [side] = payload["items"][0]["sides"]
        caption, foil = (" ".join(word for word, _ in words) for words in side["captions"])
        record = study.suites[suite].records.set_index("item").loc[payload["items"][0]["id"]]
        assert (caption, foil) == (record["caption"], record["foil"])


def test_a_model_that_only_judges_pairs_is_asked_for_pairs(made):
    """By the length of a caption: right where the foil is shorter. It cannot retrieve, which is no error."""
    suites = read_suites(made / "data", SUITES)
    judge = lambda images, captions: [len(caption) for caption in captions]  # noqa: E731
    table = judged((judge, None), suites["swapped"], batch=8)
    records = suites["swapped"].records
    assert table["pairwise"].to_list() == (records["caption"].str.len() > records["foil"].str.len()).to_list()
    assert judged((judge, None), suites["found"], batch=8) is None


def test_letters_are_shared_by_what_is_not_told_apart():
    """Of 200 foils a is right on 150 and b on 148, which differ on six; c is right on 60 of its own."""
    right = {"a": np.arange(200) < 150, "b": (np.arange(200) < 147) | (np.arange(200) == 199), "c": np.arange(200) < 60}
    keys = {"suite": "s", "edition": "e", "subset": "all", "quad": np.arange(200).astype(str), "seed": 0}
    tables = [pd.DataFrame(keys | {"pairwise": of, "method": name}) for name, of in right.items()]
    table = pd.concat(tables).assign(cluster=lambda t: t["quad"])
    found = standings(table).set_index("method")
    assert found["alike"].to_dict() == {"a": "a", "b": "a", "c": "b"}
    assert found["point"].to_dict() == {"a": 0.75, "b": 0.74, "c": 0.3}


def test_trade_off_and_maps_need_no_minimal_pairs(root, made, monkeypatch, tmp_path):
    """As of Flickr30K or COCO: captions without groups to train on."""
    monkeypatch.setenv("EQLIB_STAGE", "1")
    (made / "runs").mkdir()
    for name, model in (("0", "pretrained-0"), ("contrastive-0", "contrastive-0")):
        (made / "runs" / name).mkdir()
        (made / "runs" / name / "model").symlink_to(made / "models" / model)
    data = {"data_root": str(made / "data"), "captions": "captions.json", "suites": SUITES, "validation": "test"}
    given = data | {"pretrained": str(made / "runs"), "finetuned": str(made / "runs"), "methods": ["contrastive"]}
    run(root, monkeypatch, "45_tradeoff.ipynb", **given, alphas=[0.0, 1.0], output=str(tmp_path))
    assert pd.read_csv(tmp_path / "path.csv")["alpha"].to_list() == [0, 1]
    model = str(made / "models" / "pretrained-0")
    run(root, monkeypatch, "47_maps.ipynb", **data, pretrained=model, steps=5, seeds=[0], output=str(tmp_path))
    assert pd.read_csv(tmp_path / "tried.csv")["map"].to_list() == ["same", "weight 0"]
