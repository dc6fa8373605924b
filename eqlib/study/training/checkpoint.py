"""A running stage's own checkpoint: whole or absent, keyed by the settings, gone when the stage ends well.

It lies in ``scratch/`` and is no output of the pipeline. A run with other settings, data or weights never finds it.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import torch

from eqlib.files import whole


class Checkpoint:
    """``Checkpoint(folder, settings)``: ``save`` and ``load`` a dict of tensors, numbers and state dicts."""

    def __init__(self, folder: str | Path, settings: dict[str, Any]):
        key = hashlib.sha256(json.dumps(settings, sort_keys=True, default=str).encode()).hexdigest()[:16]
        self.path = Path(folder) / key / "state.pt"

    def save(self, state: dict[str, Any]) -> None:
        with whole(self.path) as file:
            torch.save(state, file)

    def load(self) -> dict[str, Any] | None:
        """The last saved state on the CPU, or None."""
        if not self.path.is_file():
            return None
        return torch.load(self.path, map_location="cpu", weights_only=True)

    def remove(self) -> None:
        shutil.rmtree(self.path.parent, ignore_errors=True)
