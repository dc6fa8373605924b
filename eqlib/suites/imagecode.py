"""ImageCoDe-style pairs: one caption, the frame it describes and a near-identical one. Only the image direction exists.

``pairs.json``: a list of ``{dir, split, frames, described: 0 or 1, index, caption, image0, image1}``.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from eqlib.files import content_hash, read_json
from eqlib.suites.fields import Row, records_of, unique
from eqlib.suites.suite import ImagePairSuite


def read_imagecode(path: str | Path, *, root: str | Path | None = None) -> ImagePairSuite:
    """An ImagePairSuite: ``image`` is the frame described. ``subset`` is the split, ``cluster`` the video.

    Raises InputError naming file and row.
    """
    path = Path(path)
    records = []
    for n, record in enumerate(records_of(read_json(path), path)):
        row = Row(record, path, n)
        described = row.number("described")
        if described not in (0, 1):
            raise row.fail("0 or 1 under 'described'", described)
        frames = row.image("image0"), row.image("image1")
        item = row.label("dir")
        records.append(
            {
                "item": item,
                "subset": row.text("split"),
                "cluster": item.split("-shot")[0],  # MSR-VTT-videoTestVideo_video8282-shot1_1
                "image": frames[described],
                "other": frames[1 - described],
                "caption": row.text("caption"),
            }
        )
    table = pd.DataFrame(records)
    unique(table["item"], "dir", path)
    return ImagePairSuite("imagecode", "msrvtt-pairs", content_hash(path), Path(root or path.parent), table)
