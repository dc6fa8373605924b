"""Zero-shot classification of a folder of classes: what a fine-tuned model still knows of things by name."""

from collections.abc import Sequence
from pathlib import Path

import torch
from torch.utils.data import DataLoader
from torchvision.datasets import ImageFolder

from eqlib.errors import InputError
from eqlib.models.clip import CLIP
from eqlib.suites.images import open_image


def zero_shot_top1(
    bundle: CLIP, folder: str | Path, *, templates: Sequence[str] = ("a photo of a {}.",), batch: int = 256
) -> float:
    """Share (0..1) of the pictures whose class is the nearest by cosine; a tie goes to the class that sorts first.

    ``folder`` is torchvision's ImageFolder, ``<class>/<picture>``; an underscore in a class's name reads as a space.
    ``templates`` hold ``{}`` for that name; a class's vector is the mean of its templates' (Radford et al. 2021,
    arXiv 2103.00020). Raises InputError for a folder without classes, a class without pictures, a template without
    ``{}``, or a damaged picture.
    """
    if not templates or not all("{}" in template for template in templates):
        raise InputError("templates with {} for the class's name", list(templates), row="templates")
    try:
        pictures = ImageFolder(folder, transform=bundle.preprocess_val, loader=open_image)
    except OSError as error:  # torchvision: no such folder, no class, a class without pictures
        raise InputError("folders <class>/<picture>", str(error), where=folder) from error
    names = [name.replace("_", " ") for name in pictures.classes]
    texts = [bundle.encode_captions([template.format(name) for template in templates]).mean(dim=0) for name in names]
    classes = torch.nn.functional.normalize(torch.stack(texts), dim=-1)
    right = 0
    for images, labels in DataLoader(pictures, batch_size=batch):
        right += int(((bundle.encode_images(images) @ classes.T).argmax(1).cpu() == labels).sum())
    return right / len(pictures)
