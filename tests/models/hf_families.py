"""Small models of transformers with random weights, saved as folders: the real classes, processors and tokenizers."""

import json

import torch
import transformers as hf
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

TEXT = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 3,
    "num_attention_heads": 2,
    "max_position_embeddings": 80,
    "vocab_size": 99,
}
VISION = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 3,
    "num_attention_heads": 2,
    "image_size": 48,
    "patch_size": 16,
}
SQUARE = {"size": {"height": 48, "width": 48}}
CROP = {"size": {"shortest_edge": 48}, "crop_size": {"height": 48, "width": 48}}
WORDS = "a the two red cup cups dog cat man woman in on with of and snow water running black white"


def tokenizer(kind, length):
    """Words as tokens, with the special tokens, and their numbers, of the family ``kind``."""
    special = {
        "bert": ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"],
        "roberta": ["<s>", "<pad>", "</s>", "<unk>", "<mask>"],
        "clip": ["<|startoftext|>", "<|endoftext|>"],
        "siglip": ["<pad>", "</s>", "<unk>"],
    }[kind]
    vocabulary = {word: n for n, word in enumerate([*special, *WORDS.split()])}
    unknown = next((s for s in special if "unk" in s.lower()), "<|endoftext|>")
    words = Tokenizer(models.WordLevel(vocabulary, unk_token=unknown))
    words.normalizer, words.pre_tokenizer = normalizers.Lowercase(), pre_tokenizers.Whitespace()
    start = {"bert": "[CLS]", "roberta": "<s>", "clip": "<|startoftext|>"}.get(kind)
    end = {"bert": "[SEP]", "roberta": "</s>", "clip": "<|endoftext|>", "siglip": "</s>"}[kind]
    template = f"{start} $A {end}" if start else f"$A {end}"
    ends = [(token, vocabulary[token]) for token in (start, end) if token]
    words.post_processor = processors.TemplateProcessing(single=template, special_tokens=ends)
    pad = next((s for s in special if "pad" in s.lower()), end)  # CLIP pads with its end token
    return hf.PreTrainedTokenizerFast(
        tokenizer_object=words, unk_token=unknown, pad_token=pad, eos_token=end, model_max_length=length
    )


def clip():
    text = TEXT | {"bos_token_id": 0, "eos_token_id": 1, "pad_token_id": 1}
    config = hf.CLIPConfig(text_config=text, vision_config=VISION, projection_dim=16)
    return hf.CLIPModel(config), hf.CLIPImageProcessor(**CROP), tokenizer("clip", 80)


def metaclip_2():
    text = TEXT | {"bos_token_id": 0, "eos_token_id": 2, "pad_token_id": 1}
    config = hf.MetaClip2Config(text_config=text, vision_config=VISION, projection_dim=16)
    return hf.MetaClip2Model(config), hf.CLIPImageProcessor(**CROP), tokenizer("roberta", 80)


def altclip():
    text = TEXT | {"project_dim": 32, "max_position_embeddings": 90}
    config = hf.AltCLIPConfig(text_config=text, vision_config=VISION, projection_dim=16)
    return hf.AltCLIPModel(config), hf.CLIPImageProcessor(**CROP), tokenizer("roberta", 88)


def chinese_clip():
    config = hf.ChineseCLIPConfig(text_config=TEXT, vision_config=VISION, projection_dim=16)
    return (
        hf.ChineseCLIPModel(config),
        hf.ChineseCLIPImageProcessor(**SQUARE, crop_size=SQUARE["size"]),
        tokenizer("bert", 80),
    )


def align():
    vision = {
        "image_size": 48,
        "width_coefficient": 0.1,
        "depth_coefficient": 0.1,
        "hidden_dim": 32,
        "num_block_repeats": [1] * 7,
        "drop_connect_rate": 0.0,
    }
    config = hf.AlignConfig(text_config=TEXT, vision_config=vision, projection_dim=32)
    model = hf.AlignModel(config)
    for module in model.vision_model.modules():
        if isinstance(module, torch.nn.Conv2d):
            torch.nn.init.kaiming_normal_(module.weight)  # by the library's own first weights, activations overflow
    return model, hf.EfficientNetImageProcessor(**CROP, do_center_crop=True), tokenizer("bert", 80)


SIGLIP_TEXT = TEXT | {"projection_size": 32, "bos_token_id": 0, "eos_token_id": 1}


def siglip():
    config = hf.SiglipConfig(text_config=SIGLIP_TEXT, vision_config=VISION)
    return hf.SiglipModel(config), hf.SiglipImageProcessor(**SQUARE), tokenizer("siglip", 80)


def siglip2():
    vision = {key: value for key, value in VISION.items() if key != "image_size"} | {"num_patches": 16}
    config = hf.Siglip2Config(text_config=SIGLIP_TEXT, vision_config=vision)
    processor = hf.Siglip2ImageProcessor(patch_size=16, max_num_patches=12)
    return hf.Siglip2Model(config), processor, tokenizer("siglip", 80)


def flava():
    multimodal = {key: TEXT[key] for key in ("hidden_size", "intermediate_size", "num_attention_heads")}
    config = hf.FlavaConfig(
        text_config=TEXT,
        image_config=VISION,
        multimodal_config=multimodal | {"num_hidden_layers": 1},
        image_codebook_config={"hidden_size": 8, "num_groups": 2, "vocab_size": 16},
        projection_dim=16,
        hidden_size=32,
    )
    return (
        hf.FlavaForPreTraining(config),
        hf.FlavaImageProcessor(**SQUARE, crop_size=SQUARE["size"]),
        tokenizer("bert", 80),
    )


FAMILIES = (clip, metaclip_2, altclip, chinese_clip, align, siglip, siglip2, flava)


def make(family, folder):
    """``family`` in ``folder``; its model (in eval mode), processor and tokenizer of transformers are returned."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model, processor, words = family()
        with torch.no_grad():  # released models have a temperature and a bias; both are drawn here, to be seen
            for name, parameter in model.named_parameters():
                if name.split(".")[-1] in ("logit_scale", "logit_bias"):
                    parameter.copy_(torch.rand(parameter.shape) + 1)
    for part in (model, processor, words):
        part.save_pretrained(folder)
    assert json.loads((folder / "config.json").read_text())["model_type"] == family.__name__
    return model.eval(), processor, words
