"""EqSimLoss: terms, telemetry, precision, and its state."""

from __future__ import annotations

import json

import open_clip
import pytest
import torch
from open_clip import ClipLoss
from open_clip.loss import SigLipLoss
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.nn.functional import normalize

from eqlib.errors import InputError
from eqlib.losses import (
    EqSimLoss,
    StepGenerator,
    eqsim_all_pairs,
    eqsim_easy,
    eqsim_hard,
    sample_hard_partners,
)


def features(size=8, width=4, dtype=torch.float64):
    generator = torch.Generator().manual_seed(0)
    return [
        normalize(torch.randn(size, width, generator=generator, dtype=torch.float64), dim=1).to(dtype).requires_grad_()
        for _ in range(2)
    ]


SCALE = torch.tensor(12.0, dtype=torch.float64, requires_grad=True)


@pytest.mark.parametrize("similarity", ["cosine", "logits", "softmax"])
@pytest.mark.parametrize("variant", ["all_pairs", "hard", "hard_easy"])
def test_terms_are_the_functions(variant, similarity):
    image, text = features()
    cosine = image @ text.T
    sim = {"cosine": cosine, "logits": SCALE * cosine, "softmax": (SCALE * cosine).softmax(1)}[similarity]
    partners = sample_hard_partners(SCALE * cosine, 2, generator=StepGenerator(5).generator(image.device))
    common = {"similarity": similarity, "weight": 0.7, "margin": 1e-4}
    loss = EqSimLoss(variant, easy_proportion=2.0, easy_margin=1e-5, sample_num=2, seed=5, **common)
    terms, _ = loss(image, text, SCALE)
    wanted = {
        "eqsim_all_pairs": eqsim_all_pairs(sim, weight=0.7, margin=1e-4),
        "eqsim_hard": eqsim_hard(sim, partners, weight=0.7, margin=1e-4),
        "eqsim_easy": eqsim_easy(sim, partners, weight=0.7, proportion=2.0, margin=1e-5),
    }
    names = {"all_pairs": ["eqsim_all_pairs"], "hard": ["eqsim_hard"], "hard_easy": ["eqsim_hard", "eqsim_easy"]}
    assert list(terms) == names[variant]
    inputs = [image, text, SCALE]
    for name, term in terms.items():
        torch.testing.assert_close(term, wanted[name])
        ours = torch.autograd.grad(term, inputs, retain_graph=True, allow_unused=True)
        expected = torch.autograd.grad(wanted[name], inputs, retain_graph=True, allow_unused=True)
        for grad, want in zip(ours, expected, strict=True):
            torch.testing.assert_close(
                torch.zeros(()) if grad is None else grad, torch.zeros(()) if want is None else want
            )
    matrix_terms, _ = EqSimLoss(variant, **common)(
        cosine, logit_scale=SCALE, partners=None if variant == "all_pairs" else partners
    )
    first = names[variant][0]
    torch.testing.assert_close(matrix_terms[first], wanted[first])


def test_telemetry_by_hand():
    sim = torch.tensor([[0.9, 0.2, 0.1], [0.3, 0.7, 0.1], [0.1, 0.1, 0.5]], dtype=torch.float64)
    # quads (0,1), (0,2), (1,2): a = 0.2, 0.4, 0.2; b = 0.1, 0, 0; I = 1.1, 1.2, 1.0
    terms, telemetry = EqSimLoss()(sim)
    assert terms["eqsim_all_pairs"].item() == pytest.approx(2 * (0.24 + 0.01) / 3)
    expected = {"eqsim_active": 1.0, "mean_a2": 0.24 / 3, "mean_b2": 0.01 / 3, "mean_I": 1.1, "pool": 2}
    assert {name: value.item() for name, value in telemetry.items()} == pytest.approx(expected)
    assert not any(value.requires_grad for value in telemetry.values())
    # text (a + b)^2 = 0.09, 0.16, 0.04, image (a - b)^2 = 0.01, 0.16, 0.04: means 0.0967 and 0.07
    assert EqSimLoss(margin=0.08)(sim)[1]["eqsim_active"].item() == 0.5
    before = EqSimLoss(margin=0.08, margin_before_mean=True)(sim)[1]
    assert before["eqsim_active"].item() == pytest.approx(3 / 6)
    _, hard = EqSimLoss("hard", margin=0.08, margin_before_mean=True)(sim, partners=torch.tensor([[1, 1], [2, 2]]))
    assert hard["eqsim_active"].item() == pytest.approx(2 / 8)  # the text side of (0, 1), twice
    assert hard["mean_I"].item() == pytest.approx((1.1 + 1.0) / 2)


