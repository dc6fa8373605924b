"""Recall at K among all images and captions of a set, with ties counted. Block by block: no n x m matrix is held."""

from collections.abc import Callable

import numpy as np
import pandas as pd

from eqlib.errors import InputError
from eqlib.quads import item_table

KS = (1, 5, 10)
DIRECTIONS = ("text_retrieval", "image_retrieval")
"""Text retrieval: an image looks for a caption (TR, image-to-text). Image retrieval: a caption looks for its image."""


def query_ranks(similarity: np.ndarray, own: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Ranks of the best own item of each query: ``similarity`` (q, g) and ``own`` (q, g) bool.

    Returns ``rank`` (q,) int64, from 1, ties against the query (as strict comparison has it), and ``tied`` (q,) int64,
    how many foreign items score exactly like the best own one. ``rank - tied`` is the rank with ties for the query.
    """
    best = np.where(own, similarity, -np.inf).max(axis=1, keepdims=True)
    above, level = (similarity > best).sum(axis=1), ((similarity == best) & ~own).sum(axis=1)
    return above + level + 1, level


def retrieval_table(
    images: object,
    captions: object,
    image_of_caption: object,
    *,
    suite: str,
    edition: str,
    ks: tuple[int, ...] = KS,
    block: int = 1024,
    rescore: Callable[[str, np.ndarray, np.ndarray], np.ndarray] | None = None,
) -> pd.DataFrame:
    """One row a query, from features ``images`` (n, d) and ``captions`` (m, d) whose dot product is the similarity.

    ``image_of_caption`` (m,) indexes images; an image may have several captions, any of which counts. Columns: suite,
    edition, subset (DIRECTIONS), quad (the query), cluster (its image), rank, tied, and ``R@1`` ... (bool): ready for
    ``summarise(table, scores=("R@1", "R@5", "R@10"))``, whose subsets are the two directions. Memory grows with
    ``block`` x max(n, m). ``rescore(direction, rows, similarity)`` may put other numbers in the place of a block's
    (``eqlib.models.rerank``). Raises InputError on shapes that do not fit, values that are not finite, an index out of
    range or an image without a caption.
    """
    images, captions, of = _checked(images, captions, image_of_caption)
    n, m = len(images), len(captions)
    sides = (
        (images, captions, lambda rows: of[None, :] == rows[:, None]),
        (captions, images, lambda rows: of[rows][:, None] == np.arange(n)[None, :]),
    )
    blocks = []
    for direction, (queries, gallery, own) in zip(DIRECTIONS, sides, strict=True):
        for rows in np.split(np.arange(len(queries)), range(block, len(queries), block)):
            similarity = queries[rows] @ gallery.T
            if rescore is not None:
                similarity = rescore(direction, rows, similarity)
            blocks.append(query_ranks(similarity, own(rows)))
    rank, tied = map(np.concatenate, zip(*blocks, strict=True))
    return item_table(
        suite=suite,
        edition=edition,
        subset=np.repeat(DIRECTIONS, (n, m)),
        quad=[f"image {i}" for i in range(n)] + [f"caption {j}" for j in range(m)],
        cluster=np.concatenate([np.arange(n), of]).astype(str),
        rank=rank,
        tied=tied,
        **{f"R@{k}": rank <= k for k in ks},
    )


def _checked(images, captions, image_of_caption) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    images, captions, of = np.asarray(images), np.asarray(captions), np.asarray(image_of_caption)
    if images.ndim != 2 or captions.ndim != 2 or images.shape[1] != captions.shape[1]:
        raise InputError("features (n, d) and (m, d)", f"{images.shape} and {captions.shape}")
    if of.shape != (len(captions),) or of.dtype.kind not in "iu":
        raise InputError(f"an image index for each of {len(captions)} captions", f"{of.dtype} of shape {of.shape}")
    for name, features in (("image", images), ("caption", captions)):
        if len(odd := np.flatnonzero(~np.isfinite(features).all(axis=1))):
            raise InputError("finite features", "NaN or infinity", row=f"{name} {odd[0]}")
    if len(odd := np.flatnonzero((of < 0) | (of >= len(images)))):
        raise InputError(f"an image index below {len(images)}", of[odd[0]], row=f"caption {odd[0]}")
    if len(odd := np.setdiff1d(np.arange(len(images)), of)):
        raise InputError("a caption for every image", "none", row=f"image {odd[0]}")
    return images, captions, of
