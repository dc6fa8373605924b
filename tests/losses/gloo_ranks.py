"""One training step of a two-tower model, in one process or as one rank of several; what the test compares."""

from __future__ import annotations

import itertools
import os

import torch
import torch.distributed as dist
from open_clip import ClipLoss
from torch import nn
from torch.nn.functional import normalize
from torch.nn.parallel import DistributedDataParallel

from eqlib.losses import (
    EqSimLoss,
    GradientCache,
    cyclip_loss,
    eqsim_all_pairs_from_features,
    negclip_loss,
    pairwise_loss,
)

BATCH = 8  # over all ranks

CRITERIA = {
    "plain": {},
    "margin": {"margin": 0.02, "weight": 0.7, "group_side": True},
    "idle hinge": {"margin": 50.0},
    "dense": {"normalize": True, "group_side": True, "positive": True, "margin": 0.05},
    "before": {"margin": 0.02, "margin_before_mean": True, "image_side": False},
    "own change": {"own_change": True, "margin": 0.4},
}


VARIANTS = {
    "all_pairs": list(CRITERIA),
    "hard": ["plain", "dense", "before", "own change"],
    "hard_easy": ["plain", "margin"],
}


WRAPPED = ("all_pairs margin local=False", "hard_easy margin local=True", "clip shared local=True", "gram", "cached")


class Towers(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.image, self.text = nn.Linear(5, 4), nn.Linear(6, 4)
        self.logit_scale = nn.Parameter(torch.tensor(1.5))
        self.double()

    def forward(self, images, texts):
        return normalize(self.image(images), dim=1), normalize(self.text(texts), dim=1), self.logit_scale.exp()


def batch():
    generator = torch.Generator().manual_seed(1)
    images = torch.randn(BATCH, 5, generator=generator, dtype=torch.float64)
    texts = torch.randn(BATCH, 6, generator=generator, dtype=torch.float64)
    own = torch.arange(BATCH)[:, None]
    partners = (own + torch.randint(1, BATCH, (BATCH, 3), generator=generator)) % BATCH
    return images, texts, partners


def cases():
    """Name -> (settings of EqSimLoss, or a baseline's name)."""
    named = {}
    for local, (variant, criteria) in itertools.product((False, True), VARIANTS.items()):
        settings = {"variant": variant, "local_loss": local, "easy_margin": 1e-3}
        for criterion in criteria:
            named[f"{variant} {criterion} local={local}"] = settings | CRITERIA[criterion]
        softmax = {"similarity": "softmax", "margin": 1e-4}
        named[f"{variant} softmax local={local}"] = settings | softmax
    for local in (False, True):
        named[f"clip shared local={local}"] = {"contrastive": "clip", "local_loss": local}
        named[f"clip apart local={local}"] = {"contrastive": "clip", "local_loss": local, "variant": "hard", "apart": 1}
        named[f"summed local={local}"] = {"over_ranks": "sum", "local_loss": local, "margin": 0.01}
    return named | {name: name for name in ("gram", "cyclip", "negclip", "pairwise", "cached")}


def terms_of(case, features, partners, rank, world):
    image, text, scale = features
    mine = slice(rank * len(image), (rank + 1) * len(image))
    if case == "gram":
        return {"gram": eqsim_all_pairs_from_features(image, text, across_ranks=world > 1, margin=0.02)}
    if case == "cyclip":
        return cyclip_loss(image, text, scale)
    if case == "negclip":
        return negclip_loss(image, text, scale, negative_text_features=text.flip(1))
    if case == "pairwise":
        return pairwise_loss(image, text, scale, partners=partners[mine])
    settings = {} if case == "cached" else dict(case)
    apart = settings.pop("apart", False)
    if settings.get("contrastive") == "clip":
        local = settings["local_loss"]
        settings["contrastive"] = ClipLoss(local_loss=local, gather_with_grad=True, rank=rank, world_size=world)
        settings["local_loss"] = local != apart if world > 1 else local
    loss = EqSimLoss(**settings)
    if settings.get("variant") not in ("hard", "hard_easy"):
        partners = None
    elif loss.local_loss:
        partners = partners[mine]
    terms, telemetry = loss(image, text, scale, partners=partners)
    return terms | {f"telemetry {name}": value for name, value in telemetry.items()}


def step(case, rank=0, world=1, wrap=False):
    """Terms of this rank, and gradients averaged over ranks (``wrap``: by DistributedDataParallel itself) or summed."""
    model, (images, texts, partners) = Towers(), batch()
    mine = slice(rank * BATCH // world, (rank + 1) * BATCH // world)
    summed = isinstance(case, dict) and case.get("over_ranks") == "sum"
    parallel = DistributedDataParallel(model) if wrap else model
    cache = None
    if case == "cached":
        cache = GradientCache(parallel, chunk_size=2, no_sync=getattr(parallel, "no_sync", torch.enable_grad))
        features = cache.encode(images[mine], texts[mine])
    else:
        features = parallel(images[mine], texts[mine])
    terms = terms_of(case, features, partners, rank, world)
    total = sum(value for name, value in terms.items() if "telemetry" not in name)
    (total + 0 * features[2]).backward()  # DistributedDataParallel waits for every parameter, the logit scale too
    if cache is not None:
        cache.backward()
    grads = {name: torch.zeros_like(p) if p.grad is None else p.grad for name, p in model.named_parameters()}
    if dist.is_initialized() and not wrap:
        for grad in grads.values():
            dist.all_reduce(grad)
            grad /= 1 if summed else world
    return {name: value.item() for name, value in terms.items()}, grads


def run_rank(rank, world, folder):
    os.environ["OMP_NUM_THREADS"] = "1"
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder}/store", rank=rank, world_size=world)
    results = {name: step(case, rank, world, wrap=name in WRAPPED) for name, case in cases().items()}
    torch.save(results, f"{folder}/{rank}.pt")
    dist.destroy_process_group()
