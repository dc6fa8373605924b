"""Pairs of photographs from one session: natural quads found by a script, not hand-checked.

``[{image0, image1, captions0: [5], captions1: [5], hist, id_gap, splits: [2]}]``; a Karpathy-style file in the same
folder says where each picture lies.
"""

from pathlib import Path

import numpy as np
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from eqlib.errors import InputError
from eqlib.files import content_hash, read_json
from eqlib.suites.fields import Row, image_path, records_of
from eqlib.suites.suite import QuadSuite


def read_near_session(
    path: str | Path, *, splits: tuple[str, ...] | list[str] | None = None, root: str | Path | None = None
) -> QuadSuite:
    """A QuadSuite of photograph pairs, each with the first caption of its two photos.

    ``splits`` keeps the pairs with both photos in these splits of the Karpathy file, ``dataset_*.json`` in the same
    folder: a model trained on the train split has seen most pairs. ``cluster``: pairs that share photos, directly or
    through others. Raises InputError naming file and row, also for a photo that the Karpathy file lacks.
    """
    path = Path(path)
    beside = sorted(path.parent.glob("dataset_*.json"))
    if len(beside) != 1:
        raise InputError("one dataset_*.json beside the pairs", len(beside), where=path.parent)
    index = beside[0]
    photos = _photos(index)
    quads, records = [], records_of(read_json(path), path)
    for n, record in enumerate(records):
        row = Row(record, path, n)
        quad, found = {"quad": str(n), "subset": "", "cluster": ""}, []
        for side in "01":
            name = row.image(f"image{side}")
            if name not in photos:
                raise row.fail(f"a photo of {index.name} under 'image{side}'", name)
            quad[f"image{side}"], split = photos[name]
            quad[f"caption{side}"] = row.texts(f"captions{side}")[0]
            found.append(split)
        quad["subset"] = "-".join(sorted(set(found)))
        if splits is None or set(found) <= set(splits):
            quads.append(quad)
    if not quads:
        raise InputError(f"pairs with both photos in {splits}", f"none of {len(records)}", where=path)
    table = pd.DataFrame(quads)
    table["cluster"] = _sessions(table)
    edition = "first-captions" + ("" if splits is None else "-" + "-".join(splits))
    note = f"the first caption of each photo; {len(quads)} of {len(records)} pairs; found by a script"
    digest = content_hash([path, index])
    return QuadSuite("near_session", edition, digest, Path(root or path.parent), table, (note,))


def _photos(path: Path) -> dict[str, tuple[str, str]]:
    """File name -> (path relative to the root, split) from a Karpathy-style file."""
    content = read_json(path)
    photos = {}
    for n, record in enumerate(records_of(content.get("images") if isinstance(content, dict) else content, path)):
        row = Row(record, path, f"images[{n}]")
        folder, name = row.optional_label("filepath", ""), row.image("filename")
        photos[name] = (image_path(f"{folder}/{name}" if folder else name, **row.place), row.text("split"))
    return photos


def _sessions(table: pd.DataFrame) -> list[str]:
    names, codes = np.unique(table[["image0", "image1"]].to_numpy().ravel(), return_inverse=True)
    first, second = codes.reshape(-1, 2).T
    graph = coo_array((np.ones(len(first)), (first, second)), shape=(len(names), len(names)))
    return [f"session-{label}" for label in connected_components(graph, directed=False)[1][first]]
