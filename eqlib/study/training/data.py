"""What a study reads: captioned images to train on and suites to test on, named in params.yaml's section ``data``."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from eqlib.errors import InputError
from eqlib.suites import RetrievalSuite, read
from eqlib.suites.suite import AnySuite


def read_suites(root: str | Path, suites: dict[str, dict]) -> dict[str, AnySuite]:
    """The ``suites`` (name -> ``{reader, path, ...options}``, paths under ``root``, also the option ``root``), of any
    kind, by that name.

    Raises InputError for an unknown reader or option, a missing file or a malformed record.
    """
    found = {}
    for name, entry in suites.items():
        options = {key: value for key, value in entry.items() if key not in ("reader", "path")}
        if "root" in options:
            options["root"] = Path(root) / options["root"]
        if missing := {"reader", "path"} - entry.keys():
            raise InputError("keys `reader` and `path`", f"{sorted(missing)} missing", where=f"data.suites.{name}")
        try:
            suite = read(entry["reader"], Path(root) / entry["path"], **options)
        except InputError as error:
            if error.where is not None:
                raise
            raise InputError(error.expected, error.got, where=f"data.suites.{name}") from error  # reader or option
        found[name] = replace(suite, name=name)
    return found


def read_captions(
    root: str | Path, captions: str, split: str, *, held_out: dict[str, AnySuite] | None = None
) -> RetrievalSuite:
    """One split of the captioned images at ``root / captions``, without those that a suite of ``held_out`` shows.

    ``captions`` may have any form that ``eqlib.suites.captions`` reads. An absolute path is a file outside the data,
    whose pictures are named from ``root``. An empty ``split`` takes every image. Images
    are told apart by path: a copy in a tar counts as another. What was left out is said in ``notes``. Raises InputError
    for another form and when nothing is left.
    """
    outside = Path(captions).is_absolute()
    suite = read("captions", Path(root) / captions, split=split or None, root=root if outside else None)
    shown = {
        (other.root / image).resolve()
        for other in (held_out or {}).values()
        for image in other.pictures()["picture"].unique()
    }
    keep = np.array([(suite.root / image).resolve() not in shown for image in suite.images])
    if keep.all():
        return suite
    if not keep.any():
        raise InputError("images that no suite of data.suites shows", f"none of {len(keep)}", where=captions, row=split)
    left_out = f"{int((~keep).sum())} of {len(keep)} images held out: suites show them"
    return replace(suite.keep(keep), notes=(*suite.notes, left_out))
