"""Any dual encoder of open_clip or transformers by one call, and back to a folder that its library reads.

``load`` accepts, in this order:

=========================================  ========================================================================
``{"embed_dim": .., "vision_cfg": ..}``    a new model from a config (a dict, or a path that ends in ``.json``)
``hf-hub:laion/CLIP-ViT-B-32-...``         a model of open_clip on the Hugging Face hub
``hf:google/siglip2-base-patch16-224``     a model of transformers on the hub (``eqlib.models.hf`` lists the families)
``local-dir:PATH`` or a folder             as ``save`` writes it: of open_clip (open_clip_config.json and weights) or of
                                           transformers (config.json, safetensors, tokenizer, preprocessor)
``ViT-B-32-quickgelu/openai``              ARCHITECTURE/TAG: an architecture of open_clip with a pretrained tag
``ViT-B-32/runs/epoch_5.pt``               ARCHITECTURE/FILE: the same with a local checkpoint file
``ViT-B-32/random``                        the same with new weights, to train: an architecture alone is refused
=========================================  ========================================================================

``@REVISION`` after an id of the hub names a commit, tag or branch of it. What is in the hub's cache is taken as it is;
the bundle's name ends in the commit.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import tempfile
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import open_clip
import torch
from open_clip.constants import HF_CONFIG_NAME, HF_SAFE_WEIGHTS_NAME
from open_clip.pretrained import get_pretrained_cfg
from safetensors.torch import save_file
from scipy.special import expit
from torch import Tensor

from eqlib.errors import InputError
from eqlib.files import made_here, read_json, whole, write_json
from eqlib.models.hub import snapshot


class QuickGELUWarning(UserWarning):
    """The activation of the config is not the one the weights were trained with: scores come out wrong, not absent."""


@dataclass(frozen=True, eq=False)
class CLIP:
    """A model, a ``torch.nn.Module`` with ``encode_image`` and ``encode_text``, and all that belongs to it.

    ``preprocess_train`` and ``preprocess_val`` take a PIL image to a float tensor (3, H, W); ``tokenizer`` takes a list
    of texts to token ids (n, context_length). ``config`` is open_clip's ``{"model_cfg": .., "preprocess_cfg": ..}``, or
    those of a model and an image processor of transformers; ``embed_dim`` is in both.
    """

    model: Any
    preprocess_train: Callable
    preprocess_val: Any
    tokenizer: Any
    name: str
    config: dict
    precision: str = "fp32"

    @property
    def fingerprint(self) -> str:
        """SHA-256 (hex) of config and weights as they are now: training changes it, so it is never stored."""
        return weights_digest(self.model, json.dumps(self.config, sort_keys=True, default=list))

    @property
    def device(self) -> torch.device:
        return next(self.model.parameters()).device

    @property
    def autocast(self) -> torch.dtype | None:
        """What the ``amp`` precisions, whose weights are float32, cast to in a forward pass; None for the others."""
        if not self.precision.startswith("amp"):
            return None
        return torch.float16 if self.precision == "amp" and self.device.type == "cuda" else torch.bfloat16

    def encode_images(self, pixels: Tensor) -> Tensor:
        """Features (n, d) float32 of unit length, on the model's device. ``pixels`` (n, 3, H, W): preprocessed."""
        return self._encode(self.model.encode_image, pixels.to(dtype=open_clip.get_input_dtype(self.precision)))

    def encode_captions(self, captions: Sequence[str] | Tensor) -> Tensor:
        """Features (n, d) float32 of unit length, on the model's device, of texts or of their token ids."""
        tokens = captions if isinstance(captions, Tensor) else self.tokenizer(list(captions))
        return self._encode(self.model.encode_text, tokens)

    def probability(self, cosines: np.ndarray) -> np.ndarray:
        """SigLIP's probability of a match, sigmoid(scale x cosine + bias), float64. InputError for other models, whose
        cosines say only which of two is higher."""
        if getattr(self.model, "logit_bias", None) is None:
            raise InputError("a model with a bias (SigLIP)", "none", where=self.name)
        scale, bias = (float(value.detach()) for value in (self.model.logit_scale.exp(), self.model.logit_bias))
        return expit(scale * np.asarray(cosines, dtype=np.float64) + bias)

    @torch.inference_mode()
    def _encode(self, encode: Callable, batch: Tensor) -> Tensor:
        training = self.model.training
        self.model.eval()
        with torch.autocast(self.device.type, self.autocast, enabled=self.autocast is not None):
            features = encode(batch.to(self.device))
        self.model.train(training)
        return torch.nn.functional.normalize(features.float(), dim=-1)


def weights_digest(model: torch.nn.Module, beside: str) -> str:
    """SHA-256 (hex) of the weights of ``model`` as they are now, and of a text that says what else decides."""
    digest = hashlib.sha256(beside.encode())
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy())
    return digest.hexdigest()


