"""Every figure draws what the tables hold, the same bytes twice, and nothing at all where its input is absent."""

from __future__ import annotations

import json
from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from drawn import FIGURES
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import LineCollection, PathCollection
from matplotlib.colors import to_rgb
from matplotlib.legend import Legend

from eqlib.scoring import summarise
from eqlib.study.report.figures.examples import example, examples, lines
from eqlib.study.report.figures.runs import frontier, logged, note
from eqlib.study.report.figures.scores import by_size, dose, forest, main_result, sizes
from eqlib.study.report.figures.similarity import MASS, density, equivariance
from eqlib.study.report.study import with_measures
from eqlib.study.report.style import colours, style
from eqlib.study.report.typeset import publish


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


def draw(study, name):
    """The figure ``name`` of ``study`` and its words, closed."""
    with style():
        axes, words = FIGURES[name](study)
    figure = np.ravel(axes)[0].figure
    plt.close(figure)
    return figure, words


@pytest.mark.parametrize("name", FIGURES)
def test_draws_with_words_and_the_same_bytes_twice(full, name, tmp_path):
    written = []
    for turn in ("one", "two"):
        publish(*FIGURES[name](full), tmp_path / turn)
        written.append({path.name: path.read_bytes() for path in (tmp_path / turn).iterdir()})
    assert written[0] == written[1]
    assert set(written[0]) == {f"{name}.pdf", f"{name}.png", f"{name}.json"}
    words = json.loads(written[0][f"{name}.json"])
    assert len(words["alt"]) > 20
    assert words["caption"].endswith((".", ")"))
    assert words["inches"][0] <= 6.875


@pytest.mark.parametrize("name", FIGURES)
def test_nothing_written_lies_on_something_else_written(full, name):
    """Titles, tick labels, legends and notes of a figure at its printed size."""
    figure, _ = draw(full, name)
    with style():
        pen = FigureCanvasAgg(figure).get_renderer()
        figure.draw(pen)
    boxes = []
    for ax in figure.axes:
        inside = [
            (tick, tick.get_position()[axis], (ax.get_xlim(), ax.get_ylim())[axis])
            for axis, ticks in enumerate((ax.get_xticklabels(), ax.get_yticklabels()))
            for tick in ticks
        ]
        ticks = [tick for tick, at, ends in inside if min(ends) <= at <= max(ends)]
        titles = [ax.title, ax._left_title, ax._right_title, ax.xaxis.label, ax.yaxis.label]
        notes = [text for text in ax.texts if name not in ("motivation", "benchmark") or len(text.get_text()) > 12]
        for text in (*ticks, *titles, *notes):
            if text.get_text() and text.get_visible():
                boxes.append((text.get_text(), text.get_window_extent(pen)))
    boxes += [("legend", legend.get_window_extent(pen)) for legend in figure.legends]
    for number, (first, box) in enumerate(boxes):
        for second, other in boxes[number + 1 :]:
            assert not box.shrunk(0.98, 0.9).overlaps(other.shrunk(0.98, 0.9)), (first, second)


@pytest.mark.parametrize("name", ["tradeoff", "frontier"])
def test_words_beside_a_point_lie_on_no_line_and_inside(full, name):
    """With zero-shot accuracy beside recall, as in the study: two narrow panels."""
    path = full.path.assign(zero_shot_top1=full.path["recall"] / 2)
    figure, _ = draw(replace(full, path=path), name)
    with style():
        figure.draw_without_rendering()
    for ax in figure.axes:
        lines = [line.get_path().transformed(line.get_transform()) for line in ax.lines]
        for text in ax.texts:
            box = text.get_window_extent()
            assert not any(line.intersects_bbox(box, filled=False) for line in lines), text.get_text()
            assert ax.bbox.count_contains(box.corners()) == 4, text.get_text()


def test_words_go_to_the_first_side_that_is_free(ax):
    """A line leaves (1, 1) upward to the right, and a mark stands above: the words go below, in the middle."""
    ax.plot([1, 2], [1, 2])
    ax.plot(1, 1.15, "o")
    ax.set(xlim=(0, 2), ylim=(0, 2))
    note(ax, [(1, 1, "words", "black")])
    [text] = ax.texts
    assert (text.get_ha(), text.get_va(), text.xyann) == ("center", "top", (0, -5))


