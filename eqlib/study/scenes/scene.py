"""A scene is data: a small frozen record that renders to a picture and reads as a caption.

The picture's unit is a hundredth of its side; x grows to the right, y downwards. Depth 0 is the front of the ground,
1 its far edge. Nothing here knows about pixels, so one scene gives the same picture at any size.
"""

import hashlib
import json
from collections.abc import Collection
from dataclasses import asdict, dataclass
from itertools import combinations, permutations

from eqlib.errors import InputError
from eqlib.study.scenes.vocabulary import BACKDROPS, COLOURS, KINDS, MOODS, SIZES, UNIT

FRONT = 94.0  # y of the ground's front edge
RISE = {"on": 76.0, "in": 22.0, "under": 8.0}  # height of a carried thing's foot, in hundredths of its carrier's width
SHRINK = 0.28  # how much smaller a thing is at the far edge than at the front
CLEAR_DEPTH = 0.4  # difference of depth from which one thing is in front of another


def check_known(name: str, value: str, known: Collection[str]) -> None:
    """Raises InputError where ``value`` is none of the ``known`` ones."""
    if value not in known:
        raise InputError(f"one of {', '.join(map(repr, known))}", repr(value), row=name)


@dataclass(frozen=True)
class Thing:
    """One thing. ``x`` is its foot in the picture (0..100), ``depth`` 0..1; ``turn`` (-1 or 1) mirrors it. ``group``
    numbers the things that a caption names together (-1: clutter, which no caption mentions). ``carrier`` is the index
    of the thing that it is ``relation`` ("on", "in" or "under"); it then shares the carrier's depth. ``lift`` is how
    high its foot hangs over the ground, on a thread (hundredths of the picture; 0: it stands)."""

    kind: str
    colour: str
    material: str
    size: str
    state: str
    x: float
    depth: float
    turn: int
    group: int
    carrier: int | None = None
    relation: str = ""
    lift: float = 0.0

    def __post_init__(self) -> None:
        check_known("kind", self.kind, KINDS)
        check_known("colour", self.colour, COLOURS)
        check_known("size", self.size, SIZES)
        check_known(f"{self.kind}.state", self.state, KINDS[self.kind].states)
        check_known(f"{self.kind}.material", self.material, KINDS[self.kind].materials)


@dataclass(frozen=True)
class Place:
    """Where it is and how it is lit: what no edit touches. Drawn from a finite grid, so that a place belongs to
    exactly one split (see splits.py)."""

    backdrop: str
    palette: int  # 0..5: tint of ground and wall
    mood: str
    light: int  # 0..15: direction of the light, from far left to far right
    horizon: int  # 0..7: height of the camera
    detail: int  # 0..63: where the backdrop's own details lie

    def __post_init__(self) -> None:
        check_known("backdrop", self.backdrop, BACKDROPS)
        check_known("mood", self.mood, MOODS)

    @property
    def light_x(self) -> float:
        """-1: light from the far left, 1: from the far right. Never straight ahead, where a shadow would hide."""
        return (-1.0 + self.light / 7 * 0.75) if self.light < 8 else (0.25 + (self.light - 8) / 7 * 0.75)

    @property
    def horizon_y(self) -> float:
        return 33.0 + self.horizon


@dataclass(frozen=True)
class Scene:
    """Things on a ground in a place. ``vigour`` (0..1] scales how far sizes, colours and states differ."""

    place: Place
    things: tuple[Thing, ...]
    vigour: float = 1.0

    def members(self, group: int) -> list[int]:
        """Indices of the things of one group, in order."""
        return [i for i, thing in enumerate(self.things) if thing.group == group]

    def first(self, group: int) -> Thing:
        """The first thing of a group. The others have its kind and attributes."""
        return self.things[self.members(group)[0]]

    @property
    def groups(self) -> list[int]:
        """The groups that a caption may mention, in order."""
        return sorted({thing.group for thing in self.things if thing.group >= 0})

    @property
    def pair(self) -> tuple[int, ...]:
        """The first two groups of one thing each, which a caption may set in relation; none where there are fewer."""
        single = tuple(group for group in self.groups if len(self.members(group)) == 1)
        return single[:2] if len(single) > 1 else ()


