"""Every figure draws what the tables hold, the same bytes twice, and nothing at all where its input is absent."""

from __future__ import annotations

import json
from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from eqlib.study.report.catalogue import FIGURES, draw, publish
from eqlib.study.report.figures.benchmark import examples
from eqlib.study.report.figures.caption import lines
from eqlib.study.report.figures.dose import with_change
from eqlib.study.report.figures.equivariance import MASS, _density, _levels, equivariance
from eqlib.study.report.figures.forest import forest
from eqlib.study.report.figures.main_result import main_result
from eqlib.study.report.figures.motivation import example
from eqlib.study.report.figures.selection import selection, settings
from eqlib.study.report.figures.training import logged
from eqlib.study.report.style import colours, style

NEEDS = {"training": "histories", "retrieval": "retrieval", "tradeoff": "path", "selection": "selection"}


@pytest.fixture(scope="module")
def full(study):
    """The stand-in with published numbers as well."""
    rows = [("eqben", name, "CLIP", "group", 10.0, "full", "paper") for name in ("eqbenag", "eqbensd")]
    columns = ["benchmark", "subset", "model", "metric", "value", "edition", "source"]
    return replace(study, published=pd.DataFrame(rows, columns=columns))


@pytest.fixture
def ax():
    with style():
        figure, ax = plt.subplots()
        yield ax
    plt.close(figure)


@pytest.mark.parametrize("name", FIGURES)
def test_draws_with_words_and_the_same_bytes_twice(full, name, tmp_path):
    written = []
    for turn in ("one", "two"):
        assert publish(full, name, tmp_path / turn) is not None
        written.append({path.name: path.read_bytes() for path in (tmp_path / turn).iterdir()})
    assert written[0] == written[1]
    assert set(written[0]) == {f"{name}.pdf", f"{name}.png", f"{name}.json"}
    words = json.loads(written[0][f"{name}.json"])
    assert len(words["alt"]) > 20
    assert words["caption"].endswith((".", ")"))
    assert words["inches"][0] <= 6.875


@pytest.mark.parametrize("name", [*NEEDS, "published", "motivation", "benchmark", "dose"])
def test_absent_input_leaves_the_figure_out(full, name, tmp_path, caplog):
    bare = replace(full, suites={}, published=None, **dict.fromkeys(NEEDS.values()))
    with caplog.at_level("WARNING"):
        assert publish(bare, name, tmp_path) is None
    assert name in caplog.text
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", FIGURES)
def test_the_level_in_a_caption_is_the_one_of_the_tables(full, name):
    tables = {"summary": full.summary.assign(level=0.9), "differences": full.differences.assign(level=0.9)}
    made = draw(replace(full, **tables), name)
    plt.close(made.figure)
    assert "95 %" not in made.caption + made.alt
    assert "0.05" not in made.caption


@pytest.mark.parametrize("name", ["main_result", "forest"])
def test_a_point_without_an_interval_is_drawn_and_says_so(full, name):
    nothing = {"low": np.nan, "high": np.nan}
    tables = {
        "summary": full.summary.assign(**nothing),
        "differences": full.differences.assign(**nothing, p=np.nan, p_holm=np.nan),
    }
    made = draw(replace(full, **tables), name)
    plt.close(made.figure)
    texts = [text.get_text() for text in made.figure.axes[0].texts]
    assert "nan" not in made.caption + made.alt + " ".join(texts)
    assert name != "forest" or sum("no interval" in text for text in texts) == 5


def test_settings_chosen_on_the_reported_quads_are_said_to_be(full):
    said = [draw(replace(full, validation=name), "selection").caption for name in ("", full.main)]
    assert "No quad reported here was read" in said[0]
    assert "also the quads reported here" in said[1]


def test_zero_shot_accuracy_stands_beside_retrieval(study):
    alone, both = (
        draw(replace(study, path=path), "tradeoff")
        for path in (study.path, study.path.assign(zero_shot_top1=study.path["recall"] / 2))
    )
    labels = [[ax.get_xlabel() for ax in made.figure.axes] for made in (alone, both)]
    assert labels == [["R@1 (%)"], ["R@1 (%)", "Zero-shot accuracy (%)"]]
    assert "Zero-shot" in both.caption
    assert "Zero-shot" not in alone.caption


