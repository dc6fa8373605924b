"""Which parameters of a CLIP a fine-tuning may change: all, one tower, the last blocks, or LoRA adapters.

Names tell the towers apart in every open_clip model: ``visual.*`` is the image tower, ``logit_scale`` and
``logit_bias`` belong to both, the rest is the text tower.
"""

from __future__ import annotations

import re

import torch

from eqlib.errors import InputError

PARTS = ("all", "text", "image", "last")
BLOCK = re.compile(r"^(?P<tower>visual\.)?.*?\b(?:resblocks|blocks|encoder\.layer|layer)\.?(?P<number>\d+)\.")
OUTPUT = re.compile(r"(^|\.)(proj|ln_post|attnpool|head|text_projection|ln_final)(\.|$)")
SHARED = ("logit_scale", "logit_bias")


def train_only(model: torch.nn.Module, part: str = "all", *, last: int = 1) -> list[str]:
    """Freeze everything but ``part`` of ``model`` in place; the names that may change are returned.

    ``text``, ``image``: one tower. ``last``: the last ``last`` blocks of each tower (of a ResNet: stages) with its
    final norm and projection. The temperature trains in every case, as in locked-image tuning (LiT, arXiv 2111.07991).
    Batch norms of frozen layers keep their statistics, also after ``model.train()``.

    Raises InputError for another part, or a tower with fewer blocks than ``last``.
    """
    if part not in PARTS:
        raise InputError(f"one of {', '.join(PARTS)}", repr(part), where="train_only")
    names = [name for name, _ in model.named_parameters()]
    chosen = set(names) if part == "all" else {name for name in names if name.split(".")[-1] in SHARED}
    if part in ("text", "image"):
        chosen |= {name for name in names if name.startswith("visual.") == (part == "image") and name not in SHARED}
    elif part == "last":
        chosen |= _last_blocks(names, last)
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(name in chosen)
    for module in model.modules():
        norm = isinstance(module, torch.nn.modules.batchnorm._BatchNorm)
        if norm and _keep_statistics not in module._forward_pre_hooks.values():
            module.register_forward_pre_hook(_keep_statistics)
    return [name for name in names if name in chosen]


def _keep_statistics(norm: torch.nn.Module, _: tuple) -> None:
    """Before each use, for ``model.train()`` reaches frozen layers too."""
    if not any(parameter.requires_grad for parameter in norm.parameters()):
        norm.eval()


def add_lora(model: torch.nn.Module, *, rank: int = 8, alpha: float | None = None, dropout: float = 0.0):
    """Freeze ``model`` and give each transformer block's attention and MLP a LoRA adapter (arXiv 2106.09685).

    Returns peft's tuner; ``merge_lora(tuner)`` puts the adapters into the weights, after which ``save`` writes a plain
    model. ``alpha`` defaults to ``2 * rank``. Convolutions of a ResNet get none. Needs ``peft`` (extra ``lora``);
    raises InputError without it, or where ``model`` has no transformer block.
    """
    try:
        from peft import LoraConfig
        from peft.tuners.lora import LoraModel
    except ImportError as error:
        raise InputError("the package peft (pip install 'eqlib[lora]')", "no such package") from error
    target = r".*resblocks\.\d+\.(attn|mlp\.c_fc|mlp\.c_proj)"
    if not any(re.fullmatch(target, name) for name, _ in model.named_modules()):
        raise InputError("a model with transformer blocks of open_clip", type(model).__name__, where="add_lora")
    settings = LoraConfig(r=rank, lora_alpha=alpha or 2 * rank, lora_dropout=dropout, target_modules=target)
    tuner = LoraModel(model, {"default": settings}, "default")
    for name, parameter in model.named_parameters():
        parameter.requires_grad_("lora_" in name or name.split(".")[-1] in SHARED)
    return tuner


def merge_lora(tuner) -> torch.nn.Module:
    """The model of ``add_lora`` with its adapters in the weights and no trace of peft; all of it trainable."""
    return tuner.merge_and_unload().requires_grad_(True)


def _last_blocks(names: list[str], last: int) -> set[str]:
    chosen = {name for name in names if OUTPUT.search(name) and not BLOCK.match(name)}
    for image in (True, False):
        blocks = {}
        for name in names:
            found = BLOCK.match(name)
            if found and (found["tower"] is not None) == image:
                blocks.setdefault(int(found["number"]), []).append(name)
        if not 1 <= last <= len(blocks):
            tower = "image" if image else "text"
            raise InputError(f"1 to {len(blocks)} last blocks of the {tower} tower", last, where="train_only")
        chosen |= {name for number in sorted(blocks)[-last:] for name in blocks[number]}
    return chosen
