"""Pictures that stand in for those that are not here, and the notebook that shows whole and damaged sets with them."""

import json

import numpy as np
import pandas as pd
from PIL import Image

from eqlib.study.notebook import run
from eqlib.study.stand_ins import draw
from eqlib.suites import read
from eqlib.suites.images import open_image


def test_what_a_set_names_is_drawn_and_what_is_there_stays(tmp_path):
    rows = [
        {"image0": "eqbenyoucook2/v/0.npy", "image1": "eqbenyoucook2/v/1.npy", "caption0": "a", "caption1": "b"},
        {"image0": "eqbensd/0.png", "image1": "eqbensd/1.png", "caption0": "a", "caption1": "b"},
    ]
    (tmp_path / "all_select.json").write_text(json.dumps(rows))
    (tmp_path / "eqbensd").mkdir()
    Image.new("RGB", (9, 9), "red").save(tmp_path / "eqbensd/1.png")
    suite = read("eqben", tmp_path)
    assert draw(suite, (20, 10)) == 3
    assert draw(suite) == 0
    pictures = {name: np.asarray(open_image(tmp_path / name)) for name in suite.pictures()["picture"]}
    assert (pictures.pop("eqbensd/1.png") == (255, 0, 0)).all()
    assert {picture.shape for picture in pictures.values()} == {(10, 20, 3)}
    assert len({picture.tobytes() for picture in pictures.values()}) == 3


def test_the_notebook_finds_every_damage_that_it_does(root, tmp_path, monkeypatch):
    monkeypatch.chdir(root)
    executed = run(root / "notebooks/12_benchmarks.ipynb", tmp_path / "out", {}, scratch=tmp_path / "scratch")
    kept = pd.read_csv(tmp_path / "out/verdicts.csv", keep_default_na=False)
    assert list(kept.records) == [12, 400, 7702, 7511, 40, 20]
    assert set(kept.problems) == {""}
    shown = "".join(output.text for cell in executed.cells for output in cell.get("outputs", []) if "text" in output)
    assert "eqbensd/0/0_0.png (quad 0, image0): missing" in shown
    assert "eqbenyoucook2/0/1_0.npy (quad 1, image0): truncated" in shown
