"""Dual encoders of transformers, with open_clip's calls: they train, embed and are saved as its models are.

CLIP, MetaCLIP 2, AltCLIP, Chinese-CLIP, ALIGN, SigLIP, SigLIP 2, and the contrastive heads of FLAVA and BLIP. Released
SigLIP 2 models of a fixed size call themselves ``siglip``; ``siglip2`` is NaFlex, which takes a picture as patches, in
its own shape.
"""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import open_clip
import torch
from open_clip.transform import PreprocessCfg, image_transform_v2
from PIL import Image
from torch import Tensor

from eqlib.errors import InputError, needs
from eqlib.files import read_json
from eqlib.models.clip import CLIP, transformers_folder
from eqlib.models.hub import refuse_pickles

needs("a model of transformers", "hf", "transformers")
import transformers  # noqa: E402

CONTEXT = {
    "clip": None,  # None: as long as the text tower's positions, to which these were trained
    "metaclip_2": None,
    "siglip": None,
    "siglip2": None,
    "altclip": 77,
    "chinese_clip": 52,
    "align": 64,
    "flava": 77,
    "blip": 35,
}
"""Families by their ``model_type``, and to how many tokens their captions are padded and cut."""

SEES_PADDING = ("clip", "metaclip_2", "siglip", "siglip2")
"""Text towers without an attention mask: causal ones, where padding comes after the token that is read, and SigLIP's,
which was trained on padding. CLIP's padding is its end token, so that a mask made from ids would hide that one too."""


class DualEncoder(torch.nn.Module):
    """``model(images, texts)`` as open_clip's: features of unit length, the scale, and SigLIP's bias.

    ``hf`` is the model of transformers. Its scale and bias have shape (1,) or (); here they are scalars.
    """

    def __init__(self, hf: Any, padding: int):
        super().__init__()
        self.hf, self.padding, self.family = hf, padding, hf.config.model_type

    def encode_image(self, images: Tensor, normalize: bool = False) -> Tensor:
        """Features (n, d) of ``images`` (n, 3, H, W), of NaFlex (n, patches, values + 3) as ``Pixels`` packs them."""
        if self.family == "blip":
            return _features(self.hf.vision_proj(self.hf.vision_model(images).last_hidden_state), normalize)
        inputs = {"pixel_values": images}
        if self.family == "siglip2":
            pixels, mask, shape = images.split([images.shape[-1] - 3, 1, 2], dim=-1)
            inputs = {
                "pixel_values": pixels,
                "pixel_attention_mask": mask[..., 0].long(),
                "spatial_shapes": shape[:, 0].long(),
            }
        return _features(self.hf.get_image_features(**inputs).pooler_output, normalize)

    def encode_text(self, tokens: Tensor, normalize: bool = False) -> Tensor:
        """Features (n, d) of token ids (n, context_length)."""
        mask = None if self.family in SEES_PADDING else (tokens != self.padding).long()
        if self.family == "blip":
            states = self.hf.text_encoder(input_ids=tokens, attention_mask=mask).last_hidden_state
            return _features(self.hf.text_proj(states), normalize)
        found = self.hf.get_text_features(input_ids=tokens, attention_mask=mask)
        return _features(found.pooler_output, normalize)

    def forward(self, images: Tensor, texts: Tensor) -> tuple[Tensor, ...]:
        features = self.encode_image(images, normalize=True), self.encode_text(texts, normalize=True)
        scale = 1 / self.hf.temperature if self.family == "align" else self.logit_scale.exp()
        bias = () if self.logit_bias is None else (self.logit_bias.reshape(()),)
        return *features, scale.reshape(()), *bias

    @property
    def visual(self) -> torch.nn.Module:
        """The image tower, without its projection."""
        return self.hf.image_model if self.family == "flava" else self.hf.vision_model

    @property
    def logit_scale(self) -> Tensor:
        """The parameter, a logarithm; of ALIGN, which learns a temperature, its value; of BLIP, whose weights come
        without one, where its training starts."""
        if self.family == "blip":
            return -torch.tensor(0.07).log()
        return -self.hf.temperature.log() if self.family == "align" else self.hf.logit_scale

    @property
    def logit_bias(self) -> Tensor | None:
        return getattr(self.hf, "logit_bias", None)

    def set_grad_checkpointing(self, enable: bool = True) -> None:
        self.hf.gradient_checkpointing_enable() if enable else self.hf.gradient_checkpointing_disable()


def _features(features: Tensor, normalize: bool) -> Tensor:
    if features.ndim == 3:  # FLAVA and BLIP project every position; their contrastive losses read the first
        features = features[:, 0]
    return torch.nn.functional.normalize(features, dim=-1) if normalize else features


class Pixels:
    """``pixels(image)``: a PIL image as the tensor that its model takes, by the model's own image processor."""

    def __init__(self, processor):
        self.processor = processor

    def __call__(self, image: Image.Image) -> Tensor:
        got = self.processor(images=image.convert("RGB"), return_tensors="pt")
        pixels = got["pixel_values"][0]
        if "spatial_shapes" in got:  # NaFlex: one tensor a picture, its mask and its rows and columns in three columns
            shape = got["spatial_shapes"].expand(len(pixels), 2)
            pixels = torch.cat([pixels, got["pixel_attention_mask"][0][:, None], shape], dim=1)
        return pixels

    def __repr__(self) -> str:
        return f"Pixels({json.dumps(_settings(self.processor), sort_keys=True)})"


