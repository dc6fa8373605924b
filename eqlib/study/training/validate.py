"""What is looked at while training: a validation quad suite and validation retrieval, never a test split."""

from collections.abc import Callable, Iterator

import torch
from torch.utils.data import DataLoader

from eqlib.errors import InputError
from eqlib.models.clip import CLIP
from eqlib.models.embed import Pictures
from eqlib.models.matching import MatchingHead
from eqlib.models.pairs import batches, distinct
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
    head's own logits, ``val_head_text`` and so on. In the precision of ``bundle``. Nothing is written, no weight is
    hashed, each distinct picture and caption is encoded once; pictures are decoded once where all fit `KEPT`."""
    shown = [quads.root / name for column in quads.IMAGES for name in quads.records[column]]
    paths, image_rows = distinct([*shown, *(captions.root / name for name in captions.images)])
    said = [text for column in quads.CAPTIONS for text in quads.records[column]]
    texts, text_rows = distinct([*said, *captions.captions])
    loader = DataLoader(
        Pictures(paths, [None] * len(paths), bundle.preprocess_val),
        batch_size=batch, num_workers=workers, collate_fn=list,
    )  # fmt: skip
    kept: list[torch.Tensor] = []

    def pixels() -> Iterator[torch.Tensor]:
        yield from list(kept)
        for items in () if kept else loader:
            for item in items:
                if isinstance(item, InputError):
                    raise item
            block = torch.stack(items)
            if len(paths) * block[0].nbytes <= KEPT:
                kept.append(block)
            yield block

    def validate(model: torch.nn.Module) -> dict[str, float]:
        assert model is bundle.model  # the bundle's transforms and tokenizer belong to this model
        image = torch.cat([bundle.encode_images(block) for block in pixels()])[image_rows]
        text = torch.cat([bundle.encode_captions(block) for block in batches(texts, batch)])[text_rows]
        of_quads = [
            features[: count * len(quads.records)].unflatten(0, (count, -1)).transpose(0, 1)
            for features, count in ((image, len(quads.IMAGES)), (text, len(quads.CAPTIONS)))
        ]
        scores = torch.einsum("nid,ncd->nic", *(side.double() for side in of_quads)).cpu().numpy().round(8)
        found = {f"val_{name}": float(values.mean()) for name, values in matching(scores).items()}
        changes = equivariance(scores)
        found |= {f"val_{name}": float(changes[name].mean()) for name in ("abs_a", "abs_b", "I")}
        if head is not None:
            with torch.inference_mode():
                by_head = head.eval()(of_quads[0][:, :, None], of_quads[1][:, None]).double().cpu().numpy()
            found |= {f"val_head_{name}": float(values.mean()) for name, values in matching(by_head).items()}
        sides = [features[len(one) :].cpu().numpy() for features, one in ((image, shown), (text, said))]
        queries = retrieval_table(*sides, captions.image_of_caption, suite=captions.name, edition=captions.edition)
        recall = queries.groupby("subset")["R@1"].mean()
        return found | {
            "val_image_to_text_r1": float(recall["text_retrieval"]),
            "val_text_to_image_r1": float(recall["image_retrieval"]),
        }

    return validate
