"""Sentences made from numbers: true when there is an effect, honest when there is none."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd
import pytest

from eqlib.study.report.content import caveats, tiles
from eqlib.study.report.headline import abstract, cost, headline, mechanism, others, points, probability, verdict
from eqlib.study.report.sections import discussion, methods

NAN = float("nan")


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
        "EqSim raises the group score by 1.2 percentage points compared with contrastive fine-tuning "
        "(95 % interval [+0.4, +2.0]; p < 0.001)."
    )


def test_a_loss_is_called_one(study):
    text = headline(with_difference(study, -0.02, -0.03, -0.01, 0.012))
    assert text.startswith("EqSim lowers the group score by 2.0 percentage points")
    assert "[−3.0, −1.0]" in text


@pytest.mark.parametrize(("low", "high", "p"), [(-0.004, 0.012, 0.3), (0.0001, 0.012, 0.051), (-0.0001, 0.012, 0.049)])
def test_no_effect_is_said_and_bounded(study, low, high, p):
    text = headline(with_difference(study, 0.004, low, high, p))
    assert text.startswith("No difference in the group score between EqSim and contrastive fine-tuning could be shown")
    assert "raises" not in text
    assert "±" not in text
    assert text.endswith(f"(95 % interval [{points(low)}, +1.2]; {probability(p)}).")


def test_the_level_is_the_one_of_the_tables(study):
    """A gain at 90 % that is none at 95 %: p = 0.07 and an interval without zero."""
    seen = with_difference(study, 0.025, 0.001, 0.048, 0.07)
    assert headline(seen).startswith("No difference")
    seen = replace(seen, summary=seen.summary.assign(level=0.9), differences=seen.differences.assign(level=0.9))
    assert headline(seen).endswith("(90 % interval [+0.1, +4.8]; p = 0.070).")
    assert headline(seen).startswith("EqSim raises the group score by 2.5")
    said = " ".join([*abstract(seen), *(tile.evidence for tile in tiles(seen))])
    assert "95 %" not in said
    assert said.count("90 % interval") >= 3


@pytest.mark.parametrize("ends", [(NAN, NAN), (0.0, 0.0)])
def test_without_an_interval_nothing_is_said_about_a_difference(study, ends):
    seen = with_difference(study, 0.0, *ends, NAN)
    assert headline(seen) == (
        "Whether EqSim and contrastive fine-tuning differ in the group score cannot be said: the difference is 0.0 "
        "percentage points, without an interval (60 clusters of quads, 3 seeds)."
    )
    none = replace(seen, differences=seen.differences.assign(point=0.0, low=ends[0], high=ends[1], p=NAN, p_holm=NAN))
    none = replace(none, summary=none.summary.assign(low=none.summary["point"], high=none.summary["point"]))
    said = " ".join([*abstract(none), *(tile.evidence for tile in tiles(none))])
    assert not {"nan", "0.0 to 0.0", "[0.0, 0.0]", "±"} & set(said.replace(",", " ").split())
    assert "nan" not in said
    assert "unlikely" not in said
    assert "measurably" not in mechanism(none)
    assert {tile.kind for tile in tiles(none)} == {"", "unknown"}


def test_quads_that_settings_were_chosen_on_are_no_test(study):
    chosen = " ".join(caveats(study))
    assert "chosen on validation quads" in chosen
    assert "no quad reported here was used" in chosen
    same = " ".join(caveats(replace(study, validation=study.main)))
    assert "no quad reported here" not in same
    assert "chosen on the quads reported here" in same


def with_control(study):
    """``study`` whose control gains 6 points on the baseline, and EqSim loses 2.1 against the control."""
    base = study.differences.query("method == 'eqsim' and baseline == 'contrastive'")
    gain = base.assign(method="pairwise", point=0.06, low=0.045, high=0.075, p_holm=0.0002)
    loss = base.assign(baseline="pairwise", point=-0.021, low=-0.03, high=-0.01, p_holm=0.002)
    more = study.items.query("method == 'eqsim'").assign(method="pairwise")
    return replace(
        study,
        differences=pd.concat([study.differences, gain, loss], ignore_index=True),
        items=pd.concat([study.items, more], ignore_index=True),
    )


def test_every_method_stands_against_the_baseline_the_control_first(study):
    """A gain, a loss and no difference in equal words, each with both ends of its interval."""
    assert others(study) == ""
    seen = with_control(with_difference(study, -0.012, -0.02, -0.004, 0.01))
    row = seen.differences.query("method == 'pairwise' and subset == 'micro' and score == 'group'")
    none = row.assign(method="cyclip", point=0.003, low=-0.004, high=0.01, p_holm=0.4)
    items = pd.concat([seen.items, seen.items.query("method == 'eqsim'").assign(method="cyclip")])
    seen = replace(seen, items=items, differences=pd.concat([seen.differences, none], ignore_index=True))
    assert headline(seen) == (
        "Pairwise, the control, raises the group score by 6.0 percentage points compared with contrastive fine-tuning "
        "(95 % interval [+4.5, +7.5]; p < 0.001). EqSim lowers the group score by 1.2 percentage points compared with "
        "contrastive fine-tuning (95 % interval [−2.0, −0.4]; p = 0.010). No difference in the group score between "
        "CyCLIP and contrastive fine-tuning could be shown: +0.3 percentage points (95 % interval [−0.4, +1.0]; "
        "p = 0.40)."
    )
    assert others(seen) == (
        "EqSim lowers the group score by 2.1 percentage points compared with pairwise fine-tuning (95 % interval "
        "[−3.0, −1.0]; p = 0.002)."
    )
    assert abstract(seen)[:2] == [headline(seen), others(seen)]
    assert [tile.figure for tile in tiles(seen)[:3]] == ["+6.0 pt", "−1.2 pt", "+0.3 pt"]


def test_the_control_stands_first_among_the_numbers_at_the_top(study):
    assert [tile.name for tile in tiles(study)][:2] == [
        "Group score, EqSim",
        "EqSim, group score, difference to contrastive",
    ]
    seen = tiles(with_control(study))
    assert (seen[0].name, seen[0].figure) == ("Pairwise, group score, difference to contrastive", "+6.0 pt")
    assert seen[1].name == "EqSim, group score, difference to contrastive"
    assert len(seen) == 4


def test_seeds_that_are_whole_pipelines_are_said_to_be(study):
    own = replace(study, starts=(0, 1, 2))
    assert "3 seeds (pretraining included) a fine-tuned method" in " ".join(abstract(own))
    assert "from one pretrained model, another for each seed" in " ".join(abstract(own))
    assert "all methods from one pretrained model" in " ".join(abstract(study))
    said = [" ".join(caveats(seen)) for seen in (study, own)]
    assert ["starts from the same pretrained one" in text for text in said] == [True, False]


def test_what_the_gain_costs_is_said_with_its_interval(study, with_recall):
    assert cost(study) == ""
    told = "R@1 against contrastive: EqSim −4.2 [−5.2, −3.2] image to text and +0.1 [−0.9, +1.1] text to image."
    assert cost(with_recall) == told
    assert abstract(with_recall)[-1] == told


def test_a_difference_is_taken_apart(study):
    """Made parts, in the words of the abstract; nothing is said where they were not computed."""
    made = [(part, point, point - 0.01, point + 0.01) for part, point in (("evidence", 0.002), ("threshold", 0.031))]
    table = pd.DataFrame(made, columns=["part", "point", "low", "high"])
    table = table.assign(method="eqsim", suite=study.main, subset="micro", level=0.95)
    said = mechanism(replace(study, decomposition=table))
    assert "EqSim's I beside the |a| + |b| of contrastive gives +0.2 [−0.8, +1.2]" in said
    assert "its |a| + |b| beside that I +3.1 [+2.1, +4.1]." in said
    assert "Taken apart" not in mechanism(replace(study, decomposition=None))


def taken_apart(study, evidence, threshold, both):
    """``study`` whose EqSim has these parts, each with an interval of a point to either side."""
    made = [("evidence", evidence), ("threshold", threshold), ("both", both)]
    table = pd.DataFrame([(part, point, point - 0.01, point + 0.01) for part, point in made],
                         columns=["part", "point", "low", "high"])  # fmt: skip
    return replace(study, decomposition=table.assign(method="eqsim", suite=study.main, subset="micro", level=0.95))


@pytest.mark.parametrize(
    ("parts", "told"),
    [
        (
            (0.12, -0.05, 0.06),
            "gains by its evidence (+12.0) and loses by its threshold (−5.0). It is less equivariant, and",
        ),
        (
            (0.03, -0.05, -0.02),
            "gains by its evidence (+3.0) and loses by its threshold (−5.0). It is less equivariant, which",
        ),
        (
            (0.0, 0.03, 0.03),
            "is not shown to move by its evidence (0.0) and gains by its threshold (+3.0). This is what",
        ),
        (
            (-0.03, 0.03, 0.0),
            "loses by its evidence (−3.0) and gains by its threshold (+3.0). It is more equivariant, and",
        ),
        (
            (0.0, 0.0, 0.0),
            "is not shown to move by its evidence (0.0) and is not shown to move by its threshold (0.0).",
        ),
    ],
)
def test_the_discussion_says_what_a_difference_is_made_of(study, parts, told):
    said = discussion(taken_apart(study, *parts))[0]
    assert said.startswith(f"Against contrastive, EqSim {told}")
    table = study.differences.query("method == 'eqsim' and baseline == 'contrastive' and score == 'group'")
    of = table[table["subset"].isin(["attribute", "count", "location", "object"])].set_index("subset")["point"]
    assert f"largest on {of.idxmax()} (" in said
    assert f"smallest on {of.idxmin()} (" in said


def test_methods_tell_the_study_s_numbers(study):
    settings = {"pretrain": {"init": "small", "steps": 1300, "batch": 64, "lr": 0.001, "max_norm": 1.0}}
    said = {paragraph["title"]: paragraph["text"] for paragraph in methods(study, settings)}
    assert list(said) == ["Model and pretraining", "Selection", "Tests"]  # no numbers of the others, no drawn data
    assert "`small` of open_clip, trained for 1,300 steps of 64 pairs" in said["Model and pretraining"]
    assert "All runs start from this one model." in said["Model and pretraining"]
    assert "120 quads of test in 4 subsets" in said["Tests"]
    assert "named before the run" not in said["Tests"]
    named = replace(study, differences=study.differences.assign(role="primary"), starts=(0, 1, 2))
    said = {paragraph["title"]: paragraph["text"] for paragraph in methods(named, settings)}
    assert "The endpoint, named before the run, is the group score" in said["Tests"]
    assert "Each seed has a pretrained model of its own." in said["Model and pretraining"]


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
    sure = {"low": -0.1, "high": -0.01, "p_holm": 0.01, "level": 0.95}
    assert verdict(pd.Series(sure)) == "lower"
    assert verdict(pd.Series(sure | {"p_holm": 0.05})) == "none"
    assert verdict(pd.Series(sure | {"low": NAN, "high": NAN, "p_holm": NAN})) == "unknown"
