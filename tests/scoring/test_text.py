"""What a person reads: percent with intervals, subsets and averages, ties, differences."""

from __future__ import annotations

import numpy as np
import pandas as pd

from eqlib.quads import score_table
from eqlib.scoring import compare, score_record, score_text

RIGHT, WRONG, TIED = np.eye(2), 1 - np.eye(2), np.ones((2, 2))


def table(*quads):
    return score_table(np.array(quads), suite="own", edition="e", subset=np.repeat(["a", "b"], 4))


def test_two_subsets_their_averages_ties_and_differences():
    ours = table(*6 * [RIGHT], WRONG, TIED)
    theirs = table(WRONG, WRONG, *4 * [RIGHT], WRONG, TIED)
    both = pd.concat([ours.assign(method="ours"), theirs.assign(method="theirs")])
    differences = compare(both, baseline="theirs", scores=("group",))
    lines = score_text(score_record(ours), ("group",), differences).splitlines()
    assert lines[:2] == ["own, edition: e, 8 items", "percent [95 % interval: wilson]"]
    rows = [line.split() for line in lines]
    # Wilson: the low end of 4 of 4 is 4 / (4 + 1.96^2), 2 of 4 lies evenly about one half
    assert ["a", "4", "4", "100.00", "[51.01,", "100.00]", "0"] in rows
    assert ["b", "4", "4", "50.00", "[15.00,", "85.00]", "1"] in rows
    assert ["macro", "(2", "subsets)", "8", "75.00", "[40.93,", "92.85]"] in rows
    # text, image 1/4, group 1/6, group match 1/2 of the tied quad, beside two that are right
    assert ["b", "56.25", "56.25", "54.17", "62.50"] in rows
    assert [row[:3] for row in rows[-4:]] == [
        ["a", "group", "50.00"],
        ["b", "group", "0.00"],
        ["micro", "group", "25.00"],
        ["macro", "group", "25.00"],
    ]


def test_one_subset_has_no_averages():
    ours, theirs = (table(*quads).query("subset == 'a'") for quads in (8 * [RIGHT], 8 * [WRONG]))
    both = pd.concat([ours.assign(method="ours"), theirs.assign(method="theirs")])
    text = score_text(score_record(ours), ("group",), compare(both, baseline="theirs", scores=("group",)))
    assert "micro" not in text
    assert "tie" not in text.replace("ties", "")
    assert text.splitlines()[-1].split()[:3] == ["a", "group", "100.00"]
