"""What is looked at while training: a validation quad suite and validation retrieval, never a test split."""

from __future__ import annotations

from collections.abc import Callable

import torch

from eqlib.models.clip import CLIP
from eqlib.models.embed import Embedder
from eqlib.models.matching import MatchingHead, scorer
from eqlib.models.score import retrieval_features, score_suite
from eqlib.quads import scores_of
from eqlib.scoring import equivariance, matching
from eqlib.scoring.retrieval import retrieval_table
from eqlib.suites import QuadSuite, RetrievalSuite


def validator(
    bundle: CLIP, quads: QuadSuite, captions: RetrievalSuite, *, batch: int = 256, head: MatchingHead | None = None
) -> Callable[[torch.nn.Module], dict[str, float]]:
    """A function of the model in training, for ``fit(validate=...)``: ``val_text``, ``val_image``, ``val_group``,
    ``val_group_match``, ``val_image_to_text_r1`` and ``val_text_to_image_r1``, proportions in [0, 1]; ``val_abs_a``,
    ``val_abs_b`` and ``val_I``, means over the quads in units of the cosine. With ``head`` also what is right by the
    head's own logits, ``val_head_text`` and so on."""

    def validate(model: torch.nn.Module) -> dict[str, float]:
        assert model is bundle.model  # the bundle's transforms and tokenizer belong to this model
        model.eval()
        embedder = Embedder(bundle, batch_size=batch, workers=0, progress=False)
        scores = scores_of(score_suite(embedder, quads, progress=False))
        found = {f"val_{name}": float(values.mean()) for name, values in matching(scores).items()}
        changes = equivariance(scores)
        found |= {f"val_{name}": float(changes[name].mean()) for name in ("abs_a", "abs_b", "I")}
        if head is not None:
            by_head = scores_of(score_suite(scorer(bundle, head), quads, batch_size=batch, progress=False))
            found |= {f"val_head_{name}": float(values.mean()) for name, values in matching(by_head).items()}
        images, texts = retrieval_features(embedder, captions)
        queries = retrieval_table(
            images, texts, captions.image_of_caption, suite=captions.name, edition=captions.edition
        )
        recall = queries.groupby("subset")["R@1"].mean()
        return found | {
            "val_image_to_text_r1": float(recall["text_retrieval"]),
            "val_text_to_image_r1": float(recall["image_retrieval"]),
        }

    return validate