def test_a_hinge_at_the_own_change_is_a_panel_of_its_own():
    rows = [("eqsim", "minimal_pairs", own, 2.0, 0.1, 0.3 + 0.1 * bool(own)) for own in (True, None)]
    grid = settings(pd.DataFrame(rows, columns=["method", "variant", "own_change", "weight", "margin", "point"]))
    assert list(grid["variant"]) == ["minimal_pairs, own change", "minimal_pairs"]


def test_another_similarity_than_the_cosine_is_a_panel_of_its_own():
    rows = [("eqsim", "hard", name, 0.5, 0.1, 0.3) for name in ("softmax", "cosine", None)]
    grid = settings(pd.DataFrame(rows, columns=["method", "variant", "similarity", "weight", "margin", "point"]))
    assert list(grid["variant"]) == ["hard", "hard, softmax"]


def test_the_package_s_own_published_figures_are_drawn_and_say_why_the_study_is_not_among_them(study):
    made = draw(study, "published")
    assert "CLIP ViT-B/32 openai" in made.alt
    assert "scored on test, whose quads are not EqBen's" in made.caption
    assert "CLIP ViT-B/32 openai on YouCook2 (20k cap)" in made.caption
    assert "EqSim" not in [text.get_text() for text in made.figure.axes[0].get_legend().get_texts()]
    plt.close(made.figure)


def test_a_study_on_eqben_stands_among_the_published(study):
    rows = study.summary[study.summary["subset"] == "object"].assign(suite="eqben", subset="eqbensd")
    made = draw(replace(study, summary=rows, main="eqben"), "published")
    assert "In colour: this study" in made.caption
    legend = [text.get_text() for text in made.figure.axes[0].get_legend().get_texts()]
    assert {"EqSim", "Contrastive", "NegCLIP"} <= set(legend)
    point = 100 * rows.query("method == 'eqsim' and score == 'group'")["point"].item()
    drawn = next(line for line in made.figure.axes[0].lines if line.get_label() == "EqSim")
    assert drawn.get_xdata() == pytest.approx([point])
    plt.close(made.figure)


def test_main_result_marks_stand_at_the_points(study, ax):
    main_result(ax, study.summary, study.of())
    rows = study.summary.query("score == 'group' and method == 'eqsim'").set_index("subset")["point"]
    drawn = next(line for line in ax.lines if line.get_label() == "EqSim").get_ydata()
    assert drawn == pytest.approx(100 * rows[["micro", "attribute", "count", "location", "object"]].to_numpy())
    assert ax.get_xticklabels()[0].get_text() == "All quads"


def test_forest_fills_only_what_the_test_carries(ax):
    rows = [("micro", 0.01, 0.002, 0.02, 0.01), ("a", 0.02, -0.01, 0.05, 0.4), ("b", 0.02, 0.01, 0.05, 0.04)]
    table = pd.DataFrame(rows, columns=["subset", "point", "low", "high", "p_holm"])
    table = table.assign(method="eqsim", baseline="contrastive", score="group", level=0.95)
    forest(ax, table, baseline="contrastive")
    faces = [line.get_markerfacecolor() for line in ax.lines if line.get_marker() == "D"]
    assert faces == [colours(["eqsim"])["eqsim"], "white", colours(["eqsim"])["eqsim"]]
    assert "+1.0  [+0.2, +2.0]" in [text.get_text() for text in ax.texts]


def test_equivariance_panel_prints_the_scores(study):
    with style():
        figure, axes = plt.subplots(1, 2)
        equivariance(axes, study.of(), ["contrastive", "eqsim"])
    plt.close(figure)
    eqsim = study.of()[study.of()["method"] == "eqsim"]
    assert f"group right {100 * eqsim['group'].mean():.1f} %" in [text.get_text() for text in axes[1].texts]


def test_contours_hold_the_share_they_name():
    rng = np.random.default_rng(0)
    x, y = np.abs(rng.normal(0, 1, 20_000)), rng.normal(0, 1, 20_000)
    density, across, up = _density(x, y, (0, 5), (-5, 5))
    rows = np.clip(np.searchsorted(up, y), 0, len(up) - 1)
    columns = np.clip(np.searchsorted(across, x), 0, len(across) - 1)
    inside = [np.mean(density[rows, columns] >= level) for level in _levels(density)]
    assert inside == pytest.approx(MASS, abs=0.02)


