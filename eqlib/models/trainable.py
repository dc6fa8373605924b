"""Which parameters of a model a fine-tuning may change: all, one tower, the last blocks, or LoRA adapters."""

import re
from typing import Any

import torch
from open_clip.modified_resnet import ModifiedResNet
from open_clip.timm_model import TimmModel
from timm.models import group_parameters

from eqlib.errors import InputError

PARTS = ("all", "text", "image", "last")
IMAGE = re.compile(r"(visual|hf\.(vision|visual|image)_(model|projection))\.")
"""The image tower's parameters, in open_clip and in transformers; the rest is the text tower, but for SHARED."""
UNUSED = re.compile(r"hf\..*(pooler\.dense|mask_token|multimodal_model|_to_mm_projection)")
"""What the contrastive heads of ALIGN and FLAVA do not use: a gradient that never comes stops a distributed run."""
SHARED = ("logit_scale", "logit_bias", "temperature")
BLOCK = re.compile(r"\b(?:layers?|blocks)\.?(\d+)\.")
STEM = re.compile(r"visual\.(conv|bn)\d|embeddings|pre_layrnorm")


def train_only(model: torch.nn.Module, part: str = "all", *, last: int = 1) -> list[str]:
    """Freeze everything but ``part`` of ``model`` in place; the names that may change are returned.

    ``text``, ``image``: one tower. ``last``: the last ``last`` blocks of each tower with its final norm, pooling and
    projection; blocks are the groups of open_clip's ``lock_image_tower`` and ``lock_text_tower``, of a ResNet its
    stages. The temperature trains in every case, as in locked-image tuning (LiT, arXiv 2111.07991).
    Batch norms of frozen layers keep their statistics, also after ``model.train()``.

    Raises InputError for another part, or where ``last`` is less than 1 or more than a tower has.
    """
    if part not in PARTS:
        raise InputError(f"one of {', '.join(PARTS)}", repr(part), where="train_only")
    if last < 1:
        raise InputError("1 or more last blocks", last, where="train_only")
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(not UNUSED.match(name))
    for tower, parameters in _towers(model).items():
        if part == "last":
            _unlock_last(model, tower, parameters, last)
            if len({parameter.requires_grad for parameter in parameters.values()}) == 1:
                raise InputError(f"as many last blocks as the {tower} tower has", last, where="train_only")
        else:
            for parameter in parameters.values():
                parameter.requires_grad_(part in ("all", tower))
    _hold_statistics(model)
    return [name for name, parameter in model.named_parameters() if parameter.requires_grad]


def _towers(model: torch.nn.Module) -> dict[str, dict[str, torch.nn.Parameter]]:
    towers: dict[str, dict] = {"image": {}, "text": {}}
    for name, parameter in model.named_parameters():
        if name.split(".")[-1] not in SHARED and not UNUSED.match(name):
            towers["image" if IMAGE.match(name) else "text"][name] = parameter
    return towers


def _unlock_last(model: Any, tower: str, parameters: dict[str, torch.nn.Parameter], last: int) -> None:
    if hasattr(model, "hf") or (tower == "image" and isinstance(model.visual, ModifiedResNet)):
        # what open_clip cannot lock in part: models of transformers, and its own ResNet
        numbers = {name: int(found[1]) for name in parameters if (found := BLOCK.search(name))}
        first, top = min(numbers.values()), max(numbers.values())
        for name, parameter in parameters.items():
            number = numbers.get(name, first - 1 if STEM.search(name) else top + 1)
            parameter.requires_grad_(number > top - last)
    elif tower == "image":
        blocks_end = False  # the last group is the output: a projection, a pooling, a head
        if isinstance(model.visual, TimmModel):
            groups = group_parameters(model.visual.trunk, model.visual.trunk.group_matcher())
            blocks_end = any(re.search(r"\.\d+\.", name) for name in groups[max(groups)])
        model.visual.lock(unlocked_groups=last + (not blocks_end))
        if getattr(model.visual, "attn_pool", None) is not None:  # CoCa's, which no group of open_clip holds
            model.visual.attn_pool.requires_grad_(True)
    else:
        projection = not hasattr(getattr(model, "text", None), "config")  # in a text tower of the hub it is no group
        (model.text.lock if hasattr(model, "text") else model.lock_text_tower)(last + projection)


def _hold_statistics(model: torch.nn.Module) -> None:
    for module in model.modules():
        norm = isinstance(module, torch.nn.modules.batchnorm._BatchNorm)
        if norm and _keep_statistics not in module._forward_pre_hooks.values():
            module.register_forward_pre_hook(_keep_statistics)


def _keep_statistics(norm: torch.nn.Module, _: tuple) -> None:
    """Before each use, for ``model.train()`` reaches frozen layers too."""
    if not any(parameter.requires_grad for parameter in norm.parameters()):
        norm.eval()


def add_lora(model: torch.nn.Module, *, rank: int = 8, alpha: int | None = None, dropout: float = 0.0, seed: int = 0):
    """Freeze ``model`` and give each block's attention, linear and convolution layers LoRA adapters (arXiv 2106.09685).

    Returns peft's tuner; ``merge_lora(tuner)`` puts the adapters into the weights, after which ``save`` writes a plain
    model. ``alpha`` defaults to ``2 * rank``; ``seed`` draws the first matrices, the global random state is left as it
    was. Depthwise convolutions get none. Needs ``peft`` (extra ``lora``); raises InputError without it, or where a
    tower has no layer for an adapter.
    """
    try:
        from peft import LoraConfig
        from peft.tuners.lora import LoraModel
    except ImportError as error:
        raise InputError("the package peft (pip install 'eqlib[lora]')", "no such package") from error
    # by exact type: a MultiheadAttention takes its adapter as a whole, its out_proj, a kind of Linear, none of its own
    adapted = (torch.nn.Linear, torch.nn.MultiheadAttention, torch.nn.Conv2d)
    targets = [
        name
        for name, module in model.named_modules()
        if type(module) in adapted and re.search(r"\d\.", name) and getattr(module, "groups", 1) == 1
    ]
    for tower, parameters in _towers(model).items():
        if not any(name.rpartition(".")[0].startswith(tuple(targets)) for name in parameters):
            raise InputError(f"an {tower} tower with blocks of layers", type(model).__name__, where="add_lora")
    settings = LoraConfig(
        r=rank, lora_alpha=alpha or 2 * rank, lora_dropout=dropout, target_modules="|".join(map(re.escape, targets))
    )
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        tuner = LoraModel(model, {"default": settings}, "default")
    for name, parameter in model.named_parameters():
        parameter.requires_grad_("lora_" in name or name.split(".")[-1] in SHARED)
    _hold_statistics(model)
    return tuner


def merge_lora(tuner) -> torch.nn.Module:
    """The model of ``add_lora`` with its adapters in the weights and no trace of peft; all of it trainable."""
    return tuner.merge_and_unload().requires_grad_(True)
