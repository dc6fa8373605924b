"""Linear maps on frozen features: what minimal pairs can mend of a model that is not trained, or cannot be.

The model gives features once; a map of each tower is then trained in seconds, on a CPU, and any other picture or
caption goes through it. LABCLIP (Koishigarina et al. 2025) maps captions alone; here both sides have a map.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch.nn.functional import normalize

from eqlib.errors import InputError
from eqlib.losses import contrastive_loss, pairwise_loss


@dataclass(frozen=True)
class FeatureMap:
    """``map.images(features)`` and ``map.captions(features)``: (n, d) float32 of unit length, mapped, of unit length.

    ``image`` and ``text`` are the matrices (d, d) float32; a feature ``x`` becomes ``image @ x``.
    """

    image: np.ndarray
    text: np.ndarray

    def images(self, features: np.ndarray) -> np.ndarray:
        return _mapped(features, self.image)

    def captions(self, features: np.ndarray) -> np.ndarray:
        return _mapped(features, self.text)


def fit_map(
    images: np.ndarray,
    captions: np.ndarray,
    pairs: np.ndarray,
    *,
    scale: float = 100.0,
    weight: float = 5.0,
    ridge: float = 1e-3,
    steps: int = 1500,
    batch: int = 128,
    lr: float = 3e-3,
    seed: int = 0,
) -> FeatureMap:
    """The map under which ``pairs`` are told apart, and images and captions of a batch still find each other.

    ``images`` and ``captions`` (n, d) float, of unit length, matched row by row: an image with three captions stands in
    three rows. ``pairs`` (m, 2) int: rows that differ in one small change, those of different images and captions.
    ``scale``: the model's own logit scale, ``logit_scale.exp()``.

    Minimises ``contrastive_loss + pairwise_loss(weight) + ridge * (|A - 1|^2 + |B - 1|^2)`` from the identity, with
    Adam and a cosine schedule, over ``steps`` batches of ``batch`` pairs. Changes no global random state. Raises
    InputError for shapes that do not fit, rows out of range, or fewer pairs than a batch.
    """
    images, captions, pairs = np.asarray(images), np.asarray(captions), np.asarray(pairs)
    if images.ndim != 2 or images.shape != captions.shape:
        raise InputError("images and captions of one shape (n, d)", f"{images.shape}, {captions.shape}")
    if pairs.ndim != 2 or pairs.shape[1] != 2 or pairs.dtype.kind not in "iu" or len(pairs) < batch:
        raise InputError(f"pairs (m, 2) of row numbers, m >= {batch}, a batch", f"{pairs.shape} of {pairs.dtype}")
    if pairs.min() < 0 or pairs.max() >= len(images) or (pairs[:, 0] == pairs[:, 1]).any():
        raise InputError(f"pairs of two different rows below {len(images)}", "others", where="pairs")
    image, text = (torch.from_numpy(np.ascontiguousarray(side, dtype=np.float32)) for side in (images, captions))
    one = torch.eye(image.shape[1])
    maps = [one.clone().requires_grad_() for _ in range(2)]
    optimizer = torch.optim.Adam(maps, lr=lr)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    partners = torch.arange(2 * batch).view(-1, 2).flip(1).reshape(-1, 1)
    draws, order = np.random.default_rng(seed), np.empty(0, dtype=int)
    for _ in range(steps):
        if len(order) < batch:
            order = draws.permutation(len(pairs))
        rows, order = torch.from_numpy(pairs[order[:batch]].ravel()), order[batch:]
        a, b = (normalize(side[rows] @ own.T, dim=-1) for side, own in zip((image, text), maps, strict=True))
        terms: dict = contrastive_loss(a, b, scale) | pairwise_loss(a, b, scale, partners=partners, weight=weight)
        loss = sum(terms.values()) + ridge * sum((own - one).square().sum() for own in maps)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    return FeatureMap(*(own.detach().numpy() for own in maps))


def _mapped(features: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    mapped = np.asarray(features, dtype=np.float32) @ matrix.T
    return mapped / np.linalg.norm(mapped, axis=-1, keepdims=True)
