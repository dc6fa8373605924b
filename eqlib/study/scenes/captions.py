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
from eqlib.study.scenes.scene import Scene, relation
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
    for group in scene.groups:
        thing, members = scene.first(group), scene.members(group)
        figure = KINDS[thing.kind].role == "figure"
        told = {
            ("object", "kind"): True,
            ("attribute", "colour"): True,
            ("attribute", "material"): thing.material != "plain",
            ("attribute", "size"): thing.size,
            ("action", "pose"): figure,
            ("state", "state"): thing.state and not figure and len(members) == 1,
            ("count", "number"): members[-1] == len(scene.things) - 1,
        }
        found += [Focus(*name, (group,)) for name, holds in told.items() if holds]
    if pair := scene.pair:
        one, other = (scene.members(group)[0] for group in pair)
        a, b = scene.things[one], scene.things[other]
        told = {
            ("binding", "colour"): True,
            ("binding", "material"): "plain" not in (a.material, b.material),
            ("binding", "size"): a.size and b.size,
            ("location", "relation"): relation(scene, other, one),
        }
        found += [Focus(*name, pair) for name, holds in told.items() if holds]
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
    thing, n = scene.first(group), len(scene.members(group))
    must = focus.aspect if group in focus.groups and focus.kind != "location" else ""
    loosely = style.likely(f"drop{slot}", style.noise)
    vague = must == "number" and style.likely("vague", style.noise)

    def told(aspect: str, share: float) -> bool:
        if must == aspect:
            return not loosely
        return style.likely(f"{aspect}{slot}", share) and not (aspect == "colour" and loosely)

    words, after = [], []
    # A count's other caption may speak of several, of which no state is told.
    if thing.state and n == 1 and must != "number":
        if thing.kind == "person":
            after = [style.word("word", LEXICON["pose"][thing.state])] if told("pose", 0.4) else []
        elif told("state", 0.4):
            adjective, clause = LEXICON["state"][thing.kind][thing.state]
            words, after = ([adjective], []) if style.likely("order", 0.6) else ([], [clause])
    if thing.size and told("size", 0.25):
        words.append(style.word("word", LEXICON["size"][thing.size]))
    colour = thing.colour if told("colour", 0.8) else ""
    if thing.kind == "person":
        noun = "people" if n > 1 else "person"
        if colour:
            dressed = style.word("word", ("in {}", f"in {_a(colour)} {{}} shirt", "dressed in {}"))
            after = [dressed.format(colour), *after]
    else:
        noun = style.word(f"noun{slot}", LEXICON["nouns"].get(thing.kind, [thing.kind]))
        if n > 1:
            noun += "es" if noun.endswith(("x", "s", "ch")) else "s"
        words += [colour] if colour else []
    if thing.material != "plain" and told("material", 0.3):  # last: English has no glass red sphere
        words.append(style.word("word", LEXICON["material"][thing.material]))
    if n > 1:
        number = "some" if vague else NUMBERS[n]
    else:
        number = "one" if must == "number" and not vague else _a([*words, noun][0])
    return " ".join([number, *words, noun, *after])


def _a(word: str) -> str:
    return "an" if word[0] in "aeiou" else "a"
