"""The EqSim functions by hand, against loops, and by their properties."""

from __future__ import annotations

import pytest
import reference_losses
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from eqlib.errors import InputError
from eqlib.losses import (
    eqsim_all_pairs,
    eqsim_criterion,
    eqsim_easy,
    eqsim_hard,
    eqsim_itm,
    sample_hard_partners,
)

OPTIONS = [
    {},
    {"text_side": False},
    {"image_side": False},
    {"group_side": True, "weight": 0.7},
    {"text_side": False, "image_side": False, "group_side": True, "margin": 0.05},
    {"margin": 0.4, "weight": 0.5},
    {"margin": 1.2},
    {"margin": 0.5, "margin_before_mean": True, "group_side": True},
    {"margin_before_mean": True},
    {"positive": True, "group_side": True, "margin": 0.1},
    {"normalize": True, "weight": 3.0},
    {"normalize": True, "group_side": True, "margin": 0.3, "positive": True},
    {"normalize": True, "group_side": True, "margin": 0.3, "margin_before_mean": True},
    {"own_change": True, "margin": 0.2, "weight": 3.0},
    {"own_change": True, "group_side": True, "positive": True},
]


def matrix(size, seed=0):
    return torch.randn(size, size, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def quads_of(sim, pairs):
    i, j = torch.tensor(pairs).T
    return sim[i, i], sim[i, j], sim[j, i], sim[j, j]


def all_of(size):
    return [(i, j) for i in range(size) for j in range(i + 1, size)]


def test_the_papers_example_by_hand():
    # FIBER scores a quad 3.79, 2.35, 3.83, 4.16 and, trained with EqSim, 2.51, 2.28, 2.29, 2.45: a = -0.37, b = 1.48
    # before, a = 0.06, b = 0.01 after.
    before = [torch.tensor([score], dtype=torch.float64) for score in (3.79, 2.35, 3.83, 4.16)]
    after = [torch.tensor([score], dtype=torch.float64) for score in (2.51, 2.28, 2.29, 2.45)]
    assert eqsim_criterion(*before).item() == pytest.approx(2 * 0.37**2 + 2 * 1.48**2)
    assert eqsim_criterion(*after).item() == pytest.approx(2 * 0.06**2 + 2 * 0.01**2)
    assert eqsim_criterion(*before, image_side=False).item() == pytest.approx((-0.37 + 1.48) ** 2)
    assert eqsim_criterion(*before, text_side=False).item() == pytest.approx((-0.37 - 1.48) ** 2)
    sides = {"text_side": False, "image_side": False, "group_side": True}
    assert eqsim_criterion(*before, **sides).item() == pytest.approx(2 * 1.48**2)
    assert eqsim_criterion(*before, **sides, margin=2.0).item() == pytest.approx(2 * (1.48**2 - 2.0))


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_loops_agree(options):
    sim = matrix(7)
    partners = torch.tensor([[1, 2, 2], [0, 5, 6], [0, 1, 3]])
    rows = sim.tolist()
    expected = reference_losses.all_pairs(rows, **options)
    assert eqsim_all_pairs(sim, **options).item() == pytest.approx(expected, rel=1e-12)
    expected = reference_losses.criterion([reference_losses.quad(rows, 4, 2)], **options)
    assert eqsim_criterion(*quads_of(sim, [(4, 2)]), **options).item() == pytest.approx(expected, rel=1e-12)
    expected = reference_losses.hard(rows, partners.tolist(), **options)
    assert eqsim_hard(sim, partners, **options).item() == pytest.approx(expected, rel=1e-12)
    for easy in ({}, {"weight": 0.5, "proportion": 4.0, "margin": 0.3}, {"margin": 9.0}):
        expected = reference_losses.easy(rows, partners.tolist(), **easy)
        assert eqsim_easy(sim, partners, **easy).item() == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_gradcheck(options):
    sim = matrix(5, seed=3).requires_grad_()
    partners = torch.tensor([[1, 2, 2], [0, 4, 3]])
    assert torch.autograd.gradcheck(lambda s: eqsim_all_pairs(s, **options), sim)
    assert torch.autograd.gradcheck(lambda s: eqsim_hard(s, partners, **options), sim)
    assert torch.autograd.gradcheck(lambda s: eqsim_easy(s, partners, margin=0.1), sim)
    scores = matrix(4, seed=4).requires_grad_()
    for activation in (None, "linear", "sigmoid", "softmax"):
        if activation == "linear" and options.get("normalize"):
            continue  # the least score becomes 0, and 0 has no unit
        assert torch.autograd.gradcheck(lambda s, a=activation: eqsim_itm(s, activation=a, **options), scores)


def test_hinges_are_each_sides_own():
    # a = 0.1 and b = -0.1 leave the text side at 0 and the image side at 0.04: only the latter passes a margin of 0.03.
    sim = torch.tensor([[0.30, 0.20], [0.10, 0.20]], dtype=torch.float64)
    assert eqsim_all_pairs(sim).item() == pytest.approx(0.04)
    assert eqsim_all_pairs(sim, image_side=False).item() == pytest.approx(0.0, abs=1e-15)
    assert eqsim_all_pairs(sim, margin=0.03).item() == pytest.approx(0.01)


def test_before_and_after_the_mean_differ():
    # One pair with x^2 = 4, one with 0: after the mean relu(2 - 3) = 0, before it (relu(4 - 3) + 0) / 2.
    quads = [torch.tensor(values, dtype=torch.float64) for values in ([2.0, 0.0], [0.0] * 2, [0.0] * 2, [0.0] * 2)]
    assert eqsim_criterion(*quads, image_side=False, margin=3.0).item() == 0.0
    assert eqsim_criterion(*quads, image_side=False, margin=3.0, margin_before_mean=True).item() == 0.5


def test_a_hinge_that_is_just_reached_has_no_gradient():
    # a = 2, b = 0: both sides are 4.
    sim = torch.tensor([[2.0, 1.0], [1.0, 0.0]], requires_grad=True)
    for margin, slope in ((4.0, 0.0), (3.5, 8.0)):  # the derivative of (S_00 - S_11)^2, once for each side
        (grad,) = torch.autograd.grad(eqsim_all_pairs(sim, margin=margin), sim)
        assert grad[0, 0].item() == slope
        assert grad[1, 1].item() == -slope


sizes, seeds = st.integers(2, 9), st.integers(0, 2**31)


@given(sizes, seeds, st.sampled_from(OPTIONS))
@settings(max_examples=60)
def test_all_pairs_is_the_mean_over_explicit_quads(size, seed, options):
    sim = matrix(size, seed)
    explicit = eqsim_criterion(*quads_of(sim, all_of(size)), **options)
    torch.testing.assert_close(eqsim_all_pairs(sim, **options), explicit, rtol=1e-11, atol=1e-13)


@given(sizes, seeds, st.sampled_from([o for o in OPTIONS if not (o.get("normalize") and o.get("group_side"))]))
@settings(max_examples=60)
def test_a_common_permutation_changes_nothing(size, seed, options):
    # Normalised, the group side has two hinges, one in units of each pair: which is which is the order's choice.
    sim = matrix(size, seed)
    order = torch.randperm(size, generator=torch.Generator().manual_seed(seed))
    moved = sim[order][:, order]
    torch.testing.assert_close(
        eqsim_all_pairs(moved, **options), eqsim_all_pairs(sim, **options), rtol=1e-11, atol=1e-13
    )


@given(sizes, seeds, st.floats(-5, 5), st.floats(-5, 5))
@settings(max_examples=40)
def test_a_perfectly_equivariant_matrix_costs_nothing(size, seed, diagonal, shift):
    # a = 0: one score for every match; b = 0: symmetric.
    sim = matrix(size, seed) + shift
    sim = (sim + sim.T).fill_diagonal_(diagonal)
    partners = torch.tensor([[1], [0]])
    for options in ({}, {"group_side": True}, {"text_side": False}, {"image_side": False}):
        assert eqsim_all_pairs(sim, **options).item() == pytest.approx(0, abs=1e-25)
        assert eqsim_hard(sim, partners, **options).item() == pytest.approx(0, abs=1e-25)
    assert eqsim_easy(sim, partners).item() == 0


@given(seeds)
@settings(max_examples=40)
def test_text_and_image_side_are_two_a2_and_two_b2_quad_by_quad(seed):
    sim = matrix(2, seed)
    a, b = sim[0, 0] - sim[1, 1], sim[1, 0] - sim[0, 1]
    torch.testing.assert_close(eqsim_criterion(*quads_of(sim, [(0, 1)])), 2 * a**2 + 2 * b**2)


def test_a_partner_listed_twice_counts_twice():
    sim = matrix(4)
    twice = eqsim_hard(sim, torch.tensor([[1, 1, 2]]))
    once = [eqsim_hard(sim, torch.tensor([[partner]])) for partner in (1, 2)]
    torch.testing.assert_close(twice, (2 * once[0] + once[1]) / 3)


def test_the_easy_mean_divides_by_every_entry():
    sim = torch.tensor([[0.0, 3.0, 0.0], [0.0, 0.0, 0.0], [1.0, 0.0, 0.0]], dtype=torch.float64)
    # (0, 1) is hard; (0, 2) is left: (0 - 1)^2 twice over nine entries.
    assert eqsim_easy(sim, torch.tensor([[1]])).item() == pytest.approx(2 / 9)
    assert eqsim_easy(sim, torch.tensor([[1]]), weight=3.0, proportion=2.0, margin=0.1).item() == pytest.approx(
        1.5 * (2 / 9 - 0.1)
    )


def test_partners_are_reproducible_distinct_and_never_the_row_itself():
    sim = 10 * matrix(12).float()
    draw = [sample_hard_partners(sim, 4, generator=torch.Generator().manual_seed(seed)) for seed in (1, 1, 2)]
    assert draw[0].shape == (12, 8)
    assert draw[0].dtype == torch.int64
    assert torch.equal(draw[0], draw[1])
    assert not torch.equal(draw[0], draw[2])
    for half in draw[0].split(4, dim=1):
        assert all(len(set(row)) == 4 for row in half.tolist())
    assert not (draw[0] == torch.arange(12)[:, None]).any()


def test_partners_follow_the_two_softmaxes():
    # Caption 0 is close to image 1, image 0 to caption 2. Columns: softmax(S^T)[0] over rows 1, 2 of column 0.
    sim = torch.tensor([[5.0, 0.0, 2.0], [1.0, 5.0, 0.0], [0.0, 0.0, 5.0]])
    generator = torch.Generator().manual_seed(0)
    draws = torch.stack([sample_hard_partners(sim, 1, generator=generator)[0] for _ in range(4000)])
    images, captions = (draws == torch.tensor([1, 2])).double().mean(0)
    odds = torch.tensor([1.0, 2.0]).exp()
    expected = odds / (1 + odds)
    assert images.item() == pytest.approx(expected[0].item(), abs=0.03)  # four standard errors
    assert captions.item() == pytest.approx(expected[1].item(), abs=0.03)


def test_partners_go_on_where_one_candidate_takes_all_the_draws():
    # Image 1 has all the probability for caption 0; the second partner is 2 or 3 at odds e : 1, of order 1e-9.
    sim = torch.tensor([[0.0, 20.0, 0.0, 0.0], [20.0, 0.0, 0.0, 0.0], [1.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0]])
    generator = torch.Generator().manual_seed(0)
    draws = torch.stack([sample_hard_partners(sim, 2, generator=generator)[0, :2] for _ in range(4000)])
    assert (draws == 1).any(1).all()
    odds = torch.tensor(1.0).exp()
    assert (draws == 2).any(1).double().mean().item() == pytest.approx((odds / (1 + odds)).item(), abs=0.03)


def test_two_partners_without_replacement():
    # Of probabilities 1/2, 1/4, 1/4 the first is among two draws with 1/2 + 1/4 * 2/3 * 2 = 5/6.
    sim = torch.tensor([0.5, 0.25, 0.25]).log()
    sim = torch.cat([torch.zeros(1), sim])[None].expand(4, 4).clone()
    generator = torch.Generator().manual_seed(0)
    draws = torch.stack([sample_hard_partners(sim, 2, generator=generator)[0, 2:] for _ in range(4000)])
    assert (draws == 1).any(1).double().mean().item() == pytest.approx(5 / 6, abs=0.025)


def test_partners_where_the_softmax_underflows():
    # At scale 100 all but the match are below float32: the official multinomial refuses such rows.
    sim = 1000 * torch.eye(6)
    assert sample_hard_partners(sim, 5, generator=torch.Generator().manual_seed(0)).shape == (6, 10)


BAD_MATRIX = [
    (torch.zeros(3, 4), r"sim \(B, B\)"),
    (torch.zeros(3), r"sim \(B, B\)"),
    (torch.tensor(1.0), r"sim \(B, B\)"),
    (torch.zeros(1, 1), "at least 2 matched pairs"),
    (torch.zeros(3, 3, dtype=torch.int64), "floating-point"),
    ([[1.0]], "floating-point"),
    (torch.tensor([[0.0, torch.nan], [0.0, 0.0]]), "finite"),
    (torch.tensor([[0.0, torch.inf], [0.0, 0.0]]), "finite"),
]


@pytest.mark.parametrize(("sim", "message"), BAD_MATRIX)
def test_bad_matrices(sim, message):
    partners = torch.tensor([[1], [0]])
    generator = torch.Generator()
    with pytest.raises(InputError, match=message):
        eqsim_all_pairs(sim)
    with pytest.raises(InputError, match=message):
        eqsim_hard(sim, partners)
    if not (isinstance(sim, torch.Tensor) and sim.shape == (2, 2)):  # there every entry is hard
        with pytest.raises(InputError, match=message):
            eqsim_easy(sim, partners)
    with pytest.raises(InputError, match=message):
        sample_hard_partners(sim, 1, generator=generator)


def test_a_value_the_easy_term_reads_must_be_finite():
    sim = torch.zeros(4, 4)
    sim[2, 3] = torch.nan
    with pytest.raises(InputError, match="finite"):
        eqsim_easy(sim, torch.tensor([[1], [0]]))


@pytest.mark.parametrize(
    ("partners", "message"),
    [
        (torch.tensor([[1], [1]]), "row 1: expected a partner in 0..3 other than the row itself, got 1"),
        (torch.tensor([[4]]), "row 0: expected a partner in 0..3 other than the row itself, got 4"),
        (torch.tensor([[-1]]), "got -1"),
        (torch.zeros(5, 1, dtype=torch.int64), "1 <= B <= 4"),
        (torch.zeros(2, 0, dtype=torch.int64), "K >= 1"),
        (torch.tensor([1, 2]), "int64 row indices"),
        (torch.tensor([[1.0]]), "int64 row indices"),
    ],
)
def test_bad_partners(partners, message):
    for function in (eqsim_hard, eqsim_easy):
        with pytest.raises(InputError, match=message):
            function(matrix(4), partners)


@pytest.mark.parametrize("num", [0, 4, 5, True, 1.5])
def test_more_partners_than_rows(num):
    with pytest.raises(InputError, match="1 <= num < 4"):
        sample_hard_partners(matrix(4), num, generator=torch.Generator())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"wieght": 1.0}, "criterion options among .*weight.*got wieght"),
        ({"weight": -1.0}, "weight: expected a finite number >= 0"),
        ({"margin": float("nan")}, "margin: expected a finite number >= 0"),
        ({"text_side": 1}, "text_side: expected True or False"),
        ({"text_side": False, "image_side": False}, "at least one side"),
    ],
)
def test_bad_options(options, message):
    with pytest.raises(InputError, match=message):
        eqsim_all_pairs(matrix(3), **options)
    with pytest.raises(InputError, match=message):
        eqsim_hard(matrix(3), torch.tensor([[1]]), **options)


