"""From a foil suite's own files to the printed table: read, score_suite, ``eqlib score`` or summarise."""

import json

import numpy as np
import pytest
from PIL import Image

from eqlib.cli import main
from eqlib.models.score import score_suite
from eqlib.scoring import summarise
from eqlib.suites import read

RED, BLUE = (255, 0, 0), (0, 0, 255)
SUGARCREPE = {
    "swap_obj": [("1.jpg", "red left of blue", "blue left of red"), ("2.jpg", "red and blue", "blue and red")],
    "add_att": [("1.jpg", "a red wall", "a blue wall"), ("2.jpg", "a red wall", "a red  wall")],
}


def names_its_colour(images, captions):
    """1 for a caption that begins with, or holds, what colour the picture has on its left; else 0."""
    colours = ["red" if np.asarray(image)[0, 0, 0] > 128 else "blue" for image in images]
    return [
        float(c.startswith(colour)) if c.split()[0] in ("red", "blue") else float(colour in c)
        for colour, c in zip(colours, captions, strict=True)
    ]


@pytest.fixture
def sugarcrepe(tmp_path):
    """Two of SugarCrepe's files in miniature and their pictures: one red, one blue."""
    folder = tmp_path / "sugarcrepe"
    folder.mkdir()
    for kind, items in SUGARCREPE.items():
        keys = ("filename", "caption", "negative_caption")
        (folder / f"{kind}.json").write_text(
            json.dumps({n: dict(zip(keys, i, strict=True)) for n, i in enumerate(items)})
        )
    for name, colour in (("1.jpg", RED), ("2.jpg", BLUE)):
        Image.new("RGB", (8, 8), colour).save(folder / name)
    return folder


def printed(capsys, *arguments):
    assert main(["score", *map(str, arguments)]) == 0
    return capsys.readouterr().out


@pytest.mark.parametrize(("suffix", "name"), [("parquet", "sugarcrepe"), ("csv", "sugarcrepe"), ("parquet", "table")])
def test_scores_of_a_foil_suite_are_printed(capsys, sugarcrepe, tmp_path, suffix, name):
    suite = read("sugarcrepe", sugarcrepe)
    table = score_suite(names_its_colour, suite, progress=False)
    path = tmp_path / f"scores.{suffix}"
    table.to_parquet(path) if suffix == "parquet" else table.to_csv(path, index=False)
    record = json.loads(printed(capsys, name, "--scores", path, "--json"))
    assert (record["suite"], record["edition"], record["n"]) == ("sugarcrepe", suite.edition, 4)
    # swap_obj: red begins the caption of the red picture, but also that of the blue one. add_att: the red wall is told
    # from the blue one; of the blue picture neither sentence is true, a tie
    assert {kind: cell["pairwise"]["point"] for kind, cell in record["subsets"].items()} == {
        "add_att": 0.5,
        "swap_obj": 0.5,
    }
    assert {kind: cell["ties"] for kind, cell in record["subsets"].items()} == {"add_att": 1, "swap_obj": 0}
    text = printed(capsys, name, "--scores", path, "--items", tmp_path / "items.csv")
    assert "macro (2 subsets)" in text
    assert "macro7" not in text
    again = json.loads(printed(capsys, "table", "--scores", tmp_path / "items.csv", "--json"))
    assert again == record
    points = summarise(table, scores=("pairwise",)).set_index("subset")["point"]
    assert points.to_dict() == {"add_att": 0.5, "swap_obj": 0.5, "micro": 0.5, "macro": 0.5}


def test_two_score_files_of_one_foil_suite_are_compared(capsys, sugarcrepe, tmp_path):
    suite = read("sugarcrepe", sugarcrepe)
    for name, model in (("ours", names_its_colour), ("theirs", lambda images, captions: np.zeros(len(captions)))):
        score_suite(model, suite, progress=False).to_parquet(tmp_path / f"{name}.parquet")
    files = ["--scores", tmp_path / "ours.parquet", "--against", tmp_path / "theirs.parquet"]
    record = json.loads(printed(capsys, "sugarcrepe", *files, "--json"))
    assert record["against"]["micro"]["pairwise"]["point"] == 0.5


def test_scores_of_another_suite_are_refused(capsys, sugarcrepe, tmp_path):
    score_suite(names_its_colour, read("sugarcrepe", sugarcrepe), progress=False).to_parquet(tmp_path / "s.parquet")
    assert main(["score", "valse", "--scores", str(tmp_path / "s.parquet")]) == 2
    assert "s.parquet: expected scores of valse, got 'sugarcrepe'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "path", "counts"),
    [
        ("sugarcrepe", "sugar_crepe", {"add_att": 692, "swap_obj": 245}),
        ("valse", "valse", {"existence": 505, "coreference-hard": 104}),
    ],
)
def test_native_files_end_to_end(capsys, shared, tmp_path, name, path, counts):
    """The files as they are published, with pictures of the right names, and a model that likes short captions."""
    annotations = tmp_path / "annotations"
    annotations.mkdir()
    for kind in counts:
        file = shared / "realdata/annotations" / path / f"{kind}.json"
        (annotations / file.name).write_bytes(file.read_bytes())
    suite = read(name, annotations, root=tmp_path / "pictures")
    for picture in set(suite.records["image"]):
        (tmp_path / "pictures" / picture).parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (2, 2)).save(tmp_path / "pictures" / picture)
    table = score_suite(lambda images, captions: [-len(c) for c in captions], suite, progress=False)
    table.to_parquet(tmp_path / "scores.parquet")
    record = json.loads(printed(capsys, name, "--scores", tmp_path / "scores.parquet", "--json"))
    assert {kind: cell["n"] for kind, cell in record["subsets"].items()} == counts
    assert record["edition"] == suite.edition
    longer = suite.records["foil"].str.len() > suite.records["caption"].str.len()
    assert record["average"]["micro"]["pairwise"]["point"] == pytest.approx(longer.mean())
    same = suite.records["foil"].str.len() == suite.records["caption"].str.len()
    assert record["ties"] == same.sum()
    assert all(kind in printed(capsys, name, "--scores", tmp_path / "scores.parquet") for kind in counts)
