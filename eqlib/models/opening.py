"""Any model by its name on a command line, and the head or the question that scores a pair.

======================================  ==============================================================================
``ViT-B-32/openai``, ``hf:ID``, ...     what ``eqlib.models.clip.load`` takes; its cosines
the same with ``head="itm"``            a matching head of ``eqlib.models.itm``: itm, itc, itm+itc
the same with ``head="vqascore-3.1"``   a generative model, asked as in ``eqlib.models.vqa``: vqascore-3.0,
                                        vqascore-3.1, yes-no
``module:function``, a plug-in's name   a function of your own, or of an installed package that names it under
                                        ``[project.entry-points."eqlib.models"]``. It is called with ``device`` and
                                        ``precision`` (and ``head``, where one is given) and answers a model: a bundle
                                        of ``load``, or a scorer as ``eqlib.models.scorer`` describes it
======================================  ==============================================================================
"""

import os
import sys
from importlib import import_module
from importlib.metadata import entry_points

import torch

from eqlib.errors import InputError
from eqlib.models.clip import CLIP, load
from eqlib.models.scorer import Scorer

FORMS = ("vqascore-3.0", "vqascore-3.1", "yes-no")
PREFIXES = ("hf", "hf-hub", "local-dir")


def open_model(
    spec: str,
    head: str | None = None,
    *,
    device: str | torch.device = "cpu",
    precision: str = "fp32",
    batch_size: int = 64,
) -> CLIP | Scorer:
    """The model that ``spec`` and ``head`` name.

    Raises InputError for a name, head or plug-in that is not there, and what the loaders raise.
    """
    how: dict = {"device": device, "precision": precision}
    if (plug_in := _plug_in(str(spec))) is not None:
        made = plug_in(**how, **({"head": head} if head else {}))
        if not callable(made) and not isinstance(made, CLIP):
            raise InputError("a model: a bundle, or a function of images and captions", type(made).__name__, where=spec)
        return made
    if head is None:
        return load(spec, **how)
    if head in FORMS:
        from eqlib.models.vqa import load_vqa  # of an extra, as is the next

        return load_vqa(spec, head, **how, batch=batch_size)
    from eqlib.models.itm import load_matcher

    return load_matcher(spec, head, **how, batch=batch_size)


def _plug_in(spec: str):
    """The function behind an entry point's name or ``module:function``; None for any other name."""
    for found in entry_points(group="eqlib.models", name=spec):
        return found.load()
    module, colon, function = spec.partition(":")
    if not colon or module in PREFIXES or "/" in module or "\\" in module:
        return None
    if os.getcwd() not in sys.path:
        sys.path.append(os.getcwd())  # a console script does not look where it is called
    try:
        return getattr(import_module(module), function)
    except (ImportError, AttributeError, ValueError) as error:
        raise InputError("a function as module:function", error, where=spec) from error
