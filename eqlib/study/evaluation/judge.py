"""A model on a suite of any kind: opened by its name, asked for a score table."""

from pathlib import Path

import pandas as pd

from eqlib.errors import InputError
from eqlib.files import read_json
from eqlib.models.clip import CLIP
from eqlib.models.embed import Embedder
from eqlib.models.matching import HEAD, load_head, scorer
from eqlib.models.opening import open_model
from eqlib.models.score import as_asked, retrieval_features, score_suite
from eqlib.models.scorer import PairScorer, Scorer
from eqlib.scoring.retrieval import retrieval_table
from eqlib.suites.suite import AnySuite, RetrievalSuite


def judges_of(
    model: str, head: str = "", *, batch: int = 64, workers: int = 0, cache: str | None = None
) -> tuple[Embedder | PairScorer | Scorer, Embedder | None]:
    """What judges quads and foils, and what embeds, None where nothing does. ``model`` and ``head`` as in
    ``eqlib.models.opening``; a fine-tuned model with a head of its own beside it judges by that head."""
    opened = open_model(model, head or None, batch_size=batch)
    asked = as_asked(opened, cache=cache, batch_size=batch, workers=workers)
    if isinstance(asked, PairScorer):
        return asked, None
    check_kept(opened, model)
    own = (Path(model) / HEAD).is_file()
    return (scorer(opened, load_head(model)) if own else asked), asked


def check_kept(bundle: CLIP, folder: str | Path) -> None:
    """Raises InputError where `train` left other weights in ``folder`` than it holds now: a file was damaged since."""
    told = Path(folder).parent / "metrics.json"
    weights = read_json(told).get("weights") if told.is_file() else None
    if weights is not None and weights != (found := bundle.fingerprint):  # hashed once, and only where it is asked for
        mend = "mend it with `python -m eqlib.study.mend && dvc repro`"
        raise InputError(f"the weights {weights[:12]} that training left ({mend})", found[:12], where=folder)


def judged(
    judges: tuple[Embedder | PairScorer | Scorer, Embedder | None], suite: AnySuite, *, batch: int
) -> pd.DataFrame | None:
    """The score table of ``suite``: of quads and foils what ``score_suite`` gives, of a retrieval set one row a query
    (``retrieval_table``). None for a retrieval set where nothing embeds: every picture with every caption is too many.
    """
    judge, embedder = judges
    if not isinstance(suite, RetrievalSuite):
        return score_suite(judge, suite, batch_size=batch)
    if embedder is None:
        return None
    features = retrieval_features(embedder, suite)
    return retrieval_table(*features, suite.image_of_caption, suite=suite.name, edition=suite.edition)
