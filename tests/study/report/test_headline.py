"""Sentences made from numbers: true when there is an effect, honest when there is none."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd
import pytest

from eqlib.study.report.headline import abstract, control, cost, headline, points, probability, verdict


def with_difference(study, point, low, high, p):
    """``study`` with this group difference of EqSim to contrastive over all quads."""
    table = study.differences.copy()
    keys = {"subset": "micro", "score": "group", "method": "eqsim", "baseline": "contrastive"}
    chosen = pd.concat([table[column] == value for column, value in keys.items()], axis=1).all(axis=1)
    assert chosen.sum() == 1
    table.loc[chosen, ["point", "low", "high", "p_holm"]] = [point, low, high, p]
    return replace(study, differences=table)


def test_a_gain(study):
    text = headline(with_difference(study, 0.0123, 0.0041, 0.0202, 0.0004))
    assert text == (
        "EqSim raises the group score by 1.2 percentage points over contrastive fine-tuning "
        "(95 % interval +0.4 to +2.0; p < 0.001)."
    )


def test_a_loss_is_called_one(study):
    text = headline(with_difference(study, -0.02, -0.03, -0.01, 0.012))
    assert text.startswith("EqSim lowers the group score by 2.0 percentage points")
    assert "−3.0 to −1.0" in text


@pytest.mark.parametrize(("low", "high", "p"), [(-0.004, 0.012, 0.3), (0.0001, 0.012, 0.051), (-0.0001, 0.012, 0.049)])
def test_no_effect_is_said_and_bounded(study, low, high, p):
    text = headline(with_difference(study, 0.004, low, high, p))
    assert text.startswith("No difference in the group score between EqSim and contrastive fine-tuning could be shown")
    assert "raises" not in text
    assert "±1.2 points" in text


def test_a_control_says_where_a_gain_comes_from(study):
    assert control(study) == ""
    further = study.differences.assign(baseline="pairwise", point=-0.021, low=-0.03, high=-0.01, p_holm=0.002)
    compared = replace(study, differences=pd.concat([study.differences, further], ignore_index=True))
    told = "Against pairwise fine-tuning it is 2.1 points lower (−2.1, 95 % interval −3.0 to −1.0; p = 0.002)."
    assert control(compared) == told
    assert abstract(compared)[0] == f"{headline(study)} {told}"


def test_what_the_gain_costs_is_said_with_its_interval(study, with_recall):
    assert cost(study) == ""
    told = "R@1 against contrastive: EqSim −4.2 [−5.2, −3.2] image to text and +0.1 [−0.9, +1.1] text to image."
    assert cost(with_recall) == told
    assert abstract(with_recall)[-1].endswith(told)


def test_nothing_compared(study):
    assert "no difference to report" in headline(replace(study, differences=study.differences.iloc[:0]))


def test_the_abstract_says_what_was_measured(study):
    text = " ".join(abstract(study))
    assert "120 quads of test (4 subsets), 3 seeds a fine-tuned method" in text
    assert "|a| shrinks" in text


def test_forms():
    assert points(0.0123) == "+1.2"
    assert points(-0.0004) == points(0.0004) == "0.0"
    assert points(-0.5) == "−50.0"
    assert probability(0.00099) == "p < 0.001"
    assert probability(0.0494) == "p = 0.049"
    assert verdict(pd.Series({"low": -0.1, "high": -0.01, "p_holm": 0.01})) == "lower"
    assert verdict(pd.Series({"low": float("nan"), "high": float("nan"), "p_holm": float("nan")})) == "none"
