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

Scores are logits and cosines, never probabilities, which tie where they saturate. (The example in transformers' page on
BLIP-2 takes the softmax twice, which also squeezes what is left of the differences.)

A picture that comes again in a call goes through the vision encoder once, and a caption through the text encoder of
``itc`` and FLAVA once; what is left for each pair is the fusion. ViLT has no vision encoder: it reads pixels and words
together. BridgeTower's fusion reads each late layer of both encoders, and transformers has no call that takes those in.
With these two each pair is a whole pass.
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
from eqlib.models.hf import Tokens, pretrained, require_folder
from eqlib.models.pairs import batches, distinct

ENC = 30523
"""BLIP's [ENC]. transformers leaves [CLS] in its place, which in BLIP asks for the text alone."""

Inputs = dict[str, Tensor]


def _take(inputs: Inputs, rows: Sequence[int], length: int | None = None) -> Inputs:
    return {key: value[list(rows)][:, :length] for key, value in inputs.items()}


def _as_it_is(model, inputs: Inputs) -> Inputs:
    return inputs


def _patches(model, pixels: Inputs) -> Inputs:
    return {"patches": model.vision_model(pixels["pixel_values"]).last_hidden_state}


def _all_of(states: Tensor) -> Tensor:
    """A mask (n, length) that hides none of ``states`` (n, length, d)."""
    return torch.ones(states.shape[:2], dtype=torch.long, device=states.device)


def _blip_itm(model, seen: Inputs, words: Inputs) -> Tensor:
    ids = words["input_ids"].clone()
    ids[:, 0] = ENC
    fused = model.text_encoder(
        input_ids=ids,
        attention_mask=words["attention_mask"],
        encoder_hidden_states=seen["patches"],
    )
    return model.itm_head(fused.last_hidden_state[:, 0])[:, 1]


def _blip_text(model, words: Inputs) -> Inputs:
    text = model.text_encoder(input_ids=words["input_ids"], attention_mask=words["attention_mask"])
    return {**words, "text": model.text_proj(text.last_hidden_state[:, :1])}


def _blip_itc(model, seen: Inputs, words: Inputs) -> Tensor:
    return cosine_similarity(model.vision_proj(seen["patches"][:, 0]), words["text"][:, 0])


def _blip_2_itm(model, seen: Inputs, words: Inputs) -> Tensor:
    queries = model.query_tokens.expand(len(seen["patches"]), -1, -1)
    fused = model.qformer(
        query_embeds=model.embeddings(input_ids=words["input_ids"], query_embeds=queries),
        query_length=queries.shape[1],
        attention_mask=torch.cat([_all_of(queries), words["attention_mask"]], dim=1),
        encoder_hidden_states=seen["patches"],
    ).last_hidden_state[:, : queries.shape[1]]
    return model.itm_head(fused.to(model.itm_head.weight.dtype)).mean(dim=1)[:, 1]


def _blip_2_queries(model, pixels: Inputs) -> Inputs:
    patches = _patches(model, pixels)["patches"]
    queries = model.query_tokens.expand(len(patches), -1, -1)
    seen = model.qformer(query_embeds=queries, encoder_hidden_states=patches).last_hidden_state
    return {"queries": model.vision_projection(seen.to(patches.dtype))}


def _blip_2_text(model, words: Inputs) -> Inputs:
    embedded = model.embeddings(input_ids=words["input_ids"])
    text = model.qformer(query_embeds=embedded, query_length=0, attention_mask=words["attention_mask"])
    return {"text": model.text_projection(text.last_hidden_state[:, :1].to(model.text_projection.weight.dtype))}


def _blip_2_itc(model, seen: Inputs, words: Inputs) -> Tensor:
    return cosine_similarity(seen["queries"], words["text"], dim=-1).amax(dim=1)


def _flava_image(model, pixels: Inputs) -> Inputs:
    states = model.flava.image_model(pixels["pixel_values"], output_hidden_states=True).hidden_states[-1]
    return {"patches": model.flava.image_to_mm_projection(states)}


def _flava_text(model, words: Inputs) -> Inputs:
    states = model.flava.text_model(**words, output_hidden_states=True).hidden_states[-1]
    return {"text": model.flava.text_to_mm_projection(states), "attention_mask": words["attention_mask"]}


def _flava_itm(model, seen: Inputs, words: Inputs) -> Tensor:
    own = words["attention_mask"][:, :1]  # the fusion puts a [CLS] of its own before the patches
    mask = torch.cat([own, _all_of(seen["patches"]), words["attention_mask"]], dim=1)
    fused = model.flava.multimodal_model(torch.cat([seen["patches"], words["text"]], dim=1), attention_mask=mask)
    return model.itm_head(fused.last_hidden_state)[:, 1]


