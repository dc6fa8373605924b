"""AURORA-Bench: before/after photograph pairs. Those that carry both captions are quads in EqBen's spirit.

``pairs.json`` is a list of ``{id, source, image0, image1, instruction_0_to_1, caption0, caption1, caption_kind}``.
"""

from pathlib import Path

import pandas as pd

from eqlib.files import content_hash, read_json
from eqlib.suites.fields import Row, records_of, unique
from eqlib.suites.suite import QuadSuite


def read_aurora(path: str | Path, *, root: str | Path | None = None) -> QuadSuite:
    """The pairs that have both captions; ``subset`` is the source (ag, whatsup), ``notes`` says how many were left out.

    Action Genome's captions are opposite instructions ("Make her open the door"), What'sUp's are descriptions.
    ``cluster``: the video of an Action Genome frame, the two objects of a What'sUp scene. Raises InputError naming file
    and row.
    """
    path = Path(path)
    rows = [Row(record, path, n) for n, record in enumerate(records_of(read_json(path), path))]
    quads = []
    for row in rows:
        if row.get("caption0") is None or row.get("caption1") is None:
            continue
        source, images = row.text("source"), {key: row.image(key) for key in ("image0", "image1")}
        quad = {"quad": row.label("id"), "subset": source, "cluster": scene(source, images["image0"]), **images}
        quads.append(quad | {key: row.text(key) for key in ("caption0", "caption1")})
    if not quads:
        raise rows[0].fail("at least one pair with both captions", "none")
    records = pd.DataFrame(quads)
    unique(records["quad"], "id", path)
    note = f"{len(quads)} of {len(rows)} pairs have both captions; the others are left out"
    return QuadSuite("aurora", "two-captions", content_hash(path), Path(root or path.parent), records, (note,))


def scene(source: str, image: str) -> str:
    """What a picture shows, as a name: pictures of one video, edit session or set of objects share it."""
    stem = Path(image).stem
    if source == "ag":  # <video>.mp4_<frame>_left
        return f"ag/{stem.split('.mp4')[0]}"
    if source == "whatsup":  # <object>_<relation>_<reference>
        words = stem.split("_")
        return f"whatsup/{words[0]}-{words[-1]}"
    return Path(image).parent.as_posix()