def load(
    spec: str | Path | dict,
    *,
    device: str | torch.device = "cpu",
    precision: str = "fp32",
    seed: int = 0,
    quick_gelu: bool = False,
    aug_cfg: dict | None = None,
) -> CLIP:
    """A CLIP bundle, in eval mode, from any form of ``spec`` the module's docstring lists.

    ``device="auto"`` takes CUDA, else MPS, else the CPU. ``seed`` draws new weights; the global random state is left as
    it was. ``precision`` is open_clip's (fp32, bf16, fp16, amp, ...). ``quick_gelu=True`` forces the activation.
    ``aug_cfg`` goes to open_clip's training transform.

    Raises InputError for a spec that names nothing, a config open_clip cannot build, weights that cannot be fetched, or
    weights that are not finite. Warns (QuickGELUWarning) where config and pretrained tag disagree on the activation.
    """
    device = best_device() if device == "auto" else device
    if (found := transformers_folder(spec)) is not None:
        from eqlib.models.hf import load_folder  # of an extra, and it imports this module

        if quick_gelu:
            raise InputError("quick_gelu for a model of open_clip", "one of transformers", where=found[1])
        return _finite(load_folder(*found, device=device, precision=precision, aug_cfg=aug_cfg))
    name, model_name, pretrained, config = _resolve(spec)
    check_quick_gelu(name, model_name, pretrained, config["model_cfg"], forced=quick_gelu)
    shown = {}
    if tag := get_pretrained_cfg(model_name, pretrained) if model_name and pretrained else None:
        # open_clip itself asks the hub even for what is cached, for a minute without a network, and takes pickles
        repository, file = os.path.split(tag["hf_hub"])
        file = f"{Path(file).stem}.safetensors" if file else HF_SAFE_WEIGHTS_NAME
        folder, commit = snapshot(repository, file, name)
        name, pretrained = f"{name}@{commit}", str(folder / file)
        shown = {f"image_{key}": tag[key] for key in ("mean", "std", "interpolation", "resize_mode") if key in tag}
    if quick_gelu:
        config["model_cfg"]["quick_gelu"] = True
    has_weights = model_name is not None and (pretrained is not None or ":" in model_name)
    with tempfile.TemporaryDirectory() as folder:
        if model_name is None:
            # open_clip reads an own config from a folder; registering it would be global state.
            (Path(folder) / HF_CONFIG_NAME).write_text(json.dumps(config))
            model_name = f"local-dir:{folder}"
        try:
            with torch.random.fork_rng(devices=[]), _expected(), warnings.catch_warnings():
                warnings.filterwarnings("ignore", message="QuickGELU mismatch")  # said above, before the download
                torch.default_generator.manual_seed(seed)  # torch.manual_seed would reseed every accelerator too
                model, train, val = open_clip.create_model_and_transforms(
                    model_name,
                    pretrained=pretrained,
                    device=device,
                    precision=precision,
                    force_quick_gelu=quick_gelu,
                    aug_cfg=aug_cfg,
                    **shown,
                    # without it a hub model whose weights are missing would be a random one, with a warning in the log
                    require_pretrained=has_weights,
                )
            tokenizer = open_clip.get_tokenizer(model_name)
        except Exception as error:  # open_clip, the hub and torch raise a dozen types here
            what = "weights that can be read or downloaded" if pretrained else "a model that open_clip can build"
            raise InputError(what, f"{type(error).__name__}: {error}", where=name) from error
    config["preprocess_cfg"] = dict(model.visual.preprocess_cfg)
    return _finite(CLIP(model.eval(), train, val, tokenizer, name, config, precision))


def _finite(bundle: CLIP) -> CLIP:
    for name, weights in bundle.model.named_parameters():
        if not weights.isfinite().all():
            raise InputError("finite weights", f"NaN or infinity in {name}", where=bundle.name)
    return bundle


def save(bundle: CLIP, folder: str | Path) -> Path:
    """``bundle`` as the folder open_clip calls ``local-dir:`` (open_clip_config.json, safetensors), or as transformers
    writes its models; whole or absent.

    A model that lies there is replaced; a folder of anything else is refused (InputError).
    ``load(folder)`` gives the same weights, transforms and tokenizer back, as does the library itself.
    """
    of_transformers = hasattr(bundle.model, "hf")
    mark = "preprocessor_config.json" if of_transformers else HF_CONFIG_NAME
    with whole(folder, replace_folder=made_here(folder, mark)) as draft:
        if of_transformers:
            bundle.model.hf.save_pretrained(draft)
            bundle.preprocess_val.processor.save_pretrained(draft)
            bundle.tokenizer.tokenizer.save_pretrained(draft)
        else:
            write_json(draft / HF_CONFIG_NAME, bundle.config)
            # safetensors refuses views and shared storage; clones are neither.
            tensors = {k: v.detach().cpu().clone().contiguous() for k, v in bundle.model.state_dict().items()}
            save_file(tensors, draft / HF_SAFE_WEIGHTS_NAME, metadata={"format": "pt"})
            if hasattr(bundle.tokenizer, "save_pretrained"):
                bundle.tokenizer.save_pretrained(str(draft))
        for weights in draft.glob("*.safetensors"):
            weights.chmod(0o644)  # safetensors writes for the owner alone
    return Path(folder)


def best_device() -> str:
    """The accelerator of this machine: "cuda", "mps" or "cpu"."""
    return "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"


