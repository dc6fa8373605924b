"""An objective is a list of named losses, each with its own settings and needs."""

import pytest
import torch

from eqlib.errors import InputError
from eqlib.losses import EqSimLoss, contrastive_loss, negclip_loss
from eqlib.study.training import losses
from eqlib.study.training.objective import Objective

FEATURES = torch.randn(3, 6, 5, generator=torch.manual_seed(0))
IMAGE, TEXT, WRONG = torch.nn.functional.normalize(FEATURES, dim=2)
SCALE, BIAS = torch.tensor(10.0), torch.tensor(-2.0)
PARTNERS = torch.tensor([[1], [0], [3], [2], [5], [4]])


def test_three_losses_by_their_names():
    objective = Objective("contrastive+eqsim+negclip", {"eqsim.variant": "minimal_pairs", "eqsim.weight": 2.0}, seed=0)
    assert objective.needs == {"partners", "negatives"}
    present = torch.ones(6, dtype=torch.bool)
    terms, _ = objective(IMAGE, TEXT, SCALE, partners=PARTNERS, negative_text_features=WRONG, present=present)
    eqsim, _ = EqSimLoss("hard", weight=2.0)(IMAGE, TEXT, SCALE, partners=PARTNERS)
    expected = contrastive_loss(IMAGE, TEXT, SCALE) | eqsim
    expected |= negclip_loss(IMAGE, TEXT, SCALE, negative_text_features=WRONG)
    assert terms == expected


def test_siglip_beside_eqsim_by_hand():
    terms, _ = Objective("siglip+eqsim", {"weight": 3.0})(IMAGE, TEXT, SCALE, BIAS)
    logits = SCALE * IMAGE @ TEXT.T + BIAS
    labels = 2 * torch.eye(6) - 1
    torch.testing.assert_close(terms["siglip"], -torch.nn.functional.logsigmoid(labels * logits).sum() / 6)
    a = IMAGE @ TEXT.T
    quads = [(a[i, i] - a[j, j]) ** 2 + (a[i, j] - a[j, i]) ** 2 for i in range(6) for j in range(i)]
    torch.testing.assert_close(terms["eqsim_all_pairs"], 3 * 2 * torch.stack(quads).mean())


def test_a_loss_of_ones_own_is_a_line(monkeypatch):
    def spread_loss(image_features, text_features, logit_scale, *, target: float = 0.0):
        return {"spread": ((image_features @ text_features.T).std() - target).abs()}

    monkeypatch.setitem(losses.LOSSES, "spread", spread_loss)
    terms, _ = Objective("contrastive+spread", {"target": 0.5, "ramp": 4})(IMAGE, TEXT, SCALE, step=1)
    torch.testing.assert_close(terms["spread"], 0.25 * ((IMAGE @ TEXT.T).std() - 0.5).abs())


@pytest.mark.parametrize(
    ("method", "settings", "message"),
    [
        ("contrastive+colour", {}, "a method of contrastive, siglip, .* joined by"),
        ("eqsim+eqsim", {}, "joined by"),
        ("contrastive+eqsim", {"negclip.weight": 1.0}, "settings of contrastive, eqsim"),
        ("siglip+eqsim", {"siglip.weight": 1.0}, "no such settings for siglip, got weight"),
    ],
)
def test_a_list_that_cannot_be_is_named(method, settings, message):
    with pytest.raises(InputError, match=message):
        Objective(method, settings)
