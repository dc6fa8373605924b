"""Gradient caching: the loss sees the whole batch, the encoders one chunk at a time."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.utils.checkpoint import get_device_states, set_device_states

from eqlib.errors import InputError


@dataclass(frozen=True)
class _Chunk:
    inputs: tuple[Tensor, ...]
    cpu_state: Tensor
    devices: list[int]
    device_states: list[Tensor]
    autocast: dict


class GradientCache:
    """A step whose negative pool is the whole batch, in the memory of one chunk.

    Plain accumulation leaves the negatives, hence EqSim's partners, at the micro-batch. Here the encoder runs without
    graph over all chunks, the loss acts on all features, and `backward` encodes each chunk again with graph::

        cache = GradientCache(model, chunk_size=64)
        image_features, text_features, logit_scale = cache.encode(images, texts)
        terms, telemetry = loss(image_features, text_features, logit_scale)
        sum(terms.values()).backward()      # stops at the features (scale it here under a GradScaler)
        cache.backward()                    # carries on into the model, chunk by chunk

    encode      called with a chunk of each input, returns a tensor or a tuple of tensors. Outputs of one dimension or
                more have the chunk's rows first; a scalar one (open_clip's logit scale) is taken from the first chunk
                and gets its gradient in the last
    chunk_size  rows a chunk
    no_sync     ``DistributedDataParallel.no_sync``: gradients then cross ranks once, with the last chunk

    The gradients equal those of the step in one piece; dropout and autocast are replayed as they were in `encode`. A
    layer that mixes rows (batch normalisation in training mode) sees a chunk at a time, as in any accumulation, and
    updates its running statistics twice.
    """

    def __init__(
        self,
        encode: Callable[..., Tensor | tuple[Tensor, ...]],
        *,
        chunk_size: int,
        no_sync: Callable[[], AbstractContextManager] = nullcontext,
    ):
        if isinstance(chunk_size, bool) or not isinstance(chunk_size, int) or chunk_size < 1:
            raise InputError("an integer >= 1", repr(chunk_size), where="GradientCache", row="chunk_size")
        self._encode, self._chunk_size, self._no_sync = encode, chunk_size, no_sync
        self._chunks: list[_Chunk] = []
        self._features: list[Tensor] = []

    def encode(self, *inputs: Tensor) -> Tensor | tuple[Tensor, ...]:
        """The features of all rows of ``inputs`` (one length), as leaves that gather gradient."""
        if not inputs or len({len(values) for values in inputs}) != 1 or len(inputs[0]) == 0:
            raise InputError("inputs of one length >= 1", [len(values) for values in inputs])
        self._chunks, outputs = [], []
        for chunk in zip(*(values.split(self._chunk_size) for values in inputs), strict=True):
            self._chunks.append(
                _Chunk(chunk, torch.get_rng_state(), *get_device_states(*chunk), _autocast_state(chunk))
            )
            with torch.no_grad():
                outputs.append(_as_tuple(self._encode(*chunk)))
        parts = list(zip(*outputs, strict=True))
        self._features = [(part[0] if part[0].ndim == 0 else torch.cat(part)).detach().clone() for part in parts]
        for features in self._features:
            features.requires_grad_(features.is_floating_point())
        return tuple(self._features) if len(self._features) > 1 else self._features[0]

    def backward(self) -> None:
        """From the features' gradients into whatever ``encode`` depends on. Once for each `encode`."""
        if not self._chunks:
            raise InputError("encode() before backward()", "no chunk")
        if all(features.grad is None for features in self._features):
            raise InputError("a backward pass of the loss before backward()", "features without gradient")
        start = 0
        for number, chunk in enumerate(self._chunks, 1):
            last = number == len(self._chunks)
            rows = slice(start, start + len(chunk.inputs[0]))
            start = rows.stop
            with nullcontext() if last else self._no_sync():
                outputs = self._again(chunk)
                pairs = [
                    (output, features.grad if features.ndim == 0 else features.grad[rows])
                    for output, features in zip(outputs, self._features, strict=True)
                    if features.grad is not None and output.requires_grad and (features.ndim or last)
                ]
                torch.autograd.backward(*map(list, zip(*pairs, strict=True)))
        self._chunks, self._features = [], []

    def _again(self, chunk: _Chunk) -> tuple[Tensor, ...]:
        """The chunk's outputs with graph, under the random numbers and the precision of the first time."""
        with torch.random.fork_rng(devices=chunk.devices), torch.enable_grad(), torch.autocast(**chunk.autocast):
            torch.set_rng_state(chunk.cpu_state)
            set_device_states(chunk.devices, chunk.device_states)
            return _as_tuple(self._encode(*chunk.inputs))


def _as_tuple(outputs: Tensor | tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    if isinstance(outputs, Tensor):
        return (outputs,)
    if not isinstance(outputs, tuple | list) or not all(isinstance(output, Tensor) for output in outputs):
        raise InputError("encode to return a tensor or a tuple of tensors", type(outputs).__name__)
    return tuple(outputs)


def _autocast_state(inputs: tuple[Tensor, ...]) -> dict:
    device = inputs[0].device.type
    return {
        "device_type": device,
        "enabled": torch.is_autocast_enabled(device),
        "dtype": torch.get_autocast_dtype(device),
        "cache_enabled": torch.is_autocast_cache_enabled(),
    }
