"""What a scene is called: a small English grammar over the scene record.

A caption is told from a *focus* (what it must mention) and a *style* (which words and templates). The two captions of a
quad share one style, so that they differ only where the scenes do. ``noise`` makes captions as loose as the web's.
"""

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from eqlib.study.scenes.draw import pick
from eqlib.study.scenes.edits import Focus
from eqlib.study.scenes.scene import Scene, Thing, relation
from eqlib.study.scenes.vocabulary import KINDS

NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven")

LEXICON = tomllib.loads(Path(__file__).with_name("lexicon.toml").read_text(encoding="utf-8"))

_SLOTS = (
    "frame", "place", "noun0", "noun1", "word", "colour0", "colour1", "size0", "size1", "material0", "material1",
    "second", "order", "omit", "loose", "vague", "drop0", "drop1", "state0", "state1",
    "pose0", "pose1",
)  # fmt: skip


@dataclass(frozen=True)
class Style:
    """Which words and templates: a number in [0, 1) for each choice, so two scenes can be told in one manner."""

    choice: dict[str, float]
    noise: float = 0.0

    def likely(self, slot: str, share: float) -> bool:
        """Whether a choice falls into the first ``share``."""
        return self.choice[slot] < share

    def word(self, slot: str, words: Sequence[str]) -> str:
        """One of the words."""
        return words[int(self.choice[slot] * len(words))]


def draw_style(rng: np.random.Generator, noise: float = 0.0) -> Style:
    """A random style; ``noise`` (0..1) is how often each thing worth telling is left out or told loosely."""
    return Style({slot: rng.random() for slot in _SLOTS}, noise)


def focuses(scene: Scene) -> list[Focus]:
    """Everything that captions of this scene may be about."""
    found = []
    groups = scene.groups
    single = [group for group in groups if len(scene.members(group)) == 1]
    for group in groups:
        thing = scene.things[scene.members(group)[0]]
        figure = KINDS[thing.kind].role == "figure"
        found.append(Focus("object", "kind", (group,)))
        found.append(Focus("attribute", "colour", (group,)))
        if thing.material != "plain":
            found.append(Focus("attribute", "material", (group,)))
        if thing.size:
            found.append(Focus("attribute", "size", (group,)))
        if figure:
            found.append(Focus("action", "pose", (group,)))
        elif thing.state and group in single:
            found.append(Focus("state", "state", (group,)))
        if scene.members(group)[-1] == len(scene.things) - 1:
            found.append(Focus("count", "number", (group,)))
    if len(single) >= 2:
        a, b = (scene.things[scene.members(group)[0]] for group in single[:2])
        pair = tuple(single[:2])
        found.append(Focus("binding", "colour", pair))
        if "plain" not in (a.material, b.material):
            found.append(Focus("binding", "material", pair))
        if a.size and b.size:
            found.append(Focus("binding", "size", pair))
        if relation(scene, scene.members(pair[1])[0], scene.members(pair[0])[0]):
            found.append(Focus("location", "relation", pair))
    return found


def draw_focus(scene: Scene, rng: np.random.Generator) -> Focus:
    """A random focus: the kind first, then one of its aspects, so rare kinds are told as often as common ones."""
    every = focuses(scene)
    kind = pick(rng, sorted({focus.kind for focus in every}))
    aspect = pick(rng, sorted({focus.aspect for focus in every if focus.kind == kind}))
    return pick(rng, [focus for focus in every if (focus.kind, focus.aspect) == (kind, aspect)])


def tell(scene: Scene, focus: Focus, style: Style) -> str:
    """The caption of one scene in a given style: true of it, and ``focus`` is told for certain without noise."""
    noise = style.noise
    groups = list(focus.groups)
    if focus.kind == "location":
        groups = groups[::-1]  # what may be carried is named before what carries it
    elif len(groups) == 1 and style.likely("second", 0.75):
        groups += [group for group in scene.groups if group not in groups][:1]
    if style.likely("omit", noise) and len(groups) > 1:
        groups = groups[:1]
    phrases = [_phrase(scene, group, slot, focus, style) for slot, group in enumerate(groups)]
    number = 1
    if len(phrases) == 1:
        text, number = phrases[0], len(scene.members(groups[0]))
    elif focus.kind == "location" and not style.likely("loose", noise):
        name = relation(scene, scene.members(groups[0])[0], scene.members(groups[1])[0])
        text = f"{phrases[0]} {style.word('word', LEXICON['relation'][name])} {phrases[1]}"
    else:
        text, number = " and ".join(phrases), 2
        if style.word("frame", LEXICON["frames"]).endswith("{be} {}"):
            number = len(scene.members(groups[0]))  # "there is a ball and two cubes"
    text = style.word("frame", LEXICON["frames"]).format(text, be="is" if number == 1 else "are")
    if style.likely("place", 0.25):
        text += " " + LEXICON["place"][scene.place.backdrop]
    return text


def _phrase(scene: Scene, group: int, slot: int, focus: Focus, style: Style) -> str:
    """A noun phrase for a group: "three small red balls", "a person in blue who sits"."""
    members = scene.members(group)
    thing, n = scene.things[members[0]], len(members)
    must = focus.aspect if group in focus.groups and focus.kind != "location" else ""
    loosely = style.likely(f"drop{slot}", style.noise)
    if focus.kind == "count" and group in focus.groups and style.likely("vague", style.noise):
        number = "some" if n > 1 else "a"
    else:
        number = NUMBERS[n] if must == "number" or n > 1 else "a"
    plural = n > 1

    def told(aspect: str, share: float) -> bool:
        return (must == aspect and not loosely) or (
            must != aspect and style.likely(f"{aspect}{slot}", share) and not (aspect == "colour" and loosely)
        )

    aspect = "pose" if KINDS[thing.kind].role == "figure" else "state"
    # A count's other caption may speak of several, of which no state is told.
    stated = thing.state and n == 1 and must != "number" and told(aspect, 0.4)
    before, after = _state_words(thing, aspect, style) if stated else ([], [])
    words = list(before)
    if thing.size and told("size", 0.25):
        words.append(style.word("word", LEXICON["size"][thing.size]))
    material = []
    if thing.material != "plain" and told("material", 0.3):
        material = [style.word("word", LEXICON["material"][thing.material])]
    colour = told("colour", 0.8)
    if thing.kind == "person":
        if colour:
            article = "an" if thing.colour[0] in "aeiou" else "a"
            dressed = style.word("word", ("in {}", f"in {article} {{}} shirt", "dressed in {}"))
            after = [dressed.format(thing.colour), *after]
        noun = "people" if plural else "person"
    else:
        words += [thing.colour] if colour else []
        noun = _noun(thing, style.word(f"noun{slot}", LEXICON["nouns"].get(thing.kind, [thing.kind])), plural)
    words += material  # size, colour, material: English has no glass red sphere
    if number == "a" and (words or [noun])[0][0] in "aeiou":
        number = "an"
    return " ".join([number, *words, noun, *after])


def _state_words(thing: Thing, aspect: str, style: Style) -> tuple[list[str], list[str]]:
    """Words before and after the noun that tell a state or pose."""
    if aspect == "pose":
        return [], [style.word("word", LEXICON["pose"][thing.state])]
    adjective, clause = LEXICON["state"][thing.kind][thing.state]
    return ([adjective], []) if style.likely("order", 0.6) else ([], [clause])


def _noun(thing: Thing, noun: str, plural: bool) -> str:
    if not plural:
        return noun
    return noun + ("es" if noun.endswith(("x", "s", "ch")) else "s")
