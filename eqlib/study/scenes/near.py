"""Which pictures of two splits look most alike."""

from collections.abc import Iterable

import numpy as np
import pandas as pd
from PIL import Image

THUMB = 16

Named = Iterable[tuple[str, Image.Image]]


def thumbnails(pictures: Named) -> pd.DataFrame:
    """One row a picture, by name: 16 * 16 * 3 numbers in [0, 1], so few that noise and fine texture average out."""
    small = {name: np.asarray(picture.resize((THUMB, THUMB), Image.BOX)).ravel() for name, picture in pictures}
    return pd.DataFrame.from_dict(small, orient="index").astype(np.float32) / 255


def nearest(pictures: Named, others: Named) -> pd.DataFrame:
    """For each RGB picture its nearest one among ``others``, by name: columns image, nearest, distance (root mean
    square of the thumbnails' difference, 0..1), nearest pair first."""
    found, seen = thumbnails(pictures), thumbnails(others)
    one, other = found.to_numpy(), seen.to_numpy()
    squares = (one**2).sum(1)[:, None] + (other**2).sum(1)[None] - 2 * one @ other.T
    best = squares.argmin(axis=1)
    distance = np.sqrt(np.maximum(squares[np.arange(len(one)), best], 0) / one.shape[1])
    table = pd.DataFrame({"image": found.index, "nearest": seen.index[best], "distance": distance})
    return table.sort_values("distance", kind="stable", ignore_index=True)
