"""Generative models as scorers: how sure the model is of Yes, asked whether the picture shows the caption.

============  ==========================================================================================================
vqascore-3.0  Does this figure show "{}"? Please answer yes or no. The score is exp(-mean cross-entropy) of the tokens
              of Yes and the end token: VQAScore as published (arXiv 2404.01291; t2v_metrics up to 3.0)
vqascore-3.1  Does this figure show "{}"? Please answer Yes or No. The score is the geometric mean of the probabilities,
              over the whole vocabulary, of the tokens of Yes: VQAScore of t2v_metrics 3.1
yes-no        the same question; the logit of Yes less that of No, of the first token in which they differ
============  ==========================================================================================================

The first two are kept as their logit, so ``torch.sigmoid(score)`` is the published number. A probability that is
written down as 1 ties with others; its logit, made from the logits of the other tokens, does not.

t2v_metrics 3.1 reads the ``scores`` of ``generate``, to which a repetition penalty in the model's generation_config has
been applied; here the logits are the model's own. CLIP-FlanT5, the first model of 3.0, is not in transformers; the form
is its formula with a model of today.

Through ``AutoModelForImageTextToText`` and the processor's chat template: Qwen-VL, LLaVA, InternVL, Gemma 3, SmolVLM
(its second version's processor needs the package num2words) and others. All tokens that the captions of a picture
share, the picture's among them, are computed once; their keys and values serve each caption. PaliGemma, which has no
template, lets the picture look at the question: there only what the vision tower gives is shared. Captions are never
cut.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

import numpy as np
import torch
from PIL import Image
from scipy.special import expit
from torch import Tensor
from torch.nn.functional import logsigmoid
from torch.nn.utils.rnn import pad_sequence

from eqlib.errors import InputError
from eqlib.models.hf import pretrained, require_folder, transformers
from eqlib.models.pairs import batches, distinct

QUESTIONS = {
    "vqascore-3.0": 'Does this figure show "{}"? Please answer yes or no.',
    "vqascore-3.1": 'Does this figure show "{}"? Please answer Yes or No.',
    "yes-no": 'Does this figure show "{}"? Please answer Yes or No.',
}


def answer_logit(logits: Tensor, answer: Tensor) -> Tensor:
    """Logit (n,) of the geometric mean of the probabilities of the tokens ``answer`` (a,), in float64.

    ``logits`` (n, a, vocabulary) are those that each token of the answer was to be drawn from. The mean's sigmoid is
    exp(-cross_entropy(logits, answer)).
    """
    logits, answer = logits.double(), answer.expand(len(logits), -1)[..., None]
    others = logits.scatter(-1, answer, -torch.inf).logsumexp(-1)
    mean = logsigmoid(logits.gather(-1, answer)[..., 0] - others).mean(-1)
    return mean - torch.log(-torch.expm1(mean))


@dataclass(frozen=True, eq=False)
class Asked:
    """A model for ``score_suite``: ``asked(images, captions)`` gives n scores, one for each pair.

    A forward pass takes one picture, or up to ``batch`` of its captions, which go by length. ``given`` are
    the tokens between the prompt and the last that is drawn, ``answer`` those whose logits count.
    """

    model: Any
    processor: Callable
    form: str
    given: list[int]
    answer: list[int]
    name: str
    batch: int

    @torch.inference_mode()
    def __call__(self, images: Sequence[Image.Image], captions: Sequence[str]) -> list[float]:
        pictures, rows = distinct(images, key=id)
        asked_of: list[list[int]] = [[] for _ in pictures]
        for k, row in enumerate(rows):
            asked_of[row].append(k)
        scores = torch.empty(len(rows), dtype=torch.float64)
        for picture, pairs in zip(pictures, asked_of, strict=True):
            texts, columns = distinct([captions[k] for k in pairs])
            scores[pairs] = self._picture(picture.convert("RGB"), texts)[columns]
        return scores.tolist()

    def probability(self, scores: np.ndarray) -> np.ndarray:
        """The published number, of scores of a form of VQAScore; of yes-no the share of Yes in Yes and No."""
        return expit(np.asarray(scores, dtype=np.float64))

    def _picture(self, picture: Image.Image, captions: list[str]) -> Tensor:
        """Scores (m,) float64 of one picture with each of ``captions``."""
        texts = [_prompt(self.processor, QUESTIONS[self.form].format(caption)) for caption in captions]
        tokens = [_tokens(self.processor, text) for text in texts]
        inputs = _inputs(self.processor, texts[0], picture).to(self.model.device, self.model.dtype)
        # the processor puts as many image tokens as the picture needs in place of one; what follows is the tokenizer's
        shared = min(_shared(tokens), *(len(ids) - 1 for ids in tokens))
        first = inputs["input_ids"][0].tolist()
        start = len(first) - len(tokens[0]) + shared
        if first[start:] != tokens[0][shared:]:
            raise InputError("a chat template with the picture before the question", repr(texts[0]), where=self.name)
        see = _see_with_question if self.model.config.model_type == PREFIX_LM else _see
        follow = see(self.model, inputs, start)
        asked = torch.tensor(self.answer, device=self.model.device)
        scores = torch.empty(len(captions), dtype=torch.float64)
        for part in batches(sorted(range(len(captions)), key=lambda k: len(tokens[k])), self.batch):
            ids = pad_sequence([torch.tensor(tokens[k][shared:] + self.given) for k in part], batch_first=True)
            last = torch.tensor([[len(tokens[k]) - shared - 1] for k in part]) + torch.arange(len(self.given) + 1)
            logits = follow(ids.to(asked.device), last.to(asked.device))
            if self.form == "yes-no":
                scores[part] = (logits[:, -1, asked[0]].double() - logits[:, -1, asked[1]]).cpu()
            else:
                scores[part] = answer_logit(logits, asked).cpu()
        return scores


PREFIX_LM = "paligemma"
"""The ``model_type`` without a chat template: the tokens of picture and question all see each other."""


def _see(model, inputs: dict[str, Tensor], start: int) -> Callable[[Tensor, Tensor], Tensor]:
    """``follow(ids, last)``: logits (n, a, vocabulary) at positions ``last`` (n, a) of ``ids`` (n, length), which come
    after the first ``start`` tokens of ``inputs``. Those are computed here. Padding on the right needs no mask: no
    token sees those after it."""
    whole = inputs["input_ids"].shape
    head = {key: value[:, :start] if value.shape == whole else value for key, value in inputs.items()}
    seen = model(**head, use_cache=True, logits_to_keep=1).past_key_values

    def follow(ids: Tensor, last: Tensor) -> Tensor:
        cache = deepcopy(seen)  # the pass appends to it
        cache.reorder_cache(torch.zeros(len(ids), dtype=torch.long, device=ids.device))  # all of them row 0
        return model(input_ids=ids, past_key_values=cache, logits_to_keep=last).logits

    return follow


def _see_with_question(model, inputs: dict[str, Tensor], start: int) -> Callable[[Tensor, Tensor], Tensor]:
    """As ``_see``, for a model whose picture sees the question: only what the vision tower gives is kept."""
    head, seen = inputs["input_ids"][:, :start], model.get_image_features(inputs["pixel_values"])

    def follow(ids: Tensor, last: Tensor) -> Tensor:
        answers = torch.arange(ids.shape[1], device=ids.device) > last[:, :1]  # with the padding after them
        picture = type(seen)(pooler_output=seen.pooler_output.expand(len(ids), -1, -1))
        head_of_all = head.expand(len(ids), -1)
        return model(
            input_ids=torch.cat([head_of_all, ids], dim=1),
            token_type_ids=torch.cat([torch.zeros_like(head_of_all), answers.long()], dim=1),
            mm_encoder_outputs={"image": picture},
            logits_to_keep=last + start,
        ).logits

    return follow


def _prompt(processor, question: str) -> str:
    """The text that a tokenizer gets: the picture's place, ``question`` and what the model's turn begins with."""
    if processor.chat_template is None:
        return f"{processor.tokenizer.bos_token}{question}\n"
    turn = {"role": "user", "content": [{"type": "image"}, {"type": "text", "text": question}]}
    # a model that thinks first would say neither Yes nor No: its template is told to leave the thought empty
    thinks = {"enable_thinking": False} if "enable_thinking" in str(processor.chat_template) else {}
    return processor.apply_chat_template([turn], add_generation_prompt=True, tokenize=False, **thinks)


def _special(processor, text: str) -> bool:
    """Whether the tokenizer is to add a start token: not where the template has written it."""
    return not (processor.tokenizer.bos_token and text.startswith(processor.tokenizer.bos_token))


def _shared(tokens: list[list[int]]) -> int:
    """With how many ids all of ``tokens`` begin."""
    return sum(1 for _ in takewhile(lambda column: len(set(column)) == 1, zip(*tokens, strict=False)))


def _tokens(processor, text: str) -> list[int]:
    return processor.tokenizer(text, add_special_tokens=_special(processor, text), verbose=False)["input_ids"]


def _inputs(processor, text: str, picture: Image.Image) -> Any:
    special = _special(processor, text)
    if processor.chat_template is None:  # PaliGemma's processor writes the start token and the line's end itself
        text = processor.image_token + text.removeprefix(processor.tokenizer.bos_token).removesuffix("\n")
    inputs = processor(text=[text], images=[picture], add_special_tokens=special, return_tensors="pt")
    inputs.pop("labels", None)  # PaliGemma's, for training
    return inputs


def load_vqa(
    spec: str,
    form: str = "vqascore-3.1",
    *,
    device: str | torch.device = "cpu",
    precision: str = "fp32",
    batch: int = 16,
) -> Asked:
    """The scorer of ``spec``, ``hf:ID`` or a folder, by its ``form``; both, and the commit, are in its ``name``.

    The answer follows the prompt after a space where that ends in a colon, as in LLaVA's, else at once. The last layer
    is float32 in every precision: in bf16, logits near 20 are an eighth apart, and tie.

    Raises InputError for a form that is not in the module's table, a model that transformers cannot ask about a
    picture, and what ``load`` raises for files.
    """
    folder, name, family = require_folder(spec)
    if form not in QUESTIONS:
        raise InputError(f"one of {', '.join(QUESTIONS)}", repr(form), where=name)
    if family not in transformers.models.auto.modeling_auto.MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES:
        raise InputError("a family of transformers' AutoModelForImageTextToText", repr(family), where=name)
    processor = pretrained("AutoProcessor", folder, name)
    if processor.chat_template is None and family != PREFIX_LM:
        raise InputError("a processor with a chat template", "none", where=name)
    text = _prompt(processor, QUESTIONS[form].format("a"))
    before = _tokens(processor, text)
    words = (_tokens(processor, text + " " * text.endswith(":") + word) for word in ("Yes", "No"))
    yes, no = (tokens[len(before) :] for tokens in words)
    if form == "yes-no":
        same = _shared([yes, no])
        given, answer = yes[:same], [yes[same], no[same]]
    else:
        answer = [*yes, processor.tokenizer.eos_token_id] if form == "vqascore-3.0" else yes
        given = answer[:-1]
    model = pretrained("AutoModelForImageTextToText", folder, name, device=device, precision=precision)
    if model.dtype != torch.float32:
        last = deepcopy(model.get_output_embeddings()).float()  # a copy: it may be the layer of the embeddings
        last.register_forward_pre_hook(lambda _, states: (states[0].float(),))
        model.set_output_embeddings(last)
    return Asked(model, processor, form, given, answer, f"{name}:{form}", batch)