class Tokens:
    """``tokens(texts)``: ids (n, context_length), padded and cut, as open_clip's tokenizers give them.

    ``lower`` is for SigLIP 2, trained on small letters: the tokenizer of its models of fixed size keeps capitals.
    Captions that are cut are counted in a warning, the first time that there are any.
    """

    def __init__(self, tokenizer, context_length: int, lower: bool = False):
        self.tokenizer, self.context_length, self.lower, self.warned = tokenizer, context_length, lower, False

    def __call__(self, texts: str | list[str]) -> Tensor:
        return self.encode([texts] if isinstance(texts, str) else list(texts), "max_length")["input_ids"]

    def encode(self, texts: list[str], padding: str):
        """All that the tokenizer gives for ``texts``; ``padding``: to "max_length", or to the "longest" of them."""
        texts = [text.lower() for text in texts] if self.lower else texts
        settings = {"truncation": True, "max_length": self.context_length, "return_attention_mask": True}
        made = self.tokenizer(texts, padding=padding, **settings, return_tensors="pt")
        full = [
            text for text, mask in zip(texts, made["attention_mask"], strict=True) if mask.sum() == self.context_length
        ]
        if full and not self.warned:
            whole = self.tokenizer(full, verbose=False)["input_ids"]
            if cut := sum(len(ids) > self.context_length for ids in whole):
                self.warned = True
                warnings.warn(
                    f"{cut} of {len(texts)} captions are cut: they are longer than the {self.context_length} tokens "
                    "that the model reads (said once; there may be more)",
                    stacklevel=2,
                )
        return made

    def __repr__(self) -> str:
        return (
            f"Tokens({type(self.tokenizer).__name__}, {len(self.tokenizer)}, {self.context_length}, lower={self.lower})"
        )


def pretrained(kind: str, folder: Path, name: str, *, device=None, precision: str = "fp32", **options):
    """What transformers' class ``kind`` reads from ``folder``. With ``device`` it is a model: whole, in eval mode."""
    if device is not None:
        refuse_pickles([path.name for path in folder.iterdir()], "model*.safetensors", folder)
        dtype = open_clip.get_input_dtype(precision) or torch.float32
        options |= {"dtype": dtype, "use_safetensors": True, "output_loading_info": True}
    try:
        made = getattr(transformers, kind).from_pretrained(folder, local_files_only=True, **options)
        if device is None:
            return made
        if missing := sorted(made[1]["missing_keys"]):  # transformers draws these, and only logs it
            raise ValueError(f"no weights of {', '.join(missing)}")
        return made[0].to(device).eval()
    except Exception as error:  # transformers and safetensors raise a dozen types here
        got = f"{type(error).__name__}: {error}"
        raise InputError("a model that transformers can load", got, where=name) from error


def require_folder(spec: str | Path) -> tuple[Path, str, str]:
    """(folder, shown name, model_type) of ``spec``. Raises InputError where it names no model of transformers."""
    found = transformers_folder(spec)
    if found is None:
        raise InputError("hf:ID or a folder with config.json", repr(str(spec)), where="model")
    return *found, str(read_json(found[0] / "config.json").get("model_type"))


def load_folder(folder: Path, name: str, *, device, precision: str, aug_cfg: dict | None) -> CLIP:
    """The bundle of ``folder``: config.json, safetensors, tokenizer and preprocessor, as transformers writes them.

    Raises InputError for a family that is none of CONTEXT, weights that are a pickle, or files that cannot be read.
    """
    family = read_json(folder / "config.json").get("model_type")
    if family not in CONTEXT:
        raise InputError(f"a model of one of {', '.join(CONTEXT)}", repr(family), where=folder / "config.json")
    kind = "BlipForImageTextRetrieval" if family == "blip" else "AutoModel"  # BlipModel has other, untrained heads
    hf = pretrained(kind, folder, name, device=device, precision=precision)
    val = Pixels(pretrained("AutoImageProcessor", folder, name))
    tokenizer = pretrained("AutoTokenizer", folder, name)
    length = CONTEXT[family] or hf.config.text_config.max_position_embeddings
    tokens = Tokens(tokenizer, length, lower=family.startswith("siglip"))
    config = {
        "model_cfg": {"embed_dim": _width(hf.config), **_settings(hf.config)},
        "preprocess_cfg": _settings(val.processor),
    }
    model = DualEncoder(hf, tokenizer.pad_token_id).eval()
    return CLIP(model, _augmented(val, aug_cfg), val, tokens, name, config, precision)


def _width(config) -> int:
    known = config.image_text_hidden_size if config.model_type == "blip" else getattr(config, "projection_dim", None)
    return known or config.vision_config.hidden_size


def _augmented(val: Pixels, aug_cfg: dict | None):
    """open_clip's training transform at the size, mean and std of ``val``; NaFlex has no size, and is left as it is."""
    pixels = val(Image.new("RGB", (64, 64)))
    if pixels.ndim == 2:
        return val
    processor = val.processor
    shown = PreprocessCfg(
        size=tuple(pixels.shape[1:]), mean=tuple(processor.image_mean), std=tuple(processor.image_std)
    )
    return image_transform_v2(shown, is_train=True, aug_cfg=aug_cfg)


def _settings(thing) -> dict:
    """What a config or processor says, without what a save changes."""
    said = json.loads(thing.to_json_string())
    return {
        key: value
        for key, value in said.items()
        if key not in ("_name_or_path", "transformers_version", "dtype", "architectures")
    }