def test_a_mark_at_zero_is_whole(study):
    wrong = study.of().assign(group=False)
    ax = main_result(study.summary.assign(point=0.0, low=0.0, high=0.1), wrong)
    assert ax.get_ylim()[0] == 0
    assert all(not drawn.get_clip_on() for drawn in ax.collections)


@pytest.mark.parametrize("name", FIGURES)
def test_the_level_in_a_caption_is_the_one_of_the_tables(full, name):
    tables = {"summary": full.summary.assign(level=0.9), "differences": full.differences.assign(level=0.9)}
    _, words = draw(replace(full, **tables), name)
    assert "95 %" not in words.caption + words.alt
    assert "0.05" not in words.caption


@pytest.mark.parametrize("name", ["main_result", "forest"])
def test_a_point_without_an_interval_is_drawn_and_says_so(full, name):
    nothing = {"low": np.nan, "high": np.nan}
    tables = {
        "summary": full.summary.assign(**nothing),
        "differences": full.differences.assign(**nothing, p=np.nan, p_holm=np.nan),
    }
    figure, words = draw(replace(full, **tables), name)
    texts = [text.get_text() for text in figure.axes[0].texts]
    assert "nan" not in words.caption + words.alt + " ".join(texts)
    assert name != "forest" or sum("no interval" in text for text in texts) == 5


def test_settings_chosen_on_the_reported_quads_are_said_to_be(full):
    said = [draw(replace(full, validation=name), "frontier")[1].caption for name in ("", full.main)]
    assert "No quad reported here was used" in said[0]
    assert "also the quads reported here" in said[1]


def test_zero_shot_accuracy_stands_beside_retrieval(study):
    alone, both = (
        draw(replace(study, path=path), "tradeoff")
        for path in (study.path, study.path.assign(zero_shot_top1=study.path["recall"] / 2))
    )
    labels = [[ax.get_xlabel() for ax in figure.axes] for figure, _ in (alone, both)]
    assert labels == [["R@1 (%)"], ["R@1 (%)", "Zero-shot accuracy (%)"]]
    assert "Zero-shot" in both[1].caption
    assert "Zero-shot" not in alone[1].caption


def test_every_method_is_in_every_figure_of_methods(full):
    """Also one that is neither the treatment nor its baseline: a winner must not be left out."""
    methods = {"pretrained": "pretrained", "contrastive": "contrastive", "eqsim": "pairwise"}
    more = {
        name: pd.concat([table, table[table["method"] == "eqsim"].replace({"method": methods})], ignore_index=True)
        for name in ("items", "summary", "differences", "decomposition", "histories", "path")
        for table in [getattr(full, name)]
    }
    for name in set(FIGURES) - {"benchmark", "frontier", "published"}:
        figure, _ = draw(replace(full, **more), name)
        legends = [*figure.legends, *(ax.get_legend() for ax in figure.axes if ax.get_legend())]
        texts = [text.get_text() for legend in legends for text in legend.get_texts()]
        texts += [ax.get_title(loc="left") for ax in figure.axes]
        texts += [tick.get_text() for ax in figure.axes for tick in ax.get_yticklabels()]
        assert any("Pairwise" in text for text in texts), name


def test_the_package_s_own_published_figures_are_drawn_and_say_why_the_study_is_not_among_them(study):
    figure, words = draw(study, "published")
    assert "CLIP ViT-B/32 openai" in words.alt
    assert "scored on test, whose quads are not EqBen's" in words.caption
    assert "CLIP ViT-B/32 openai on YouCook2 (20k cap)" in words.caption
    assert "EqSim" not in [text.get_text() for text in figure.axes[0].get_legend().get_texts()]


def marks_of(ax, method):
    """Where the marks of ``method`` stand: (x, y) of each, by its colour; small dots of seeds are left out."""
    found = []
    for drawn in ax.collections:
        if not isinstance(drawn, PathCollection):
            continue
        at, colour = np.asarray(drawn.get_offsets()), drawn.get_edgecolors()
        if len(drawn.get_sizes()) and len(at) == len(drawn.get_sizes()) == len(colour):
            same = np.all(np.isclose(colour[:, :3], to_rgb(colours([method])[method])), axis=1)
            found += [tuple(place) for place in at[same & (drawn.get_sizes() > 9)]]
    return found


