"""Batches as a pure function of (seed, step): any run can stop and go on without a sampler's state.

Which images a step takes, which of their captions, and how each is augmented depend on nothing but the seed, the epoch
and the image, so a resumed run, a run with other workers and a run on more processes see the same data.
"""

import hashlib
import json
from collections.abc import Callable, Iterator

import numpy as np
import torch
from PIL import Image
from torch.utils.data import DataLoader, Dataset, default_collate

from eqlib.errors import InputError
from eqlib.study.training.order import ORDER, Order, mates, members_of, permutation
from eqlib.suites import RetrievalSuite
from eqlib.suites.images import open_image

DECODED = 1 << 30
"""Bytes of decoded pictures that a process keeps: the main one, or each of the loader's workers."""
_CAPTION, _AUGMENT = ORDER + 1, ORDER + 2  # independent random streams of one seed


class CaptionedImages(Dataset):
    """Item ``(epoch, index)``: the preprocessed image (3, H, W) and the tokens (context,) of one drawn caption.

    Images of one group (``suite.groups``) that have equally many captions draw the same-numbered one. With
    ``negatives`` an item has the tokens (context,) of the caption's hard negative as a third value; a caption without
    one has its own tokens there.

    A damaged picture comes out as its InputError: a data loader's worker can only raise what one message rebuilds.
    With ``damaged="skip"`` the next good picture of the epoch's permutation stands in for it, a function of seed, epoch
    and index like all else (a batch may then hold that picture twice), each item carries the number passed over as its
    last value, and ``skipped`` counts them for the batches handed out. Raises InputError for any other ``damaged``, and
    for ``negatives`` where no caption has one, and for an image without a caption.
    """

    def __init__(
        self,
        suite: RetrievalSuite,
        preprocess: Callable,
        tokenizer: Callable,
        *,
        seed: int,
        damaged: str = "fail",
        negatives: bool = False,
    ):
        if damaged not in ("fail", "skip"):
            raise InputError("fail or skip", repr(damaged), row="damaged")
        self.suite, self.preprocess, self.seed, self.damaged, self.skipped = suite, preprocess, seed, damaged, 0
        order = np.argsort(suite.image_of_caption, kind="stable")
        captions = np.bincount(suite.image_of_caption, minlength=len(suite.images))
        if captions.min() == 0:
            bare = suite.images[int(captions.argmin())]
            raise InputError("a caption for every image", f"none for {bare}", where=suite.name)
        self.captions_of = np.split(order, np.cumsum(captions))
        self.tokens, self.negative_tokens = tokenizer(suite.captions), None
        if negatives:
            check_knows(suite, negatives=True)
            pairs = zip(suite.negatives, suite.captions, strict=True)
            self.negative_tokens = tokenizer([negative or caption for negative, caption in pairs])
        self._decoded: dict[int, Image.Image] = {}
        self._space = DECODED
        self.draws_as = np.arange(len(suite.images))
        for group in () if suite.groups is None else members_of(suite.groups):
            if len({len(self.captions_of[index]) for index in group}) == 1:
                self.draws_as[group] = group[0]

    @property
    def digest(self) -> str:
        """SHA-256 (hex) of what decides the items, but the pixels and transforms: also of what was left out."""
        suite = self.suite
        arrays = [None if values is None else values.tolist() for values in (suite.image_of_caption, suite.groups)]
        known = [suite.digest, suite.images, suite.captions, suite.negatives, *arrays, self.seed, self.damaged]
        return hashlib.sha256(json.dumps(known).encode()).hexdigest()

    def __getitem__(self, key: tuple[int, int]) -> tuple[torch.Tensor, ...] | InputError:
        item = self._item(*key)
        if self.damaged == "fail":
            return item
        epoch, index = key
        passed = 0
        if isinstance(item, InputError):
            order = permutation(len(self.suite.images), epoch, seed=self.seed).tolist()
            start = order.index(index)
            for other in order[start + 1 :] + order[:start]:
                passed += 1
                if not isinstance(item := self._item(epoch, other), InputError):
                    break
            else:
                return item
        return *item, torch.tensor(passed)

    def _item(self, epoch: int, index: int) -> tuple[torch.Tensor, ...] | InputError:
        try:
            image = self._picture(index)
        except InputError as error:
            return error
        with torch.random.fork_rng(devices=[]):  # torchvision draws from the global generator
            stream = np.random.SeedSequence([self.seed, _AUGMENT, epoch, index])
            torch.default_generator.manual_seed(int(stream.generate_state(1)[0]))  # torch.manual_seed seeds GPUs too
            pixels = self.preprocess(image)
        captions = self.captions_of[index]
        draw = np.random.default_rng([self.seed, _CAPTION, epoch, int(self.draws_as[index])])
        caption = captions[draw.integers(len(captions))]
        if self.negative_tokens is None:
            return pixels, self.tokens[caption]
        return pixels, self.tokens[caption], self.negative_tokens[caption]

    def _picture(self, index: int) -> Image.Image:
        """The decoded picture, kept for later epochs while it fits into DECODED: half of an item's cost."""
        if (image := self._decoded.get(index)) is None:
            image = open_image(self.suite.root / self.suite.images[index])
            self._space -= 4 * image.width * image.height  # Pillow keeps RGB in four bytes
            if self._space >= 0:
                self._decoded[index] = image
        return image


