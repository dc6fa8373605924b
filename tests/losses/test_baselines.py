"""CyCLIP, NegCLIP and the contrastive loss, against their formulas written out."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn.functional import normalize

from eqlib.errors import InputError
from eqlib.losses import (
    contrastive_loss,
    cyclip_loss,
    negclip_loss,
    pairwise_loss,
    rank_loss,
    separate_loss,
)


def features(size=5, width=3, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return [
        normalize(torch.randn(size, width, generator=generator, dtype=torch.float64), dim=1).requires_grad_()
        for _ in range(3)
    ]


def test_contrastive_by_hand():
    # Orthogonal pairs at scale s: every softmax gives its match e^s / (e^s + 1).
    eye = torch.eye(2, dtype=torch.float64)
    assert contrastive_loss(eye, eye, 2.0)["contrastive"].item() == pytest.approx(math.log(1 + math.exp(-2)))


def test_cyclip_is_the_papers_sum_over_logits():
    image, text, _ = features()
    scale, size = 20.0, len(image)
    logits = [scale * (a @ b.T) for a, b in ((image, text), (image, image), (text, text))]
    cross = sum((logits[0][i, j] - logits[0][j, i]) ** 2 for i in range(size) for j in range(size)).item()
    inside = sum((logits[1][i, j] - logits[2][i, j]) ** 2 for i in range(size) for j in range(size)).item()
    terms = cyclip_loss(image, text, scale, in_modal=0.5, cross_modal=0.25)
    # mean over B^2 entries, times B, over the squared scale
    assert terms["cyclip_cross_modal"].item() == pytest.approx(0.25 * cross / size / scale**2)
    assert terms["cyclip_in_modal"].item() == pytest.approx(0.5 * inside / size / scale**2)
    assert len(terms) == 2  # the contrastive loss is the caller's
    quarters = cyclip_loss(image, text)  # the paper's weights; the scale changes nothing
    assert quarters["cyclip_in_modal"].item() == pytest.approx(0.25 * inside / size / scale**2)
    assert quarters["cyclip_cross_modal"].item() == pytest.approx(0.25 * cross / size / scale**2)


def test_negclip_by_hand():
    # Two orthogonal pairs at scale s, one negative equal to caption 0: image 0 splits its e^s between the two.
    eye = torch.eye(2, dtype=torch.float64)
    s = 3.0
    loss = negclip_loss(eye, eye, s, negative_text_features=eye[:1])["negclip"].item()
    image_to_text = (math.log(2 + math.exp(-s)) + math.log(1 + 2 * math.exp(-s))) / 2
    assert loss == pytest.approx((image_to_text + math.log(1 + math.exp(-s))) / 2)


def test_negclip_without_likeness_is_contrastive():
    image, text, negatives = features()
    far = negclip_loss(image, text, 30.0, negative_text_features=-1e3 * image.sum(0, keepdim=True).detach())
    assert set(far) == {"negclip"}
    with_none = negclip_loss(image, text, 30.0, negative_text_features=negatives[:0])["negclip"]
    torch.testing.assert_close(with_none, contrastive_loss(image, text, 30.0)["contrastive"])


def test_pairwise_by_hand():
    # Rows 0 and 1 are a pair, as are 2 and 3; the pairs are orthogonal to each other and inside: own 1, partner's 0.
    eye = torch.eye(4, dtype=torch.float64)
    partners = torch.tensor([[1], [0], [3], [2]])
    loss = pairwise_loss(eye, eye, 2.0, partners=partners, weight=3.0)["pairwise"].item()
    assert loss == pytest.approx(3 * math.log(1 + math.exp(-2)))
    with pytest.raises(InputError, match="other than the row itself"):
        pairwise_loss(eye, eye, 2.0, partners=torch.arange(4)[:, None])


def test_pairwise_is_the_contrastive_loss_of_each_pair_alone():
    image, text, _ = features(6)
    alone = [contrastive_loss(image[i : i + 2], text[i : i + 2], 20.0)["contrastive"] for i in (0, 2, 4)]
    partners = torch.tensor([1, 0, 3, 2, 5, 4])[:, None]
    torch.testing.assert_close(pairwise_loss(image, text, 20.0, partners=partners)["pairwise"], sum(alone) / 3)


def test_two_sided_negatives_are_the_contrastive_loss_of_a_batch_of_minimal_pairs():
    """VisMin's form: both pictures and both captions of a pair stand in one softmax, as they do in its batch."""
    image, text, _ = features(6)
    first, second = slice(0, None, 2), slice(1, None, 2)
    sides = [
        negclip_loss(a[own], b[own], 20.0, negative_text_features=b[other])["negclip"]
        for own, other in ((first, second), (second, first))
        for a, b in ((image, text), (text, image))
    ]
    # each contrasts 3 rows with 6 candidates one way, and with 3 the other way
    alone = [contrastive_loss(image[own], text[own], 20.0)["contrastive"] for own in (first, second)]
    torch.testing.assert_close(contrastive_loss(image, text, 20.0)["contrastive"], (sum(sides) - sum(alone)) / 2)


def test_separate_by_hand():
    # Own caption 1, partner's 0 at scale s: p = sigmoid(s) and 1 - p, as in a pair of orthogonal rows.
    eye = torch.eye(2, dtype=torch.float64)
    partners = torch.tensor([[1], [0]])
    p = 1 / (1 + math.exp(-2))
    loss = separate_loss(eye, eye, 2.0, partners=partners, weight=3.0, focal=2.0, smoothing=0.1)["separate"].item()
    own, other = (1 - p) ** 2 * -math.log(p), p**2 * -math.log(1 - p)
    assert loss == pytest.approx(3 * (0.95 * own + 0.05 * other))


