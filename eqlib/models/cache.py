"""What a model answered, on disk and found by content: a picture, a caption or a pair is asked for once, in any suite,
stage or run.

One folder a model key (weights, config, preprocessing, precision); in it shards named ``<kind>-<random>.safetensors``,
each with ``keys`` (n, 32) uint8, the SHA-256 of the content, ``features`` (n, d), and ``digest``, the SHA-256 of both.
A shard is written under a temporary name, renamed, and never changed after. So two writers only ever add files, a
killed one leaves no half a shard, and what it had written counts. A shard that is damaged when the cache is opened is
left out with a warning, and its inputs are asked for again; one that is damaged later is an InputError. So are two that
answer one input differently, by more than another batch or processor explains.
"""

import hashlib
import tempfile
import time
import uuid
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save

from eqlib.errors import InputError
from eqlib.files import reading, whole
from eqlib.models.pairs import batches, firsts
from eqlib.progress import progress as progress_bar

NEAR = 0.05
"""Two answers to one input differ by less, as a share of the largest answer, in half precision too."""


class FeatureCache:
    """Answers of one kind ("image", "caption", "pair") under one model key. Keys are 32-byte digests."""

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
                try:
                    shard = _read(path)
                except InputError as error:
                    warnings.warn(f"a damaged cache shard is left out: {error}", stacklevel=3)
                    continue
                self._agree(path, shard)
                self._index(path, shard["keys"])

    def _agree(self, path: Path, shard: dict[str, np.ndarray]) -> None:
        keys = [key.tobytes() for key in shard["keys"]]
        again = [row for row, key in enumerate(keys) if key in self._place]
        if again:
            before, now = self.get([keys[row] for row in again]), shard["features"][again]
            off = NEAR * np.nanmax(np.abs(now), initial=0)
            if before.shape != now.shape or not np.allclose(before, now, rtol=0, atol=off, equal_nan=True):
                expected = f"the answers that other files beside it have to {len(again):,} of its inputs"
                raise InputError(expected, "others: the model changed, and its fingerprint did not", where=path)

    def missing(self, keys: Sequence[bytes]) -> list[int]:
        """Positions in ``keys`` of the first occurrence of each key that is not here."""
        return [n for key, n in firsts(keys).items() if key not in self._place]

    def fill(self, parts: Iterable[tuple[Sequence[bytes], np.ndarray]]) -> None:
        """``put`` all ``parts``, (keys, features) each, several to a shard: what a kill loses is a part, a second's
        work or 2 % of the time spent, and the shards of a long run stay few."""
        began = written = time.monotonic()
        keys: list[bytes] = []
        held: list[np.ndarray] = []
        try:
            for names, features in parts:
                keys += names
                held.append(features)
                now = time.monotonic()
                if now - written > max(1.0, (now - began) / 50):
                    self.put(keys, np.concatenate(held))
                    keys, held, written = [], [], now
        finally:  # an interrupt, a damaged picture: what was answered stays
            if held:
                self.put(keys, np.concatenate(held))

    def put(self, keys: Sequence[bytes], features: np.ndarray) -> None:
        """Add ``features`` (n, d) as one shard."""
        path = self.folder / f"{self.kind}-{uuid.uuid4().hex}.safetensors"
        table = np.frombuffer(b"".join(keys), dtype=np.uint8).reshape(len(keys), 32)
        with whole(path) as draft:
            shard = {"keys": table, "features": np.ascontiguousarray(features)}
            draft.write_bytes(save(shard | {"digest": _digest(shard)}))  # save_file has its own error for a full disk
        self._seen.add(path.name)
        self._index(path, table)

    def get(self, keys: Sequence[bytes]) -> np.ndarray:
        """Features (n, d) in the order of ``keys``, all of which must be here. Reads one shard at a time. Raises
        InputError for one that is no longer what was written."""
        places = np.array([self._place[key] for key in keys], dtype=np.int64).reshape(-1, 2)
        out = np.empty((0, 0), dtype=np.float32)
        for shard in np.unique(places[:, 0]):
            here = places[:, 0] == shard
            features = _read(self._shards[shard])["features"]
            if not out.size:
                out = np.empty((len(keys), features.shape[1]), dtype=features.dtype)
            out[here] = features[places[here, 1]]
        return out

    def _index(self, path: Path, keys: np.ndarray) -> None:
        self._shards.append(path)
        for row, key in enumerate(keys):
            self._place.setdefault(key.tobytes(), (len(self._shards) - 1, row))