HEADS: dict[tuple[str, str], tuple[Callable, Callable, Callable]] = {
    ("blip", "itm"): (_patches, _as_it_is, _blip_itm),
    ("blip", "itc"): (_patches, _blip_text, _blip_itc),
    ("blip", "itm+itc"): (_patches, _blip_text, lambda *pair: _blip_itm(*pair) + _blip_itc(*pair)),
    ("blip-2", "itm"): (_patches, _as_it_is, _blip_2_itm),
    ("blip-2", "itc"): (_blip_2_queries, _blip_2_text, _blip_2_itc),
    ("vilt", "itm"): (_as_it_is, _as_it_is, lambda model, seen, words: model(**seen, **words).logits[:, 0]),
    ("bridgetower", "itm"): (_as_it_is, _as_it_is, lambda model, seen, words: model(**seen, **words).logits[:, 1]),
    ("flava", "itm"): (_flava_image, _flava_text, _flava_itm),
}
"""What is computed once a picture, what once a caption, and what for each pair, all of them with the picture or caption
in dimension 0 and words in dimension 1. A match is class 1; ViLT has one logit and no class."""

CLASSES = {
    "blip": "BlipForImageTextRetrieval",
    "blip-2": "Blip2ForImageTextRetrieval",
    "vilt": "ViltForImageAndTextRetrieval",
    "bridgetower": "BridgeTowerForImageAndTextRetrieval",
    "flava": "FlavaForPreTraining",
}


@dataclass(frozen=True, eq=False)
class Matcher:
    """A model for ``score_suite``: ``matcher(images, captions)`` gives n scores, one for each pair.

    A forward pass takes ``batch`` pictures, captions or pairs; pairs go by the length of their captions.
    """

    model: torch.nn.Module
    pixels: Callable
    tokens: Tokens
    family: str
    head: str
    name: str
    precision: str
    batch: int

    @torch.inference_mode()
    def __call__(self, images: Sequence[Image.Image], captions: Sequence[str]) -> list[float]:
        see, read, match = HEADS[self.family, self.head]
        device, dtype = self.model.device, open_clip.get_input_dtype(self.precision) or torch.float32
        texts, columns = distinct(captions)
        words = self.tokens.encode(texts, "longest").to(device)
        lengths = words["attention_mask"].sum(dim=1).tolist()
        parts = [read(self.model, _take(words, part)) for part in batches(range(len(texts)), self.batch)]
        words = {key: torch.cat([part[key] for part in parts]) for key in parts[0]}
        scores = [0.0] * len(images)
        pictures, rows = distinct(images, key=id)
        for block in batches(range(len(pictures)), self.batch):
            pixels = self.pixels([pictures[row].convert("RGB") for row in block], return_tensors="pt")
            seen = see(self.model, pixels.to(device, dtype))
            pairs = sorted((k for k, row in enumerate(rows) if row in block), key=lambda k: lengths[columns[k]])
            for part in batches(pairs, self.batch):
                shown = _take(seen, [rows[k] - block[0] for k in part])
                said = _take(words, [columns[k] for k in part], lengths[columns[part[-1]]])
                for k, score in zip(part, match(self.model, shown, said).float().tolist(), strict=True):
                    scores[k] = score
        return scores


def load_matcher(
    spec: str, head: str = "itm", *, device: str | torch.device = "cpu", precision: str = "fp32", batch: int = 64
) -> Matcher:
    """The matcher of ``spec``, ``hf:ID`` or a folder, by its ``head``; both, and the commit, are in its ``name``.

    Raises InputError for a family or a head that is not in the module's table, and what ``load`` raises for files.
    """
    folder, name, family = require_folder(spec)
    if (family, head) not in HEADS:
        raise InputError(f"one of {', '.join(':'.join(pair) for pair in HEADS)}", f"{family}:{head}", where=name)
    options = {"init_codebook": False} if family == "flava" else {}  # that tokenizer of pictures is only for training
    model = pretrained(CLASSES[family], folder, name, device=device, precision=precision, **options)
    processor = pretrained("AutoProcessor", folder, name)
    # not the processor as a whole: BLIP-2's puts image tokens before each caption, for the model that generates
    # no text encoder here has more than 512 positions; a tokenizer that was saved without a limit names 10 ** 30
    tokens = Tokens(processor.tokenizer, min(processor.tokenizer.model_max_length, 512))
    return Matcher(model, processor.image_processor, tokens, family, head, f"{name}:{head}", precision, batch)