def test_a_study_on_eqben_stands_among_the_published(study):
    rows = study.summary[study.summary["subset"] == "object"].assign(suite="eqben", subset="eqbensd")
    figure, words = draw(replace(study, summary=rows, main="eqben"), "published")
    assert "In colour: this study" in words.caption
    [ax] = figure.axes
    legends = [ax.get_legend(), *(artist for artist in ax.artists if isinstance(artist, Legend))]
    assert {"EqSim", "Contrastive", "NegCLIP"} <= {text.get_text() for one in legends for text in one.get_texts()}
    point = 100 * rows.query("method == 'eqsim' and score == 'group'")["point"].item()
    [(x, y)] = marks_of(ax, "eqsim")
    assert (x, round(y)) == (pytest.approx(point), 6)


def test_main_result_marks_stand_at_the_points(study):
    ax = main_result(study.summary, study.of())
    rows = study.summary.query("score == 'group' and method == 'eqsim'").set_index("subset")["point"]
    drawn = sorted(marks_of(ax, "eqsim"))
    assert [y for _, y in drawn] == pytest.approx(100 * rows[["micro", "attribute", "count", "location", "object"]])
    assert [round(x) for x, _ in drawn] == [0, 1, 2, 3, 4]
    assert ax.get_xticklabels()[0].get_text() == "All quads"


def test_intervals_and_single_seeds_stand_at_their_mark(study):
    ax = main_result(study.summary, study.of())
    x = sorted(place for place, _ in marks_of(ax, "eqsim"))
    rows = study.summary.query("score == 'group' and method == 'eqsim'").set_index("subset")
    ends = [
        tuple(line[:, 1])
        for drawn in ax.collections
        if isinstance(drawn, LineCollection)
        for line in drawn.get_segments()
        if np.isclose(line[0, 0], x[0]) and line[0, 0] == line[1, 0]
    ]
    assert ends == [pytest.approx(100 * rows.loc["micro", ["low", "high"]].to_numpy(float))]


def test_forest_fills_only_what_the_test_carries():
    rows = [("micro", 0.01, 0.002, 0.02, 0.01), ("a", 0.02, -0.01, 0.05, 0.4), ("b", 0.02, 0.01, 0.05, 0.04)]
    table = pd.DataFrame(rows, columns=["subset", "point", "low", "high", "p_holm"])
    table = table.assign(method="eqsim", baseline="contrastive", score="group", level=0.95)
    ax = forest(table, baseline="contrastive")
    top = ax.collections[-1]
    drawn = zip(top.get_offsets(), top.get_facecolors(), strict=True)
    assert {round(float(y)): face[3] > 0 for (_, y), face in drawn} == {0: True, 1: False, 2: True}
    assert "+1.0  [+0.2, +2.0]" in [text.get_text() for text in ax.texts]


def test_equivariance_panel_prints_the_scores(study):
    items = study.of()
    with style():
        axes = equivariance(items[items["method"] != "pretrained"])
    plt.close(axes[0].figure)
    eqsim = items[items["method"] == "eqsim"]
    assert f"group right {100 * eqsim['group'].mean():.1f} %" in [text.get_text() for text in axes[1].texts]


def test_contours_hold_the_share_they_name(ax):
    rng = np.random.default_rng(0)
    x, y = np.abs(rng.normal(0, 1, 4_000)), rng.normal(0, 1, 4_000)
    density(ax, pd.Series(x), pd.Series(y), (5, -5, 5), "#D55E00")
    points, levels = np.column_stack([x, y]), ax.collections[0].get_paths()
    inside = np.cumsum([path.contains_points(points).mean() for path in reversed(levels)])
    assert inside[::-1] == pytest.approx(MASS, abs=0.04)


def test_a_dose_has_the_intervals_of_a_subset(study):
    """One bin of one part, by hand: the quads of the lower quarter, summarised as a suite of their own."""
    joined = sizes(study.of(), study.pictures().records)
    table = by_size(joined, level=0.95)
    count = joined[joined["part"] == "count"]
    lower = count[count["change"] <= count["change"].quantile(0.25)]
    expected = summarise(lower, scores=("group",)).query("subset == 'micro' and method == 'eqsim'").iloc[0]
    row = table.query("part == 'count' and method == 'eqsim'").sort_values("change").iloc[0]
    assert row["point"] == pytest.approx(expected["point"])
    assert row["n"] == expected["n"] == lower["quad"].nunique()
    assert row["change"] == pytest.approx(lower["change"].mean())
    assert row["low"] < row["point"] < row["high"]
    with style():
        [ax] = dose(table[table["part"] == "count"])
    assert ax.get_title(loc="left") == "count"


