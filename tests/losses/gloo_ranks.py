"""One training step of a two-tower model, in one process or as one rank of several; what the test compares."""

from __future__ import annotations

import os

import torch
import torch.distributed as dist
from open_clip import ClipLoss
from open_clip.loss import SigLipLoss
from torch import nn
from torch.nn.functional import normalize
from torch.nn.parallel import DistributedDataParallel

from eqlib.losses import (
    EqSimLoss,
    GradientCache,
    contrastive_loss,
    cyclip_loss,
    negclip_loss,
    pairwise_loss,
    rank_loss,
    relative_eqsim_loss,
    separate_loss,
)

BATCH = 8  # over all ranks

PARTNERED = {"pairwise": pairwise_loss, "separate": separate_loss, "rank": rank_loss}
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


WRAPPED = ("all_pairs margin", "hard_easy margin", "clip local", "siglip", "cached")


class Towers(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.image, self.text = nn.Linear(5, 4), nn.Linear(6, 4)
        self.logit_scale = nn.Parameter(torch.tensor([1.5]))  # of shape (1,), as Hugging Face's SigLIP has it
        self.logit_bias = nn.Parameter(torch.tensor([-2.0]))
        self.double()

    def forward(self, images, texts):
        image, text = normalize(self.image(images), dim=1), normalize(self.text(texts), dim=1)
        return image, text, self.logit_scale.exp(), self.logit_bias


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
    for variant, criteria in VARIANTS.items():
        settings = {"variant": variant, "easy_margin": 1e-3}
        for criterion in criteria:
            named[f"{variant} {criterion}"] = settings | CRITERIA[criterion]
        named[f"{variant} softmax"] = settings | {"similarity": "softmax", "margin": 1e-4}
    named["hard_easy drawn"] = {"variant": "hard_easy", "sample_num": 2, "seed": 3}
    named["clip"] = {"contrastive": "clip", "variant": "hard"}
    named["clip local"] = {"contrastive": "clip local"}
    named["siglip"] = {"contrastive": "siglip"}
    return named | {name: name for name in ("contrastive", "cyclip", "negclip", *PARTNERED, "relative", "cached")}


def terms_of(case, features, partners, rank, world):
    image, text, scale, bias = features
    mine = slice(rank * len(image), (rank + 1) * len(image))
    if case == "contrastive":
        return contrastive_loss(image, text, scale)
    if case == "cyclip":
        return cyclip_loss(image, text, scale)
    if case == "negclip":
        return negclip_loss(image, text, scale, negative_text_features=text.flip(1))
    if isinstance(case, str) and case in PARTNERED:
        return PARTNERED[case](image, text, scale, partners=partners[mine])
    if case == "relative":
        terms, telemetry = relative_eqsim_loss(image, text, partners=partners[mine])
        return terms | {f"telemetry {name}": value for name, value in telemetry.items()}
    settings = {} if case == "cached" else dict(case)
    spread = {"rank": rank, "world_size": world}
    contrastive = {
        "clip": ClipLoss(gather_with_grad=True, **spread),
        "clip local": ClipLoss(local_loss=True, gather_with_grad=True, **spread),
        "siglip": SigLipLoss(**spread),
    }.get(settings.pop("contrastive", None))
    given = None if settings.get("variant", "all_pairs") == "all_pairs" or "seed" in settings else partners[mine]
    loss = EqSimLoss(**settings, contrastive=contrastive)
    terms, telemetry = loss(image, text, scale, bias, partners=given)
    return terms | {f"telemetry {name}": value for name, value in telemetry.items()}


def step(case, rank=0, world=1, wrap=False):
    """Terms of this rank, and gradients averaged over ranks (``wrap``: by DistributedDataParallel itself) or summed."""
    model, (images, texts, partners) = Towers(), batch()
    mine = slice(rank * BATCH // world, (rank + 1) * BATCH // world)
    parallel = DistributedDataParallel(model) if wrap else model
    encode = parallel
    if case == "cached":
        encode = GradientCache(parallel, chunk_size=2, again=model).encode
    features = encode(images[mine], texts[mine])
    terms = terms_of(case, features, partners, rank, world)
    total = sum(value for name, value in terms.items() if "telemetry" not in name)
    # DistributedDataParallel waits for every parameter, the logit scale and bias too
    (total + 0 * (features[2] + features[3])).sum().backward()
    grads = {name: torch.zeros_like(p) if p.grad is None else p.grad for name, p in model.named_parameters()}
    if dist.is_initialized() and not wrap:
        for grad in grads.values():
            dist.all_reduce(grad)
            grad /= world
    return {name: value.item() for name, value in terms.items()}, grads


def run_rank(rank, world, folder):
    os.environ["OMP_NUM_THREADS"] = "1"
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder}/store", rank=rank, world_size=world)
    results = {name: step(case, rank, world, wrap=name in WRAPPED) for name, case in cases().items()}
    torch.save(results, f"{folder}/{rank}.pt")
    dist.destroy_process_group()
