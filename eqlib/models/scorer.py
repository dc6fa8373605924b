"""Any model that is a function of pictures and captions, with a log of what it answered.

A model of your own is such a function, or an object that is called like one; README has an example. Its ``fingerprint``
is a text that changes whenever an answer might: with the weights, the prompt, the precision. It names the log; without
one nothing is kept between runs.
"""

import dataclasses
import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import groupby
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from eqlib.errors import InputError
from eqlib.models.cache import Kept
from eqlib.models.clip import weights_digest
from eqlib.models.embed import caption_digest, digests, says
from eqlib.models.pairs import batches, firsts
from eqlib.suites.images import open_image

Scorer = Callable[[Sequence[Image.Image], Sequence[str]], Sequence[float | None]]
"""``score(images, captions)`` answers n similarities, one for each pair ``images[k]``, ``captions[k]``. Higher is
better; any scale. A picture that comes twice in a call is the same object. None or NaN says that there is no answer."""


class PairScorer(Kept):
    """A scorer with its log: each distinct pair of picture and caption is asked for once, in any suite or run.

    The log is the ``cache``'s folder of this model (``scorer_key``; None: a temporary one), found by the contents of
    picture and caption. A missing answer is kept too, as NaN: who wants it asked for again takes another cache. A call
    holds at most ``batch_size`` pairs, those of a picture together; the next pictures are read meanwhile.
    """

    def __init__(self, scorer: Scorer, **settings):
        super().__init__(scorer, scorer_key, ("pair",), **settings)
        [self.log] = self.caches

    def pairs(
        self,
        paths: Sequence[Path],
        captions: Sequence[str],
        rows: Sequence[object],
        *,
        known: Mapping[str, bytes] | None = None,
    ) -> np.ndarray:
        """Scores (n,) float64 of n pairs, NaN where there is no answer. ``rows`` names the record behind each,
        ``known`` digests of some of the files.

        Raises InputError naming the file of a picture that cannot be read, or the record of an answer that is none.
        """
        known = self.ask(paths, captions, rows, known=known)
        return self.log.get([_key(known[str(path)], text) for path, text in zip(paths, captions, strict=True)])[:, 0]

    def ask(self, paths, captions, rows, *, known: Mapping[str, bytes] | None = None) -> dict[str, bytes]:
        """Ask for those pairs of this share that are not in the log. The digests of its pictures: path -> SHA-256."""
        calls, keys, known = self.calls(paths, captions, rows, known=known)
        pictures = {n: known[str(paths[n])] for n in keys}
        self.fill(self.log, calls, keys, lambda left: self._answers(left, pictures, paths, captions, rows))
        return known

    def calls(
        self, paths, captions, rows, *, known: Mapping[str, bytes] | None = None
    ) -> tuple[list[list[int]], dict[int, bytes], dict[str, bytes]]:
        """The distinct pairs of this share (their positions), a list a call; position -> key; and the digests of their
        pictures."""
        calls = self.parts(list(zip(map(str, paths), captions, strict=True)))
        mine = [n for call in calls for n in call]
        known = digests([paths[n] for n in mine], [rows[n] for n in mine], known)
        keys = {n: _key(known[str(paths[n])], captions[n]) for n in mine}
        return calls, keys, known

    def parts(self, inputs: Sequence[tuple[str, str]]) -> list[list[int]]:
        """As in Kept, of pairs (path, caption), those of a picture together."""
        place = firsts(path for path, _ in inputs)
        order = sorted(firsts(inputs).values(), key=lambda n: place[inputs[n][0]])
        calls: list[list[int]] = [[]]
        for _, group in groupby(order, key=lambda n: inputs[n][0]):
            for part in batches(list(group), self.batch_size):
                if len(calls[-1]) + len(part) > self.batch_size:
                    calls.append([])
                calls[-1] += part
        return calls[self.share]

    def _answers(self, calls, pictures, paths, captions, rows) -> Iterator[np.ndarray]:
        with ThreadPoolExecutor(self.workers or None) as pool:

            def read(call):
                first = {pictures[n]: n for n in reversed(call)}
                return {picture: pool.submit(open_image, paths[n], row=rows[n]) for picture, n in first.items()}

            coming = read(calls[0] if calls else [])
            for call, after in zip(calls, [*calls[1:], []], strict=False):
                reading, coming = coming, read(after)
                images = {picture: future.result() for picture, future in reading.items()}
                got = self.model([images[pictures[n]] for n in call], [captions[n] for n in call])
                got = np.asarray(got, dtype=np.float64)  # None becomes NaN
                if got.shape != (len(call),) or np.isinf(got).any():
                    what = "infinity" if got.shape == (len(call),) else f"an array {got.shape}"
                    expected = f"{len(call)} finite scores from the model, or NaN for no answer"
                    raise InputError(expected, what, row=rows[call[0]])
                yield got[:, None]


def _key(picture: bytes, caption: str) -> bytes:
    return hashlib.sha256(picture + caption_digest(caption)).digest()


def scorer_key(scorer: Scorer) -> str:
    """What decides an answer besides picture and caption, as 32 hex digits: the scorer's ``fingerprint``, or of a
    dataclass its fields, of torch modules the weights.

    Raises InputError for a scorer that has neither, and for a field whose ``repr`` is an address.
    """
    said = getattr(scorer, "fingerprint", None)
    if said is None and dataclasses.is_dataclass(scorer):
        fields = {
            field.name: getattr(scorer, field.name) for field in dataclasses.fields(scorer) if field.name != "batch"
        }
        said = "\n".join(
            f"{name} " + (weights_digest(value, "") if isinstance(value, torch.nn.Module) else says(name, value))
            for name, value in fields.items()
        )
    if not isinstance(said, str):
        raise InputError("a model with a fingerprint (a text), or no cache", type(scorer).__name__, where="model")
    return hashlib.sha256(f"{type(scorer).__name__} {said}".encode()).hexdigest()[:32]
