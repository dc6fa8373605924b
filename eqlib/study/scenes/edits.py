"""Minimal edits: one kind each, one change each, and back again."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from eqlib.errors import InputError
from eqlib.study.scenes.compose import CARRIES, anywhere, carried, hung
from eqlib.study.scenes.dials import Dials
from eqlib.study.scenes.draw import between, pick, shuffled
from eqlib.study.scenes.scene import Scene, Thing, check_known, foot, relation, well_placed
from eqlib.study.scenes.vocabulary import COLOURS, KINDS, distance_of_colours

EDITS = ("attribute", "count", "location", "object", "binding", "state", "action")
"""The kinds of edit; each is a subset of the benchmark. State and action stand in for EqBen's video subsets."""


@dataclass(frozen=True)
class Focus:
    """What a caption must tell: the edit kind, the aspect ("colour", "size", ...), and the groups of things."""

    kind: str
    aspect: str
    groups: tuple[int, ...]


@dataclass(frozen=True)
class Change:
    """What an edit did: things taken out and put in, by index. ``distance`` (0..1] is its size in the attribute."""

    focus: Focus
    taken: tuple[tuple[int, Thing], ...]
    put: tuple[tuple[int, Thing], ...]
    distance: float

    def inverse(self) -> Self:
        """The change that takes this one back."""
        return replace(self, taken=self.put, put=self.taken)


def value_of(scene: Scene, focus: Focus) -> str:
    """What a scene holds in the focus, in a word: "red", "3", "left", "sitting"; of two groups both, "red, blue"."""
    if focus.aspect == "number":
        return str(len(scene.members(focus.groups[0])))
    if focus.aspect == "relation":
        one, other = (scene.members(group)[0] for group in focus.groups)
        return relation(scene, other, one) or ""
    name = "state" if focus.aspect == "pose" else focus.aspect
    return ", ".join(getattr(scene.first(group), name) for group in focus.groups)


def apply(scene: Scene, change: Change) -> Scene:
    """The scene after a change. Raises InputError where the scene does not hold what the change takes out."""
    things = dict(enumerate(scene.things))
    for index, thing in change.taken:
        if things.pop(index, None) != thing:
            raise InputError("the thing that the change takes out", things.get(index), row=f"thing {index}")
    things.update(change.put)
    if sorted(things) != list(range(len(things))):
        raise InputError("things numbered without a gap", sorted(things))
    return replace(scene, things=tuple(things[index] for index in range(len(things))))


def edit(
    scene: Scene,
    rng: np.random.Generator,
    kind: str,
    dials: Dials | None = None,
    accept: Callable[[Scene, Change], bool] | None = None,
    *,
    aspect: str | None = None,
) -> tuple[Scene, Change] | None:
    """A random edit of one kind: the scene after it, and what changed. None where the scene admits none.

    The aspect (colour, material, size) is drawn first, unless given, then the change. ``accept`` may refuse a scene
    after its change.
    Raises InputError for an unknown kind.
    """
    check_known("kind", kind, EDITS)
    dials = dials or Dials()
    by_aspect: dict[str, list[Change]] = {}
    for change in _CHANGES[kind](scene, rng, dials):
        if change.focus.kind == kind:
            by_aspect.setdefault(change.focus.aspect, []).append(change)
    for name in shuffled(rng, sorted(by_aspect)) if aspect is None else [aspect]:
        for change in shuffled(rng, by_aspect.get(name, [])):
            after = apply(scene, change)
            if well_placed(after, most_overlap=dials.overlap) and (accept is None or accept(after, change)):
                return after, change
    return None


def _to(scene: Scene, focus: Focus, distance: float, **values: object) -> Change:
    """The change that gives all things of the focus's one group the same new ``values``."""
    (group,) = focus.groups
    taken = tuple((index, scene.things[index]) for index in scene.members(group))
    put = tuple((index, replace(thing, **values)) for index, thing in taken)
    return Change(focus, taken, put, distance)


def _attribute(scene: Scene, rng: np.random.Generator, dials: Dials) -> Iterator[Change]:
    for group in scene.groups:
        thing = scene.first(group)
        for colour in list(COLOURS)[: dials.colours]:
            if colour != thing.colour:
                distance = distance_of_colours(colour, thing.colour) * scene.vigour
                yield _to(scene, Focus("attribute", "colour", (group,)), distance, colour=colour)
        for material in KINDS[thing.kind].materials:
            # Nobody says "plain": a caption without a material would be true of both pictures.
            if "plain" not in (material, thing.material) and material != thing.material:
                yield _to(scene, Focus("attribute", "material", (group,)), 1.0, material=material)
        if thing.size and thing.carrier is None:
            size = "large" if thing.size == "small" else "small"
            yield _to(scene, Focus("attribute", "size", (group,)), scene.vigour, size=size)


