"""Gradient caching: the loss sees the whole batch, the encoders one chunk at a time."""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from eqlib.errors import InputError
from eqlib.losses import checks

Outputs = Tensor | tuple[Tensor, ...]


class GradientCache:
    """A negative pool beyond one device's memory (GradCache, Gao et al., arXiv 2101.06983).

    The features of all chunks are kept, what led to them is not: the backward pass encodes each chunk again, by
    `torch.utils.checkpoint`, and carries its features' gradients on into the model::

        cache = GradientCache(model, chunk_size=64)
        terms, telemetry = loss(*cache.encode(images, texts))
        sum(terms.values()).backward()

    encode      called with a chunk of each input, returns a tensor or a tuple of tensors: of two dimensions or more
                with the chunk's rows first, or of one element (a logit scale or bias, of shape () or (1,))
    chunk_size  rows a chunk
    again       encodes the second time (None: ``encode``). Where ``encode`` is a DistributedDataParallel this is its
                ``module``: to the wrapper a call is a new step

    The gradients equal those of the step in one piece; dropout and autocast are replayed as they were in `encode`. A
    layer that mixes rows (batch normalisation in training mode) sees a chunk at a time, as in any accumulation, and
    updates its running statistics twice. Raises InputError for inputs or outputs of other shapes.
    """

    def __init__(self, encode: Callable[..., Outputs], *, chunk_size: int, again: Callable[..., Outputs] | None = None):
        checks.at_least_one(chunk_size, "chunk_size", "GradientCache")
        self._encode, self._again, self._chunk_size = encode, again or encode, chunk_size

    def encode(self, *inputs: Tensor) -> Outputs:
        """The outputs for all rows of ``inputs`` (one length)."""
        if not inputs or len({len(values) for values in inputs}) != 1 or len(inputs[0]) == 0:
            raise InputError("inputs of one length >= 1", [len(values) for values in inputs])
        chunks = zip(*(values.split(self._chunk_size) for values in inputs), strict=True)
        outputs = [_as_tuple(self._encode_twice(chunk)) for chunk in chunks]
        # A scale is one tensor in every chunk: the first carries its whole gradient.
        whole = tuple(part[0] if part[0].ndim < 2 else torch.cat(part) for part in zip(*outputs, strict=True))
        return whole if len(whole) > 1 else whole[0]

    def _encode_twice(self, chunk: tuple[Tensor, ...]) -> Outputs:
        first = iter((self._encode,))  # empty when the backward pass asks
        return checkpoint(lambda *inputs: next(first, self._again)(*inputs), *chunk, use_reentrant=False)


def _as_tuple(outputs: Outputs) -> tuple[Tensor, ...]:
    outputs = (outputs,) if isinstance(outputs, Tensor) else outputs
    if not isinstance(outputs, tuple | list) or not all(isinstance(output, Tensor) for output in outputs):
        raise InputError("encode to return a tensor or a tuple of tensors", type(outputs).__name__)
    for output in outputs:
        if output.ndim < 2 and output.numel() != 1:
            raise InputError("outputs of two dimensions or more, or of one element", tuple(output.shape))
    return tuple(outputs)
