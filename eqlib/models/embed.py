"""Embeddings: each distinct picture and caption is encoded once, streamed in batches, kept in a cache.

Pictures are told apart by the SHA-256 of their file, captions by that of their text, so a frame that 40 quads share
costs one forward pass. Features have unit length and float32 whatever the model's precision; a similarity is their dot
product.
"""

import hashlib
import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from eqlib.errors import InputError
from eqlib.files import reading
from eqlib.models.cache import Kept
from eqlib.models.clip import CLIP
from eqlib.models.pairs import firsts
from eqlib.suites.images import image_file, open_image


class Embedder(Kept):
    """A CLIP bundle with its cache. ``cache=None`` keeps features in a temporary folder for the life of the object.

    The cache's folder is shared by all models; ``model_key`` names what tells them apart, and needs a transform and a
    tokenizer whose ``repr`` says what they do (else InputError). Weights are hashed once, here: make a new Embedder
    after a training step. ``workers=None`` decodes in the main process below 1024 pictures and with up to 8 processes
    above.
    """

    def __init__(self, bundle: CLIP, **settings):
        super().__init__(bundle, model_key, ("image", "caption"), **settings)
        self._images, self._captions = self.caches
        convolutions = sum(isinstance(module, torch.nn.Conv2d) for module in bundle.model.modules())
        # A ResNet is a quarter faster on a CPU with channels last; a ViT, with its one convolution, is slower.
        self._layout = torch.channels_last if convolutions > 1 else torch.contiguous_format

    def images(
        self,
        paths: Sequence[str | Path],
        rows: Sequence[object] | None = None,
        *,
        known: Mapping[str, bytes] | None = None,
    ) -> np.ndarray:
        """Features (n, d) float32 of unit length. ``rows`` names the record behind each path, for an InputError;
        ``known`` are digests of some of the files.

        Raises InputError naming the file where one is missing, truncated or no picture.
        """
        known = self.ask_images(paths, rows, known=known)
        return self._images.get([known[str(path)] for path in paths])

    def captions(self, texts: Sequence[str]) -> np.ndarray:
        """Features (m, d) float32 of unit length."""
        self.ask_captions(texts)
        return self._captions.get(list(map(caption_digest, texts)))

    def ask_images(self, paths, rows=None, *, known: Mapping[str, bytes] | None = None) -> dict[str, bytes]:
        """Encode those pictures of this share that are not in the cache; path -> SHA-256 of all in the share."""
        rows = [None] * len(paths) if rows is None else rows
        parts = self.parts(list(map(str, paths)))
        mine = [n for part in parts for n in part]
        known = digests([paths[n] for n in mine], [rows[n] for n in mine], known)
        keys = {n: known[str(paths[n])] for n in mine}
        self.fill(self._images, parts, keys, lambda left: self._encode_images(left, paths, rows))
        return known

    def ask_captions(self, texts: Sequence[str]) -> None:
        """Encode those captions of this share that are not in the cache."""
        parts = self.parts(texts)
        keys = {n: caption_digest(texts[n]) for part in parts for n in part}

        def encode(left: list[list[int]]) -> Iterable[np.ndarray]:
            return (self.model.encode_captions([texts[n] for n in part]).cpu().numpy() for part in left)

        self.fill(self._captions, parts, keys, encode)

    def _encode_images(self, left: list[list[int]], paths: Sequence, rows: Sequence[object]) -> Iterable[np.ndarray]:
        workers = self.workers
        if workers is None:
            cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
            workers = 0 if sum(map(len, left)) < 1024 or cores == 1 else min(8, cores)
        pictures = Pictures(paths, rows, self.model.preprocess_val)
        for batch in DataLoader(pictures, batch_sampler=left, num_workers=workers, collate_fn=_stack):
            if isinstance(batch, InputError):
                raise batch
            yield self.model.encode_images(batch.to(memory_format=self._layout)).cpu().numpy()


@dataclass
class Pictures(Dataset):
    """Decoded, preprocessed pictures. A damaged one comes out as its InputError: raised in a loader's worker, it would
    arrive as a RuntimeError."""

    paths: Sequence[str | Path]
    rows: Sequence[object]
    transform: Callable

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, n: int) -> torch.Tensor | InputError:
        try:
            return self.transform(open_image(self.paths[n], row=self.rows[n]))
        except InputError as error:
            return error


def model_key(bundle: CLIP) -> str:
    """What decides a feature besides the input, as 32 hex digits: weights, config, preprocessing, tokenizer, and the
    dtype of autocast (of ``amp`` it depends on the device; nothing else does).

    Raises InputError where the ``repr`` of preprocessing or tokenizer is an address, which says nothing of its work.
    """
    tokenizer = f"{says('tokenizer', bundle.tokenizer)} {getattr(bundle.tokenizer, 'context_length', None)}"
    preprocessing = says("preprocess_val", bundle.preprocess_val)
    text = "\n".join([bundle.fingerprint, preprocessing, tokenizer, str(bundle.autocast)])
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def says(name: str, what: object) -> str:
    """The ``repr`` of ``what``. Raises InputError where that is an address."""
    text = re.sub(r"<(function _convert_to_rgb|open_clip\.tokenizer\.\w+ object) at 0x\w+>", r"<\1>", repr(what))
    if " at 0x" in text:
        raise InputError("a class with a __repr__ that shows its settings, or no cache", text, where=name)
    return text


def caption_digest(text: str) -> bytes:
    """SHA-256 of a caption, 32 bytes."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()


def digests(
    paths: Sequence[str | Path], rows: Sequence[object], known: Mapping[str, bytes] | None = None
) -> dict[str, bytes]:
    """``known``, and of each other file of ``paths`` its SHA-256, 32 bytes. Raises InputError for a missing file."""
    known = known or {}
    new = {path: rows[n] for path, n in firsts(map(str, paths)).items() if path not in known}
    with ThreadPoolExecutor() as pool:  # hashing and reading both release the interpreter's lock
        return {**known, **dict(zip(new, pool.map(_digest, new, new.values()), strict=True))}


def _digest(path: str, row: object) -> bytes:
    with reading(path, "an image file", ValueError, row=row), image_file(path) as file:
        return hashlib.file_digest(file, "sha256").digest()


def _stack(items: list) -> torch.Tensor | InputError:
    return next((item for item in items if isinstance(item, InputError)), None) or torch.stack(items)
