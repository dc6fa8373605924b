"""Fusion layers over the tokens of both towers, and a matching head on top: what FIBER, ALBEF and BLIP score with.

The towers are open_clip's. The fusion layers read the caption's tokens, each with attention to the picture's, and the
head reads the caption's end token. BLIP, of transformers, brings fusion layers and head of its own, which train on.
`load_fused` is a plug-in for `eqlib.models.opening`: ``model`` ``eqlib.study.fusion.model:load_fused``, ``head`` the
folder that `save_fused` left.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional

from eqlib.errors import InputError
from eqlib.files import reading, whole
from eqlib.models.clip import CLIP, load, save, weights_digest
from eqlib.models.pairs import distinct
from eqlib.suites import QuadSuite
from eqlib.suites.images import open_image

FUSION = "fusion_head.safetensors"
"""The file of layers and head in the model's folder; open_clip passes it over."""
HEAD_WIDTH = 32  # of attention


class Encoded(NamedTuple):
    """A batch as both towers see it: features of unit length, and what the fusion layers read."""

    image_features: Tensor  # (n, d)
    text_features: Tensor  # (m, d)
    image: Tensor  # (n, places, channels): the feature map before attention pooling; BLIP's patches
    text: Tensor  # (m, length, width): token states before pooling, cut behind the longest; BLIP's ids (m, length)
    end: Tensor  # (m,) int64, the end token's place


def _is_blip(model: nn.Module) -> bool:
    return getattr(model, "family", None) == "blip"


def encode(model: nn.Module, pixels: Tensor, tokens: Tensor) -> Encoded:
    """Both towers of open_clip's ``model``, or of BLIP, on images (n, 3, H, W) and token ids (m, context)."""
    if _is_blip(model):
        patches = model.hf.vision_model(pixels).last_hidden_state
        image = functional.normalize(model.hf.vision_proj(patches[:, 0]), dim=-1)
        end = (tokens != model.padding).sum(1) - 1
        return Encoded(image, model.encode_text(tokens, normalize=True), patches, tokens[:, : int(end.max()) + 1], end)
    found = model.forward_intermediates(pixels, tokens, image_indices=1, text_indices=1, normalize_intermediates=True)
    end = tokens.argmax(1)  # the end token has the highest id
    image = found["image_intermediates"][-1].flatten(2).transpose(1, 2)
    text = found["text_intermediates"][-1][:, : int(end.max()) + 1]
    return Encoded(found["image_features"], found["text_features"], image, text, end)


