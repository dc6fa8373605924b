"""Which spatial relation holds between two things, by a margin that the eye can see."""

from __future__ import annotations

from eqlib.scenes.scene import Scene

OPPOSITE = {"left": "right", "right": "left", "front": "behind", "behind": "front"}


def relation(scene: Scene, one: int, other: int) -> str | None:
    """The relation of thing ``one`` to thing ``other``: "on", "in", "under", "left", "right", "front", "behind".

    None where neither is clear: left and right want 14 hundredths of the picture between the feet and nearly one depth;
    front and behind want 0.4 in depth and nearly one x.
    """
    a, b = scene.things[one], scene.things[other]
    if a.carrier == other:
        return a.relation
    if a.carrier is not None or b.carrier is not None:
        return None
    aside, deeper = a.x - b.x, a.depth - b.depth
    if abs(aside) >= 14 and abs(deeper) <= 0.25:
        return "left" if aside < 0 else "right"
    if abs(deeper) >= 0.4 and abs(aside) <= 10:
        return "behind" if deeper > 0 else "front"
    return None
