"""A matching head: one score for an image-caption pair from the features of a CLIP, as BLIP's and FIBER's heads give.

A dual encoder compares two vectors; a matching head looks at both at once. This one is small (an MLP on the two
features, their product and their distance), trains with the usual image-text matching loss, and gives
``eqlib.losses.eqsim_itm`` its four scores a quad. ``scorer`` makes it a model for ``score_suite``.
"""

from collections.abc import Sequence
from pathlib import Path

import torch
from PIL import Image
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor

from eqlib.errors import InputError
from eqlib.files import reading, whole
from eqlib.losses.mining import sample_hard_partners
from eqlib.models.clip import CLIP
from eqlib.models.pairs import distinct
from eqlib.models.scorer import Scorer

HEAD = "matching_head.safetensors"
"""The head's file in its model's folder; open_clip reads the model beside it and passes it over."""


class MatchingHead(torch.nn.Module):
    """``head(image, text)``: features (..., d) of unit length, of equal or broadcasting shape, to logits (...)."""

    def __init__(self, dim: int, hidden: int = 256):
        super().__init__()
        self.layers = torch.nn.Sequential(torch.nn.Linear(4 * dim, hidden), torch.nn.GELU(), torch.nn.Linear(hidden, 1))

    def forward(self, image: Tensor, text: Tensor) -> Tensor:
        # entries of unit vectors are about 1 / sqrt(d): a layer that starts from those barely learns
        image, text = (side * side.shape[-1] ** 0.5 for side in torch.broadcast_tensors(image, text))
        return self.layers(torch.cat([image, text, image * text, (image - text).abs()], dim=-1)).squeeze(-1)


def save_head(head: MatchingHead, folder: str | Path) -> Path:
    """``head`` as ``folder``/matching_head.safetensors, whole or absent."""
    path = Path(folder) / HEAD
    with whole(path) as draft:
        draft.write_bytes(
            save({name: tensor.detach().cpu().contiguous() for name, tensor in head.state_dict().items()})
        )
    return path


def load_head(folder: str | Path, *, device: str | torch.device = "cpu") -> MatchingHead:
    """The head that ``save_head`` left in a model's folder, in eval mode. Raises InputError where there is none."""
    path = Path(folder) / HEAD
    with reading(path, "the weights of a matching head", SafetensorError, KeyError, ValueError, RuntimeError):
        tensors = load_file(path, device=str(device))
        hidden, width = tensors["layers.0.weight"].shape
        head = MatchingHead(width // 4, hidden).to(device)
        head.load_state_dict(tensors)
    return head.eval()


def matching_scores(
    head: MatchingHead, image: Tensor, text: Tensor, *, scale: float | Tensor, generator: torch.Generator
) -> Tensor:
    """Logits (B, 4) for a batch of matched pairs, as ``eqsim_itm`` wants them.

    Columns: (image, text), (hard image, text), (image, hard text), (hard image, hard text).
    The hard pair of row i is one other pair of the batch, drawn from the softmax of ``scale`` times the similarity of
    its image with caption i (ALBEF, arXiv 2107.07651): a second matched pair, so that the four scores are a quad.
    ``image``, ``text``: features (B, d) of unit length, B >= 2.
    """
    if image.shape != text.shape or image.ndim != 2 or len(image) < 2:
        raise InputError("features (B, d) of B >= 2 matched pairs", f"{tuple(image.shape)} and {tuple(text.shape)}")
    hard = sample_hard_partners((scale * image @ text.T).detach().float(), 1, generator=generator)[:, 0]
    pairs = ((image, text), (image[hard], text), (image, text[hard]), (image[hard], text[hard]))
    return torch.stack([head(i, t) for i, t in pairs], dim=1)


def matching_loss(scores: Tensor) -> Tensor:
    """Binary cross-entropy over matching_scores (B, 4): the matched pairs, columns 0 and 3, against the others."""
    target = scores.new_tensor([1.0, 0.0, 0.0, 1.0]).expand_as(scores)
    return torch.nn.functional.binary_cross_entropy_with_logits(scores, target)


def scorer(bundle: CLIP, head: MatchingHead) -> Scorer:
    """``score(images, captions)`` for ``score_suite``: the head's logits, one for each pair. Higher is better."""

    @torch.inference_mode()
    def score(images: Sequence[Image.Image], captions: Sequence[str]) -> list[float]:
        head.eval()
        pictures, rows = distinct(images, key=id)
        texts, columns = distinct(captions)
        image = bundle.encode_images(torch.stack([bundle.preprocess_val(picture) for picture in pictures]))
        text = bundle.encode_captions(texts)
        return head(image[rows], text[columns]).float().tolist()

    return score