def foot(scene: Scene, index: int) -> tuple[float, float, float]:
    """(x, y, scale) of a thing's foot in the picture; ``scale`` is the length of a hundredth of its width."""
    thing = scene.things[index]
    scale = scale_of(thing, scene.vigour)
    far = scene.place.horizon_y + 17.0  # y of the ground's far edge
    y = FRONT - (FRONT - far) * thing.depth - thing.lift
    if thing.relation in RISE:
        y -= RISE[thing.relation] * foot(scene, thing.carrier)[2]
    return thing.x, y, scale


def scale_of(thing: Thing, vigour: float) -> float:
    """The length in the picture of a hundredth of the thing's width."""
    return UNIT / 100 * SIZES[thing.size] ** vigour * (1 - SHRINK * thing.depth)


def box_of(scene: Scene, index: int) -> tuple[float, float, float, float]:
    """(left, top, right, bottom) of a thing's silhouette in the picture, without its shadow."""
    thing = scene.things[index]
    x, y, scale = foot(scene, index)
    half, height = KINDS[thing.kind].box[thing.state]
    return x - half * scale, y - height * scale, x + half * scale, y + 6 * scale


def relation(scene: Scene, one: int, other: int) -> str | None:
    """The relation of thing ``one`` to thing ``other``: "on", "in", "under", "left", "right", "front", "behind",
    "above", "below".

    None where none is clear to the eye: left and right want 14 hundredths of the picture between the feet and nearly
    one depth; front and behind want 0.4 in depth, nearly one x and no table or basket in front; above and below want
    one of the two to hang clear over the other, at nearly one x and depth.
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


def overlap(one: tuple[float, ...], other: tuple[float, ...]) -> float:
    """Shared area of two boxes as a share of the smaller one."""
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    if width <= 0 or height <= 0:
        return 0.0
    area = min((box[2] - box[0]) * (box[3] - box[1]) for box in (one, other))
    return width * height / area


def well_placed(scene: Scene, *, most_overlap: float = 0.12, among: Collection[int] | None = None) -> bool:
    """Every thing (of those ``among``, where given) in the frame, and no two boxes sharing more than ``most_overlap``
    (carrier and carried excepted)."""
    things = scene.things
    boxes = {index: box_of(scene, index) for index in (range(len(things)) if among is None else among)}
    if not all(left >= 2 and top >= 2 and right <= 98 and bottom <= 99 for left, top, right, bottom in boxes.values()):
        return False
    apart = [pair for pair in combinations(boxes, 2) if all(things[a].carrier != b for a, b in permutations(pair))]
    return all(overlap(boxes[one], boxes[other]) <= most_overlap for one, other in apart)


def to_dict(scene: Scene) -> dict:
    """Ground truth as plain JSON values, with each thing's box in the picture (hundredths)."""
    record = asdict(scene)
    for index, thing in enumerate(record["things"]):
        thing["box"] = [round(edge, 2) for edge in box_of(scene, index)]
    return record


def from_dict(record: dict) -> Scene:
    """The scene that ``to_dict`` wrote. Raises InputError on a key or value that no scene has."""
    try:
        things = tuple(
            Thing(**{key: value for key, value in thing.items() if key != "box"}) for thing in record["things"]
        )
        return Scene(Place(**record["place"]), things, record["vigour"])
    except (KeyError, TypeError) as error:
        raise InputError("a scene record", error) from error


def key_of(scene: Scene) -> str:
    """A short content hash: equal scenes, equal keys, on any machine."""
    return hashlib.sha256(json.dumps(asdict(scene), sort_keys=True).encode()).hexdigest()[:16]
