"""The one table of readers."""

import inspect
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

from eqlib.errors import InputError
from eqlib.files import reading
from eqlib.suites.captions import read_captions
from eqlib.suites.eqben import read_eqben
from eqlib.suites.foils import read_sugarcrepe, read_valse
from eqlib.suites.quad_sets import read_bivlc, read_cola, read_colorswap, read_winoground
from eqlib.suites.quadfile import read_quads
from eqlib.suites.suite import AnySuite

READERS: dict[str, Callable[..., AnySuite]] = {
    "eqben": read_eqben,
    "winoground": read_winoground,
    "valse": read_valse,
    "sugarcrepe": read_sugarcrepe,
    "bivlc": read_bivlc,
    "colorswap": read_colorswap,
    "cola": read_cola,
    "quads": read_quads,
    "captions": read_captions,
}


def read(name: str, path: str | Path, /, **options) -> AnySuite:
    """The suite at ``path``, read by the reader ``name``: one of READERS, or a function of your own as
    ``module:function``. ``options`` are that reader's own.

    Raises InputError for a reader that is not there, an option that the reader lacks, a file that is missing, or a
    record that is malformed.
    """
    reader = reader_of(name)
    path = Path(path)
    with reading(path, "a file or folder", ValueError):
        if not path.exists():
            raise InputError("a file or folder", "nothing there", where=path)
    known = [option for option in inspect.signature(reader).parameters if option != "path"]
    for option in options:
        if option not in known:
            raise InputError(f"an option of the reader {name} ({', '.join(known)})", repr(option))
    suite = reader(path, **options)
    if not isinstance(suite, AnySuite):
        raise InputError("a reader that gives a suite", f"{type(suite).__name__} from {name}")
    return suite


def reader_of(name: str) -> Callable[..., AnySuite]:
    """The reader ``name``, see ``read``."""
    name = str(name)
    if name in READERS:
        return READERS[name]
    module, _, function = name.partition(":")
    try:
        reader, why = getattr(import_module(module), function), "no function"
        inspect.signature(reader)
    except Exception as error:  # whatever the module raises
        reader, why = None, str(error)
    if not callable(reader):
        raise InputError(f"a reader ({', '.join(READERS)}, or module:function)", f"{name!r} ({why})")
    return reader
