"""How a command of the workshop ends where its input is wrong."""

import sys
from collections.abc import Callable
from functools import wraps

from eqlib.errors import InputError


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
