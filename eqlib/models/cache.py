"""Features on disk, found by content: encode a picture or a caption once, in any suite, stage or run.

One folder a model key (weights, config, preprocessing, precision); in it shards named ``<kind>-<random>.safetensors``,
each with ``keys`` (n, 32) uint8, the SHA-256 of the content, and ``features`` (n, d) float32. A shard is written under
a temporary name, renamed, and never changed after. So two writers only ever add files, a killed one leaves no half a
shard, and what it had written counts. A shard that cannot be read is left out with a warning, and its inputs are
encoded again.
"""

import uuid
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from eqlib.files import whole


class FeatureCache:
    """Features of one kind ("image", "caption") under one model key. Keys are 32-byte digests."""

    def __init__(self, folder: str | Path, kind: str):
        self.folder, self.kind = Path(folder), kind
        self._shards: list[Path] = []
        self._place: dict[bytes, tuple[int, int]] = {}  # key -> (shard, row)
        self._seen: set[str] = set()
        self.refresh()

    def __len__(self) -> int:
        return len(self._place)

    def refresh(self) -> None:
        """Take in the shards that others have added since."""
        for path in sorted(self.folder.glob(f"{self.kind}-*.safetensors")):
            if path.name not in self._seen:
                self._seen.add(path.name)
                shard = _read(path)
                if shard is not None:
                    self._index(path, shard["keys"])

    def missing(self, keys: Sequence[bytes]) -> list[int]:
        """Positions in ``keys`` of the first occurrence of each key that is not here."""
        first = {key: n for n, key in reversed(list(enumerate(keys)))}
        return sorted(n for key, n in first.items() if key not in self._place)

    def put(self, keys: Sequence[bytes], features: np.ndarray) -> None:
        """Add ``features`` (n, d) float32 as one shard."""
        path = self.folder / f"{self.kind}-{uuid.uuid4().hex}.safetensors"
        table = np.frombuffer(b"".join(keys), dtype=np.uint8).reshape(len(keys), 32)
        with whole(path) as draft:
            save_file({"keys": table, "features": np.ascontiguousarray(features, dtype=np.float32)}, draft)
            draft.chmod(0o644)  # safetensors writes for the owner alone; a cache is to be shared
        self._seen.add(path.name)
        self._index(path, table)

    def get(self, keys: Sequence[bytes]) -> np.ndarray:
        """Features (n, d) float32 in the order of ``keys``, all of which must be here. Reads one shard at a time."""
        places = np.array([self._place[key] for key in keys], dtype=np.int64).reshape(-1, 2)
        out = np.empty((0, 0), dtype=np.float32)
        for shard in np.unique(places[:, 0]):
            here = places[:, 0] == shard
            features = load_file(self._shards[shard])["features"]
            if not out.size:
                out = np.empty((len(keys), features.shape[1]), dtype=np.float32)
            out[here] = features[places[here, 1]]
        return out

    def _index(self, path: Path, keys: np.ndarray) -> None:
        self._shards.append(path)
        for row, key in enumerate(keys):
            self._place.setdefault(key.tobytes(), (len(self._shards) - 1, row))


def _read(path: Path) -> dict[str, np.ndarray] | None:
    try:
        shard = load_file(path)
        keys, features = shard["keys"], shard["features"]
        if keys.dtype == np.uint8 and keys.shape[1:] == (32,) and features.shape[:1] == keys.shape[:1]:
            return shard
        reason = f"keys {keys.dtype} {keys.shape}, features {features.shape}"
    except (OSError, SafetensorError, KeyError, ValueError) as error:
        reason = str(error)
    warnings.warn(f"{path}: a damaged cache shard is left out ({reason})", stacklevel=3)
    return None