def test_recall_axes_span_the_same_number_of_points(study):
    figure, _ = draw(study, "retrieval")
    spans = [float(np.ptp(ax.get_xlim())) for ax in figure.axes]
    assert len(spans) == 6
    assert spans == pytest.approx([spans[0]] * 6)
    assert spans[0] < 30


def test_frontier_marks_stand_at_the_means_over_seeds():
    """Two forms are two lines; the run without a term is a mark of its own; the axes span the data."""
    runs = pd.DataFrame(
        [("contrastive", "", np.nan, 0.35, 0.50), ("contrastive", "", np.nan, 0.37, 0.52)]
        + [("pairwise", "", weight, 0.40 + 0.01 * weight + s, 0.50) for weight in (2, 1) for s in (0, 0.02)]
        + [("eqsim", form, 1, 0.38, 0.51) for form in ("all pairs", "hard") for _ in (0, 1)],
        columns=["method", "form", "weight", "group", "recall"],
    ).assign(seed=[0, 1] * 5, point=0.0)
    with style():
        [ax] = frontier(runs, baseline="contrastive")
    drawn = {}
    for line in ax.get_lines():
        if line.get_marker() not in ("None", ""):
            drawn.setdefault(to_rgb(line.get_color()), []).append(line.get_xydata().round(6).tolist())
    shade = colours(["contrastive", "pairwise", "eqsim"])
    assert drawn[to_rgb(shade["contrastive"])] == [[[51, 36]]]
    assert drawn[to_rgb(shade["pairwise"])] == [[[50, 42], [50, 43]]]
    assert drawn[to_rgb(shade["eqsim"])] == [[[51, 38]], [[51, 38]]]
    assert np.ptp(ax.get_ylim()) < 12
    assert [text.get_text() for text in ax.texts] == ["weight 2", "contrastive"]
    texts = [text.get_text() for text in ax.figure.legends[0].get_texts()]
    assert texts == ["Pairwise", "EqSim: all pairs", "EqSim: hard"]


def test_example_is_wrong_before_right_after_and_not_the_clearest():
    def block(margin):  # I = 0.4, a = 0, b = 0.4 - margin
        return 0.2, -0.2 + margin / 2, 0.2 - margin / 2, 0.2

    after = {f"q{n:02}": 0.01 * n for n in range(1, 12)} | {"lost": -0.1, "never_wrong": 0.3}
    rows = []
    for quad, margin in after.items():
        rows += [(quad, "contrastive", *block(0.2 if quad == "never_wrong" else -0.2)), (quad, "eqsim", *block(margin))]
    items = with_measures(pd.DataFrame(rows, columns=["quad", "method", "s00", "s01", "s10", "s11"]))
    assert example(items, ["contrastive"], "eqsim") == "q10"
    assert example(items[items["quad"] == "lost"], ["contrastive"], "eqsim") is None


def test_one_example_a_subset(study):
    chosen = examples(study.pictures())
    assert list(chosen["subset"]) == ["attribute", "count", "location", "object"]


def test_a_subset_of_one_size_has_no_dose(study):
    records = study.pictures().records.copy()
    records.loc[records["subset"] == "object", "change"] = 1.0
    joined = sizes(study.of(), records)
    assert set(joined["subset"]) == {"attribute", "count", "location"}
    assert sizes(study.of(), records.drop(columns="change")) is None


def test_a_dose_never_mixes_two_aspects(study):
    """A colour's distance and a size's are no one scale; a subset of one aspect keeps its name."""
    records = study.pictures().records.copy()
    colours = records["subset"].eq("attribute") & (records.groupby("subset").cumcount() % 2 == 0)
    records["aspect"] = records["subset"].where(~colours, "colour").replace({"attribute": "size"})
    records.loc[colours, "change"] = np.linspace(0.2, 0.8, colours.sum())
    records.loc[records["aspect"] == "size", "change"] = 1.0
    joined = sizes(study.of(), records)
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
        rows = lines(words, 80)
    assert [word for row in rows for word, _, _ in row] == [word for word, _ in words]
    assert len(rows) > 1
    assert all(row[0][2] == 0 for row in rows)
    assert all(x < 80 for row in rows for _, _, x in row)
