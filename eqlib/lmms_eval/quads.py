"""Quads for lmms-eval: one request a picture and caption, scores over the four of a quad.

A metric's items are the cells of all quads; lmms-eval's own standard errors would count each cell as a draw, so a
cell's number is under ``value``, which they do not look at, and ``*_se`` are ours.
"""

import ast
import os

import numpy as np

from eqlib.scoring import matching
from eqlib.suites.images import open_image
from eqlib.suites.outcomes import option

ROOT = os.environ.get("EQBEN_ROOT", "eqben")
"""Where the pictures of quads in a file are."""


def cells(dataset):
    """Each quad four times, with its ``cell``: 0 to 3, image first."""
    return dataset.select(np.repeat(np.arange(len(dataset)), 4)).add_column("cell", [0, 1, 2, 3] * len(dataset))


def picture(doc):
    found = _of(doc, "image", doc["cell"] // 2)
    return [open_image(os.path.join(ROOT, found)) if isinstance(found, str) else found.convert("RGB")]


def question(doc, lmms_eval_specific_kwargs=None):
    return f'Does this image show "{_of(doc, "caption", doc["cell"] % 2)}"? Please answer yes or no.'


def target(doc):
    return "yes" if doc["cell"] in (0, 3) else "no"


def answer(doc, results):
    """1 for yes, 0 for no; an answer that is neither is given the wrong one of the two."""
    said = option(results[0], "yes_no")
    return _cell(doc, float(target(doc) == "no") if said is None else float(said), unparsed=said is None)


def likelihood(doc, results):
    """The log-likelihood of (log-likelihood, whether it is the likeliest), which lmms-eval's filter makes a text."""
    found = ast.literal_eval(results[0]) if isinstance(results[0], str) else results[0]
    return _cell(doc, float(found[0]))


def _cell(doc, value, unparsed=False):
    """The cell under every metric's name."""
    cell = {"id": str(doc["id"]), "image": doc["cell"] // 2, "caption": doc["cell"] % 2}
    cell |= {"value": value, "unparsed": unparsed}
    cell |= {key: doc[key] for key in ("subset", "cluster") if doc.get(key) is not None}
    return {f"eqlib_{name}{end}": cell for name in ("text", "image", "group", "group_match") for end in ("", "_se")}


def _of(doc, name, number):
    """Winoground says image_0 and caption_0, quad files image0 and caption0."""
    return doc[f"{name}_{number}"] if f"{name}_{number}" in doc else doc[f"{name}{number}"]


def _outcomes(items, name):
    """The score ``name`` of each quad with four cells, and its cluster: with ``--limit`` the last may lack some."""
    quads: dict = {}
    for cell in items:
        quads.setdefault(cell["id"], {})[cell["image"], cell["caption"]] = cell
    whole = [quad for quad in quads.values() if len(quad) == 4]
    scores = [[[quad[i, c]["value"] for c in (0, 1)] for i in (0, 1)] for quad in whole]
    clusters = [quad[0, 0].get("cluster", quad[0, 0]["id"]) for quad in whole]
    return (matching(scores)[name].astype(float) if whole else np.zeros(0)), clusters


def _mean(name):
    return lambda items: float(_outcomes(items, name)[0].mean())


def _error(name):
    def standard_error(items):
        """Of the mean over quads, which are drawn by the cluster; NaN where there is one cluster."""
        right, clusters = _outcomes(items, name)
        codes = np.unique(clusters, return_inverse=True)[1]
        sums = np.bincount(codes, right - right.mean())
        drawn = len(sums)
        return float(np.sqrt((sums**2).sum() * drawn / (drawn - 1)) / len(right)) if drawn > 1 else float("nan")

    return standard_error


text, image, group, group_match = (_mean(name) for name in ("text", "image", "group", "group_match"))
text_se, image_se, group_se, group_match_se = (_error(name) for name in ("text", "image", "group", "group_match"))
