"""Small generative models of transformers with random weights, saved as folders: the real classes and processors, with
tokenizers of bytes and chat templates in the manner of the released ones."""

import pytest
import torch
import transformers as hf
from tokenizers import Tokenizer, decoders, models, pre_tokenizers

SPECIAL = ("<pad>", "<s>", "</s>")
TEXT = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "head_dim": 16,
    "max_position_embeddings": 2048,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "pad_token_id": 0,
}
VISION = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "image_size": 48,
    "patch_size": 16,
}
SQUARE = {"size": {"height": 48, "width": 48}}


def tokenizer(merges=(), **special):
    """Bytes as tokens, and what ``merges`` makes of them; ``special`` names the tokens that a processor asks for."""
    bytes_ = sorted(pre_tokenizers.ByteLevel.alphabet())
    words = [*SPECIAL, *special.values(), *bytes_, *("".join(pair) for pair in merges)]
    bpe = Tokenizer(models.BPE({word: n for n, word in enumerate(words)}, list(merges)))
    bpe.pre_tokenizer, bpe.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    names = dict(zip(("pad_token", "bos_token", "eos_token"), SPECIAL, strict=True))
    return hf.PreTrainedTokenizerFast(tokenizer_object=bpe, **names, extra_special_tokens=special)


WHOLE_ANSWERS = [("Y", "e"), ("Ye", "s"), ("N", "o")]
"""Yes and No as one token each, as in every released vocabulary; without them they are three and two."""

CHATML = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{% for part in message.content %}"
    "{% if part.type == 'image' %}IMAGE{% else %}{{ part.text }}{% endif %}{% endfor %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
LLAVA = (
    "{% for message in messages %}{{ message.role.upper() }}: {% for part in message.content %}"
    "{% if part.type == 'image' %}<image>\n{% else %}{{ part.text }} {% endif %}{% endfor %}{% endfor %}"
    "{% if add_generation_prompt %}ASSISTANT:{% endif %}"
)
SMOLVLM = (
    "<s>{% for message in messages %}{{ message.role.capitalize() }}:{% for part in message.content %}"
    "{% if part.type == 'image' %}<image>{% else %}{{ part.text }}{% endif %}{% endfor %}</s>\n{% endfor %}"
    "{% if add_generation_prompt %}Assistant:{% endif %}"
)


def _qwen_words():
    return tokenizer(
        WHOLE_ANSWERS,
        image_token="<|image_pad|>",
        video_token="<|video_pad|>",
        vision_start_token="<|vision_start|>",
        vision_end_token="<|vision_end|>",
    )


