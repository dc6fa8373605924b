"""What the README prints runs as printed."""

import html
import json
import re
import subprocess
import sys

import pandas as pd
import pytest
import torch

CONFIG = {
    "embed_dim": 16,
    "vision_cfg": {"layers": 1, "width": 32, "head_width": 16, "patch_size": 16, "image_size": 32},
    "text_cfg": {"context_length": 12, "vocab_size": 49408, "width": 16, "heads": 2, "layers": 1},
}

CROSS_ENCODER = (
    "**A cross-encoder**, where the paper used EqSim: two fusion layers with a matching head on the study's towers"
)


@pytest.fixture(scope="module")
def snippets(root):
    return re.findall(r"^```python\n(.*?)^```$", (root / "README.md").read_text(), re.DOTALL | re.MULTILINE)


@pytest.fixture(scope="module")
def bundle():
    from eqlib.models.clip import load

    return load(CONFIG)


def test_a_step_of_ones_own_loop(snippets, bundle):
    (snippet,) = (text for text in snippets if "EqSimLoss(" in text)
    texts = bundle.tokenizer(["a red cup", "a blue cup", "two cups", "a dog"])
    given = {"model": bundle.model, "images": torch.rand(4, 3, 32, 32), "texts": texts}
    exec(snippet, given)
    assert bundle.model.visual.conv1.weight.grad.abs().sum() > 0
    assert {"contrastive", "eqsim_all_pairs"} <= set(given["terms"])


def test_scores_of_ones_own_model(snippets, bundle, tmp_path, monkeypatch):
    from PIL import Image

    from eqlib.models.clip import save

    (snippet,) = (text for text in snippets if "my_set.jsonl" in text)
    for name, shade in (("left.png", 40), ("right.png", 200)):
        (tmp_path / "pictures").mkdir(exist_ok=True)
        Image.new("RGB", (40, 40), (shade, 0, 0)).save(tmp_path / "pictures" / name)
    quad = {"image0": "pictures/left.png", "image1": "pictures/right.png", "caption0": "dark", "caption1": "bright"}
    pd.DataFrame([quad]).to_json(tmp_path / "my_set.jsonl", orient="records", lines=True)
    save(bundle, tmp_path / "model")
    monkeypatch.chdir(tmp_path)
    tag = '"ViT-B-32-quickgelu/openai"'
    assert tag in snippet
    given = {}
    exec(snippet.replace(tag, '"model"'), given)  # the tag's weights are not here
    assert len(given["table"]) == 1
    assert (tmp_path / "features").is_dir()


def test_foils_of_ones_own_scorer(snippets, tmp_path, monkeypatch, capsys):
    """The snippet goes on from the one before it; its table is what the next command line takes."""
    import json

    from PIL import Image

    from eqlib.cli import main

    (snippet,) = (text for text in snippets if "my_scorer" in text)
    (before,) = (text for text in snippets if "my_set.jsonl" in text)
    (tmp_path / "sugarcrepe").mkdir()
    (tmp_path / "coco" / "val2017").mkdir(parents=True)
    Image.new("RGB", (40, 40)).save(tmp_path / "coco" / "val2017" / "1.jpg")
    foil = {"0": {"filename": "1.jpg", "caption": "a long caption", "negative_caption": "a foil"}}
    (tmp_path / "sugarcrepe" / "replace_obj.json").write_text(json.dumps(foil))
    monkeypatch.chdir(tmp_path)
    given = {"my_scorer": lambda images, captions: [len(caption) for caption in captions]}
    exec("\n".join(line for line in before.splitlines() if line.startswith("from eqlib")), given)
    exec(snippet, given)
    assert main(["score", "sugarcrepe", "--scores", "scores.parquet"]) in (0, None)
    assert "100.00" in capsys.readouterr().out


def test_the_layout_names_every_folder_and_what_is_there(root):
    layout = re.search(r"^## Layout\n+```\n(.*?)^```$", (root / "README.md").read_text(), re.DOTALL | re.MULTILINE)[1]
    above, below = layout.split("\neqlib/ ")[1].split("\neqlib/study/ ")
    for folder, part in ((root / "eqlib", above), (root / "eqlib" / "study", below.split("\ndata.dvc")[0])):
        named = {name.rstrip("/") for name in re.findall(r"(?:^| {2,})(\w+(?:/|\.py))", part, re.MULTILINE)}
        assert all((folder / name).exists() for name in named), f"{named} under {folder}"
        packages = {path.parent.name for path in folder.glob("*/__init__.py")} - {"study"}
        assert packages <= named


def test_what_the_readme_says_was_found_stands_in_the_report(root):
    """Quotes are the report's sentences, the table is one of its tables: no number is typed in."""
    if subprocess.run(["git", "diff", "--quiet", "HEAD", "--", "reports"], cwd=root).returncode:
        pytest.skip("reports/ holds another study than the committed one, of which README tells")
    found = (root / "README.md").read_text().split("## What was found")[1].split("\n## ")[0].splitlines()
    page = html.unescape(re.sub(r"<[^>]+>", "", (root / "reports/index.html").read_text()))
    others = [" ".join(json.loads(path.read_text())["abstract"]) for path in root.glob("profiles/*/headline.json")]
    page = " ".join([page, *others])
    page = " ".join(page.split())
    quotes = "\n".join(line.removeprefix(">").strip() if line.startswith(">") else "" for line in found)
    quotes = [" ".join(quote.split()) for quote in re.split(r"\n\s*\n", quotes) if quote.strip()]
    assert len(quotes) >= 4
    for quote in quotes:
        assert quote in page
    rows = [line for line in found[: found.index(CROSS_ENCODER)] if line.startswith("|")]
    assert len(rows) >= 12
    tables = [root / folder / "main.md" for folder in ("profiles/convincing", "reports/tables")]
    assert set(rows) <= {line for table in tables for line in table.read_text().splitlines()}


def test_validation_still_rises_where_the_readme_says_so(root):
    table = pd.read_csv(root / "profiles/convincing/validation.csv").pivot_table(
        index="method", columns="step", values="val_group"
    )
    assert len(table) == 4
    assert (table[200] > table[100] + 0.01).all()


def test_what_the_readme_says_of_the_cross_encoder_stands_in_its_table(root):
    table = pd.read_csv(root / "profiles/fusion/fusion.csv").dropna(subset="point")
    table = table[(table["judge"] == "head") & (table["score"] == "group")].set_index(["method", "partners"])
    found = (root / "README.md").read_text().splitlines()
    rows = [line for line in found[found.index(CROSS_ENCODER) :] if re.match(r"\| .*\[", line)][:4]
    methods = ("eqsim_contrastive", "eqsim_matching", "eqsim_probability", "pairwise_matching")
    for row, method in zip(rows, methods, strict=True):
        expected = []
        for partners in ("drawn", "mates"):
            shown = table.loc[(method, partners), ["point", "low", "high"]].astype(float).mul(100)
            point, low, high = (f"{value:+.1f}".replace("-", "−") for value in shown)
            expected.append(f"{point} [{low}, {high}]")
        assert [cell.strip() for cell in row.split("|")[2:4]] == expected
    assert (set(table["n"]), set(table["seeds"])) == ({2800}, {3})


def test_a_stage_under_a_python_without_the_study_says_what_to_do(root, tmp_path):
    """An interpreter with no packages, as `python` is where .venv is not active."""
    command = [sys.executable, "-S", "-m", "eqlib.study.notebook", "bare", "notebooks", str(tmp_path)]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, env={"PATH": ""})
    assert done.returncode != 0
    assert "source .venv/bin/activate" in done.stderr
    assert "Traceback" not in done.stderr