def test_separate_without_focus_and_smoothing_is_a_softmax_over_the_captions():
    image, text, _ = features(5)
    partners = torch.tensor([[1, 2], [2, 3], [3, 4], [4, 0], [0, 1]])
    found = separate_loss(image, text, 20.0, partners=partners, weight=1.0, focal=0.0, smoothing=0.0)["separate"]
    logits = 20 * (image @ text.T)
    rows = [torch.log_softmax(logits[i, [i, *partners[i]]], dim=0)[0] for i in range(5)]
    torch.testing.assert_close(found, -torch.stack(rows).mean())


def test_rank_by_hand():
    # Leads of .4 and 1.0 at scale 10: 4 and 10, their mean 7. Only the first is behind it, by 3.
    image = torch.eye(2, dtype=torch.float64)
    text = torch.tensor([[1.0, 0.0], [0.6, 1.0]], dtype=torch.float64)
    partners = torch.tensor([[1], [0]])
    assert rank_loss(image, text, 10.0, partners=partners, weight=2.0)["rank"].item() == pytest.approx(2 * 3 / 2)
    # bounded at 5, by 1; and with wrong leads the threshold is 0: the hinge of the lead itself
    assert rank_loss(image, text, 10.0, partners=partners, weight=2.0, bound=5)["rank"].item() == pytest.approx(1)
    wrong = rank_loss(image, text.flip(0), 10.0, partners=partners, weight=1.0)["rank"].item()
    assert wrong == pytest.approx((4 + 10) / 2)


@pytest.mark.parametrize(
    ("change", "said"),
    [({"focal": 0.5}, "focal"), ({"smoothing": 1.5}, "1 - smoothing"), ({"weight": -1.0}, "weight")],
)
def test_separate_refuses(change, said):
    eye = torch.eye(2)
    with pytest.raises(InputError, match=said):
        separate_loss(eye, eye, partners=torch.tensor([[1], [0]]), **change)


def test_gradients():
    image, text, negatives = features(4)
    scale = torch.tensor(7.0, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda *args: sum(cyclip_loss(*args).values()), (image, text))
    negclip = lambda i, t, s, n: negclip_loss(i, t, s, negative_text_features=n)["negclip"]  # noqa: E731
    assert torch.autograd.gradcheck(negclip, (image, text, scale, negatives))
    partners = torch.tensor([[1], [0], [3], [2]])
    separate = lambda i, t, s: separate_loss(i, t, s, partners=partners)["separate"]  # noqa: E731
    rank = lambda i, t, s: rank_loss(i, t, s, partners=partners, bound=0.0)["rank"]  # noqa: E731
    assert torch.autograd.gradcheck(separate, (image, text, scale))
    assert torch.autograd.gradcheck(rank, (image, text, scale))  # bound 0: the threshold itself has no gradient


def test_autocast_computes_in_float32():
    image, text, wrong = (values.detach().bfloat16() for values in features(4))
    for loss, more in (
        (cyclip_loss, {}),
        (negclip_loss, {"negative_text_features": wrong}),
        *(
            (loss, {"partners": torch.tensor([[1], [0], [3], [2]])})
            for loss in (pairwise_loss, separate_loss, rank_loss)
        ),
    ):
        wanted = loss(image, text, 20.0, **more)  # the features as float32
        with torch.autocast("cpu", dtype=torch.bfloat16):
            found = loss(image, text, 20.0, **more)
        for name, value in found.items():
            assert value.dtype == torch.float32
            torch.testing.assert_close(value, wanted[name])


def test_bad_input():
    image, text, negatives = features()
    for function in (
        contrastive_loss,
        cyclip_loss,
        lambda *args: negclip_loss(*args, negative_text_features=negatives),
    ):
        with pytest.raises(InputError, match="one shape"):
            function(image, text[:4], 1.0)
        with pytest.raises(InputError, match="at least 2"):
            function(image[:1], text[:1], 1.0)
        with pytest.raises(InputError, match="finite"):
            function(image * torch.inf, text, 1.0)
    with pytest.raises(InputError, match=r"negative_text_features \(N, 3\)"):
        negclip_loss(image, text, 1.0, negative_text_features=negatives[:, :2])


def test_a_caption_without_a_negative_adds_no_column():
    torch.manual_seed(0)
    image, text, wrong = (torch.nn.functional.normalize(torch.randn(4, 8), dim=1) for _ in range(3))
    present = torch.tensor([True, False, True, False])
    found = negclip_loss(image, text, 20.0, negative_text_features=wrong, present=present)["negclip"]
    expected = negclip_loss(image, text, 20.0, negative_text_features=wrong[present])["negclip"]
    assert found.item() == pytest.approx(expected.item(), rel=1e-6)
    none = negclip_loss(image, text, 20.0, negative_text_features=wrong, present=torch.zeros(4, dtype=torch.bool))
    assert none["negclip"].item() == pytest.approx(contrastive_loss(image, text, 20.0)["contrastive"].item(), rel=1e-6)
    with pytest.raises(InputError, match=r"present \(4,\) of bool"):
        negclip_loss(image, text, 20.0, negative_text_features=wrong, present=torch.ones(4))


def test_they_compile_without_a_graph_break():
    image, text, wrong = (values.detach() for values in features(4))
    partners, present = torch.tensor([[1], [0], [3], [2]]), torch.tensor([True, False, True, True])
    for loss, more in (
        (cyclip_loss, {}),
        (negclip_loss, {"negative_text_features": wrong, "present": present}),
        (pairwise_loss, {"partners": partners}),
    ):
        compiled = torch.compile(loss, fullgraph=True, backend="eager")
        torch.testing.assert_close(compiled(image, text, 20.0, **more), loss(image, text, 20.0, **more))
