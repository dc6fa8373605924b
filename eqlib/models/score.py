"""Scores of a suite by any model: cosine similarities of a CLIP, or one function of pictures and captions.

Records are taken in chunks: features of one chunk at a time are in memory, the others in the cache, so memory does not
grow with the set.
"""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from eqlib.errors import InputError
from eqlib.models.clip import CLIP
from eqlib.models.embed import Embedder
from eqlib.progress import progress as progress_bar
from eqlib.quads import score_table
from eqlib.scoring.foils import foil_table
from eqlib.suites.images import open_image, require_images
from eqlib.suites.suite import AnySuite, QuadSuite, RetrievalSuite, Suite

Scorer = Callable[[Sequence[Image.Image], Sequence[str]], Sequence[float]]
"""The protocol for every other model (a matching head, a VQA-style scorer): ``score(images, captions)`` answers n
similarities, one for each pair ``images[k]``, ``captions[k]``. Higher is better; any scale."""


def score_suite(
    model: CLIP | Embedder | Scorer,
    suite: Suite,
    *,
    cache: str | Path | None = None,
    batch_size: int = 64,
    workers: int | None = None,
    exact: CLIP | Embedder | None = None,
    near_tie: float = 2e-3,
    chunk: int = 8192,
    progress: bool = True,
) -> pd.DataFrame:
    """The score table of ``suite`` under ``model``; every picture is checked to be there before the first is encoded.

    A QuadSuite gives a score table (``eqlib.quads.TABLE_COLUMNS``), a FoilSuite the table of
    ``eqlib.scoring.foil_table``: both are what ``summarise`` and, written to a file, ``eqlib score`` take. Scores of a
    CLIP are cosines in float64, from float32 features.

    ``exact``: the same model in fp32. Records with two candidates closer than ``near_tie`` are scored again by it, so
    that rounding in fp16 or bf16 decides none; their number is ``table.attrs["rescored"]``. Raises InputError naming
    file and record.
    """
    require(suite)
    if isinstance(model, CLIP):
        model = Embedder(model, cache=cache, batch_size=batch_size, workers=workers, progress=progress)
    if isinstance(exact, CLIP):
        exact = Embedder(exact, cache=cache, batch_size=batch_size, workers=workers, progress=progress)
    parts = []
    rescored = 0
    for records in _chunks(suite.records, chunk, suite.name, progress):
        scores = _score(model, suite, records, batch_size)
        if exact is not None:
            close = near_ties(scores, near_tie)
            if close.any():
                scores[close] = _score(exact, suite, records[close], batch_size)
            rescored += int(close.sum())
        parts.append(scores)
    table = _table(suite, np.concatenate(parts))
    if exact is not None:
        table.attrs["rescored"] = rescored
    return table


def retrieval_features(
    model: CLIP | Embedder, suite: RetrievalSuite, *, cache: str | Path | None = None, **settings
) -> tuple[np.ndarray, np.ndarray]:
    """Features of images (n, d) and captions (m, d), float32, unit length; similarities are ``images @ captions.T``.

    ``settings`` are Embedder's. Raises InputError naming the file of a missing or damaged picture.
    """
    require(suite)
    embedder = Embedder(model, cache=cache, **settings) if isinstance(model, CLIP) else model
    paths = [suite.root / name for name in suite.images]
    return embedder.images(paths, rows=[f"image {n}" for n in range(len(paths))]), embedder.captions(suite.captions)


def require(suite: AnySuite) -> None:
    """Raise InputError for the first picture of ``suite`` that is missing or cut off. Reads a few bytes a file."""
    asked = suite.pictures().drop_duplicates("picture")
    require_images(suite.root, dict(zip(asked["picture"], asked["record"], strict=True)))


def near_ties(scores: np.ndarray, tolerance: float) -> np.ndarray:
    """(n,) bool: two candidates of one image or caption closer than ``tolerance``. ``scores`` (n, images, captions)."""
    close = np.zeros(len(scores), dtype=bool)
    for axis in (1, 2):
        if scores.shape[axis] == 2:
            close |= (np.abs(np.diff(scores, axis=axis)) < tolerance).any(axis=(1, 2))
    return close


def _score(model: Embedder | Scorer, suite: Suite, records: pd.DataFrame, batch_size: int) -> np.ndarray:
    """(n, images, captions) float64."""
    if not isinstance(model, Embedder):
        return _score_pairs(model, suite, records, batch_size)
    names = [name for column in suite.IMAGES for name in records[column]]
    asked = [f"{suite.ID} {item}" for item in records[suite.ID]] * len(suite.IMAGES)
    images = model.images([suite.root / name for name in names], asked)
    captions = model.captions([text for column in suite.CAPTIONS for text in records[column]])
    images = images.reshape(len(suite.IMAGES), len(records), -1)
    captions = captions.reshape(len(suite.CAPTIONS), len(records), -1)
    # One row at a time in float64: a matrix product's order of summation may depend on the batch around it. Features
    # are float32: what stands behind the eighth decimal is the processor's, and other processors write another.
    return np.einsum("ind,cnd->nic", images, captions, dtype=np.float64).round(8)


def _score_pairs(score: Scorer, suite: Suite, records: pd.DataFrame, batch_size: int) -> np.ndarray:
    shape = (len(suite.IMAGES), len(suite.CAPTIONS))
    step = max(1, batch_size // (shape[0] * shape[1]))
    parts = []
    for start in range(0, len(records), step):
        batch = records.iloc[start : start + step]
        names = [(row[i], row[c]) for row in batch.to_dict("records") for i in suite.IMAGES for c in suite.CAPTIONS]
        opened = {name: open_image(suite.root / name) for name in dict.fromkeys(name for name, _ in names)}
        got = np.asarray(
            score([opened[name] for name, _ in names], [caption for _, caption in names]), dtype=np.float64
        )
        if got.shape != (len(names),) or not np.isfinite(got).all():
            first = f"{suite.ID} {batch[suite.ID].iloc[0]}"
            what = got.shape if got.shape != (len(names),) else "a value that is not finite"
            raise InputError(f"{len(names)} finite scores from the model", what, where=suite.name, row=first)
        parts.append(got.reshape(-1, *shape))
    return np.concatenate(parts)


def _table(suite: Suite, scores: np.ndarray) -> pd.DataFrame:
    keys = {"suite": suite.name, "edition": suite.edition}
    keys |= {key: suite.records[key].to_numpy(dtype=object) for key in ("subset", suite.ID, "cluster")}
    return score_table(scores, **keys) if isinstance(suite, QuadSuite) else foil_table(*scores[:, 0].T, **keys)


def _chunks(records: pd.DataFrame, size: int, name: str, progress: bool) -> Iterator[pd.DataFrame]:
    with progress_bar(total=len(records), desc=name, unit="record", disable=not progress) as bar:
        for start in range(0, len(records), size):
            part = records.iloc[start : start + size]
            yield part
            bar.update(len(part))