class Kept:
    """A ``model`` with its cache: a FeatureCache of each of ``kinds``, in the folder of what it answered before.

    That is ``cache / key_of(model)``, or without ``cache`` a temporary one for the life of the object. Raises
    InputError for a batch of less than one, and what ``key_of`` raises.

    ``share`` (k, n), k from 1: of the batches that are asked for, this object takes each n-th from the k-th, and knows
    and writes files of that name alone. Batches are cut before what is known is left out: so an input meets the same
    company in a run that goes on, and in a share, as in one run, and gets the same bits. ``asks=False``: the answers
    must be there already (InputError).
    """

    def __init__(
        self,
        model: Any,
        key_of: Callable[[Any], str],
        kinds: Sequence[str],
        *,
        cache: str | Path | None = None,
        batch_size: int = 64,
        workers: int | None = None,
        progress: bool = True,
        share: tuple[int, int] | None = None,
        asks: bool = True,
    ):
        if batch_size < 1:
            raise InputError("a batch size of at least 1", batch_size)
        self.model, self.batch_size, self.workers, self.progress = model, batch_size, workers, progress
        if cache is None:
            self._temporary = tempfile.TemporaryDirectory(prefix="answers-")
            self.key, folder = None, Path(self._temporary.name)
        else:
            self.key = key_of(model)
            folder = Path(cache) / self.key
        self.asks, self.share = asks, slice(None) if share is None else slice(share[0] - 1, None, share[1])
        ending = "" if share is None else f"-{share[0]}-of-{share[1]}"
        self.caches = [FeatureCache(folder, kind + ending) for kind in kinds]

    def parts(self, inputs: Sequence[Any]) -> list[list[int]]:
        """Positions of the first of equal ``inputs``, in batches, of this share."""
        return batches(list(firsts(inputs).values()), self.batch_size)[self.share]

    def fill(
        self,
        cache: FeatureCache,
        parts: list[list[int]],
        keys: Mapping[int, bytes],
        answers: Callable[[list[list[int]]], Iterable[np.ndarray]],
    ) -> None:
        """Ask for what ``cache`` lacks of ``parts``: ``answers`` of these batches gives arrays (n, d), one a batch."""
        left = self.lacking(cache, parts, keys)
        todo = sum(map(len, left))

        def answered() -> Iterator[tuple[list[bytes], np.ndarray]]:
            for part, features in zip(left, answers(left), strict=True):
                bar.update(len(part))
                yield [keys[n] for n in part], features

        with progress_bar(total=todo, unit=cache.kind, disable=not self.progress or not todo, leave=False) as bar:
            cache.fill(answered())

    def lacking(self, cache: FeatureCache, parts: list[list[int]], keys: Mapping[int, bytes]) -> list[list[int]]:
        """``parts`` without the positions whose key is in ``cache`` or came before."""
        cache.refresh()
        asked = [n for part in parts for n in part]
        new = {asked[k] for k in cache.missing([keys[n] for n in asked])}
        if new and not self.asks:
            what = f"no answer to {len(new):,} inputs ({cache.kind}): run the shards again"
            raise InputError("the answers of all shards", what, where=cache.folder)
        left = ([n for n in part if n in new] for part in parts)
        return [part for part in left if part]


def _read(path: Path) -> dict[str, np.ndarray]:
    kind = "a cache shard as it was written (without the file its inputs are asked for again)"
    with reading(path, kind, SafetensorError, KeyError, ValueError):
        shard = load_file(path)
        if not np.array_equal(shard.pop("digest"), _digest(shard)):
            raise ValueError("other bytes")
    return shard


def _digest(shard: dict[str, np.ndarray]) -> np.ndarray:
    found = hashlib.sha256(shard["keys"])
    found.update(shard["features"])
    return np.frombuffer(found.digest(), dtype=np.uint8)
