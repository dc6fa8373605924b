"""Matching heads of transformers against the library's own forward pass, pair by pair as its documentation calls it."""

import json
import warnings

import numpy as np
import pytest
import torch
from PIL import Image

from eqlib.errors import InputError
from eqlib.models.score import score_suite
from eqlib.quads import scores_of
from eqlib.suites import read

hf = pytest.importorskip("transformers", reason="the extra 'hf' is not installed")
import hf_families as small  # noqa: E402

from eqlib.models.itm import load_matcher  # noqa: E402

CAPTIONS = ["a red cup", "two dog running in the snow", "black dog on water and a white cat with the man", "the man"]
CODES = {"encoder_hidden_size": 32, "bos_token_id": 30522, "eos_token_id": 3, "sep_token_id": 3, "pad_token_id": 0}


def blip(width=32, layers=3, side=48):
    size = {"hidden_size": width, "intermediate_size": 2 * width, "num_hidden_layers": layers}
    text = small.TEXT | CODES | size | {"vocab_size": 30524, "encoder_hidden_size": width}
    vision = small.VISION | size | {"image_size": side}
    config = hf.BlipConfig(text_config=text, vision_config=vision, projection_dim=16, image_text_hidden_size=16)
    images = hf.BlipImageProcessor(size={"height": side, "width": side})
    return hf.BlipForImageTextRetrieval(config), hf.BlipProcessor(images, small.tokenizer("bert", 80))


def blip_2():
    text = {"encoder_hidden_size": 32, "use_qformer_text_input": True, "cross_attention_frequency": 1}
    config = hf.Blip2Config(
        vision_config=small.VISION,
        qformer_config=small.TEXT | text,
        num_query_tokens=4,
        image_text_hidden_size=16,
        image_token_index=29,
    )
    images = hf.BlipImageProcessor(**small.SQUARE)
    return hf.Blip2ForImageTextRetrieval(config), hf.Blip2Processor(
        images, small.tokenizer("bert", 80), num_query_tokens=4
    )


def vilt():
    config = hf.ViltConfig(**small.TEXT, image_size=48, patch_size=16)
    images = hf.ViltImageProcessor(size={"shortest_edge": 48}, size_divisor=16)
    return hf.ViltForImageAndTextRetrieval(config), hf.ViltProcessor(images, small.tokenizer("bert", 80))


def bridgetower():
    size = {"hidden_size": 64, "num_hidden_layers": 2}
    config = hf.BridgeTowerConfig(
        **size,
        num_attention_heads=2,
        intermediate_size=64,
        text_config=small.TEXT | size,
        vision_config=size | {"patch_size": 16, "image_size": 48},
    )
    edge = {"shortest_edge": 48}
    images = hf.BridgeTowerImageProcessor(size=edge, crop_size=edge, size_divisor=16)
    words = small.tokenizer("roberta", 70)
    return hf.BridgeTowerForImageAndTextRetrieval(config), hf.BridgeTowerProcessor(images, words)


def flava():
    model, images, words = small.flava()
    return model, hf.FlavaProcessor(images, words)


