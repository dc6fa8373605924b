"""Looking at pictures: contact sheets with what is said of them, and which of two splits look most alike."""

import textwrap
from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd
from PIL import Image, ImageDraw, ImageFont

from eqlib.study.scenes.items import Quad
from eqlib.study.scenes.render import render
from eqlib.study.scenes.scene import Place, Scene, Thing
from eqlib.study.scenes.vocabulary import COLOURS, KINDS

_INK, _PAPER = (40, 40, 46), (255, 255, 255)
Named = Iterable[tuple[str, Image.Image]]


def sheet(pictures: Sequence[Image.Image], texts: Sequence[str] = (), *, columns: int = 6, gap: int = 8) -> Image.Image:
    """Equal square pictures in rows, each with its text under it. An RGB image."""
    side = pictures[0].width
    font = ImageFont.load_default(size=max(11, side // 17))
    wrapped = ["\n".join(textwrap.wrap(text, width=max(12, int(side / (font.size * 0.5))))) for text in texts]
    lines = max((text.count("\n") + 1 for text in wrapped), default=0)
    foot = int(lines * font.size * 1.3 + (gap if lines else 0))
    rows = -(-len(pictures) // columns)
    columns = min(columns, len(pictures))
    whole = Image.new("RGB", (columns * (side + gap) + gap, rows * (side + foot + gap) + gap), _PAPER)
    pen = ImageDraw.Draw(whole)
    for number, picture in enumerate(pictures):
        x, y = gap + number % columns * (side + gap), gap + number // columns * (side + foot + gap)
        whole.paste(picture, (x, y))
        if wrapped:
            pen.multiline_text((x, y + side + gap // 2), wrapped[number], fill=_INK, font=font)
    return whole


def vocabulary_sheet(*, size: int = 112, columns: int = 11) -> Image.Image:
    """Every kind of thing in every state, and the first state in every material."""
    pictures, texts = [], []
    for number, (name, kind) in enumerate(KINDS.items()):
        for state in kind.states:
            for material in kind.materials if state == kind.states[0] else kind.materials[:1]:
                colour = list(COLOURS)[(number + len(pictures)) % 8]
                thing = Thing(name, colour, material, "large" if kind.role == "thing" else "", state, 50.0, 0.2, 1, 0)
                pictures.append(render(Scene(Place("studio", number % 6, "noon", 12, 4, 0), (thing,)), size))
                texts.append(" ".join(word for word in (material, name, state) if word not in ("plain", "")))
    return sheet(pictures, texts, columns=columns)


def quad_sheet(quads: Sequence[Quad], *, size: int = 224, columns: int = 3) -> Image.Image:
    """Both pictures of each quad side by side over their captions; ``columns`` quads in a row."""
    pictures = [render(scene, size) for quad in quads for scene in quad.scenes]
    return sheet(pictures, [text for quad in quads for text in quad.captions], columns=2 * columns)


def nearest(pictures: Named, others: Named) -> pd.DataFrame:
    """For each RGB picture its nearest one among ``others``, by name: columns image, nearest, distance (root mean
    square of the thumbnails' difference, 0..1), nearest pair first."""
    found, seen = _thumbnails(pictures), _thumbnails(others)
    one, other = found.to_numpy(), seen.to_numpy()
    squares = (one**2).sum(1)[:, None] + (other**2).sum(1)[None] - 2 * one @ other.T
    distance = np.sqrt(np.maximum(squares.min(axis=1), 0) / one.shape[1])
    table = pd.DataFrame({"image": found.index, "nearest": seen.index[squares.argmin(axis=1)], "distance": distance})
    return table.sort_values("distance", kind="stable", ignore_index=True)


def _thumbnails(pictures: Named) -> pd.DataFrame:
    """One row a picture, by name: 16 * 16 * 3 numbers in [0, 1], so few that noise and fine texture average out."""
    small = {name: np.asarray(picture.resize((16, 16), Image.BOX)).ravel() for name, picture in pictures}
    return pd.DataFrame.from_dict(small, orient="index").astype(np.float32) / 255