def _count(scene: Scene, rng: np.random.Generator, dials: Dials) -> Iterator[Change]:
    last, thing = len(scene.things) - 1, scene.things[-1]
    if thing.group < 0 or thing.kind in CARRIES or thing.carrier is not None:
        return
    n, focus = len(scene.members(thing.group)), Focus("count", "number", (thing.group,))
    if n == 1 or (n < dials.count and rng.random() >= 0.5):
        for _ in range(40):
            change = Change(focus, (), ((last + 1, anywhere(rng, thing)),), 1 / (n + 1))
            if well_placed(apply(scene, change), most_overlap=dials.overlap):
                yield change
                return
    if n > 1:
        yield Change(focus, ((last, thing),), (), 1 / n)


def _location(scene: Scene, rng: np.random.Generator, dials: Dials) -> Iterator[Change]:
    if not scene.pair:
        return
    one, other = (scene.members(group)[0] for group in scene.pair)
    now = relation(scene, other, one)
    if now is None:
        return
    a, b = scene.things[one], scene.things[other]  # b may stand on, in or under a, and either may hang over the other
    (high, upper), (low, lower) = ((one, a), (other, b)) if a.lift else ((other, b), (one, a))
    if a.kind in CARRIES:
        spots = [carried(b, a, one, name, rng) for name in CARRIES[a.kind]]
        moves = [((other, spot),) for spot in (*spots, *_beside(b, a, rng)) if spot is not None]
    elif not upper.lift:
        moves = [((one, replace(a, x=b.x, depth=b.depth)), (other, replace(b, x=a.x, depth=a.depth)))]
    elif KINDS[lower.kind].role == "thing":
        moves = [((high, replace(upper, x=lower.x, lift=0.0)), (low, hung(lower, upper, scene.vigour, rng)))]
    else:  # nobody hangs a person on a thread
        moves = [((high, spot),) for spot in _beside(upper, lower, rng)]
    found = set()
    for put in moves:
        taken = tuple((index, scene.things[index]) for index, _ in put)
        change = Change(Focus("location", "relation", scene.pair), taken, put, 0.0)
        after = apply(scene, change)
        then = relation(after, other, one)
        # One way to each relation: there are many places beside a table, and one under it.
        if then in (None, now, *found) or not well_placed(after, most_overlap=dials.overlap):
            continue
        found.add(then)
        way = max(math.dist(foot(scene, index)[:2], foot(after, index)[:2]) for index, _ in put)
        yield replace(change, distance=round(min(1.0, way / 100), 4))


def _beside(thing: Thing, other: Thing, rng: np.random.Generator) -> Iterator[Thing]:
    """The thing on the ground at places about as deep as the other's."""
    for _ in range(20):
        x, depth = between(rng, 8, 92), round(min(1, max(0, other.depth + between(rng, -0.15, 0.15))), 2)
        yield replace(thing, x=x, depth=depth, carrier=None, relation="", lift=0.0)


def _object(scene: Scene, rng: np.random.Generator, dials: Dials) -> Iterator[Change]:
    here = {thing.kind for thing in scene.things}
    for group in scene.groups:
        thing = scene.first(group)
        if KINDS[thing.kind].role != "thing" or thing.carrier is not None:
            continue
        for name in list(KINDS)[: dials.kinds]:
            kind = KINDS[name]
            if kind.role == "thing" and name not in here and thing.material in kind.materials:
                yield _to(scene, Focus("object", "kind", (group,)), 1.0, kind=name, state=pick(rng, kind.states))


def _binding(scene: Scene, rng: np.random.Generator, dials: Dials) -> Iterator[Change]:
    if not scene.pair:
        return
    one, other = (scene.members(group)[0] for group in scene.pair)
    a, b = scene.things[one], scene.things[other]
    for aspect in ("colour", "material", "size"):
        mine, theirs = getattr(a, aspect), getattr(b, aspect)
        if mine == theirs or "" in (mine, theirs) or "plain" in (mine, theirs):
            continue
        if aspect == "material" and (theirs not in KINDS[a.kind].materials or mine not in KINDS[b.kind].materials):
            continue
        if aspect == "size" and (a.carrier is not None or b.carrier is not None):
            continue
        distance = distance_of_colours(mine, theirs) * scene.vigour if aspect == "colour" else 1.0
        put = ((one, replace(a, **{aspect: theirs})), (other, replace(b, **{aspect: mine})))
        yield Change(Focus("binding", aspect, scene.pair), ((one, a), (other, b)), put, distance)


def _state(scene: Scene, rng: np.random.Generator, dials: Dials) -> Iterator[Change]:
    """States of things and poses of persons: ``edit`` keeps those of its kind."""
    for group in scene.groups:
        thing = scene.first(group)
        kind = KINDS[thing.kind]
        if kind.role != "support" and len(scene.members(group)) == 1 and thing.carrier is None:
            focus = Focus("action", "pose", (group,)) if kind.role == "figure" else Focus("state", "state", (group,))
            for state in kind.states:
                if state != thing.state:
                    yield _to(scene, focus, scene.vigour, state=state)


_CHANGES = dict(zip(EDITS, (_attribute, _count, _location, _object, _binding, _state, _state), strict=True))
