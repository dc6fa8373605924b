"""What is looked at while training: a validation quad suite and validation retrieval, never a test split."""

from __future__ import annotations

from collections.abc import Callable

import torch

from eqlib.models.clip import CLIP
from eqlib.models.embed import Embedder
from eqlib.models.score import retrieval_features, score_suite
from eqlib.quads import scores_of
from eqlib.scoring import matching
from eqlib.scoring.retrieval import retrieval_table
from eqlib.suites import QuadSuite, RetrievalSuite


def validator(
    bundle: CLIP, quads: QuadSuite, captions: RetrievalSuite, *, batch: int = 256
) -> Callable[[torch.nn.Module], dict[str, float]]:
    """A function of the model in training, for ``fit(validate=...)``: ``val_text``, ``val_image``, ``val_group``,
    ``val_group_match``, ``val_image_to_text_r1`` and ``val_text_to_image_r1``, proportions in [0, 1]."""

    def validate(model: torch.nn.Module) -> dict[str, float]:
        assert model is bundle.model  # the bundle's transforms and tokenizer belong to this model
        model.eval()
        embedder = Embedder(bundle, batch_size=batch, workers=0, progress=False)
        right = matching(scores_of(score_suite(embedder, quads, progress=False)))
        found = {f"val_{name}": float(values.mean()) for name, values in right.items()}
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
