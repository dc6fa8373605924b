"""Generative models of transformers against the library's own forward pass, a pair at a time, without a cache."""

import json

import numpy as np
import pytest
import torch
from PIL import Image
from torch.nn.functional import cross_entropy

from eqlib.errors import InputError
from eqlib.models.score import score_suite
from eqlib.quads import scores_of
from eqlib.suites import read

hf = pytest.importorskip("transformers", reason="the extra 'hf' is not installed")
import vqa_families as small  # noqa: E402

from eqlib.models.vqa import QUESTIONS, answer_logit, load_vqa  # noqa: E402

CAPTIONS = [
    "a red cup",
    'two dogs, "running" in {the} snow',
    "a black dog",
    "a red cup and a " + "very " * 60 + "old man",
]
ANSWERS = {
    "llava": (["Ġ", "Y", "e", "s"], ["Ġ", "N", "o"]),
    **dict.fromkeys(["idefics3", "smolvlm"], (["ĠYes"], ["ĠNo"])),
}
"""Yes and No in the tokens of a family, written out; of the others, whose prompts end in a new line, one word each."""


@pytest.fixture(scope="module", params=small.FAMILIES, ids=lambda family: family.__name__)
def own(request, tmp_path_factory):
    """(folder, model, processor), the last two the library's own objects."""
    folder = tmp_path_factory.mktemp(request.param.__name__)
    return folder, *small.make(request.param, folder)


@pytest.fixture(scope="module")
def qwen(tmp_path_factory):
    folder = tmp_path_factory.mktemp("qwen2_vl")
    small.make(small.qwen2_vl, folder)
    return folder


def drawn(count):
    """Pictures of different shapes."""
    rng = np.random.default_rng(0)
    shapes = [(60, 80), (90, 50), (40, 130)]
    return [Image.fromarray(rng.integers(0, 255, (*shapes[k % 3], 3), dtype=np.uint8)) for k in range(count)]


@torch.no_grad()
def logits_of(model, processor, picture, question, answer):
    """(a + 1, vocabulary): what the model says after the prompt and after each token of ``answer``."""
    if processor.chat_template is None:
        inputs = processor(text="<image>" + question, images=picture, return_tensors="pt")
        inputs.pop("labels")
    else:
        content = [{"type": "image", "image": picture}, {"type": "text", "text": question}]
        settings = {"add_generation_prompt": True, "tokenize": True, "return_dict": True, "return_tensors": "pt"}
        inputs = processor.apply_chat_template([{"role": "user", "content": content}], **settings)
    length = inputs["input_ids"].shape
    answered = {"input_ids": torch.tensor([answer]), "attention_mask": 1, "mm_token_type_ids": 0, "token_type_ids": 0}
    if model.config.model_type == "paligemma":
        answered["token_type_ids"] = 1  # the answer sees what came before it, the prompt all of the prompt
    for key, value in inputs.items():
        if value.shape == length:
            inputs[key] = torch.cat([value, torch.zeros(1, len(answer), dtype=torch.long) + answered[key]], dim=1)
    return model(**inputs).logits[0, length[1] - 1 :]


def by_the_library(model, processor, picture, caption, form):
    """The published score, or the log-odds."""
    words = processor.tokenizer
    yes, no = map(words.convert_tokens_to_ids, ANSWERS.get(model.config.model_type, (["Yes"], ["No"])))
    answer = [*yes, words.eos_token_id] if form == "vqascore-3.0" else yes
    logits = logits_of(model, processor, picture, QUESTIONS[form].format(caption), answer)
    if form == "vqascore-3.0":
        return (-cross_entropy(logits[: len(answer)], torch.tensor(answer))).exp().item()
    if form == "vqascore-3.1":
        return logits[: len(yes)].softmax(dim=-1)[range(len(yes)), yes].prod().item() ** (1 / len(yes))
    differ = int(yes[0] == no[0])  # in bytes, both begin with a space
    return (logits[differ, yes[differ]] - logits[differ, no[differ]]).item()


def check(own, pictures, captions):
    folder, model, processor = own
    for form in QUESTIONS:
        asked = load_vqa(folder, form)
        assert asked.name == f"{folder.name}:{form}"
        pairs = list(zip(pictures, captions, strict=True))
        expected = [by_the_library(model, processor, *pair, form) for pair in pairs]
        scores = asked(pictures, captions)
        shown = scores if form == "yes-no" else torch.tensor(scores).sigmoid().tolist()
        assert shown == pytest.approx(expected, abs=1e-5)
        assert np.ptp(scores) > 1e-4


def test_scores_do_not_depend_on_their_company(own):
    """One pair a call, one caption a forward pass, another order; of the form with the longest answer."""
    pictures = drawn(3)
    pairs = [(pictures[n % 2], caption) for n, caption in enumerate(CAPTIONS)] + [(pictures[2], CAPTIONS[0])]
    asked = load_vqa(own[0], "vqascore-3.0")
    scores = asked(*zip(*pairs, strict=True))
    assert [asked([picture], [caption])[0] for picture, caption in pairs] == pytest.approx(scores, abs=1e-5)
    assert load_vqa(own[0], "vqascore-3.0", batch=1)(*zip(*pairs, strict=True)) == pytest.approx(scores, abs=1e-5)
    assert asked(*zip(*pairs[::-1], strict=True))[::-1] == pytest.approx(scores, abs=1e-5)


