"""The chapter on released systems, drawn and worded from the committed scores."""

from __future__ import annotations

from dataclasses import replace

import pytest

from eqlib.files import read_json
from eqlib.study.released.chapter import ELSEWHERE, PLANES, gather
from eqlib.study.report.released import FIGURES, findings, tables
from eqlib.study.report.typeset import publish, write


@pytest.fixture(scope="module")
def chapter():
    return gather()


@pytest.mark.parametrize("name", FIGURES)
def test_every_figure_is_written_with_its_words(chapter, tmp_path, name):
    publish(*FIGURES[name](chapter), tmp_path)
    assert (tmp_path / f"{name}.pdf").stat().st_size > 5_000
    words = read_json(tmp_path / f"{name}.json")
    assert words["name"] == name
    assert "nan" not in words["caption"].lower()


def test_the_plane_shows_what_the_scores_count(chapter):
    """Dots below the lines on the right are the group score."""
    axes, _ = FIGURES["released_plane"](chapter)
    group = chapter.systems[chapter.systems["score"] == "group"].set_index("model")["point"]
    for ax, model in zip(axes, PLANES, strict=True):
        x, y = ax.collections[0].get_offsets().T
        assert len(x) == 400
        assert (x > y).mean() == pytest.approx(group[model])


def test_tables_hold_every_system(chapter, tmp_path):
    systems, elsewhere = tables(chapter)
    assert len(systems.rows) == 49
    assert systems.rows[0][0].text == "X-VLM 4M"
    assert systems.rows[0][4].text == "21.5"
    assert {row[0].text for row in elsewhere.rows} == set(ELSEWHERE)
    cells = {tuple(cell.text for cell in row[:4]): row[4].text for row in elsewhere.rows}
    assert cells["vsr", "micro", "ALBEF 14M", "accuracy"] == "58.3"
    assert cells["valse", "micro", "ALBEF 14M", "pairwise"] == "69.4"
    for table in (systems, elsewhere):
        write(table, tmp_path)
    assert (tmp_path / "released_systems.csv").is_file()


def test_sentences_follow_the_numbers(chapter):
    said = findings(chapter)
    assert "match 51.0 to 76.5 % of the quads and win 3.8 to 21.5 %" in said[0]
    assert "none can be told apart" in said[0]
    assert "group rises from 3.4 to 10.3 %" in said[1]
    assert "55 % of the rise" in said[2]
    apart = replace(chapter, ranks=chapter.ranks.assign(p_holm=0.001))
    assert "48 can be told apart" in findings(apart)[0]
