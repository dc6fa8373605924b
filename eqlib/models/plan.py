"""What a run will cost, before it starts: what it has to encode or ask for, the disk it takes, and about how long."""

import time
from collections.abc import Callable, Sequence

from eqlib.models.embed import Embedder, caption_digest, digests
from eqlib.models.pairs import batches
from eqlib.models.score import pairs_of
from eqlib.models.scorer import PairScorer
from eqlib.suites.suite import AnySuite, RetrievalSuite

TIMED = 3
"""Batches that the calibration times, after one that warms up."""


def plan(judge: Embedder | PairScorer, suite: AnySuite, *, first: Embedder | None = None, k: int = 128) -> dict:
    """What ``judge`` has to do for ``suite``::

        {"items", "pictures", "captions", "pairs": distinct, by content,
         "passes": {"picture" | "caption" | "pair": how many are not in the cache yet},
         "bytes": what these take in the cache, "seconds": about how long they take, from a few batches}

    Every picture is read, to tell equal ones. ``first`` and ``k`` are those of ``rerank``, whose pairs are a bound: its
    candidates are not known before the features are.
    """
    asked = suite.pictures().drop_duplicates("picture")
    paths, rows = [suite.root / name for name in asked["picture"]], asked["record"].tolist()
    if isinstance(suite, RetrievalSuite):
        shown = [suite.root / suite.images[n] for n in suite.image_of_caption]
        own = list(zip(shown, suite.captions, suite.image_of_caption, strict=True))
    else:
        own = list(zip(*pairs_of(suite, suite.records), strict=True))
    texts = list(dict.fromkeys(text for _, text, _ in own))
    known = digests(paths, rows)
    pictures = len(set(known.values()))
    pairs = pictures * len(texts) if isinstance(suite, RetrievalSuite) else len({pair[:2] for pair in own})
    found: dict = {"items": len(suite), "pictures": pictures, "captions": len(texts), "pairs": pairs}
    found |= {"passes": {}, "bytes": 0, "seconds": 0.0}

    def add(kind: str, todo: int, width: int, do: Callable[[list], object], parts: Sequence[list]) -> None:
        found["passes"][kind] = todo
        found["bytes"] += todo * width
        if todo:
            found["seconds"] += todo * _seconds_each(do, parts)

    if (encoder := judge if isinstance(judge, Embedder) else first) is not None:
        seen, read = encoder.caches
        new_paths = [paths[n] for n in seen.missing([known[str(path)] for path in paths])]
        new_texts = [texts[n] for n in read.missing(list(map(caption_digest, texts)))]
        trial = Embedder(encoder.model, batch_size=encoder.batch_size, workers=0, progress=False)
        width = 32 + 4 * encoder.model.config["model_cfg"]["embed_dim"]
        add("picture", len(new_paths), width, trial.images, batches(new_paths, trial.batch_size))
        add("caption", len(new_texts), width, trial.captions, batches(new_texts, trial.batch_size))
    if isinstance(judge, PairScorer):
        calls, keys, _ = judge.calls(*zip(*own, strict=True), known=known)
        calls = judge.lacking(judge.log, calls, keys)
        if isinstance(suite, RetrievalSuite):
            todo = min(pairs, k * (len(suite.images) + len(suite.captions)))
        else:
            todo, found["pairs"] = sum(map(len, calls)), len(set(keys.values()))
        trial = PairScorer(judge.model, batch_size=judge.batch_size, workers=judge.workers, progress=False)
        add("pair", todo, 32 + 8, lambda call: trial.pairs(*zip(*(own[n] for n in call), strict=True)), calls)
    return found


def _seconds_each(do: Callable[[list], object], parts: Sequence[list]) -> float:
    """The time that ``do`` takes for one entry of ``parts``, of a few parts from all over."""
    chosen = [parts[n * len(parts) // (TIMED + 1)] for n in range(TIMED + 1)] if len(parts) > TIMED else list(parts)
    if len(chosen) > 1:
        do(chosen.pop(0))  # compiles, allocates, fills caches
    began = time.perf_counter()
    for part in chosen:
        do(part)
    return (time.perf_counter() - began) / max(1, sum(map(len, chosen)))
