"""The endpoint named in advance, and Holm's adjustment over all that was asked beside it."""

import pandas as pd
import pytest

from eqlib.study.evaluation.endpoints import endpoints


def rows(*found):
    columns = ["suite", "subset", "baseline", "method", "score", "p"]
    return pd.DataFrame([("test", "micro", "contrastive", *row) for row in found], columns=columns)


def test_holm_over_methods_for_the_endpoint_and_over_all_else_together():
    table = rows(
        ("eqsim", "text", 0.01), ("eqsim", "group", 0.04), ("pairwise", "group", 0.001), ("pairwise", "text", 0.02),
        ("eqsim", "I", None), ("pairwise", "image", 0.5), ("pretrained", "group", 0.0),
    )  # fmt: skip
    found = endpoints(table, suite="test", baseline="contrastive")
    assert found["role"].tolist() == ["primary"] * 2 + ["secondary"] * 3
    by_hand = {("eqsim", "group"): 0.04, ("pairwise", "group"): 0.002, ("eqsim", "text"): 0.03,
               ("pairwise", "text"): 0.04, ("pairwise", "image"): 0.5}  # fmt: skip
    assert {(r.method, r.score): r.p_adjusted for r in found.itertuples()} == pytest.approx(by_hand)


def test_subsets_other_suites_and_other_baselines_are_no_endpoint():
    table = pd.concat([
        rows(("eqsim", "group", 0.01)).assign(subset="count"),
        rows(("eqsim", "group", 0.01)).assign(suite="other"),
        rows(("eqsim", "group", 0.01)).assign(baseline="pairwise"),
    ])  # fmt: skip
    assert endpoints(table, suite="test", baseline="contrastive").empty
    assert endpoints(table, suite="", baseline="contrastive").empty
