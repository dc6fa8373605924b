"""One picture from a file or from inside a tar (``shard.tar/key.png``): png, jpg and a few more through Pillow,
YouCook2's ``.npy`` frames as BGR arrays."""

import io
import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from PIL import Image

from eqlib.errors import InputError
from eqlib.files import link_out, read_array
from eqlib.suites.tars import member_of, read_member

FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "PPM")
"""What Pillow may take a picture for: of its others, EPS would start a program."""

PIXELS = 1 << 26
"""Of the largest picture, 67 million: of one colour it fits into 8 kB of PNG, and takes 0.3 GB decoded."""


def open_image(path: str | Path, *, row: object = None) -> Image.Image:
    """The picture at ``path``, decoded whole, as a PIL image in RGB, 8 bits.

    ``.npy`` files hold uint8 (height, width, 3) in BGR, as EqBen stores YouCook2 frames (OpenCV's order); they are
    never unpickled. Palette, grey and CMYK pictures become RGB, 16 bits the upper 8, transparency is dropped, as
    open_clip's own transform does; of an animation the first frame counts.

    Raises InputError naming the file (and ``row``, the record that asked for it) where it is missing, truncated, larger
    than PIXELS, or no picture in one of FORMATS.
    """
    path = Path(path)
    try:
        if path.suffix.lower() == ".npy":
            return _from_array(read_array(path), path, row)
        with image_file(path) as file, Image.open(file, formats=FORMATS) as image:
            if image.width * image.height > PIXELS:
                raise InputError(f"at most {PIXELS:,} pixels", f"{image.width} x {image.height}", where=path, row=row)
            if image.mode.startswith("I"):  # 16 bits of grey, which Pillow would cut at 255 instead of scaling
                image = Image.fromarray((np.asarray(image).astype(np.int64) >> 8).clip(0, 255).astype(np.uint8))
            return image.convert("RGB")
    except FileNotFoundError as error:
        raise InputError("an image file", "nothing there", where=path, row=row) from error
    except InputError as error:
        raise InputError(error.expected, error.got, where=error.where, row=error.row or row) from error
    except Exception as error:  # damage: OSError, SyntaxError, struct.error, ...
        raise InputError("a readable image", f"{type(error).__name__}: {error}", where=path, row=row) from error


def image_file(path: str | Path) -> io.BytesIO | io.BufferedReader:
    """The bytes behind ``path``, a file or a tar's member, as an open binary file. Raises OSError, and InputError for a
    damaged tar."""
    member = member_of(path)
    return io.BytesIO(read_member(*member)) if member else open(path, "rb")


def require_images(root: str | Path, names: Mapping[str, object]) -> None:
    """Raise InputError for the first picture that is missing, cut off, or a link that leads out of ``root``; ``names``:
    path -> record that asks for it.

    Reads both ends of each file. Only a file that does not end as its format does is decoded, to be sure: a JPEG may
    carry other data behind its end.
    """
    root, home = Path(root), os.path.realpath(root)
    for name, row in names.items():
        if out := link_out(home, root / name):
            raise InputError(f"a file under {home}", f"a link to {out}", where=root / name, row=row)
        if not looks_whole(root / name):
            open_image(root / name, row=row)


def looks_whole(path: Path) -> bool:
    """Whether a file starts and ends as a whole png or jpg does. False is a suspicion, not a verdict."""
    try:
        with image_file(path) as file:
            head = file.read(8)
            size = file.seek(0, 2)
            file.seek(-min(size, 12), 2)
            tail = file.read()
    except (OSError, ValueError):  # ValueError: a name that no file system takes
        return False
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return tail == b"\0\0\0\0IEND\xaeB`\x82"
    return head.startswith(b"\xff\xd8") and tail.endswith(b"\xff\xd9")


def _from_array(array: np.ndarray, path: Path, row: object) -> Image.Image:
    if array.dtype != np.uint8 or array.ndim != 3 or array.shape[2] != 3:
        raise InputError("uint8 (height, width, 3) in BGR", f"{array.dtype} {array.shape}", where=path, row=row)
    return Image.fromarray(np.ascontiguousarray(array[:, :, ::-1]))
