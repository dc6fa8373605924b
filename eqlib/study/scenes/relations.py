"""Which spatial relation holds between two things, by a margin that the eye can see."""

from eqlib.study.scenes.scene import Scene, box_of
from eqlib.study.scenes.vocabulary import KINDS

CLEAR_DEPTH = 0.4
"""Difference of depth from which one thing is in front of another."""


def relation(scene: Scene, one: int, other: int) -> str | None:
    """The relation of thing ``one`` to thing ``other``: "on", "in", "under", "left", "right", "front", "behind",
    "above", "below".

    None where none is clear: left and right want 14 hundredths of the picture between the feet and nearly one depth;
    front and behind want 0.4 in depth, nearly one x and no table or basket in front; above and below want one of the
    two to hang clear over the other, at nearly one x and depth.
    """
    a, b = scene.things[one], scene.things[other]
    if a.carrier == other:
        return a.relation
    if a.carrier is not None or b.carrier is not None:
        return None
    aside, deeper = a.x - b.x, a.depth - b.depth
    if a.lift or b.lift:
        upper, lower = (one, other) if a.lift > b.lift else (other, one)
        clear = box_of(scene, upper)[3] <= box_of(scene, lower)[1]
        if min(a.lift, b.lift) or not clear or abs(aside) > 10 or abs(deeper) > 0.25:
            return None
        return "above" if upper == one else "below"
    if abs(aside) >= 14 and abs(deeper) <= 0.25:
        return "left" if aside < 0 else "right"
    nearer = a if deeper < 0 else b
    # What stands far behind a table looks as if it stood on it.
    if abs(deeper) >= CLEAR_DEPTH and abs(aside) <= 10 and KINDS[nearer.kind].role != "support":
        return "behind" if deeper > 0 else "front"
    return None
