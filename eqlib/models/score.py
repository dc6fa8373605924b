"""Scores of a suite by any model: cosine similarities of a CLIP, or one function of pictures and captions.

Records are taken in chunks: features of one chunk at a time are in memory, the others in the cache, so memory does not
grow with the set.
"""

from collections.abc import Iterator, Mapping
from itertools import compress, product
from pathlib import Path

import numpy as np
import pandas as pd

from eqlib.errors import InputError
from eqlib.models.clip import CLIP
from eqlib.models.embed import Embedder
from eqlib.models.scorer import PairScorer, Scorer
from eqlib.progress import progress as progress_bar
from eqlib.quads import score_table
from eqlib.scoring.foils import foil_table
from eqlib.suites.images import require_images
from eqlib.suites.suite import AnySuite, QuadSuite, RetrievalSuite, Suite


def score_suite(
    model: CLIP | Embedder | Scorer | PairScorer,
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
    CLIP are cosines in float64, from float32 features. ``cache``: the folder of what was encoded or answered before, of
    all models; a run that was cut off goes on from it.

    An item without an answer (a scorer's NaN or None) is not in the table: ``table.attrs["unanswered"]`` lists these.
    Averages are over the others, so give both numbers; counted as wrong, a share is ``answered / all`` of what it was.

    ``exact``: the same model in fp32. Records with two candidates closer than ``near_tie`` are scored again by it, so
    that rounding in fp16 or bf16 decides none; their number is ``table.attrs["rescored"]``. Raises InputError naming
    file and record, and where no item has an answer.
    """
    require(suite)
    how = {"cache": cache, "batch_size": batch_size, "workers": workers, "progress": progress}
    model, exact = as_asked(model, **how), exact if exact is None else as_asked(exact, **how)
    parts = []
    rescored = 0
    for records, new in _chunks(model, suite, chunk, progress):
        scores = _score(model, suite, records, _ask(model, suite, records, new))
        if exact is not None:
            close = near_ties(scores, near_tie)
            if close.any():
                scores[close] = _score(exact, suite, records[close])
            rescored += int(close.sum())
        parts.append(scores)
    table = _table(suite, np.concatenate(parts))
    if exact is not None:
        table.attrs["rescored"] = rescored
    return table


def answer_share(model: Embedder | PairScorer, suite: AnySuite, *, chunk: int = 8192, progress: bool = True) -> None:
    """Have ``model`` (made with a ``share``) put into its cache what the suite asks of that share; no scores.

    Each picture, caption or pair is in one share, that of the batch where the suite first names it: no picture is
    encoded in two, pairs of a picture are asked for together, and shares end at about the same time, since each has its
    part of every subset. Only a picture that the set holds under two names may be answered in two shares. Raises
    InputError naming the file and record of a picture that is missing or damaged.
    """
    require(suite, model.share)
    if isinstance(suite, RetrievalSuite):
        if isinstance(model, PairScorer):
            raise InputError("a dual encoder, or quads or foils", "pairs that retrieval finds", where=suite.name)
        model.ask_images(*_of_retrieval(suite))
        model.ask_captions(suite.captions)
        return
    for records, new in _chunks(model, suite, chunk, progress):
        _ask(model, suite, records, new)


def as_asked(model: CLIP | Embedder | Scorer | PairScorer, **how) -> Embedder | PairScorer:
    """``model`` with its cache: a CLIP as an Embedder, a function as a PairScorer; ``how`` are their settings."""
    if isinstance(model, Embedder | PairScorer):
        return model
    return Embedder(model, **how) if isinstance(model, CLIP) else PairScorer(model, **how)


def retrieval_features(model: CLIP | Embedder, suite: RetrievalSuite, **settings) -> tuple[np.ndarray, np.ndarray]:
    """Features of images (n, d) and captions (m, d), float32, unit length; similarities are ``images @ captions.T``.

    ``settings`` are Embedder's. Raises InputError naming the file of a missing or damaged picture.
    """
    require(suite)
    embedder = Embedder(model, **settings) if isinstance(model, CLIP) else model
    return embedder.images(*_of_retrieval(suite)), embedder.captions(suite.captions)


def require(suite: AnySuite, share: slice = slice(None)) -> None:
    """Raise InputError for the first picture of ``suite`` that is missing or cut off, among those of ``share``. Reads a
    few bytes a file."""
    asked = suite.pictures().drop_duplicates("picture")[share]
    require_images(suite.root, dict(zip(asked["picture"], asked["record"], strict=True)))


def near_ties(scores: np.ndarray, tolerance: float) -> np.ndarray:
    """(n,) bool: two candidates of one image or caption closer than ``tolerance``. ``scores`` (n, images, captions)."""
    close = np.zeros(len(scores), dtype=bool)
    for axis in (1, 2):
        if scores.shape[axis] == 2:
            close |= (np.abs(np.diff(scores, axis=axis)) < tolerance).any(axis=(1, 2))
    return close


def _ask(model: Embedder | PairScorer, suite: Suite, records: pd.DataFrame, new: list[np.ndarray]) -> dict:
    """Have ``model`` answer its share of what ``records`` are the first to name; the digests of those pictures."""
    if isinstance(model, PairScorer):
        return model.ask(*(list(compress(column, new[0].ravel())) for column in pairs_of(suite, records)))
    images, captions = new
    paths, names = _images(suite, records)
    known = model.ask_images(list(compress(paths, images.T.ravel())), list(compress(names, images.T.ravel())))
    model.ask_captions(list(compress(_captions(suite, records), captions.T.ravel())))
    return known


def _score(
    model: Embedder | PairScorer, suite: Suite, records: pd.DataFrame, known: Mapping[str, bytes] | None = None
) -> np.ndarray:
    """(n, images, captions) float64, NaN where there is no answer."""
    if isinstance(model, PairScorer):
        shape = (len(records), len(suite.IMAGES), len(suite.CAPTIONS))
        return model.pairs(*pairs_of(suite, records), known=known).reshape(shape)
    images = model.images(*_images(suite, records), known=known)
    captions = model.captions(_captions(suite, records))
    images = images.reshape(len(suite.IMAGES), len(records), -1)
    captions = captions.reshape(len(suite.CAPTIONS), len(records), -1)
    # One row at a time in float64: a matrix product's order of summation may depend on the batch around it. Features
    # are float32: what stands behind the eighth decimal is the processor's, and other processors write another.
    return np.einsum("ind,cnd->nic", images, captions, dtype=np.float64).round(8)


def _of_retrieval(suite: RetrievalSuite) -> tuple[list[Path], list[str]]:
    return [suite.root / name for name in suite.images], [f"image {n}" for n in range(len(suite.images))]


def _images(suite: Suite, records: pd.DataFrame) -> tuple[list[Path], list[str]]:
    """Paths and names of the records, a column after the other."""
    paths = [suite.root / name for column in suite.IMAGES for name in records[column]]
    return paths, [f"{suite.ID} {item}" for item in records[suite.ID]] * len(suite.IMAGES)


def _captions(suite: Suite, records: pd.DataFrame) -> list[str]:
    return [text for column in suite.CAPTIONS for text in records[column]]


def pairs_of(suite: Suite, records: pd.DataFrame) -> tuple[list[Path], list[str], list[str]]:
    """Paths, captions and names of the records of all pairs, an item's together, in the order of scores[i, c]."""
    wanted = [
        (suite.root / row[image], row[caption], f"{suite.ID} {row[suite.ID]}")
        for row in records.to_dict("records")
        for image, caption in product(suite.IMAGES, suite.CAPTIONS)
    ]
    paths, captions, names = map(list, zip(*wanted, strict=True))
    return paths, captions, names


def _table(suite: Suite, scores: np.ndarray) -> pd.DataFrame:
    answered = np.isfinite(scores).all(axis=(1, 2))
    if not answered.any():
        raise InputError("an answer to all pairs of at least one item", "none", where=suite.name)
    records, scores = suite.records[answered], scores[answered]
    keys = {"suite": suite.name, "edition": suite.edition}
    keys |= {key: records[key].to_numpy(dtype=object) for key in ("subset", suite.ID, "cluster")}
    table = score_table(scores, **keys) if isinstance(suite, QuadSuite) else foil_table(*scores[:, 0].T, **keys)
    table.attrs["unanswered"] = suite.records.loc[~answered, suite.ID].tolist()
    return table


def _chunks(
    model: Embedder | PairScorer, suite: Suite, size: int, progress: bool
) -> Iterator[tuple[pd.DataFrame, list[np.ndarray]]]:
    """Records in chunks of ``size``, and bool of each input, whether no chunk before names it: pairs (n, images,
    captions), or pictures (n, images) and captions (n, captions)."""
    names, texts = (suite.records[list(columns)].to_numpy(object) for columns in (suite.IMAGES, suite.CAPTIONS))
    paired = isinstance(model, PairScorer)
    inputs = [np.broadcast_arrays(names[:, :, None], texts[:, None, :])] if paired else [[names], [texts]]
    firsts = []
    for parts in inputs:
        record = pd.Series(np.repeat(np.arange(len(suite)), parts[0][0].size))
        first = record.groupby([part.ravel() for part in parts], sort=False).transform("min")
        firsts.append(first.to_numpy().reshape(parts[0].shape))
    with progress_bar(total=len(suite), desc=suite.name, unit="record", disable=not progress) as bar:
        for start in range(0, len(suite), size):
            part = suite.records.iloc[start : start + size]
            yield part, [first[start : start + size] >= start for first in firsts]
            bar.update(len(part))