@pytest.fixture(scope="module", params=[blip, blip_2, vilt, bridgetower, flava], ids=lambda family: family.__name__)
def own(request, tmp_path_factory):
    """(folder, model, processor), the last two the library's own objects."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model, processor = request.param()
        with torch.no_grad():  # larger weights than the first ones, so that pairs differ
            for parameter in model.parameters():
                parameter.mul_(4) if parameter.ndim == 2 else parameter.add_(0.1 * torch.randn_like(parameter))
    folder = tmp_path_factory.mktemp(request.param.__name__)
    for part in (model, processor):
        part.save_pretrained(folder)
    return folder, model.eval(), hf.AutoProcessor.from_pretrained(folder)


def drawn(count):
    rng = np.random.default_rng(0)
    return [Image.fromarray(rng.integers(0, 255, (5, 7, 3), dtype=np.uint8)).resize((80, 60)) for _ in range(count)]


@torch.no_grad()
def by_the_library(model, processor, picture, caption, head="itm"):
    inputs = processor(images=picture, text=caption, return_tensors="pt")
    match model.config.model_type, head:
        case "blip", "itm":
            inputs["input_ids"][:, 0] = 30523
            return model(**inputs).itm_score[0, 1].item()
        case "blip", "itc":
            return model(**inputs, use_itm_head=False).itm_score.item()
        case "blip-2", "itm":
            return model(**inputs, use_image_text_matching_head=True).logits_per_image[0, 1].item()
        case "blip-2", "itc":
            return model(**inputs).logits_per_image.item()
        case "vilt", "itm":
            return model(**inputs).logits.item()
        case "bridgetower", "itm":
            return model(**inputs).logits[0, 1].item()
        case "flava", "itm":
            codes = {"codebook_pixel_values": torch.zeros(1, 3, 112, 112), "input_ids_masked": inputs["input_ids"]}
            return model(**inputs, **codes, return_loss=False).itm_logits[0, 1].item()


HEADS = {"blip": ("itm", "itc"), "blip-2": ("itm", "itc")}


def check(own, pictures, captions):
    folder, model, processor = own
    for head in HEADS.get(model.config.model_type, ("itm",)):
        matcher = load_matcher(folder, head)
        assert matcher.name == f"{folder.name}:{head}"
        expected = [by_the_library(model, processor, *pair, head) for pair in zip(pictures, captions, strict=True)]
        scores = matcher(pictures, captions)
        assert scores == pytest.approx(expected, abs=1e-5)
        assert load_matcher(folder, head, batch=3)(pictures, captions) == pytest.approx(scores, abs=1e-5)
        assert [matcher([p], [c])[0] for p, c in zip(pictures, captions, strict=True)] == pytest.approx(
            scores, abs=1e-5
        )
        assert matcher(pictures[::-1], captions[::-1])[::-1] == pytest.approx(scores, abs=1e-5)
        assert np.ptp(scores) > 1e-4


def test_scores_are_the_librarys(own):
    first, second, third = drawn(3)
    check(own, [first, second, third, first, second, first], [*CAPTIONS, CAPTIONS[0], CAPTIONS[1]])


def test_on_photographs(own, shared):
    suite = read("captions", shared / "realdata" / "flickr8k" / "dataset_flickr8k.json", split="val", limit=16)
    check(own, [Image.open(suite.root / name).convert("RGB") for name in suite.images], suite.captions[:16])


def test_a_suite(own, pictures):
    quad = {"image0": "0.png", "image1": "1.png", "caption0": "a red cup", "caption1": "two dog"}
    (pictures / "q.json").write_text(json.dumps([quad]))
    matcher = load_matcher(own[0])
    table = score_suite(matcher, read("quads", pictures / "q.json"), progress=False)
    with Image.open(pictures / "1.png") as picture:
        assert scores_of(table)[0, 1, 0] == pytest.approx(matcher([picture], ["a red cup"])[0], abs=1e-5)


def test_blips_first_token_is_enc_and_its_retrieval_score_a_sum(tmp_path):
    model, processor = blip()
    for part in (model, processor):
        part.save_pretrained(tmp_path)
    itm, itc, both = (load_matcher(tmp_path, head)(drawn(2), CAPTIONS[:2]) for head in ("itm", "itc", "itm+itc"))
    assert both == pytest.approx(np.add(itm, itc), abs=1e-6)
    inputs = hf.AutoProcessor.from_pretrained(tmp_path)(
        images=drawn(2), text=CAPTIONS[:2], padding=True, return_tensors="pt"
    )
    with torch.no_grad():
        with_cls = model.eval()(**inputs).itm_score[:, 1].tolist()
    assert np.abs(np.subtract(with_cls, itm)).max() > 1e-4


VISION = {"blip": "vision_model", "blip-2": "vision_model", "flava": "flava.image_model"}
TEXT = {"blip": "text_encoder", "blip-2": "embeddings", "flava": "flava.text_model"}


def rows_of(model, name):
    """A list to which each forward pass of the module ``name`` adds how many rows it takes."""
    rows = []

    def count(_, positional, named):
        rows.append(len(next(value for value in (*positional, *named.values()) if torch.is_tensor(value))))

    model.get_submodule(name).register_forward_pre_hook(count, with_kwargs=True)
    return rows


def test_each_picture_is_seen_once_and_each_caption_read_once(own):
    """But for the heads that read them together: a forward pass of the fusion takes the picture's features."""
    folder, model, _ = own
    family = model.config.model_type
    if family not in VISION:
        pytest.skip("pixels and words are read together")
    pictures = drawn(5)
    pairs = [(picture, caption) for caption in CAPTIONS for picture in pictures]
    for head in HEADS.get(family, ("itm",)):
        matcher = load_matcher(folder, head, batch=2)
        seen, read = rows_of(matcher.model, VISION[family]), rows_of(matcher.model, TEXT[family])
        matcher(*zip(*pairs, strict=True))
        assert seen == [2, 2, 1]
        assert sum(read) == (len(pairs) if head == "itm" and family != "flava" else len(CAPTIONS))