def test_released_recipe():
    loss = EqSimLoss.released()
    assert (loss.variant, loss.similarity, loss.sample_num) == ("hard_easy", "softmax", 4)
    assert (loss.criterion.weight, loss.criterion.margin, loss.easy_weight, loss.easy_margin) == (0.5, 0.1, 0.5, 0.0)
    assert EqSimLoss.released(margin=0.0).criterion.margin == 0.0
    image, text = features(32)
    # All but uniform rows: the margin of 0.1 is out of reach, the easy term of order 1e-4, and the telemetry says so.
    terms, telemetry = loss(image, text, torch.tensor(0.1))
    assert terms["eqsim_hard"].item() == 0
    assert 0 < terms["eqsim_easy"].item() < 1e-3
    assert telemetry["eqsim_active"].item() == 0


@pytest.mark.parametrize("shape", [(), (1,)])  # open_clip's scale and bias, those of Hugging Face's SigLIP
@pytest.mark.parametrize("contrastive", [ClipLoss(), SigLipLoss()], ids=["clip", "siglip"])
def test_contrastive_losses_keep_their_value_and_gradient(contrastive, shape):
    image, text = features(dtype=torch.float32)
    scale, bias = torch.full(shape, 12.0).requires_grad_(), torch.full(shape, -3.0).requires_grad_()
    inputs = [image, text, scale, bias]
    terms, _ = EqSimLoss("hard_easy", contrastive=contrastive)(*inputs)
    without, _ = EqSimLoss("hard_easy")(image, text, scale)
    assert list(terms) == ["contrastive", "eqsim_hard", "eqsim_easy"]
    assert all(
        terms[name].equal(value) and value.shape == () for name, value in without.items()
    )  # the bias is no matter
    wanted = contrastive(*inputs)
    assert terms["contrastive"].equal(wanted)
    grads = [torch.autograd.grad(loss, inputs) for loss in (terms["contrastive"], wanted)]
    assert all(ours.equal(want) for ours, want in zip(*grads, strict=True))


@pytest.mark.parametrize("output_dict", [False, True])
@pytest.mark.parametrize("siglip", [False, True])
def test_what_open_clip_models_return(siglip, output_dict, tmp_path):
    bias = {"init_logit_bias": -10.0} if siglip else {}
    model = open_clip.create_model(tiny_clip(tmp_path), output_dict=output_dict, **bias)
    outputs = model(torch.randn(4, 3, 16, 16), torch.randint(1, 49407, (4, 12)))
    loss = EqSimLoss(contrastive=SigLipLoss() if siglip else ClipLoss())
    terms, _ = loss(**outputs) if output_dict else loss(*outputs)
    sum(terms.values()).backward()
    assert model.logit_scale.grad is not None
    assert not siglip or model.logit_bias.grad is not None


@pytest.mark.parametrize("variant", ["all_pairs", "hard", "hard_easy"])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_autocast_computes_in_float32(variant, dtype):
    # The contrastive loss is open_clip's own business.
    image, text = features(16, dtype=torch.float32)
    for similarity in ("cosine", "logits", "softmax"):
        settings = {"variant": variant, "similarity": similarity, "sample_num": 3}
        with torch.autocast("cpu", dtype=dtype):
            terms, _ = EqSimLoss(**settings)(image.to(dtype), text.to(dtype), torch.tensor(100.0))
        rounded = [values.detach().to(dtype).float() for values in (image, text)]
        wanted, _ = EqSimLoss(**settings)(*rounded, torch.tensor(100.0))
        for name, term in terms.items():
            assert term.dtype == torch.float32
            assert torch.isfinite(term)
            torch.testing.assert_close(term, wanted[name])
        gradients = torch.autograd.grad(sum(terms.values()), [image, text])
        assert all(torch.isfinite(grad).all() for grad in gradients)


def test_one_hot_softmax_at_scale_100_is_finite():
    image = torch.eye(6).requires_grad_()
    for variant in ("all_pairs", "hard", "hard_easy"):
        terms, _ = EqSimLoss(variant, similarity="softmax", normalize=variant == "hard")(image, image, 100.0)
        total = sum(terms.values())
        (grad,) = torch.autograd.grad(total, image)
        assert torch.isfinite(total)
        assert torch.isfinite(grad).all()


