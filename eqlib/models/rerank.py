"""Retrieval by a model that scores pairs: it orders anew the candidates that a dual encoder finds first.

All n x m pairs would cost too much; the papers of such models (ALBEF, BLIP) take the ``k`` most similar of each query.
"""

import numpy as np
import pandas as pd

from eqlib.models.scorer import PairScorer
from eqlib.scoring.retrieval import DIRECTIONS, retrieval_table
from eqlib.suites.suite import RetrievalSuite


def rerank(
    features: tuple[np.ndarray, np.ndarray], scorer: PairScorer, suite: RetrievalSuite, *, k: int = 128
) -> pd.DataFrame:
    """``retrieval_table`` of ``suite``, the best ``k`` of each query in the order of ``scorer``, the others behind them
    as they were.

    ``features``: of images (n, d) and captions (m, d), as ``retrieval_features`` gives them. A candidate without an
    answer (NaN) stands behind those with one; ``table.attrs["unanswered"]`` lists the queries that had such.
    """
    paths = [suite.root / name for name in suite.images]
    unanswered: list[str] = []

    def rescore(direction: str, rows: np.ndarray, similarity: np.ndarray) -> np.ndarray:
        similarity = similarity.astype(np.float64)
        top = np.argsort(-similarity, axis=1, kind="stable")[:, :k]
        of_image = direction == DIRECTIONS[0]
        images, captions = (np.repeat(rows, top.shape[1]), top.ravel())[:: 1 if of_image else -1]
        names = [f"image {image}, caption {caption}" for image, caption in zip(images, captions, strict=True)]
        answers = scorer.pairs([paths[i] for i in images], [suite.captions[c] for c in captions], names)
        answers = answers.reshape(top.shape)
        missing = np.isnan(answers)
        query = "image" if of_image else "caption"
        unanswered.extend(f"{query} {row}" for row in rows[missing.any(axis=1)])
        lowest = np.where(missing, np.inf, answers).min(initial=0)
        behind = similarity - similarity.max() - 1 + lowest  # below every answer
        np.put_along_axis(behind, top, np.where(missing, lowest - 0.5, answers), axis=1)
        return behind

    how: dict = {"suite": suite.name, "edition": suite.edition, "rescore": rescore}
    table = retrieval_table(*features, suite.image_of_caption, **how)
    table.attrs["unanswered"] = unanswered
    return table
