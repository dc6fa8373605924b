"""Plain pictures under the names that a set asks for: its layout, a plan, a whole study tried before its pictures are
here."""

import hashlib

import numpy as np
from PIL import Image

from eqlib.suites.suite import AnySuite


def draw(suite: AnySuite, size: tuple[int, int] = (64, 48)) -> int:
    """Draw every picture that ``suite`` names and the disk lacks, ``size`` pixels (width, height) of a colour that the
    name gives; how many. A ``.npy`` is an array of uint8 (height, width, 3), any other file what its suffix says."""
    missing = [path for name in suite.pictures()["picture"].unique() if not (path := suite.root / name).exists()]
    for path in missing:
        path.parent.mkdir(parents=True, exist_ok=True)
        red, green, blue, *_ = hashlib.sha256(path.name.encode()).digest()
        picture = Image.new("RGB", size, (red, green, blue))
        if path.suffix == ".npy":
            np.save(path, np.asarray(picture))
        else:
            picture.save(path)
    return len(missing)