def check_knows(suite: RetrievalSuite, *, negatives: bool = False, partners: bool = False) -> None:
    """Raises InputError where a method asks for hard negatives or minimal pairs that ``suite`` does not tell of."""
    if negatives and suite.negatives is None:
        raise InputError("captions with hard negatives (`negatives`)", "none", where=suite.name)
    if partners and (suite.groups is None or np.unique(suite.groups, return_counts=True)[1].min() < 2):
        raise InputError("images in minimal pairs (`group`)", "an image without one", where=suite.name)


def batches(
    data: CaptionedImages,
    *,
    batch: int,
    first: int,
    last: int,
    seed: int,
    workers: int = 0,
    rank: int = 0,
    world: int = 1,
    partners: bool = False,
) -> Iterator[list[torch.Tensor]]:
    """Batches ``(images (b, 3, H, W), tokens (b, context))``, with ``data``'s negatives their tokens third, of steps
    ``first`` to ``last - 1``; ``batch`` is the global size and ``b = batch / world``. Members of one group of the suite
    stand in one global batch; with ``partners`` the last value is, for each image, the place of its group's next one in
    the global batch (b, 1) int64. Raises InputError where the set is smaller than a batch or does not divide, where no
    whole groups make a batch, and with ``partners`` where an image has no group.
    """
    images = len(data.suite.images)
    if not 2 <= batch <= images:
        raise InputError(f"a batch of 2 to {images} images ({data.suite.name})", batch)
    if batch % world:
        raise InputError(f"a batch divisible by {world} processes", batch)
    groups = data.suite.groups
    check_knows(data.suite, partners=partners)
    order = Order(images, batch, seed=seed, groups=groups)
    own = slice(rank * batch // world, (rank + 1) * batch // world)  # this process's share of a step
    keys = ([(epoch, int(i)) for i in indices[own]] for epoch, indices in map(order.at, range(first, last)))
    pin = torch.cuda.is_available()
    loader = DataLoader(data, batch_sampler=keys, num_workers=workers, pin_memory=pin, collate_fn=_collate)

    def whole() -> Iterator[list[torch.Tensor]]:
        values = 2 if data.negative_tokens is None else 3
        for step, found in enumerate(loader, first):
            if isinstance(found, InputError):
                raise found
            data.skipped += int(sum(count.sum() for count in found[values:]))
            places = [torch.from_numpy(mates(groups[order.at(step)[1]]))[own]] if partners else []
            yield [*found[:values], *places]

    return whole()


def _collate(items: list) -> list[torch.Tensor] | InputError:
    return next((item for item in items if isinstance(item, InputError)), None) or default_collate(items)