def test_bad_easy_settings_and_quads_and_scores():
    with pytest.raises(InputError, match="proportion: expected a finite number > 0"):
        eqsim_easy(matrix(3), torch.tensor([[1]]), proportion=0.0)
    with pytest.raises(InputError, match="one shape"):
        eqsim_criterion(torch.zeros(2), torch.zeros(2), torch.zeros(2), torch.zeros(3))
    with pytest.raises(InputError, match="finite"):
        eqsim_criterion(*[torch.tensor([torch.nan])] * 4)
    with pytest.raises(InputError, match="scores \\(B, 4\\)"):
        eqsim_itm(torch.zeros(4, 3))
    with pytest.raises(InputError, match="activation"):
        eqsim_itm(torch.zeros(4, 4), activation="relu")
    with pytest.raises(InputError, match="scores that differ"):
        eqsim_itm(torch.zeros(4, 4), activation="linear")


def test_a_positive_of_zero_has_no_unit():
    with pytest.raises(InputError, match="matched pairs other than 0"):
        eqsim_all_pairs(torch.tensor([[0.0, 1.0], [1.0, 1.0]]), normalize=True)


def test_half_precision_computes_in_float32():
    sim = matrix(6).bfloat16().requires_grad_()
    loss = eqsim_all_pairs(sim)
    assert loss.dtype == torch.float32
    torch.testing.assert_close(loss, eqsim_all_pairs(sim.detach().float()))
    loss.backward()
    assert sim.grad.dtype == torch.bfloat16


def test_own_change_pays_where_a_score_is_wrong_and_nowhere_else():
    # Under the captions' change 0.16 and -0.02: text is wrong. Under the images' 0.08 and 0.06: image is right.
    quad = [torch.tensor([score], dtype=torch.float64) for score in (0.40, 0.24, 0.32, 0.30)]
    assert eqsim_criterion(*quad, own_change=True).item() == pytest.approx(0.18 - 0.14)  # |a + b| - I
    assert eqsim_criterion(*quad, own_change=True, text_side=False).item() == 0
    assert eqsim_criterion(*quad, own_change=True, text_side=False, margin=0.13).item() == pytest.approx(0.01)
    with pytest.raises(InputError, match="own_change alone"):
        eqsim_criterion(*quad, own_change=True, normalize=True)
