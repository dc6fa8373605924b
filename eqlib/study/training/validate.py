"""What is looked at while training: a validation quad suite and validation retrieval, never a test split."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch.utils.data import DataLoader

from eqlib.models.clip import CLIP
from eqlib.models.embed import Pictures
from eqlib.models.matching import MatchingHead
from eqlib.scoring import equivariance, matching
from eqlib.scoring.retrieval import retrieval_table
from eqlib.suites import QuadSuite, RetrievalSuite

KEPT = 2 << 30
"""Bytes of decoded pictures that are kept from one validation to the next."""


def validator(
    bundle: CLIP,
    quads: QuadSuite,
    captions: RetrievalSuite,
    *,
    batch: int = 256,
    head: MatchingHead | None = None,
    workers: int = 0,
) -> Callable[[torch.nn.Module], dict[str, float]]:
    """A function of the model in training, for ``fit(validate=...)``: ``val_text``, ``val_image``, ``val_group``,
    ``val_group_match``, ``val_image_to_text_r1`` and ``val_text_to_image_r1``, proportions in [0, 1]; ``val_abs_a``,
    ``val_abs_b`` and ``val_I``, means over the quads in units of the cosine. With ``head`` also what is right by the
    head's own logits, ``val_head_text`` and so on. Nothing is written and no weight is hashed: each distinct picture
    and caption is encoded once, and pictures are decoded once where they fit ``KEPT``."""
    paths, of_quad_image = _distinct(quads.root / name for column in quads.IMAGES for name in quads.records[column])
    more, of_image = _distinct(captions.root / name for name in captions.images)
    texts, of_quad_text = _distinct(text for column in quads.CAPTIONS for text in quads.records[column])
    count, pictures = len(quads.records), Pictures([*paths, *more], [None] * (len(paths) + len(more)), bundle.preprocess_val)
    kept: list[torch.Tensor] = []

    def pixels():
        if kept:
            yield from kept
            return
        loader = DataLoader(pictures, batch_size=batch, num_workers=workers, collate_fn=_stack)
        for block in loader:
            if len(kept) * block.nbytes <= KEPT:
                kept.append(block)
            yield block
        if sum(map(len, kept)) < len(pictures):
            kept.clear()
