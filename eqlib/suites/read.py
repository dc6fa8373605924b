"""The one table of readers."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import partial
from pathlib import Path

from eqlib.errors import InputError
from eqlib.suites.aurora import read_aurora
from eqlib.suites.caption_table import read_caption_table
from eqlib.suites.coco import read_coco
from eqlib.suites.cola import read_cola
from eqlib.suites.eqben import read_eqben
from eqlib.suites.imagecode import read_imagecode
from eqlib.suites.karpathy import read_karpathy
from eqlib.suites.near_session import read_near_session
from eqlib.suites.quadfile import COLUMNS, read_quads
from eqlib.suites.shards import read_shards
from eqlib.suites.sugarcrepe import read_sugarcrepe
from eqlib.suites.suite import RetrievalSuite, Suite
from eqlib.suites.valse import read_valse
from eqlib.suites.vsr import read_vsr
from eqlib.suites.winoground import read_winoground

READERS: dict[str, Callable[..., Suite | RetrievalSuite]] = {
    "eqben": read_eqben,
    "winoground": read_winoground,
    "valse": read_valse,
    "sugarcrepe": read_sugarcrepe,
    "bivlc": partial(read_quads, name="bivlc", edition="test", columns=COLUMNS["bivlc"]),
    "colorswap": partial(read_quads, name="colorswap", edition="test", columns=COLUMNS["colorswap"]),
    "cola": read_cola,
    "vsr": read_vsr,
    "quads": read_quads,
    "karpathy": read_karpathy,
    "captions": read_caption_table,
    "shards": read_shards,
    "coco": read_coco,
    "aurora": read_aurora,
    "near_session": read_near_session,
    "imagecode": read_imagecode,
}


def read(name: str, path: str | Path, **options) -> Suite | RetrievalSuite:
    """The suite at ``path``, read by the reader ``name``; ``options`` are that reader's own.

    Raises InputError for a name that READERS lacks, an option that the reader lacks, a file that is missing, or a
    record that is malformed.
    """
    if name not in READERS:
        raise InputError(f"a reader ({', '.join(READERS)})", repr(name))
    path = Path(path)
    if not path.exists():
        raise InputError("a file or folder", "nothing there", where=path)
    known = [option for option in inspect.signature(READERS[name]).parameters if option != "path"]
    for option in options:
        if option not in known:
            raise InputError(f"an option of the reader {name} ({', '.join(known)})", repr(option))
    return READERS[name](path, **options)
