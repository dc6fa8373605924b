"""Matching heads of transformers: models that look at a picture and a caption together.

=============  =========  ============================================================================================
BLIP           itm        the logit of a match, with [ENC] as the first token, as BLIP's retrieval code has it
..             itc        the cosine of its contrastive head
..             itm+itc    their sum, BLIP's own retrieval score
BLIP-2         itm, itc   the same two; its cosine is the largest over the query tokens
ViLT           itm        its one logit
BridgeTower    itm        the logit of a match
FLAVA          itm        the logit of a match, of ids and patches that are not masked
=============  =========  ============================================================================================

Scores are logits and cosines, never probabilities, which tie where they saturate. Every pair is a forward pass.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import open_clip
import torch
from PIL import Image
from torch import Tensor
from torch.nn.functional import cosine_similarity

from eqlib.errors import InputError
from eqlib.files import read_json
from eqlib.models.clip import transformers_folder
from eqlib.models.hf import pretrained

ENC = 30523
"""BLIP's [ENC]. transformers leaves [CLS] in its place, which in BLIP asks for the text alone."""


def _blip_itm(model, inputs: dict) -> Tensor:
    ids = inputs["input_ids"].clone()
    ids[:, 0] = ENC
    seen = model.vision_model(inputs["pixel_values"]).last_hidden_state
    # not by model(...), whose mask of the picture stays on the CPU
    fused = model.text_encoder(
        input_ids=ids,
        attention_mask=inputs["attention_mask"],
        encoder_hidden_states=seen,
        encoder_attention_mask=torch.ones(seen.shape[:-1], dtype=torch.long, device=seen.device),
    )
    return model.itm_head(fused.last_hidden_state[:, 0])[:, 1]


def _blip_itc(model, inputs: dict) -> Tensor:
    seen = model.vision_model(inputs["pixel_values"]).last_hidden_state
    text = model.text_encoder(input_ids=inputs["input_ids"], attention_mask=inputs["attention_mask"]).last_hidden_state
    return cosine_similarity(model.vision_proj(seen[:, 0]), model.text_proj(text[:, 0]))


def _flava(model, inputs: dict) -> Tensor:
    return model.itm_head(model.flava(**inputs).multimodal_embeddings)[:, 1]


HEADS: dict[tuple[str, str], Callable] = {
    ("blip", "itm"): _blip_itm,
    ("blip", "itc"): _blip_itc,
    ("blip", "itm+itc"): lambda model, inputs: _blip_itm(model, inputs) + _blip_itc(model, inputs),
    ("blip-2", "itm"): lambda model, inputs: model(**inputs, use_image_text_matching_head=True).logits_per_image[
        :, 1
    ],  # by default it is the other head
    ("blip-2", "itc"): lambda model, inputs: model(**inputs).logits_per_image.diagonal(),
    ("vilt", "itm"): lambda model, inputs: model(**inputs).logits[:, 0],
    ("bridgetower", "itm"): lambda model, inputs: model(**inputs).logits[:, 1],
    ("flava", "itm"): _flava,
}
CLASSES = {
    "blip": "BlipForImageTextRetrieval",
    "blip-2": "Blip2ForImageTextRetrieval",
    "vilt": "ViltForImageAndTextRetrieval",
    "bridgetower": "BridgeTowerForImageAndTextRetrieval",
    "flava": "FlavaForPreTraining",
}


@dataclass(frozen=True, eq=False)
class Matcher:
    """A model for ``score_suite``: ``matcher(images, captions)`` gives n scores, one for each pair."""

    model: torch.nn.Module
    processor: Callable
    family: str
    head: str
    name: str
    precision: str

    @torch.inference_mode()
    def __call__(self, images: Sequence[Image.Image], captions: Sequence[str]) -> list[float]:
        pictures = [image.convert("RGB") for image in images]
        inputs = self.processor(pictures, list(captions), padding=True, truncation=True, return_tensors="pt")
        inputs = inputs.to(self.model.device, open_clip.get_input_dtype(self.precision) or torch.float32)
        return HEADS[self.family, self.head](self.model, inputs).float().tolist()


def load_matcher(
    spec: str, head: str = "itm", *, device: str | torch.device = "cpu", precision: str = "fp32"
) -> Matcher:
    """The matcher of ``spec``, ``hf:ID`` or a folder, by its ``head``; both, and the commit, are in its ``name``.

    Raises InputError for a family or a head that is not in the module's table, and what ``load`` raises for files.
    """
    found = transformers_folder(spec)
    if found is None:
        raise InputError("hf:ID or a folder with config.json", repr(str(spec)), where="model")
    folder, name = found
    family = read_json(folder / "config.json").get("model_type")
    if (family, head) not in HEADS:
        raise InputError(f"one of {', '.join(':'.join(pair) for pair in HEADS)}", f"{family}:{head}", where=name)
    options = {"init_codebook": False} if family == "flava" else {}  # that tokenizer of pictures is only for training
    model = pretrained(CLASSES[family], folder, name, device=device, precision=precision, **options)
    processor = pretrained("AutoProcessor", folder, name)
    return Matcher(model, processor, family, head, f"{name}:{head}", precision)