def test_selection_frames_the_best(ax):
    grid = pd.DataFrame({"weight": [1, 1, 2, 2], "margin": [0, 0.1, 0, 0.1], "point": [0.4, 0.41, 0.43, 0.39]})
    selection([ax], settings(grid))
    frame = ax.patches[-1]
    assert (frame.get_x(), frame.get_y()) == (0.5, 0.5)  # weight 2 is the second column, margin 0 the lower row
    assert sorted(text.get_text() for text in ax.texts) == ["39.0", "40.0", "41.0", "43.0"]


def test_settings_are_of_eqsim_and_ties_go_to_the_smaller_weight():
    rows = [("eqsim", "hard", 4, 0, 0.5), ("eqsim", "hard", 1, 0.1, 0.5), ("eqsim", "hard", 1, 0.1, 0.5)]
    columns = ["method", "variant", "weight", "margin", "point"]
    table = pd.DataFrame([("contrastive", None, None, None, 0.9), *rows], columns=columns)
    found = settings(table)
    assert found[["weight", "margin"]].to_numpy().tolist() == [[1, 0.1], [4, 0]]


def test_example_is_wrong_before_right_after_and_not_the_clearest():
    def block(margin):  # I = 0.4, a = 0, b = 0.4 - margin
        return 0.2, -0.2 + margin / 2, 0.2 - margin / 2, 0.2

    after = {f"q{n:02}": 0.01 * n for n in range(1, 12)} | {"lost": -0.1, "never_wrong": 0.3}
    rows = []
    for quad, margin in after.items():
        rows += [(quad, "contrastive", *block(0.2 if quad == "never_wrong" else -0.2)), (quad, "eqsim", *block(margin))]
    items = pd.DataFrame(rows, columns=["quad", "method", "s00", "s01", "s10", "s11"])
    assert example(items, ["contrastive"], "eqsim") == "q10"
    assert example(items[items["quad"] == "lost"], ["contrastive"], "eqsim") is None


def test_one_example_a_subset(study):
    chosen = examples(study.pictures())
    assert list(chosen["subset"]) == ["attribute", "count", "location", "object"]


def test_a_subset_of_one_size_has_no_dose(study):
    records = study.pictures().records.copy()
    records.loc[records["subset"] == "object", "change"] = 1.0
    joined = with_change(study.of(), records)
    assert set(joined["subset"]) == {"attribute", "count", "location"}
    assert with_change(study.of(), records.drop(columns="change")) is None


def test_a_dose_never_mixes_two_aspects(study):
    """A colour's distance and a size's are no one scale; a subset of one aspect keeps its name."""
    records = study.pictures().records.copy()
    colours = records["subset"].eq("attribute") & (records.groupby("subset").cumcount() % 2 == 0)
    records["aspect"] = records["subset"].where(~colours, "colour").replace({"attribute": "size"})
    records.loc[colours, "change"] = np.linspace(0.2, 0.8, colours.sum())
    records.loc[records["aspect"] == "size", "change"] = 1.0
    joined = with_change(study.of(), records)
    assert "attribute: colour" in set(joined["part"])
    assert not {"attribute", "attribute: size"} & set(joined["part"])
    assert "count" in set(joined["part"])


def test_training_shows_known_terms_first(study):
    assert logged(study.histories)[:2] == ["contrastive", "eqsim_all_pairs"]
    more = study.histories.assign(zeta=1.0, pool=64, val_text=0.5, val_group=0.4, empty=np.nan)
    assert logged(more) == [
        *("contrastive", "eqsim_all_pairs", "zeta"),
        *("eqsim_active", "mean_a2", "mean_b2", "mean_I", "val_group", "logit_scale", "lr"),
    ]


def test_caption_lines_fit_and_keep_every_word():
    with style():
        words = [
            (word, False)
            for word in [
                "a",
                "very",
                "large",
                "striped",
                "red",
                "ball",
                "beside",
                "two",
                "small",
                "cubes",
                "on",
                "a",
                "table",
            ]
        ]
        rows = lines(words, 80, 6)
    assert [word for row in rows for word, _, _ in row] == [word for word, _ in words]
    assert len(rows) > 1
    assert all(row[0][2] == 0 for row in rows)
    assert all(x < 80 for row in rows for _, _, x in row)


def test_no_figure_is_left_open(full):
    before = plt.get_fignums()
    for name in FIGURES:
        plt.close(draw(full, name).figure)
    assert plt.get_fignums() == before