def test_pairs_in_batches_are_as_long_as_their_captions(own):
    folder, model, _ = own
    matcher = load_matcher(folder, batch=2)
    if model.config.model_type == "flava":
        pytest.skip("its text model is no part of the fusion")
    lengths = []
    name = {"blip": "text_encoder.embeddings", "blip-2": "embeddings", "vilt": "vilt.embeddings.text_embeddings"}
    module = matcher.model.get_submodule(name.get(model.config.model_type, "bridgetower.text_model.embeddings"))
    module.register_forward_pre_hook(lambda *call: lengths.append(call[2]["input_ids"].shape[1]), with_kwargs=True)
    (picture,) = drawn(1)
    matcher([picture] * 4, ["the man", CAPTIONS[2], "the cat", CAPTIONS[2] + " the man"])
    assert lengths == [4, 15]


def test_a_score_is_the_logit_of_a_match(own):
    """Which class is a match, and that no softmax is taken, of a head that knows the answer: it says 3 and 7, or 7."""
    matcher = load_matcher(own[0])
    head = {"vilt": "rank_output", "bridgetower": "itm_score.fc", "flava": "itm_head.seq_relationship"}
    last = matcher.model.get_submodule(head.get(matcher.family, "itm_head"))
    with torch.no_grad():
        last.weight.zero_()
        last.bias.copy_(torch.tensor([3.0, 7.0])[-len(last.bias) :])
    assert matcher(drawn(2), CAPTIONS[:2]) == [7, 7]


@pytest.mark.parametrize("precision", ["bf16", "pure_fp16"])
def test_in_half_precision(own, precision):
    folder, model, _ = own
    for head in HEADS.get(model.config.model_type, ("itm",)):
        whole, half = (load_matcher(folder, head, precision=kind)(drawn(4), CAPTIONS) for kind in ("fp32", precision))
        assert half != whole
        assert half == pytest.approx(whole, abs=0.15)


def test_captions_that_are_cut_are_counted_once(own):
    matcher = load_matcher(own[0])
    (picture,) = drawn(1)
    limit = matcher.tokens.context_length
    fits, long = "a " * (limit - 2), "a " * limit
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        scores = matcher([picture] * 2, ["a cup", fits])
    with pytest.warns(UserWarning, match=rf"2 of 4 captions are cut: .* longer than the {limit} tokens"):
        cut = matcher([picture] * 4, ["a cup", long, fits, long + "dog"])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        matcher([picture], [long + "cat"])
    assert cut == pytest.approx([scores[0], *[scores[1]] * 3], abs=1e-5)


def test_pictures_of_every_mode_are_seen_as_rgb(own):
    matcher = load_matcher(own[0])
    (picture,) = drawn(1)
    palette = picture.quantize(16)
    swapped = Image.fromarray(np.asarray(picture)[:, :, ::-1])
    got = matcher([picture, picture.convert("RGBA"), palette, palette.convert("RGB"), swapped], ["a red cup"] * 5)
    assert got[1] == pytest.approx(got[0], abs=1e-6)
    assert got[3] == pytest.approx(got[2], abs=1e-6)
    assert abs(got[4] - got[0]) > 1e-5


def test_what_has_no_such_head_is_refused(own, tmp_path):
    with pytest.raises(InputError, match=r"one of blip:itm, .*flava:itm, got .*:vqa"):
        load_matcher(own[0], "vqa")
    with pytest.raises(InputError, match="hf:ID or a folder"):
        load_matcher(tmp_path / "none")
    (tmp_path / "config.json").write_text('{"model_type": "clip"}')
    with pytest.raises(InputError, match="got clip:itm"):
        load_matcher(tmp_path)
