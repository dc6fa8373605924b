"""Random draws inside a loss that a checkpoint can take up again."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Draws(nn.Module):
    """One generator on the device of what is drawn for, made at its first use; ``state_dict()`` holds its state.

    A checkpoint is loaded before that device is known, so a restored state waits for the next use.
    """

    def __init__(self, seed: int):
        super().__init__()
        self.seed = seed
        self._generator: torch.Generator | None = None
        self._restored: Tensor | None = None

    def on(self, device: torch.device, *, rank: int = 0) -> torch.Generator:
        """The generator. Each ``rank`` has draws of its own."""
        if self._generator is None or self._generator.device != device:
            self._generator = torch.Generator(device).manual_seed(self.seed + rank)
        if self._restored is not None:
            self._generator.set_state(self._restored)
            self._restored = None
        return self._generator

    def get_extra_state(self) -> dict[str, Tensor]:
        if self._restored is not None:
            return {"generator": self._restored}
        return {} if self._generator is None else {"generator": self._generator.get_state()}

    def set_extra_state(self, state: dict[str, Tensor]) -> None:
        self._restored = state.get("generator")
