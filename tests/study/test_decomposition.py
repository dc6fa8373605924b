"""Which part of a group score's difference is the evidence's, on quads small enough to see."""

import numpy as np
import pandas as pd
import pytest

from eqlib.quads import score_table
from eqlib.study.evaluation.decomposition import decompose


def quad(evidence, a, b):
    """[[s00, s01], [s10, s11]] with these three."""
    return [[(evidence / 2 + a) / 2, (-evidence / 2 - b) / 2], [(-evidence / 2 + b) / 2, (evidence / 2 - a) / 2]]


def runs(**of):
    """``method=[(I, a, b), ...]``, a quad each, under two seeds."""
    tables = []
    for method, quads in of.items():
        keys = {"suite": "test", "edition": "1", "subset": "one", "quad": np.arange(len(quads)).astype(str)}
        table = score_table(np.array([quad(*values) for values in quads]), **keys, cluster=keys["quad"])
        tables += [table.assign(method=method, seed=seed) for seed in (0, 1)]
    return pd.concat(tables, ignore_index=True)


def points(found):
    of = found[found["subset"] == "micro"].set_index(["method", "part"])["point"]
    return {method: of[method].to_dict() for method in of.index.unique("method")}


def test_each_part_alone():
    # threshold 0.5 throughout; four quads, the baseline wins one
    start = [(0.6, 0.2, 0.3), (0.4, 0.2, 0.3), (0.3, 0.2, 0.3), (0.1, 0.2, 0.3)]
    surer = [(2 * i, a, b) for i, a, b in start]  # wins at I > .25: three
    calmer = [(i, a / 2, b / 2) for i, a, b in start]  # the same three
    found = points(decompose(runs(base=start, surer=surer, calmer=calmer), baseline="base"))
    assert found["surer"] == pytest.approx({"evidence": 0.5, "threshold": 0.0, "both": 0.5})
    assert found["calmer"] == pytest.approx({"evidence": 0.0, "threshold": 0.5, "both": 0.5})


def test_shrinking_everything_is_two_parts_that_cancel():
    start = [(0.6, 0.2, 0.3), (0.6, -0.2, 0.3), (0.4, 0.2, 0.3), (0.4, 0.2, -0.3)]
    smaller = [(i / 2, a / 2, b / 2) for i, a, b in start]
    found = points(decompose(runs(base=start, smaller=smaller), baseline="base"))["smaller"]
    assert found == pytest.approx({"evidence": -0.5, "threshold": 0.5, "both": 0.0})


def test_a_method_without_the_baselines_seeds_is_left_out():
    table = runs(base=[(0.6, 0, 0)] * 3, other=[(0.7, 0, 0)] * 3)
    assert decompose(table[~((table["method"] == "other") & (table["seed"] == 1))], baseline="base").empty
