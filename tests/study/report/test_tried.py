"""The settings tried on validation, and which of them costs nothing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from eqlib.study.report.content import caveats
from eqlib.study.report.headline import frontier_in_words
from eqlib.study.report.tried import at_no_loss, means, named, tried
from eqlib.study.report.words import frontier

TRIED = [  # method, form, weight, group, recall of both directions, zero-shot
    ("contrastive", np.nan, np.nan, 0.32, 0.60, 0.40, 0.65),
    ("pairwise", np.nan, 2, 0.36, 0.59, 0.40, 0.60),
    ("pairwise", np.nan, 10, 0.40, 0.50, 0.38, 0.55),
    ("eqsim", "minimal pairs, own change, margin 0.1", 5, 0.35, 0.60, 0.41, 0.65),
    ("eqsim", "all pairs, margin 0", 0.5, 0.35, 0.60, 0.40, 0.66),
]
COLUMNS = ["method", "form", "weight", "val_group", "val_image_to_text_r1", "val_text_to_image_r1", "zero_shot_top1"]


@pytest.fixture
def selection():
    """Two seeds that differ by two points of group."""
    table = pd.DataFrame(TRIED, columns=COLUMNS)
    seeds = [table.assign(seed=seed, val_group=table["val_group"] + add) for seed, add in ((100, 0.01), (101, -0.01))]
    return pd.concat(seeds, ignore_index=True).assign(point=lambda t: t["val_group"])


def test_settings_by_hand(selection):
    found = means(tried(selection))
    assert [named(row) for _, row in found.iterrows()] == [
        "Contrastive",
        "Pairwise (weight 2)",
        "Pairwise (weight 10)",
        "EqSim (minimal pairs, own change, margin 0.1, weight 5)",
        "EqSim (all pairs, margin 0, weight 0.5)",
    ]
    assert found["group"].tolist() == pytest.approx([0.32, 0.36, 0.40, 0.35, 0.35])
    assert found["recall"].tolist() == pytest.approx([0.5, 0.495, 0.44, 0.505, 0.5])
    assert found["chosen"].tolist() == [True, False, True, False, True]  # of equals the smaller weight


def test_a_setting_that_loses_more_than_a_point_is_not_free(selection):
    found = means(tried(selection))
    assert named(at_no_loss(found, "contrastive", "recall")) == "Pairwise (weight 2)"
    assert at_no_loss(found, "contrastive", "zero_shot_top1")["method"] == "eqsim"
    assert at_no_loss(found, "pretrained", "recall") is None
    lost = means(tried(selection[selection["weight"].isna() | (selection["weight"] == 10)]))
    assert at_no_loss(lost, "contrastive", "recall")["method"] == "contrastive"


def test_what_a_setting_gains_and_costs_is_said(study, selection):
    seen = replace(study, selection=selection)
    told = frontier_in_words(seen)
    assert told.startswith("Contrastive has 32.0 %. Of the settings within one point of contrastive's R@1 the highest ")
    assert "is that of Pairwise (weight 2), 36.0 % (−0.5 points of R@1)." in told
    assert "zero-shot accuracy the highest group score is that of EqSim" in told
    assert told.endswith("The highest of all: Pairwise (weight 10), 40.0 % (−6.0 points of R@1).")
    assert frontier(seen).title == "Pairwise gains most on quads within a point of recall"
    none = selection[selection["weight"].isna() | (selection["weight"] == 10)]
    assert frontier(replace(study, selection=none)).title == "No setting gains on quads within a point of recall"
    assert "Tried: Pairwise 2, EqSim 2; chosen: Pairwise (weight 10), EqSim (all pairs" in " ".join(caveats(seen))
