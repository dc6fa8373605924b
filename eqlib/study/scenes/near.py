"""Which pictures of two splits look most alike."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from eqlib.suites.images import open_image

THUMB = 16


def thumbnails(paths: Sequence[Path]) -> np.ndarray:
    """(n, 16 * 16 * 3) float32 in [0, 1]: small enough that noise and fine texture average out. A path may lead into a
    tar."""
    made = [np.asarray(open_image(path).resize((THUMB, THUMB), Image.BOX)) for path in paths]
    return np.stack(made).reshape(len(made), -1).astype(np.float32) / 255


def nearest(paths: Sequence[Path], others: Sequence[Path]) -> pd.DataFrame:
    """For each picture its nearest one among ``others``: columns image, nearest, distance (root mean square of the
    thumbnails' difference, 0..1), nearest pair first."""
    one, other = thumbnails(paths), thumbnails(others)
    squares = (one**2).sum(1)[:, None] + (other**2).sum(1)[None] - 2 * one @ other.T
    best = squares.argmin(axis=1)
    distance = np.sqrt(np.maximum(squares[np.arange(len(one)), best], 0) / one.shape[1])
    found = pd.DataFrame({"image": map(str, paths), "nearest": [str(others[i]) for i in best], "distance": distance})
    return found.sort_values("distance", kind="stable", ignore_index=True)
