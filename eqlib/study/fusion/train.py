"""Training with a contrastive loss on the towers and a matching loss on the fusion layers, as ALBEF and FIBER do.

Each pair of a batch has one partner j: a hard one drawn by the contrastive similarities, or the pair's mate of the
minimal pairs. Three passes through the fusion layers score (image, caption), (image j, caption) and (image, caption j).
The fourth pass of FIBER's ``hard_itm``, (image j, caption j), would give pair j's own first score again, for nothing is
dropped out: it is looked up. So every method costs the same.
"""

from collections.abc import Callable

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from torch.nn import functional

from eqlib.errors import InputError
from eqlib.losses import EqSimLoss, contrastive_loss, eqsim_itm
from eqlib.progress import progress
from eqlib.study.fusion.model import Encoded, Fused, FusionHead, encode
from eqlib.study.training.batches import CaptionedImages, batches
from eqlib.study.training.recipe import Recipe, adamw, learning_rate
from eqlib.suites import RetrievalSuite

WEIGHT, MARGIN, FLOOR = 0.5, 0.1, 1e-4
"""FIBER's published weight and margin of EqSim; ALBEF's floor under the chance of a partner."""


def with_mates(suite: RetrievalSuite) -> RetrievalSuite:
    """``suite`` without the images that stand alone in their group; as it is where it knows no groups."""
    if suite.groups is None:
        return suite
    _, group, count = np.unique(suite.groups, return_inverse=True, return_counts=True)
    return suite.keep(count[group] > 1)


def hard_partners(similarity: Tensor, tokens: Tensor, *, generator: torch.Generator) -> Tensor:
    """One other pair for each of a batch, (B,) int64: drawn from both softmaxes of ``similarity`` (B, B), in logits,
    each with FLOOR. Never one with the same caption, as ALBEF spares the same picture: a batch shows each picture once,
    but two may be described alike. ``tokens`` (B, context).

    ALBEF draws the false picture and the false caption one by one; here they are one pair's, so that the four scores
    are a quad.
    """
    same = (tokens[:, None] == tokens).all(-1)
    similarity = similarity.detach()
    chance = (similarity.softmax(1) + similarity.T.softmax(1) + FLOOR).masked_fill(same, 0)
    return torch.multinomial(chance, 1, generator=generator)[:, 0]


def quad_scores(head: FusionHead, seen: Encoded, partners: Tensor) -> Tensor:
    """Logits (B, 4) as `eqlib.losses.eqsim_itm` takes them, of a batch of matched pairs with ``partners`` (B,)."""
    own = torch.arange(len(partners), device=partners.device)
    image, text = torch.cat([own, partners, own]), torch.cat([own, own, partners])
    matched, false_image, false_text = head(seen.image[image], seen.text[text], seen.end[text]).view(3, -1)
    return torch.stack([matched, false_image, false_text, matched[partners]], dim=1)


def itm_loss(scores: Tensor) -> Tensor:
    """Binary cross-entropy of the three pairs that were scored, the first being matched."""
    target = scores.new_tensor([1.0, 0.0, 0.0]).expand(len(scores), 3)
    return functional.binary_cross_entropy_with_logits(scores[:, :3], target)


def pairwise_matching(scores: Tensor) -> Tensor:
    """Contrast on the matching side: the matched pair against the false picture, and against the false caption."""
    return WEIGHT * functional.softplus(scores[:, 1:3] - scores[:, :1]).mean()


METHODS: dict[str, Callable[[Tensor], Tensor] | None] = {
    "matching": None,
    "eqsim_contrastive": None,  # the released recipe, on the towers' similarities: see `fit_fused`
    "eqsim_matching": lambda scores: eqsim_itm(scores, weight=WEIGHT, margin=MARGIN),
    "eqsim_probability": lambda scores: eqsim_itm(scores, activation="sigmoid", weight=WEIGHT, margin=MARGIN),
    "pairwise_matching": pairwise_matching,
}
"""What a method adds to the contrastive and the matching loss, of the four scores."""


def fit_fused(
    fused: Fused, data: CaptionedImages, recipe: Recipe, method: str = "matching", *, pairs: bool = False
) -> pd.DataFrame:
    """Train ``fused`` in place under one of METHODS; the history, one row a step of the terms. ``pairs``: a pair's
    partner is its mate in ``data``, else it is drawn. In one process, on the model's device. Raises InputError for
    another method, and for mates where an image has none."""
    if method not in METHODS:
        raise InputError(f"one of {', '.join(METHODS)}", repr(method), row="method")
    model, head, device = fused.bundle.model, fused.head, fused.bundle.device
    both = torch.nn.ModuleList([model, head])
    optimizer = adamw(both, recipe)
    draws, eqsim = torch.Generator().manual_seed(recipe.seed), EqSimLoss.released(seed=recipe.seed)
    loader = batches(data, batch=recipe.batch, first=0, last=recipe.steps, seed=recipe.seed, partners=pairs)
    history = []
    for step, batch in enumerate(progress(loader, desc=method, total=recipe.steps, leave=False)):
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(recipe, step)
        images, tokens, *mates = (values.to(device) for values in batch)
        both.train()
        seen, scale = encode(model, images, tokens), model.logit_scale.exp()
        features = seen.image_features, seen.text_features
        if pairs:
            partners = mates[0][:, 0]
        else:
            similarity = (scale * features[0] @ features[1].T).cpu()
            partners = hard_partners(similarity, tokens.cpu(), generator=draws).to(device)
        scores = quad_scores(head, seen, partners)
        terms = contrastive_loss(*features, scale) | {"matching": itm_loss(scores)}
        if method == "eqsim_contrastive":
            terms |= eqsim(*features, scale, partners=mates[0] if pairs else None)[0]
        elif (extra := METHODS[method]) is not None:
            terms[method] = extra(scores)
        sum(terms.values()).backward()
        torch.nn.utils.clip_grad_norm_(both.parameters(), recipe.max_norm or torch.inf)
        optimizer.step()
        optimizer.zero_grad()
        with torch.no_grad():
            model.logit_scale.clamp_(0, torch.tensor(100.0).log())
            right = (scores[:, :1] > scores[:, 1:3]).float().mean()
        history.append({"step": step + 1} | {k: float(v.detach()) for k, v in terms.items()} | {"right": float(right)})
    return pd.DataFrame(history)
