"""One picture from a file or from inside a tar (``shard.tar/key.png``): png, jpg and the rest through Pillow,
YouCook2's ``.npy`` frames as BGR arrays."""

import io
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image

from eqlib.errors import InputError
from eqlib.suites.tars import member_of, read_member


def open_image(path: str | Path, *, row: object = None) -> Image.Image:
    """The picture at ``path``, decoded whole, as a PIL image in RGB.

    ``.npy`` files hold uint8 (height, width, 3) in BGR, as EqBen stores YouCook2 frames (OpenCV's order); they are
    never unpickled. Palette and grey pictures become RGB, transparency is dropped, as open_clip's own transform does.

    Raises InputError naming the file (and ``row``, the record that asked for it) where it is missing, truncated, or no
    picture.
    """
    path = Path(path)
    try:
        if path.suffix.lower() == ".npy":
            return _from_array(np.load(path, allow_pickle=False), path, row)
        with image_file(path) as file, Image.open(file) as image:
            return image.convert("RGB")
    except FileNotFoundError as error:
        raise InputError("an image file", "nothing there", where=path, row=row) from error
    except InputError:
        raise
    except Exception as error:  # damage: OSError, SyntaxError, struct.error, ...
        raise InputError("a readable image", f"{type(error).__name__}: {error}", where=path, row=row) from error


def image_file(path: str | Path) -> BinaryIO:
    """The bytes behind ``path``, a file or a tar's member, as an open binary file. Raises OSError, and InputError for a
    damaged tar."""
    member = member_of(path)
    return io.BytesIO(read_member(*member)) if member else open(path, "rb")


def require_images(root: str | Path, names: Mapping[str, object]) -> None:
    """Raise InputError for the first picture that is missing or cut off; ``names``: path -> record that asks for it.

    Reads both ends of each file. Only a file that does not end as its format does is decoded, to be sure: a JPEG may
    carry other data behind its end.
    """
    root = Path(root)
    for name, row in names.items():
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
