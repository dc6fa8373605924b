"""What bad input raises, what scores may warn of, and the one line where an optional library is missing."""

import sys
from collections.abc import Callable
from functools import wraps
from importlib.util import find_spec
from pathlib import Path
from reprlib import Repr

LONGEST = 160
"""Characters of what came, in a message; what was expected may be three times as long."""


class InputError(ValueError):
    """Input that cannot be used: says where it is, what was expected and what came.

    ``where`` is a file, ``row`` the row, record, key or item inside it; either may be absent for values passed in code.

    >>> str(InputError("a number", "'three'", where="params.yaml", row="finetune.steps"))
    "params.yaml, finetune.steps: expected a number, got 'three'"
    """

    def __init__(self, expected: str, got: object, *, where: str | Path | None = None, row: object = None):
        self.expected, self.got, self.where, self.row = expected, got, where, row
        place = ", ".join(str(part) for part in (where, row if row is None else _clipped(str(row))) if part is not None)
        got = got if isinstance(got, str) else shown(got) if isinstance(got, list | tuple | dict | int) else str(got)
        message = f"expected {_clipped(expected, 3 * LONGEST)}, got {_clipped(got)}"
        super().__init__(f"{place}: {message}" if place else message)

    def __reduce__(self):
        # without this no worker process can send it: an exception is rebuilt from its message alone
        return _rebuilt, (self.expected, self.got, self.where, self.row)


class UnclusteredWarning(UserWarning):
    """Quads of one video count as independent, for nothing tells which they are: intervals come out too narrow."""


def shown(value: object) -> str:
    """``value`` as code, cut where it is long or deep: a caption may have a million characters."""
    short = Repr()
    short.maxstring, short.maxother, short.maxlevel = LONGEST - 40, LONGEST - 40, 4
    short.maxlist = short.maxtuple = short.maxdict = 8
    return short.repr(value)


def _clipped(text: str, most: int = LONGEST) -> str:
    return text if len(text) <= most else text[: most - 3] + "..."


def _rebuilt(expected: str, got: object, where: str | Path | None, row: object) -> InputError:
    return InputError(expected, got, where=where, row=row)


def command(main: Callable[..., int]) -> Callable[..., int]:
    """``main`` of a command: an InputError, or each of an ExceptionGroup, becomes a line on stderr and exit code 1."""

    @wraps(main)
    def wrapped(*arguments, **options) -> int:
        try:
            return main(*arguments, **options)
        except (InputError, ExceptionGroup) as error:
            for one in getattr(error, "exceptions", [error]):
                print(f"error: {one}", file=sys.stderr)
            return 1

    return wrapped


def needs(room: str, extra: str, *modules: str) -> None:
    """Raises ImportError where one of ``modules``, which ``room`` imports, is not installed; it names the ``extra``."""
    for module in modules:
        if find_spec(module) is None:
            remedy = f'pip install "eqlib[{extra}]", or in a clone: source .venv/bin/activate'
            raise ImportError(f"{room} needs {module}, which this Python does not have: {remedy}", name=room)
