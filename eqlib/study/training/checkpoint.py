"""A running stage's own checkpoint: whole or absent, found by its own experiment alone, gone when the run is kept.

accelerate saves and loads the model, the optimiser, the GradScaler and each process's random state. What it would
unpickle (registered objects) is a dict of tensors and numbers here, loaded as weights only.
"""

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator


class Checkpoint:
    """Of an ``accelerator`` with its model prepared, under ``folder``, which all processes must reach. ``experiment``
    holds everything that decides the weights. Every process makes each call."""

    def __init__(self, folder: str | Path, accelerator: Accelerator, experiment: dict[str, Any]):
        key = hashlib.sha256(json.dumps(experiment, sort_keys=True, default=str).encode()).hexdigest()[:16]
        self.folder, self.accelerator = Path(folder) / key, accelerator

    def save(self, step: int, state: dict[str, Any]) -> None:
        """In place of the last one, which stays until this one is whole."""
        draft = self.folder / "draft"
        self._on_one(shutil.rmtree, draft, ignore_errors=True)  # what a killed run left
        self.accelerator.save_state(str(draft))
        self._on_one(torch.save, state, draft / "state.pt")
        self._on_one(self._replace, draft, self.folder / f"step-{step:09d}")

    def load(self) -> dict[str, Any] | None:
        """The last ``state`` saved, on the CPU, with the accelerator's own back in place; None where there is none."""
        found = sorted(self.folder.glob("step-*"))
        if not found:
            return None
        self.accelerator.load_state(str(found[-1]))
        return torch.load(found[-1] / "state.pt", map_location="cpu", weights_only=True)

    def remove(self) -> None:
        self._on_one(shutil.rmtree, self.folder, ignore_errors=True)

    def _replace(self, draft: Path, final: Path) -> None:
        older = list(self.folder.glob("step-*"))
        draft.rename(final)
        for folder in older:
            shutil.rmtree(folder)

    def _on_one(self, function, *arguments, **options) -> None:
        self.accelerator.wait_for_everyone()
        if self.accelerator.is_main_process:
            function(*arguments, **options)
        self.accelerator.wait_for_everyone()
