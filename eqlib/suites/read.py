"""The one table of readers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from eqlib.errors import InputError
from eqlib.suites.aurora import read_aurora
from eqlib.suites.imagecode import read_imagecode
from eqlib.suites.karpathy import read_karpathy
from eqlib.suites.near_session import read_near_session
from eqlib.suites.quadfile import read_quads
from eqlib.suites.suite import RetrievalSuite, Suite

READERS: dict[str, Callable[..., Suite | RetrievalSuite]] = {
    "quads": read_quads,
    "karpathy": read_karpathy,
    "aurora": read_aurora,
    "near_session": read_near_session,
    "imagecode": read_imagecode,
}


def read(name: str, path: str | Path, **options) -> Suite | RetrievalSuite:
    """The suite at ``path``, read by the reader ``name``; ``options`` are that reader's own.

    Raises InputError for a name that READERS lacks, a file that is missing, or a record that is malformed.
    """
    if name not in READERS:
        raise InputError(f"a reader ({', '.join(READERS)})", repr(name))
    path = Path(path)
    if not path.exists():
        raise InputError("a file or folder", "nothing there", where=path)
    return READERS[name](path, **options)