class FusionHead(nn.Module):
    """``head(image, text, end)``: tokens (n, places, channels), (n, length, width) and (n,) int64 to logits (n,).

    ``layers`` transformer layers: self-attention over the caption, attention to the picture, a perceptron. Without
    dropout, so that a pair has one score.
    """

    def __init__(self, places: int, channels: int, width: int, layers: int = 2):
        super().__init__()
        self.project = nn.Linear(channels, width)
        self.place = nn.Parameter(0.02 * torch.randn(places, width))
        layer = nn.TransformerDecoderLayer(
            width,
            max(1, width // HEAD_WIDTH),
            4 * width,
            dropout=0.0,
            activation="gelu",
            batch_first=True,
            norm_first=True,
        )
        self.layers = nn.TransformerDecoder(layer, layers, norm=nn.LayerNorm(width))
        self.score = nn.Linear(width, 1)

    def forward(self, image: Tensor, text: Tensor, end: Tensor) -> Tensor:
        padding = torch.arange(text.shape[1], device=text.device) > end[:, None]
        fused = self.layers(text, self.project(image) + self.place, tgt_key_padding_mask=padding)
        return self.score(fused[torch.arange(len(fused), device=fused.device), end])[:, 0]


class BlipHead(nn.Module):
    """``head(image, text, end)`` of BLIP: patches (n, places, channels), ids (n, length), (n,) int64 to logits (n,).

    The log-odds of a match: the cross-entropy of BLIP's two classes is the binary one of these.
    """

    def __init__(self, hf: nn.Module):
        from eqlib.models.itm import ENC  # needs transformers, which other models do without

        super().__init__()
        self.text_encoder, self.itm_head = hf.text_encoder, hf.itm_head  # the model's own: they train on
        self.first = ENC

    def forward(self, image: Tensor, text: Tensor, end: Tensor) -> Tensor:
        mask = torch.arange(text.shape[1], device=text.device) <= end[:, None]
        text = torch.cat([torch.full_like(text[:, :1], self.first), text[:, 1:]], dim=1)
        states = self.text_encoder(input_ids=text, attention_mask=mask.long(), encoder_hidden_states=image)
        no, yes = self.itm_head(states.last_hidden_state[:, 0]).unbind(1)
        return yes - no


@dataclass(frozen=True, eq=False)
class Fused:
    """A dual encoder with fusion layers, and a scorer of pairs (`eqlib.models.scorer`): the matching logit."""

    bundle: CLIP
    head: FusionHead | BlipHead

    @classmethod
    def on(cls, bundle: CLIP, *, layers: int = 2, seed: int = 0) -> "Fused":
        """New layers, drawn from ``seed``, on ``bundle``; the global random state is left as it was. BLIP's own layers
        are kept, whatever ``layers`` and ``seed`` say."""
        if _is_blip(bundle.model):
            return cls(bundle, BlipHead(bundle.model.hf))
        size = bundle.model.visual.preprocess_cfg["size"]
        blank = torch.zeros(1, 3, *((size, size) if isinstance(size, int) else size))
        with torch.inference_mode():
            seen = encode(bundle.model.eval(), blank, bundle.tokenizer(["a"]))
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(seed)
            return cls(bundle, FusionHead(*seen.image.shape[1:], seen.text.shape[-1], layers).to(bundle.device))

    @property
    def fingerprint(self) -> str:
        return weights_digest(self.head, self.bundle.fingerprint)

    @torch.inference_mode()
    def __call__(self, images: Sequence[Image.Image], captions: Sequence[str]) -> list[float]:
        pictures, rows = distinct(images, key=id)
        texts, columns = distinct(captions)
        pixels = torch.stack([self.bundle.preprocess_val(picture) for picture in pictures]).to(self.bundle.device)
        seen = encode(self.bundle.model.eval(), pixels, self.bundle.tokenizer(texts).to(self.bundle.device))
        return self.head.eval()(seen.image[rows], seen.text[columns], seen.end[columns]).tolist()


def read_quads(bundle: CLIP, suite: QuadSuite) -> tuple[Tensor, Tensor]:
    """Pixels (n, 2, 3, H, W) and tokens (n, 2, context) of every quad: many models of one kind read them once.

    Raises InputError naming the file of a picture that cannot be read.
    """
    shown = suite.records[list(suite.IMAGES)].to_numpy()
    pixels = [[bundle.preprocess_val(open_image(suite.root / name)) for name in row] for row in shown]
    said = suite.records[list(suite.CAPTIONS)].to_numpy()
    return torch.stack([torch.stack(row) for row in pixels]), torch.stack([bundle.tokenizer(list(row)) for row in said])


@torch.inference_mode()
def score_quads(fused: Fused, pixels: Tensor, tokens: Tensor, *, batch: int = 64) -> tuple[np.ndarray, np.ndarray]:
    """Scores (n, 2, 2) = [quad, image, caption] of n quads by the matching head, and by the towers' cosines: what
    ``score_suite`` gives for ``fused`` and for its bundle, each picture and caption encoded once for both.

    ``pixels`` and ``tokens`` are what `read_quads` gives.
    """
    model, head = fused.bundle.model.eval(), fused.head.eval()
    by_head, by_cosine = [], []
    for some, said in zip(pixels.split(batch), tokens.split(batch), strict=True):
        seen = encode(model, some.flatten(0, 1).to(fused.bundle.device), said.flatten(0, 1).to(fused.bundle.device))
        first = 2 * torch.arange(len(some))[:, None]
        image, text = ((first + torch.tensor(side)).flatten() for side in ([0, 0, 1, 1], [0, 1, 0, 1]))
        by_head.append(head(seen.image[image], seen.text[text], seen.end[text]))
        by_cosine.append((seen.image_features[image].double() * seen.text_features[text]).sum(1).round(decimals=8))
    return tuple(torch.cat(found).double().view(-1, 2, 2).cpu().numpy() for found in (by_head, by_cosine))


def save_fused(fused: Fused, folder: str | Path) -> Path:
    """The model as `eqlib.models.clip.save` writes it, with layers and head beside it; BLIP holds its own."""
    save(fused.bundle, folder)
    if _is_blip(fused.bundle.model):
        return Path(folder)
    with whole(Path(folder) / FUSION) as draft:
        save_file({name: tensor.detach().cpu().contiguous() for name, tensor in fused.head.state_dict().items()}, draft)
        draft.chmod(0o644)  # safetensors writes for the owner alone
    return Path(folder)


def load_fused(head: str | Path, *, device: str | torch.device = "cpu", precision: str = "fp32") -> Fused:
    """What `save_fused` left in the folder ``head``. Raises InputError where it holds no such model."""
    path = Path(head) / FUSION
    if precision != "fp32":
        raise InputError("fp32 for a model with fusion layers", precision, where=head)
    if (Path(head) / "config.json").is_file() and _is_blip((bundle := load(head, device=device)).model):
        return Fused.on(bundle)
    with reading(path, "the weights of fusion layers", SafetensorError, KeyError, ValueError, RuntimeError):
        tensors = load_file(path, device=str(device))
        layers = 1 + max(int(name.split(".")[2]) for name in tensors if name.startswith("layers.layers."))
        width, channels = tensors["project.weight"].shape
        made = FusionHead(len(tensors["place"]), channels, width, layers).to(device)
        made.load_state_dict(tensors)
    return Fused(load(head, device=device), made.eval())