def check_quick_gelu(
    name: str, architecture: str | None, tag: str | None, model_cfg: dict, *, forced: bool = False
) -> None:
    """Warn where OpenAI's weights meet a config without QuickGELU, or weights trained without it a config that has it.

    open_clip checks tags only, and after the download. Hub and local folders carry the activation in their own config,
    so there the name is the only hint: a name with ``openai`` means QuickGELU.
    """
    has = bool(model_cfg.get("quick_gelu")) or forced
    known = get_pretrained_cfg(architecture, tag) if architecture and tag else None
    if known:
        wants = bool(known.get("quick_gelu"))
    elif "openai" in name.lower():
        wants = True
    else:
        return
    timm = "timm_model_name" in model_cfg.get("vision_cfg", {})  # timm towers ignore the flag; their names carry it
    if wants != has and not timm:
        plain = (architecture or name).removesuffix("-quickgelu")
        remedy = f"use {plain}-quickgelu, or load(..., quick_gelu=True)" if wants else f"use {plain}"
        warnings.warn(
            f"{name}: the weights were trained {'with' if wants else 'without'} QuickGELU, the config is "
            f"{'with' if has else 'without'} it. Every score will be wrong by a few points: {remedy}.",
            QuickGELUWarning,
            stacklevel=3,
        )


@contextmanager
def _expected() -> Iterator[None]:
    """Mute open_clip's "no weights" warnings: those that were asked for are required. It logs to the root logger."""

    def keep(record: logging.LogRecord) -> bool:
        text = record.getMessage()
        return "no CLIP weights found" not in text and "No pretrained weights loaded" not in text

    root = logging.getLogger()
    root.addFilter(keep)
    try:
        yield
    finally:
        root.removeFilter(keep)


def transformers_folder(spec: str | Path | dict) -> tuple[Path, str] | None:
    """(folder, shown name) where ``spec`` names a model of transformers, else None."""
    if isinstance(spec, dict):
        return None
    text = str(spec)
    path = Path(text.removeprefix("hf:").removeprefix("local-dir:"))
    if (path / "config.json").is_file() and not (path / HF_CONFIG_NAME).is_file():
        return path, path.name
    if not text.startswith("hf:"):
        return None
    folder, commit = snapshot(text.removeprefix("hf:"), "model*.safetensors", text)
    return folder, f"{text.partition('@')[0]}@{commit}"


def _resolve(spec: str | Path | dict) -> tuple[str, str | None, str | None, dict]:
    """(shown name, open_clip's model name or None for an own config, tag or checkpoint file, full config)."""
    if isinstance(spec, dict):
        return "own config", None, None, _full_config(spec, "model config")
    text = str(spec)
    if text.startswith("hf-hub:"):
        path, commit = snapshot(text.removeprefix("hf-hub:"), "open_clip*.safetensors", text)
        return f"{text.partition('@')[0]}@{commit}", *_resolve(f"local-dir:{path}")[1:]
    architecture, _, rest = text.partition("/")
    if not text.startswith("local-dir:") and architecture in open_clip.list_models():
        if rest != "random" and not get_pretrained_cfg(architecture, rest) and not Path(rest).is_file():
            tags = ", ".join(open_clip.list_pretrained_tags_by_model(architecture)) or "none"
            choices = f"a checkpoint file, {architecture}/random to draw new weights, or a pretrained tag ({tags})"
            raise InputError(choices, repr(rest) if rest else "an architecture alone", where=text)
        weights = None if rest == "random" else rest
        return text, architecture, weights, {"model_cfg": open_clip.get_model_config(architecture)}
    path = Path(text.removeprefix("local-dir:"))
    if path.suffix == ".json" and path.is_file():
        return path.stem, None, None, _full_config(read_json(path), path)
    if path.is_dir():
        config = _full_config(read_json(path / HF_CONFIG_NAME), path / HF_CONFIG_NAME)
        if not any(file.suffix in (".safetensors", ".bin", ".pth") for file in path.iterdir()):
            raise InputError("weights beside open_clip_config.json", "none", where=path)
        return path.name, f"local-dir:{path}", None, config
    expected = "ARCHITECTURE/TAG, /FILE or /random of open_clip, hf-hub:ID, hf:ID, a model folder or a JSON config"
    raise InputError(expected, repr(text), where="model")


def _full_config(config: Any, where: str | Path) -> dict:
    """``{"model_cfg", "preprocess_cfg"}`` from that form, or from a bare model config."""
    if isinstance(config, dict) and "model_cfg" not in config:
        config = {"model_cfg": config}
    model_cfg = config["model_cfg"] if isinstance(config, dict) else None
    known = model_cfg if isinstance(model_cfg, dict) else {}
    if missing := [key for key in ("embed_dim", "vision_cfg", "text_cfg") if key not in known]:
        got = f"{', '.join(missing)} missing"
        raise InputError("a model config with embed_dim, vision_cfg, text_cfg", got, where=where)
    config = deepcopy(config)
    return {"model_cfg": config["model_cfg"], "preprocess_cfg": config.get("preprocess_cfg") or {}}