def test_scores_are_the_librarys(own):
    first, second, third = drawn(3)
    check(own, [first] * 4 + [second, first, third], [*CAPTIONS, *CAPTIONS[:2], CAPTIONS[3]])


def test_on_photographs(own, shared):
    suite = read("captions", shared / "realdata" / "flickr8k" / "dataset_flickr8k.json", split="val", limit=2)
    pictures = [Image.open(suite.root / name).convert("RGB") for name in suite.images]
    check(own, [*pictures, *pictures], suite.captions[: 2 * len(pictures)])


def test_a_picture_is_seen_once_and_its_prompt_read_once(own):
    """Counted where pictures enter the tower and tokens the language model; all captions come with each picture."""
    folder, model, _ = own
    asked = load_vqa(folder)
    core = asked.model.model
    tower = next(getattr(core, name) for name in ("visual", "vision_tower", "vision_model") if hasattr(core, name))
    seen, read = [], []
    tower.register_forward_pre_hook(lambda *_: seen.append(1))
    language = asked.model.get_decoder()
    language.register_forward_pre_hook(lambda *call: read.append(call[2]["inputs_embeds"].shape), with_kwargs=True)
    pictures = drawn(3)
    pairs = [(picture, caption) for caption in CAPTIONS for picture in pictures]
    asked(*zip(*pairs, strict=True))
    assert len(seen) == len(pictures)
    if model.config.model_type == "paligemma":  # its picture sees the question
        assert [batch for batch, _, _ in read] == [4] * 3
    else:
        assert [batch for batch, _, _ in read] == [1, 4] * 3
        assert all(alone[1] > 30 for alone in read[::2])


def test_the_logit_of_a_mean_of_probabilities():
    logits = torch.tensor([[[0.5, 0.3, 0.2], [0.32, 0.08, 0.6]], [[0.8, 0.1, 0.1], [0.2, 0.7, 0.1]]]).log()
    # sqrt(0.5 x 0.32) = 0.4 and sqrt(0.8 x 0.2) = 0.4
    assert answer_logit(logits, torch.tensor([0, 0])).tolist() == pytest.approx([np.log(0.4 / 0.6)] * 2)
    loss = cross_entropy(logits[0], torch.tensor([1, 2]))
    assert answer_logit(logits, torch.tensor([1, 2]))[0].sigmoid().item() == pytest.approx((-loss).exp().item())


def test_probabilities_that_tie_have_logits_that_do_not():
    logits = torch.tensor([[[60.0, 0.0]], [[50.0, 0.0]], [[-60.0, 0.0]]])
    assert (logits.softmax(-1)[:2, 0, 0] == 1).all()
    assert answer_logit(logits, torch.tensor([0])).tolist() == pytest.approx([60, 50, -60], abs=1e-9)


def test_in_bf16_the_last_layer_is_float32(own):
    whole, half = load_vqa(own[0], "yes-no"), load_vqa(own[0], "yes-no", precision="bf16")
    pictures = drawn(3)
    assert half(pictures, CAPTIONS[:3]) == pytest.approx(whole(pictures, CAPTIONS[:3]), abs=0.3)
    layer = half.model.get_output_embeddings()
    states = torch.randn(4, 32, dtype=torch.bfloat16, generator=torch.Generator().manual_seed(0))
    assert torch.equal(layer(states), states.float() @ layer.weight.T)
    assert half.model.get_input_embeddings().weight.dtype == torch.bfloat16


def test_pictures_of_every_mode_are_seen_as_rgb(qwen):
    asked = load_vqa(qwen)
    (picture,) = drawn(1)
    palette, alpha = picture.quantize(16), picture.convert("RGBA")
    got = asked([picture, alpha, palette, palette.convert("RGB")], ["a cup"] * 4)
    assert got[0] == got[1]
    assert got[2] == got[3]
    swapped = Image.fromarray(np.asarray(picture)[:, :, ::-1])
    assert abs(asked([swapped], ["a cup"])[0] - got[0]) > 1e-4


def test_a_suite(qwen, pictures):
    quad = {"image0": "0.png", "image1": "1.png", "caption0": "a red cup", "caption1": "two dogs"}
    (pictures / "q.json").write_text(json.dumps([quad]))
    asked = load_vqa(qwen)
    table = score_suite(asked, read("quads", pictures / "q.json"), progress=False)
    with Image.open(pictures / "1.png") as picture:
        assert scores_of(table)[0, 1, 0] == pytest.approx(asked([picture], ["a red cup"])[0], abs=1e-5)


def test_what_cannot_be_asked_is_refused(qwen, tmp_path):
    with pytest.raises(InputError, match=r"one of vqascore-3\.0, vqascore-3\.1, yes-no, got 'vqascore'"):
        load_vqa(qwen, "vqascore")
    (tmp_path / "config.json").write_text('{"model_type": "clip"}')
    with pytest.raises(InputError, match="AutoModelForImageTextToText, got 'clip'"):
        load_vqa(tmp_path)
    model, processor = small.llava()
    model.save_pretrained(tmp_path)
    processor.chat_template = None
    processor.save_pretrained(tmp_path)
    with pytest.raises(InputError, match="a processor with a chat template, got none"):
        load_vqa(tmp_path)
    processor.chat_template = "{{ messages[0].content[1].text }} <image> ASSISTANT:"
    processor.save_pretrained(tmp_path)
    with pytest.raises(InputError, match="the picture before the question"):
        load_vqa(tmp_path)(drawn(1) * 2, ["a cat", "a dog"])
