"""One item by its number: a captioned picture, a pair, a lone thing, or the quads of one base scene. Any item can be
made alone."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from PIL import Image

from eqlib.errors import InputError
from eqlib.study.scenes.captions import Style, draw_focus, draw_style, tell
from eqlib.study.scenes.compose import RECIPES, TRIES, Allowed, alone, compose
from eqlib.study.scenes.dials import Dials
from eqlib.study.scenes.draw import pick, stream
from eqlib.study.scenes.edits import EDITS, Change, Focus, apply, edit
from eqlib.study.scenes.render import render
from eqlib.study.scenes.scene import Scene, Thing
from eqlib.study.scenes.splits import SHARES, held_out, place_in
from eqlib.study.scenes.vocabulary import KINDS

# The order of SHARES is part of every stream: a new split goes last.
CODES = {split: number for number, split in enumerate(SHARES)}
# Each item draws from a stream of its own, so that a new sort of item leaves the others as they are.
_PICTURE, _QUADS, _NEGATIVES, _PAIR, _PAIR_NEGATIVES, _LONE = range(6)


@dataclass(frozen=True)
class Captioned:
    """A scene and what is said of it. ``negatives`` are captions of scenes one edit away, false of this one: one for
    each caption, in its style; none where they were not asked for."""

    scene: Scene
    captions: tuple[str, ...]
    negatives: tuple[str, ...] = ()

    @property
    def caption(self) -> str:
        """The first caption."""
        return self.captions[0]


@dataclass(frozen=True)
class Quad:
    """Two scenes that differ by one change, and their captions in one style."""

    scenes: tuple[Scene, Scene]
    captions: tuple[str, str]
    change: Change


@dataclass(frozen=True)
class Pair:
    """The two sides of a minimal pair. Caption k of both is told in one style and tells what differs."""

    sides: tuple[Captioned, Captioned]
    change: Change


def captioned(
    split: str,
    number: int,
    dials: Dials,
    *,
    seed: int = 0,
    noise: float = 0.0,
    captions: int = 1,
    negatives: bool = False,
) -> Captioned:
    """The picture of this number in this split, with so many captions; more of them leave the first as they are.

    ``negatives`` adds one false caption for each and changes nothing else; they name no held-out combination either.
    They are for captions without noise: beside a loose caption that leaves the changed thing out, a negative would say
    more than the caption, not something else. Raises InputError where both are asked for.
    """
    if negatives and noise:
        raise InputError("no noise where negatives are wanted", noise, row="noise")
    rng = stream(seed, CODES[split], _PICTURE, number)
    recipe = pick(rng, RECIPES)
    scene = compose(rng, recipe, dials, place_in(split, rng, dials), _allowed(split, recipe))
    told = tuple((draw_focus(scene, rng), draw_style(rng, noise)) for _ in range(captions))
    return _told_of(scene, told, dials, stream(seed, CODES[split], _NEGATIVES, number) if negatives else None)


def pair_of(
    split: str,
    number: int,
    dials: Dials,
    *,
    seed: int = 0,
    captions: int = 1,
    kinds: tuple[str, ...] = EDITS,
) -> Pair:
    """The minimal pair of this number: one quad of a base scene of its own, with so many captions of each side and as
    many negatives. The edit kinds come in turn. More captions leave the first as they are."""
    kind = kinds[number % len(kinds)]
    serving = [index for index, recipe in enumerate(RECIPES) if kind in recipe]
    # A base scene of its own: no two numbers of pairs name one.
    base = number * len(RECIPES) + serving[number // len(kinds) % len(serving)]
    (quad,) = quads_of(split, base, dials, seed=seed, kinds=(kind,))
    rng = stream(seed, CODES[split], _PAIR, number)
    told = tuple((quad.change.focus, draw_style(rng)) for _ in range(captions))
    one, other = (
        _told_of(scene, told, dials, stream(seed, CODES[split], _PAIR_NEGATIVES, number, side))
        for side, scene in enumerate(quad.scenes)
    )
    return Pair((one, other), quad.change)


def lone(kind: str, number: int, dials: Dials, *, seed: int = 0) -> Scene:
    """One thing of a kind, alone in a place of the split test: what zero-shot classification is shown."""
    rng = stream(seed, CODES["test"], _LONE, list(KINDS).index(kind), number)
    return alone(rng, kind, dials, place_in("test", rng, dials), _allowed("test", ()))


def _told_of(
    scene: Scene, told: Sequence[tuple[Focus, Style]], dials: Dials, rng: np.random.Generator | None
) -> Captioned:
    """Captions in these focuses and styles, with negatives where ``rng`` is given."""
    foils = () if rng is None else tuple(_negative(scene, *manner, dials, rng) for manner in told)
    return Captioned(scene, tuple(tell(scene, *manner) for manner in told), foils)


def _negative(scene: Scene, focus: Focus, style: Style, dials: Dials, rng: np.random.Generator) -> str:
    """The caption of a scene that differs in what ``focus`` tells, in the same style.

    Not everything told can be edited (two red things have no colours to exchange, a table is no other thing); then the
    negative tells another colour of the first thing, which every scene admits.
    """
    caption = tell(scene, focus, style)
    for wanted in (focus, Focus("attribute", "colour", focus.groups[:1])):
        found = edit(scene, rng, wanted.kind, dials, partial(_is_about, wanted), aspect=wanted.aspect)
        if found is not None:
            told = tell(found[0], focus, style)
            return told if told != caption else tell(found[0], wanted, style)  # the caption may tell no colour
    raise InputError("dials that admit another colour of every thing", dials, row="dials")


def _is_about(focus: Focus, scene: Scene, change: Change) -> bool:
    return change.focus == focus and _trained_on(scene, change)


def quads_of(split: str, number: int, dials: Dials, *, seed: int = 0, kinds: tuple[str, ...] = EDITS) -> list[Quad]:
    """The two or three quads of base scene ``number``: one for each edit kind of its recipe that is in ``kinds``.

    Draws base scenes until one admits all its edits. Six consecutive numbers give two quads of every kind. In the
    compositional split the first caption speaks of a held-out combination, and both pictures hold one.
    Raises InputError where the dials admit no such quads.
    """
    recipe = RECIPES[number % len(RECIPES)]
    rng = stream(seed, CODES[split], _QUADS, number)
    accept = _mentions_unseen if split == "compositional" else _trained_on
    for _ in range(TRIES):
        base = compose(rng, recipe, dials, place_in(split, rng, dials), _allowed(split, recipe))
        made = []
        for kind in recipe:
            outcome = edit(base, rng, kind, dials, accept)
            if outcome is None:
                break
            after, change = outcome
            style = draw_style(rng)
            told = tuple(tell(scene, change.focus, style) for scene in (base, after))
            made.append(Quad((base, after), told, change))
        if len(made) == len(recipe):
            return [quad for quad in made if quad.change.focus.kind in kinds]
    raise InputError(f"dials that admit the edits {', '.join(recipe)}", dials, row="dials")


def _allowed(split: str, recipe: tuple[str, ...]) -> Allowed:
    """Colours that a base scene may hold. In a compositional scene that serves a binding edit only the first group must
    be a held-out combination: were both, no exchange of colours would leave one held out."""
    if split != "compositional":
        return lambda kind, colour, group: (kind, colour) not in held_out()
    free = "binding" in recipe
    return lambda kind, colour, group: (kind, colour) in held_out() or (free and group != 0)


def _any_held_out(things: Iterable[Thing]) -> bool:
    return any((thing.kind, thing.colour) in held_out() for thing in things)


def _trained_on(scene: Scene, change: Change) -> bool:
    return not _any_held_out(scene.things)


def _mentions_unseen(scene: Scene, change: Change) -> bool:
    before = apply(scene, change.inverse()).things
    return _any_held_out(thing for thing in scene.things if thing.group >= 0) and _any_held_out(
        thing for thing in before if thing.group in change.focus.groups
    )


def picture(scene: Scene, size: int, dials: Dials, *, grain: int) -> Image.Image:
    """The rendering with pixel noise, see ``grainy``."""
    return grainy(render(scene, size), dials.sensor, grain=grain)


def grainy(clean: Image.Image, sensor: float, *, grain: int) -> Image.Image:
    """A picture as a sensor sees it: Gaussian noise of standard deviation ``sensor`` (share of the range) from stream
    ``grain``. The two pictures of a quad share one grain, so that they differ only where the scenes do."""
    if sensor == 0:
        return clean
    rng = stream(104729, grain)
    noise = rng.standard_normal((clean.height, clean.width, 3), dtype=np.float32) * (255 * sensor)
    return Image.fromarray(np.clip(np.asarray(clean, dtype=np.float32) + noise + 0.5, 0, 255).astype(np.uint8))
