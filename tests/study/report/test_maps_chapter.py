"""The chapter on frozen features: what its tables and sentences say of made numbers."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from eqlib.files import write_json
from eqlib.study.report import render
from eqlib.study.report.content import gather
from eqlib.study.report.maps import findings, tables
from eqlib.study.report.typeset import write

SCORES = pd.DataFrame(
    [
        ("test", method, score, point, point - 0.02, point + 0.02, 2800, seeds)
        for method, seeds, group in (("pretrained", 1, 0.345), ("contrastive", 2, 0.36), ("map", 2, 0.41))
        for score, point in (("group", group), ("group_match", group + 0.5))
    ],
    columns=["suite", "method", "score", "point", "low", "high", "n", "seeds"],
)
DIFFERENCES = pd.DataFrame(
    [("test", "contrastive", 0.015, -0.01, 0.04, 0.2, 2), ("test", "map", 0.065, 0.05, 0.08, 0.001, 2)],
    columns=["suite", "method", "point", "low", "high", "p", "seeds"],
)
TRIED = pd.DataFrame(
    {"group": [0.33, 0.36, 0.4], "text_retrieval": [0.6, 0.61, 0.58], "image_retrieval": [0.5, 0.5, 0.49]},
    index=["same", "weight 0", "weight 5"],
)
ROUNDS = pd.DataFrame(
    [
        (0, 0.0, np.nan, 0.4, 0.39, 0.58, 0.49),
        (0, 1.0, 0.9, 0.5, 0.38, 0.55, 0.45),
        (1, 0.0, np.nan, 0.42, 0.41, 0.6, 0.49),
        (1, 1.0, 0.94, 0.54, 0.38, 0.57, 0.47),
    ],
    columns=["seed", "share", "told", "group", "outside", "text_retrieval", "image_retrieval"],
)


def test_the_tables_by_hand(tmp_path):
    fitted, matched = tables(SCORES, DIFFERENCES, ROUNDS)
    shown = [[f"{cell.text} {cell.small}".strip() for cell in row] for row in fitted.rows]
    assert shown[0] == ["the model as it is", "34.5 [32.5, 36.5]", "84.5 [82.5, 86.5]", "–"]
    assert shown[2] == ["map, chosen weight", "41.0 [39.0, 43.0]", "91.0 [89.0, 93.0]", "+6.5 [+5.0, +8.0]"]
    assert "2,800 quads of test" in fitted.caption
    shown = [[f"{cell.text} {cell.small}".strip() for cell in row] for row in matched.rows]
    assert shown[0][:3] == ["none", "–", "41.0 40.0 to 42.0"]
    ends = ["92.0 90.0 to 94.0", "52.0 50.0 to 54.0", "38.0 38.0 to 38.0", "56.0 55.0 to 57.0", "46.0 45.0 to 47.0"]
    assert shown[1] == ["100.0 %", *ends]
    assert "transductive" in matched.title
    for table in (fitted, matched):
        write(table, tmp_path)


def test_the_sentences_name_the_choice_the_kind_and_every_look():
    said = findings(SCORES, DIFFERENCES, TRIED, ROUNDS, weight=5.0, validation="val")
    assert "group score on test by +6.5 [+5.0, +8.0] points" in said[0]
    assert "I→T R@1 goes from 60.0 % to 58.0 % and T→I R@1 goes from 50.0 % to 49.0 %" in said[0]
    assert said[1].startswith("Transductive")
    assert "puts 92.0 % of them together rightly" in said[1]
    assert "goes from 41.0 % to 52.0 %, on validation quads, which no round sees, from 40.0 % to 38.0 %" in said[1]
    # one model, two maps on each of two seeds, one round on each of two seeds
    assert "7 in all" in said[2]
    chosen = findings(SCORES.assign(suite="val"), DIFFERENCES, TRIED, ROUNDS, weight=5.0, validation="val")
    assert "on val (which also chose the weight)" in chosen[0]
    assert "fitted on the minimal pairs of the training set (weight 5, seeds: 2)" in chosen[0]
    none = findings(SCORES, DIFFERENCES, TRIED, ROUNDS, weight=0.0, validation="val")
    assert "fitted on the training set (weight 0, seeds: 2)" in none[0]


@pytest.mark.parametrize("lost", [-0.065, 0.0])
def test_a_loss_and_no_difference_are_told_in_the_same_words(lost):
    moved = DIFFERENCES.assign(point=lost, low=lost - 0.01, high=lost + 0.01)
    said = findings(SCORES, moved, TRIED, ROUNDS, weight=5.0, validation="val")[0]
    assert f"by {'−6.5 [−7.5, −5.5]' if lost else '0.0 [−1.0, +1.0]'} points" in said


def test_a_chapter_of_tables_alone_has_its_sentences_over_them(study, tmp_path):
    """Behind the study, in the page and in the PDF: no figure of the chapter would bring them."""
    for table in tables(SCORES, DIFFERENCES, ROUNDS):
        write(table, tmp_path / "maps" / "tables")
    write_json(tmp_path / "maps" / "findings.json", ["Apart & alone."])
    content = gather(study, tmp_path, facts={}, parameters="")
    text = render.html(content, tmp_path, notebooks=[])
    assert text.count("Apart &amp; alone.") == 1
    assert text.index("<h3>Apart from the study") < text.index("Apart &amp; alone.") < text.index('id="table-maps"')
    assert "Apart & alone." in str(render.query(content, tmp_path, "par"))