def qwen2_vl(width=32, layers=2, pixels=28 * 28 * 16):
    words = _qwen_words()
    rope = {"rope_type": "default", "mrope_section": [2, 3, 3], "rope_theta": 10000.0}
    size = {"hidden_size": width, "intermediate_size": 2 * width, "num_hidden_layers": layers}
    size |= {"num_attention_heads": width // 16, "num_key_value_heads": width // 32}
    vision = {"depth": layers, "num_heads": width // 16}
    config = hf.Qwen2VLConfig(
        text_config=TEXT | {"vocab_size": len(words), "rope_parameters": rope} | size,
        vision_config=vision | {"embed_dim": width, "hidden_size": width, "mlp_ratio": 2, "patch_size": 14},
        image_token_id=3,
        video_token_id=4,
        vision_start_token_id=5,
        vision_end_token_id=6,
    )
    template = CHATML.replace("IMAGE", "<|vision_start|><|image_pad|><|vision_end|>")
    images = hf.Qwen2VLImageProcessor(min_pixels=28 * 28 * 4, max_pixels=pixels)
    processor = hf.Qwen2VLProcessor(images, words, hf.Qwen2VLVideoProcessor(), chat_template=template)
    return hf.Qwen2VLForConditionalGeneration(config), processor


def qwen3_vl():
    """The vision tower also feeds the first layer of the language model, not only its input."""
    words, parts, processor = _qwen3()
    rope = {"rope_type": "default", "mrope_section": [2, 3, 3], "rope_theta": 10000.0, "mrope_interleaved": True}
    text = TEXT | {"vocab_size": len(words), "rope_parameters": rope}
    parts["vision_config"]["deepstack_visual_indexes"] = [0]
    return hf.Qwen3VLForConditionalGeneration(hf.Qwen3VLConfig(text_config=text, **parts)), processor


def qwen3_5():
    """Half of its layers keep a state in place of keys and values."""
    words, parts, processor = _qwen3()
    rope = {"rope_type": "default", "mrope_section": [1, 1, 0], "rope_theta": 10000.0, "partial_rotary_factor": 0.25}
    linear = {f"linear_num_{kind}_heads": 2 for kind in ("key", "value")}
    linear |= {f"linear_{kind}_head_dim": 16 for kind in ("key", "value")}
    text = TEXT | linear | {"vocab_size": len(words), "rope_parameters": rope | {"mrope_interleaved": True}}
    text["layer_types"] = ["linear_attention", "full_attention"]
    return hf.Qwen3_5ForConditionalGeneration(hf.Qwen3_5Config(text_config=text, **parts)), processor


def _qwen3():
    words = _qwen_words()
    vision = {"depth": 2, "hidden_size": 32, "num_heads": 2, "intermediate_size": 64, "out_hidden_size": 32}
    parts = {"vision_config": vision | {"patch_size": 16, "num_position_embeddings": 16}}
    parts |= {"image_token_id": 3, "video_token_id": 4, "vision_start_token_id": 5, "vision_end_token_id": 6}
    template = CHATML.replace("IMAGE", "<|vision_start|><|image_pad|><|vision_end|>")
    size = {"shortest_edge": 32 * 32 * 4, "longest_edge": 32 * 32 * 16}
    images = hf.Qwen2VLImageProcessor(patch_size=16, size=size)
    return words, parts, hf.Qwen3VLProcessor(images, words, hf.Qwen3VLVideoProcessor(), chat_template=template)


def llava():
    words = tokenizer(image_token="<image>")
    config = hf.LlavaConfig(
        text_config=hf.LlamaConfig(**TEXT, vocab_size=len(words)),
        vision_config=hf.CLIPVisionConfig(**VISION),
        image_token_index=3,
        vision_feature_layer=-2,
    )
    images = hf.CLIPImageProcessor(size={"shortest_edge": 48}, crop_size=SQUARE["size"])
    settings = {"patch_size": 16, "vision_feature_select_strategy": "default", "num_additional_image_tokens": 1}
    return hf.LlavaForConditionalGeneration(config), hf.LlavaProcessor(images, words, chat_template=LLAVA, **settings)


def _idefics3(name, images, **video):
    words = tokenizer(
        [("Ġ", "Y"), ("ĠY", "e"), ("ĠYe", "s"), ("Ġ", "N"), ("ĠN", "o")],
        image_token="<image>",
        fake_image_token="<fake_token_around_image>",
        global_image_token="<global-img>",
        end_of_utterance_token="<end_of_utterance>",
    )
    config = getattr(hf, f"{name}Config")(
        text_config=hf.LlamaConfig(**TEXT, vocab_size=len(words)),
        vision_config=VISION | {"patch_size": 8},
        scale_factor=3,
        image_token_id=3,
    )
    images = images(size={"longest_edge": 96}, max_image_size={"longest_edge": 48})
    processor = getattr(hf, f"{name}Processor")(images, words, **video, image_seq_len=4, chat_template=SMOLVLM)
    return getattr(hf, f"{name}ForConditionalGeneration")(config), processor


def idefics3():
    """Also the first SmolVLM."""
    return _idefics3("Idefics3", hf.Idefics3ImageProcessor)


def smolvlm():
    """SmolVLM 2."""
    pytest.importorskip("num2words", reason="transformers' processor of SmolVLM 2 needs num2words")
    return _idefics3("SmolVLM", hf.SmolVLMImageProcessor, video_processor=hf.SmolVLMVideoProcessor())


def internvl():
    words = tokenizer(
        WHOLE_ANSWERS,
        start_image_token="<img>",
        end_image_token="</img>",
        context_image_token="<IMG_CONTEXT>",
        video_token="<video>",
    )
    config = hf.InternVLConfig(
        text_config=hf.Qwen2Config(
            **{key: value for key, value in TEXT.items() if key != "head_dim"}, vocab_size=len(words)
        ),
        vision_config=VISION | {"image_size": [48, 48], "patch_size": [12, 12]},
        image_token_id=5,
    )
    images = hf.GotOcr2ImageProcessor(**SQUARE, min_patches=1, max_patches=4, crop_to_patches=True)
    template = CHATML.replace("IMAGE", "<IMG_CONTEXT>\n")
    processor = hf.InternVLProcessor(images, words, hf.InternVLVideoProcessor(), 4, chat_template=template)
    return hf.InternVLForConditionalGeneration(config), processor


def gemma3():
    words = tokenizer(
        WHOLE_ANSWERS, boi_token="<start_of_image>", eoi_token="<end_of_image>", image_token="<image_soft_token>"
    )
    config = hf.Gemma3Config(
        text_config=TEXT
        | {"vocab_size": len(words), "sliding_window": 8, "layer_types": ["sliding_attention", "full_attention"]},
        vision_config=VISION,
        mm_tokens_per_image=9,
        boi_token_index=3,
        eoi_token_index=4,
        image_token_index=5,
    )
    template = "<s>" + CHATML.replace("IMAGE", "<start_of_image>")
    images = hf.Gemma3ImageProcessor(**SQUARE)
    processor = hf.Gemma3Processor(images, words, chat_template=template, image_seq_length=9)
    return hf.Gemma3ForConditionalGeneration(config), processor


def paligemma():
    words = tokenizer(WHOLE_ANSWERS, image_token="<image>")
    config = hf.PaliGemmaConfig(
        text_config=hf.GemmaConfig(**TEXT, vocab_size=len(words)),
        vision_config=VISION,
        projection_dim=32,
        image_token_index=3,
    )
    images = hf.SiglipImageProcessor(**SQUARE)
    images.image_seq_length = 9
    return hf.PaliGemmaForConditionalGeneration(config), hf.PaliGemmaProcessor(images, words)


FAMILIES = (qwen2_vl, qwen3_vl, qwen3_5, llava, idefics3, smolvlm, internvl, gemma3, paligemma)


def make(family, folder):
    """``family`` in ``folder``; its model (in eval mode) and the processor, read back, of transformers are returned."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model, processor = family()
        with torch.no_grad():  # larger weights than the first ones, so that pairs differ
            for parameter in model.parameters():
                parameter.mul_(6) if parameter.ndim == 2 else parameter.add_(0.1 * torch.randn_like(parameter))
    for part in (model, processor):
        part.save_pretrained(folder)
    return model.eval(), hf.AutoProcessor.from_pretrained(folder)