def test_partners_resume_from_a_state_dict():
    image, text = features()
    first = EqSimLoss("hard", sample_num=2, seed=3)
    first(image, text, SCALE)
    resumed = EqSimLoss("hard", sample_num=2, seed=3)
    resumed.load_state_dict(first.state_dict())
    assert resumed.state_dict()["draws._extra_state"] == {"steps": 1}
    for _ in range(3):
        ours, wanted = (loss(image, text, SCALE)[0]["eqsim_hard"].item() for loss in (resumed, first))
        assert ours == wanted


def test_bad_settings_and_calls():
    for settings, message in (
        ({"variant": "itc"}, "variant: expected one of all_pairs, hard, hard_easy"),
        ({"similarity": "dot"}, "similarity: expected one of cosine, logits, softmax"),
        ({"sample_num": 0}, "sample_num: expected an integer >= 1"),
        ({"easy_proportion": 0.0}, "proportion"),
        ({"pre_softmax": True}, "criterion options among"),
    ):
        with pytest.raises(InputError, match=message):
            EqSimLoss(**settings)
    image, text = features()
    with pytest.raises(InputError, match="1 <= num < 8"):
        EqSimLoss("hard", sample_num=8)(image, text, SCALE)
    EqSimLoss("hard", sample_num=1)(image, text, SCALE)
    EqSimLoss("hard", sample_num=1)(image[:2], text[:2], SCALE)  # the least of both
    with pytest.raises(InputError, match="at least 2 matched pairs"):
        EqSimLoss()(image[:1], text[:1], SCALE)
    with pytest.raises(InputError, match="one shape"):
        EqSimLoss()(image, text[:4], SCALE)
    with pytest.raises(InputError, match="one precision"):
        EqSimLoss()(image, text.float(), SCALE)
    with pytest.raises(InputError, match="hard variants only"):
        EqSimLoss()(image, text, SCALE, partners=torch.tensor([[1]]))
    with pytest.raises(InputError, match="finite similarities"):
        EqSimLoss(contrastive=ClipLoss())(image * torch.nan, text, SCALE)
    with pytest.raises(InputError, match="features for the contrastive loss"):
        EqSimLoss(contrastive=ClipLoss())(image @ text.T)


@pytest.mark.parametrize("similarity", ["cosine", "softmax"])
@pytest.mark.parametrize("variant", ["all_pairs", "hard", "hard_easy"])
def test_nothing_waits_for_an_accelerator(variant, similarity):
    # On tensors without values a look at one (item, bool, a selection by mask) is an error.
    loss = EqSimLoss(variant, similarity=similarity, contrastive=ClipLoss(), own_change=similarity == "cosine")
    with FakeTensorMode(allow_non_fake_inputs=True):
        image, text = (torch.empty(16, 4, device="cuda") for _ in range(2))
        terms, telemetry = loss(image, text, torch.ones((), device="cuda"))
    assert all(value.shape == () for value in terms.values())
    assert all(value.device.type == "cuda" for value in (terms | telemetry).values())


@pytest.mark.parametrize("variant", ["all_pairs", "hard", "hard_easy"])
def test_compiles_without_a_graph_break(variant):
    image, text = features()
    settings = {"contrastive": ClipLoss(), "similarity": "softmax", "sample_num": 2}
    compiled = torch.compile(EqSimLoss(variant, **settings), fullgraph=True, backend="aot_eager")
    eager = EqSimLoss(variant, **settings)
    for _ in range(2):  # the same partners, new ones in the second step
        ours, wanted = (loss(image, text, SCALE) for loss in (compiled, eager))
        for found, told in zip(ours, wanted, strict=True):
            assert list(found) == list(told)
            for name in told:
                torch.testing.assert_close(found[name], told[name])
        grads = [torch.autograd.grad(sum(terms.values()), [image, text, SCALE]) for terms, _ in (ours, wanted)]
        for found, told in zip(*grads, strict=True):
            torch.testing.assert_close(found, told)
    terms, _ = compiled(image * torch.nan, text, SCALE)  # nothing is read, so nothing is refused
    assert sum(terms.values()).isnan()


def tiny_clip(tmp_path):
    config = {
        "embed_dim": 8,
        "vision_cfg": {"image_size": 16, "layers": 1, "width": 16, "head_width": 8, "patch_size": 8},
        "text_cfg": {"context_length": 12, "vocab_size": 49408, "width": 16, "heads": 2, "layers": 1},
    }
    (tmp_path / "tiny-eqsim.json").write_text(json.dumps(config))
    open_clip.add_model_config(tmp_path / "tiny-eqsim.json")
    return "tiny-eqsim"
