"""Foils, retrieval and shortcut probes, by hand and against slow loops."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eqlib.errors import InputError
from eqlib.quads import from_official
from eqlib.scoring import (
    compare,
    foil_table,
    pairwise,
    retrieval_table,
    score_record,
    score_text,
    shortcuts,
    summarise,
    valse,
)
from eqlib.scoring.retrieval import query_ranks


def valse_means(caption, foil):
    """The three figures that VALSE publishes."""
    means = {name: float(values.mean()) for name, values in valse(caption, foil).items()}
    return {"acc": means["acc"], "min_pc_pf": min(means["p_c"], means["p_f"]), "pairwise": means["pairwise"]}


def test_valse_by_hand():
    caption, foil = np.array([0.9, 0.6, 0.4, 0.5]), np.array([0.2, 0.7, 0.3, 0.5])
    assert pairwise(caption, foil).tolist() == [True, False, True, False]
    assert valse(caption, foil)["acc"].tolist() == [1, 0.5, 0.5, 0]  # 0.5 itself is on neither side
    assert valse_means(caption, foil) == {"acc": 0.5, "min_pc_pf": 0.5, "pairwise": 0.5}


def test_valse_golden(golden_folder):
    """Official cal_valse_score on sigmoid((s - 0.25) * 20), image 0 only, float32."""
    golden = golden_folder / "eqben_scoring"
    from eqlib.suites.eqben_scores import eqben_table

    table = eqben_table(golden / "prediction.npy", annotation=golden / "ann_json_finegrained_random.json")
    p = 1 / (1 + np.exp(-(table[["s00", "s01"]].to_numpy().astype(np.float32) - np.float32(0.25)) * 20))
    expected = json.loads((golden / "expected.json").read_text())["valse_on_sigmoid20"]
    assert valse_means(p[:, 0], p[:, 1]) == pytest.approx(expected, abs=1e-6)


def test_cosines_are_no_probabilities():
    with pytest.raises(InputError, match=r"item 1: expected probabilities in \[0, 1\], got foil -0.1"):
        valse([0.3, 0.2], [0.1, -0.1])
    with pytest.raises(InputError, match="one length"):
        pairwise([0.1], [0.1, 0.2])
    with pytest.raises(InputError, match="item 1: expected finite scores, got foil nan"):
        pairwise([0.1, 0.2], [0.1, np.nan])
    with pytest.raises(InputError, match="real numbers as scores"):
        pairwise(["0.1"], ["0.2"])
    assert valse([0.0, 1.0], [0.0, 1.0])["p_c"].tolist() == [0, 1]  # the ends are probabilities


def test_foil_accuracy_per_category_and_captions_alone():
    real = foil_table([2, 2, 2, 1], [1, 1, 1, 2], suite="s", edition="e", subset=["a", "a", "b", "b"])
    blind = foil_table([1, 2, 1, 2], [2, 1, 2, 1], suite="s", edition="e", subset=["a", "a", "b", "b"])
    point = summarise(real, scores=("pairwise",)).set_index("subset")["point"]
    assert point.to_dict() == {"a": 1, "b": 0.5, "micro": 0.75, "macro": 0.75}
    import pandas as pd

    both = pd.concat([real.assign(method="model"), blind.assign(method="captions alone")])
    gain = compare(both, baseline="captions alone", scores=("pairwise",)).set_index("subset")["point"]
    assert gain.to_dict() == {"a": 0.5, "b": 0, "micro": 0.25, "macro": 0.25}


def test_ties_with_the_foil_are_wrong_and_counted():
    table = foil_table([3, 2, 2, 1], [1, 2, 1, 1], suite="s", edition="e", subset=["a", "a", "b", "b"])
    record = score_record(table, scores=("pairwise",))
    assert record["ties"] == 2
    for cell in record["subsets"].values():
        assert (cell["ties"], cell["pairwise"]["point"], cell["tie_split"]) == (1, 0.5, {"pairwise": 0.75})
    assert list(record["average"]) == ["micro", "macro"]
    text = score_text(record, ("pairwise",))
    assert "2 items have a tie" in text
    assert "macro (2 subsets)" in text


def test_recall_by_hand():
    images = np.eye(3)
    captions = np.array([[1, 0, 0], [0.5, 0.9, 0], [0, 1, 0], [0, 0.2, 0.1]], dtype=float)
    table = retrieval_table(images, captions, [0, 0, 1, 2], suite="s", edition="e", ks=(1, 2))
    assert table["rank"].tolist() == [1, 1, 1, 1, 2, 1, 2]
    means = table.groupby("subset")[["R@1", "R@2"]].mean()
    assert means.loc["text_retrieval"].tolist() == [1, 1]
    assert means.loc["image_retrieval"].tolist() == [0.5, 1]
    point = summarise(table, scores=("R@1",)).set_index("subset")["point"]
    assert point["image_retrieval"] == 0.5
    usual = retrieval_table(images, captions, [0, 0, 1, 2], suite="s", edition="e")
    assert [name for name in usual if name.startswith("R@")] == ["R@1", "R@5", "R@10"]


def test_recall_of_two_methods_is_compared_on_the_same_queries():
    """Of three images and four captions the second method loses caption 1 (for image 1) and no image's best caption:
    captions 3 of 4 against 2 of 4 right, clusters are the images."""
    captions = np.array([[1, 0, 0], [0.8, 0.6, 0], [0, 1, 0], [0, 0.2, 0.1]])
    worse = np.array([[1, 0, 0], [0.6, 0.8, 0], [0, 1, 0], [0, 0.2, 0.3]]) * [1, 1, 0.5]
    keys = {"suite": "s", "edition": "e", "ks": (1,)}
    tables = [retrieval_table(np.eye(3), made, [0, 0, 1, 2], **keys) for made in (captions, worse)]
    right = [table.loc[table["subset"] == "image_retrieval", "R@1"].tolist() for table in tables]
    assert right == [[True, True, True, False], [True, False, True, False]]
    both = pd.concat([table.assign(method=name) for table, name in zip(tables, ("plain", "tuned"), strict=True)])
    row = compare(both, baseline="plain", scores=("R@1",)).set_index("subset")
    assert row.loc["image_retrieval", ["point", "n", "clusters"]].tolist() == [-0.25, 4, 3]
    assert row.loc["text_retrieval", "point"] == 0


def test_ties_count_against_the_query_and_are_counted():
    rank, tied = query_ranks(np.array([[1.0, 1.0, 1.0, 0.0]]), np.array([[True, False, False, False]]))
    assert (rank.tolist(), tied.tolist()) == ([3], [2])
    flat = retrieval_table(np.ones((4, 1)), np.ones((4, 1)), np.arange(4), suite="s", edition="e")
    assert not flat["R@1"].any()
    assert flat["R@5"].all()
    assert (flat["rank"] - flat["tied"] == 1).all()


@given(st.integers(1, 7), st.integers(0, 9), st.integers(0, 2**32 - 1), st.integers(1, 9))
def test_retrieval_blocks_agree_with_a_slow_loop(n, more, seed, block):
    rng = np.random.default_rng(seed)
    of = np.concatenate([np.arange(n), rng.integers(0, n, size=more)])
    images, captions = rng.integers(-2, 3, size=(n, 3)), rng.integers(-2, 3, size=(len(of), 3))
    table = retrieval_table(images, captions, of, suite="s", edition="e", block=block)
    expected = []
    for i in range(n):
        best = max(images[i] @ captions[j] for j in range(len(of)) if of[j] == i)
        expected.append(1 + sum(images[i] @ captions[j] >= best for j in range(len(of)) if of[j] != i))
    for j in range(len(of)):
        own = images[of[j]] @ captions[j]
        expected.append(1 + sum(images[i] @ captions[j] >= own for i in range(n) if i != of[j]))
    assert table["rank"].tolist() == expected


@pytest.mark.parametrize(
    ("images", "captions", "of", "message"),
    [
        (np.ones((2, 3)), np.ones((2, 4)), [0, 1], "features"),
        (np.ones((2, 3)), np.ones((2, 3)), [0, 2], "caption 1"),
        (np.ones((2, 3)), np.ones((2, 3)), [0, 0], "image 1"),
        (np.full((1, 3), np.nan), np.ones((1, 3)), [0], "image 0"),
        (np.ones((2, 2)), np.array([[1.0, 1.0], [1.0, np.inf]]), [0, 1], "caption 1: expected finite features"),
        (np.ones((2, 3)), np.ones((2, 3)), [-1, 1], "caption 0"),
        (np.ones((2, 3)), np.ones((2, 3)), [0.0, 1.0], "an image index for each of 2 captions"),
        (np.ones(3), np.ones((2, 3)), [0, 1], "features"),
        (np.ones((2, 3)), np.ones((2, 3)), [0], "index"),
    ],
)
def test_bad_features_are_refused(images, captions, of, message):
    with pytest.raises(InputError, match=message):
        retrieval_table(images, captions, np.array(of), suite="s", edition="e")


def test_a_biased_model_is_seen():
    always_first = from_official([[0.9, 0.1, 0.9, 0.1]])  # caption 0 wins on both images
    right = from_official([[0.9, 0.1, 0.1, 0.9]])
    assert {k: v.item() for k, v in shortcuts(always_first).items()} == {
        "same_caption": True,
        "same_image": False,  # the two images tie
        "first_caption": 1.0,
        "first_image": 0.5,
    }
    assert {k: v.item() for k, v in shortcuts(right).items()} == {
        "same_caption": False,
        "same_image": False,
        "first_caption": 0.5,
        "first_image": 0.5,
    }
