"""A running stage's own checkpoint: whole or absent, found by its own experiment alone, gone when the run is kept.

accelerate saves and loads the model, the optimiser, the GradScaler and each process's random state. What it would
unpickle (registered objects) is a dict of tensors and numbers here, loaded as weights only. Each file is flushed to the
disk and its SHA-256 kept beside it: a checkpoint that was cut off, or of which a byte changed, is named and left out,
and the run begins anew. It ends with the same weights.
"""

import hashlib
import json
import shutil
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.utils import broadcast_object_list

from eqlib.errors import InputError
from eqlib.files import content_hash, flush, read_json, write_json

SUMS = "sha256.json"


class Checkpoint:
    """Of an ``accelerator`` and what it prepares, under ``folder``, which all processes must reach. ``experiment``
    holds everything that decides the weights. Every process makes each call."""

    def __init__(self, folder: str | Path, accelerator: Accelerator, experiment: dict[str, Any]):
        key = hashlib.sha256(json.dumps(experiment, sort_keys=True, default=str).encode()).hexdigest()[:16]
        self.folder, self.accelerator = Path(folder) / key, accelerator

    def save(self, step: int, state: dict[str, Any]) -> None:
        """In place of the last one, which stays until this one is whole."""
        draft = self.folder / "draft"
        self._on_one(shutil.rmtree, draft, ignore_errors=True)  # what a killed run left
        try:
            self.accelerator.save_state(str(draft))
            self._on_one(torch.save, state, draft / "state.pt")
            self._on_one(_seal, draft)
        except Exception as error:  # of a full disk torch and safetensors raise errors of their own
            raise OSError(f"{draft}: a checkpoint that could not be written ({error})") from error
        self._on_one(self._replace, draft, self.folder / f"step-{step:09d}")

    def load(self, *names: str) -> dict[str, Any] | None:
        """The last ``state`` saved, on the CPU, with the accelerator's own back in place; None where there is none that
        is as it was written, with ``names`` among its keys."""
        found = sorted(self.folder.glob("step-*"))
        if not found:
            return None
        whole = self.accelerator.is_main_process and _as_written(found[-1], set(names))
        if not broadcast_object_list([whole])[0]:
            self.remove()  # its folder would stand in the way of the next of that step
            return None
        self.accelerator.load_state(str(found[-1]))
        return _state(found[-1])

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


def _seal(folder: Path) -> None:
    """Flush ``folder`` to the disk, with the sums of its files: what is renamed after it survives a power cut."""
    write_json(folder / SUMS, _sums(folder))
    flush(folder)


def _state(folder: Path) -> dict[str, Any]:
    return torch.load(folder / "state.pt", map_location="cpu", weights_only=True)


def _as_written(folder: Path, names: set[str]) -> bool:
    """Whether every file in ``folder`` is as it was written, and the state has ``names``; it is said where not."""
    with suppress(InputError):
        if read_json(folder / SUMS) == _sums(folder) and names <= _state(folder).keys():
            return True
    print(f"{folder}: a damaged checkpoint, or one of another version, left out; training begins anew", file=sys.stderr)
    return False


def _sums(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != SUMS)
    return {str(path.relative_to(folder)): content_hash(path) for path in files}
