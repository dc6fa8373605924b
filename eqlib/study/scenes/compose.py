"""Random scenes: what is in them, then where it stands."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from eqlib.errors import InputError
from eqlib.study.scenes.dials import Dials
from eqlib.study.scenes.draw import between, pick, shuffled
from eqlib.study.scenes.scene import CLEAR_DEPTH, Place, Scene, Thing, scale_of, well_placed
from eqlib.study.scenes.vocabulary import BACKDROPS, COLOURS, KINDS, MOODS, SIZES

RECIPES: tuple[tuple[str, ...], ...] = (
    ("attribute", "location", "binding"),
    ("count", "object"),
    ("state", "action"),
    ("object", "binding", "state"),
    ("count", "attribute"),
    ("action", "location"),
)
"""Which edits one base scene serves. Every kind occurs twice, so whole rounds give equal subsets."""

TRIES = 5000
Allowed = Callable[[str, str, int], bool]
"""Whether a thing of this kind may have this colour in this group (see items.py)."""


def draw_place(rng: np.random.Generator, dials: Dials) -> Place:
    """Backdrop, light and camera."""
    varied = rng.random() < dials.variety
    backdrop, mood = pick(rng, BACKDROPS), pick(rng, MOODS)
    palette, light, horizon, detail = (pick(rng, range(n)) for n in (6, 16, 8, 64))
    if not varied:
        backdrop, mood, horizon = "studio", "noon", 4
    return Place(backdrop, palette, mood, light, horizon, detail)


def compose(rng: np.random.Generator, recipe: tuple[str, ...], dials: Dials, place: Place, allowed: Allowed) -> Scene:
    """A scene made for the edit kinds of ``recipe``. Draws again until all things stand well.

    Raises InputError where the dials admit none (colours and kinds too few, or things too many).
    """
    for _ in range(TRIES):
        scene = _arrange(rng, Scene(place, _cast(rng, recipe, dials, allowed), dials.vigour), recipe, dials)
        if scene is not None and len(scene.groups) > 1:
            return scene
    raise InputError("dials that leave room for a scene", dials, row="dials")


def _thing(
    rng: np.random.Generator, kind: str, dials: Dials, group: int, allowed: Allowed, *, rich: bool = False
) -> Thing:
    """``rich``: with every attribute that its kind can bear, so that an edit of attributes is not one of colours."""
    colours = [colour for colour in list(COLOURS)[: dials.colours] if allowed(kind, colour, group)]
    named = [material for material in KINDS[kind].materials if material != "plain"]
    material = pick(rng, KINDS[kind].materials) if rng.random() < 0.6 else "plain"
    material = pick(rng, named) if rich and named else material
    sizes = tuple(size for size in SIZES if size or not rich)
    size = "" if kind in ("person", "table", "basket") else pick(rng, sizes)
    colour, state = pick(rng, colours), pick(rng, KINDS[kind].states)
    return Thing(kind, colour, material, size, state, 0.0, 0.0, pick(rng, (-1, 1)), group)


def _cast(rng: np.random.Generator, recipe: tuple[str, ...], dials: Dials, allowed: Allowed) -> tuple[Thing, ...]:
    """The things, not yet placed. All groups and all clutter are of different kinds, so a caption that names a kind
    speaks of one group only. The counted group comes last: an edit may then add or drop the last thing."""
    palette = list(COLOURS)[: dials.colours]
    names = [name for name in list(KINDS)[: dials.kinds] if any(allowed(name, colour, 0) for colour in palette)]
    plain = shuffled(rng, [name for name in names if KINDS[name].role == "thing"])
    stateful = [name for name in plain if len(KINDS[name].states) > 1]
    supports = [name for name in names if KINDS[name].role == "support"]
    kinds: list[str] = []
    if "action" in recipe:
        kinds += [name for name in names if KINDS[name].role == "figure"]
    if "state" in recipe:
        kinds += stateful[:1]
    if "location" in recipe and "action" not in recipe and supports and rng.random() < 0.4:
        kinds.append(pick(rng, supports))
    kinds += [name for name in plain if name not in kinds][: 2 - len(kinds)]
    if "action" not in recipe and "person" in names and rng.random() < 0.15 and "count" not in recipe:
        spare = [index for index, kind in enumerate(kinds) if kind not in (*supports, *stateful[:1])]
        if spare:
            kinds[spare[-1]] = "person"
    # Were both things of a binding edit rich, most would exchange materials, which few kinds share.
    first = [
        _thing(rng, kind, dials, group, allowed, rich="attribute" in recipe and (group == 0 or "binding" not in recipe))
        for group, kind in enumerate(kinds)
    ]
    counted = [first.pop()] * (1 + int(rng.random() * dials.count)) if "count" in recipe else []
    rest = [name for name in plain if name not in kinds]
    crowd = max(0, int(rng.random() * (dials.clutter + 1)) - len(counted) // 2)
    clutter = [_thing(rng, kind, dials, -1, allowed) for kind in rest[:crowd]]
    return (*first, *clutter, *counted)


def anywhere(rng: np.random.Generator, thing: Thing) -> Thing:
    """The thing somewhere on the ground."""
    return replace(thing, x=between(rng, 8, 92), depth=between(rng, 0, 1))


def carried(thing: Thing, carrier: Thing, index: int, relation: str, rng: np.random.Generator) -> Thing | None:
    """The thing on, in or under its carrier; None where it does not fit."""
    half, height = (edge * SIZES[thing.size] for edge in KINDS[thing.kind].box[thing.state])
    room, clearance = {"table": (80, 70), "basket": (54, 999)}[carrier.kind]
    if half > room or (relation == "under" and (height > clearance or half > 58)):
        return None
    if relation == "in" and height < 50:
        return None  # it would not be seen over the rim
    slack = 0.1 * (room - half)
    x = round(carrier.x + between(rng, -slack, slack), 2)
    return replace(thing, x=x, depth=carrier.depth, carrier=index, relation=relation, lift=0.0)


def hung(thing: Thing, over: Thing, vigour: float, rng: np.random.Generator) -> Thing:
    """The thing on a thread over one that stands, a little clear of it."""
    height = KINDS[over.kind].box[over.state][1] * scale_of(over, vigour)
    there = replace(thing, x=round(over.x + between(rng, -4, 4), 2), depth=over.depth, carrier=None, relation="")
    foot = 6 * scale_of(there, vigour)  # a silhouette reaches a little below its foot (see scene.box_of)
    return replace(there, lift=round(height + foot + between(rng, 2, 8), 2))


def alone(rng: np.random.Generator, kind: str, dials: Dials, place: Place, allowed: Allowed) -> Scene:
    """A scene with one thing of this kind. Raises InputError where the dials admit none."""
    thing = _thing(rng, kind, dials, 0, allowed)
    for _ in range(TRIES):
        scene = Scene(place, (anywhere(rng, thing),), dials.vigour)
        if well_placed(scene):
            return scene
    raise InputError("dials that leave room for a thing", dials, row="dials")


CARRIES = {"table": ("on", "under"), "basket": ("in",)}


def _arrange(rng: np.random.Generator, scene: Scene, recipe: tuple[str, ...], dials: Dials) -> Scene | None:
    """The same things with places, or None after too many tries."""
    things = list(scene.things)
    order = sorted(range(len(things)), key=lambda index: things[index].group < 0)  # what is mentioned goes first
    placed: list[int] = []
    pair = [index for index in order if things[index].group in (0, 1)] if "location" in recipe else []
    for index in order:
        for _ in range(30):
            trial = _somewhere(rng, things, index, pair, scene.vigour)
            if trial is None:
                continue
            tried = (*things[:index], trial, *things[index + 1 :])
            if well_placed(replace(scene, things=tried), most_overlap=dials.overlap, among=[*placed, index]):
                things[index] = trial
                placed.append(index)
                break
        else:
            if things[index].group >= 0:
                return None
            fewer = scene.things[:index] + scene.things[index + 1 :]
            return _arrange(rng, replace(scene, things=fewer), recipe, dials)
    return replace(scene, things=tuple(things))


def _somewhere(
    rng: np.random.Generator, things: list[Thing], index: int, pair: list[int], vigour: float
) -> Thing | None:
    """A random place for one thing; the second of a pair stands in a clear relation to the first, or hangs over it."""
    thing = things[index]
    if not pair or index != pair[1]:
        there = anywhere(rng, thing)
        hangs = pair and index == pair[0] and KINDS[thing.kind].role == "thing" and rng.random() < 0.2
        return replace(there, lift=between(rng, 20, 50)) if hangs else there
    first = things[pair[0]]
    if first.lift:
        return replace(thing, x=round(first.x + between(rng, -4, 4), 2), depth=first.depth)
    if first.kind in CARRIES and rng.random() < 0.7:
        return carried(thing, first, pair[0], pick(rng, CARRIES[first.kind]), rng)
    way = rng.random()
    if way < 0.3 and KINDS[thing.kind].role == "thing":
        return hung(thing, first, vigour, rng)
    if way < 0.65:
        depth = min(1.0, max(0.0, first.depth + between(rng, -0.18, 0.18)))
        return replace(thing, x=between(rng, 8, 92), depth=round(depth, 2))
    ranges = [(0.0, first.depth - CLEAR_DEPTH), (first.depth + CLEAR_DEPTH, 1.0)]
    nearer_or_further = pick(rng, [(low, high) for low, high in ranges if low <= high])
    return replace(thing, x=round(first.x + between(rng, -9, 9), 2), depth=between(rng, *nearer_or_further))
