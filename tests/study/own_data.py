"""Thirty drawn pictures, captions without a split, ten quads: ``python tests/study/own_data.py FOLDER``.

What docs/own-data.md makes a study of. The quads are all pairs of five pictures, which are among the thirty.
"""

import json
import sys
from itertools import combinations, product
from pathlib import Path

import pandas as pd
from PIL import Image, ImageDraw

COLOURS = ("red", "green", "blue", "orange", "purple")
PLACES = ("left", "middle", "right")


def draw(folder):
    folder = Path(folder)
    (folder / "pictures").mkdir(parents=True)
    rows = []
    for colour, shape, place in product(COLOURS, ("circle", "square"), PLACES):
        image, left = Image.new("RGB", (64, 64), "white"), 4 + 19 * PLACES.index(place)
        pen = ImageDraw.Draw(image)
        (pen.ellipse if shape == "circle" else pen.rectangle)((left, 22, left + 18, 40), fill=colour)
        rows.append({"path": f"pictures/{colour}_{shape}_{place}.png", "caption": f"{colour} {shape}, {place}"})
        image.save(folder / rows[-1]["path"])
    pd.DataFrame(rows).to_csv(folder / "captions.csv", index=False)
    shown = [row for row in rows if row["caption"].endswith("circle, middle")]
    quads = [
        {f"{key}{side}": row[source] for key, source in (("image", "path"), ("caption", "caption"))
         for side, row in enumerate(pair)} for pair in combinations(shown, 2)
    ]  # fmt: skip
    (folder / "quads.jsonl").write_text("".join(f"{json.dumps(quad)}\n" for quad in quads))


if __name__ == "__main__":
    draw(sys.argv[1])
