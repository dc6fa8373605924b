"""Progress that shows in both places: a widget when a person runs the notebook, a line of text when a stage does."""

import os
from collections.abc import Iterable
from typing import Any


def progress(iterable: Iterable | None = None, **options: Any):
    """tqdm over ``iterable``. Under the notebook runner (which sets ``EQLIB_STAGE``) it writes plain text to stderr,
    which the runner passes on to the terminal; in Jupyter it is a widget, elsewhere a terminal line."""
    if os.environ.get("EQLIB_STAGE"):
        from tqdm.std import tqdm  # inside a kernel tqdm.auto always draws a widget, which no terminal shows
    else:
        from tqdm.auto import tqdm
    options.setdefault("mininterval", 1.0 if os.environ.get("EQLIB_STAGE") else 0.1)
    return tqdm(iterable, **options)
