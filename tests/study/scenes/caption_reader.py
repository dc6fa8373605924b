"""An independent reader of captions: English in, truth about a ground-truth record out.

It shares no table with the engine. A word that it does not know is an error, so a new synonym must be taught here too.
"""

from __future__ import annotations

import re

COUNT = {"a": 1, "an": 1, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7}
NOUN = {
    "person": "person", "people": "person", "ball": "ball", "sphere": "ball", "cube": "cube", "block": "cube",
    "box": "box", "boxes": "box", "chest": "box", "mug": "mug", "cup": "mug", "cone": "cone", "lamp": "lamp",
    "car": "car", "automobile": "car", "umbrella": "umbrella", "parasol": "umbrella", "tree": "tree",
    "cylinder": "cylinder", "house": "house", "cottage": "house", "book": "book", "duck": "duck", "candle": "candle",
    "star": "star", "chair": "chair", "bottle": "bottle", "table": "table", "basket": "basket",
}  # fmt: skip
COLOUR = {"red", "blue", "yellow", "green", "white", "purple", "orange", "black", "pink", "brown"}
SIZE = {"small": "small", "little": "small", "large": "large", "big": "large"}
MATERIAL = {
    "metal": "metal", "glass": "glass", "transparent": "glass", "striped": "striped", "spotted": "spotted",
    "dotted": "spotted",
}  # fmt: skip
STATE = {
    "that is open": "open", "that lies open": "open", "open": "open", "that is closed": "closed", "closed": "closed",
    "upright": "upright", "that stands upright": "upright", "tipped-over": "tipped", "that has tipped over": "tipped",
    "lit": "lit", "unlit": "unlit", "that is switched on": "lit", "that is switched off": "unlit", "burning": "lit",
    "that is burning": "lit", "that is not burning": "unlit", "folded": "folded", "that is folded": "folded",
}  # fmt: skip
SAME_STATE = {("lamp", "on"): "lit", ("lamp", "off"): "unlit"}
POSE = {
    "standing": "standing", "standing still": "standing", "who stands": "standing", "sitting": "sitting",
    "sitting on the ground": "sitting", "who sits": "sitting", "lying": "lying", "lying down": "lying",
    "who lies down": "lying", "raising an arm": "raising", "with one arm raised": "raising",
    "who raises an arm": "raising", "running": "running", "running along": "running", "who runs": "running",
    "bowing": "bowing", "bending forward": "bowing", "who bows": "bowing",
}  # fmt: skip
PLACE = {
    "in a room": "room", "on a meadow": "meadow", "on a beach": "beach", "in a studio": "studio", "in the snow": "snow",
    "in a kitchen": "kitchen", "in a desert": "desert", "on a square": "plaza",
}  # fmt: skip
RELATION = (
    ("to the left of", "left"), ("left of", "left"), ("to the right of", "right"), ("right of", "right"),
    ("in front of", "front"), ("behind", "behind"), ("on top of", "on"), ("on", "on"), ("under", "under"),
    ("beneath", "under"), ("inside", "in"), ("in", "in"), ("hanging above", "above"), ("above", "above"),
    ("below", "below"), ("underneath", "below"),
)  # fmt: skip


def true_of(caption: str, scene: dict) -> bool:
    """Whether everything that a caption says holds of a record as scene.to_dict writes it."""
    text = caption
    for frame in (r"^there (is|are) ", r"^here (is|are) ", r"^a (picture|photo) of ", r" can be seen(?= |$)"):
        text = re.sub(frame, "", text)
    text = re.sub(
        r"in (?:a [bgprwy]|an o)(?<=(.))(\w+) shirt", r"in \1\2", text
    )  # the article must fit: "an orange shirt"
    assert "shirt" not in text, caption
    for words, backdrop in PLACE.items():
        if text.endswith(" " + words):
            text = text[: -len(words) - 1]
            if scene["place"]["backdrop"] != backdrop:
                return False
    for words, name in RELATION:  # a relation stands before an article or number, "in red" and "on the ground" do not
        parts = re.split(rf" {words} (?=(?:a|an|one|two|three|four|five|six) )", text)
        if len(parts) == 2:
            one, other = _things(parts[0], scene), _things(parts[1], scene)
            return bool(one and other) and _related(one[0], name, other[0], scene)
    return all(_things(part, scene) for part in text.split(" and "))


def _things(phrase: str, scene: dict) -> list[dict]:
    """The things that a noun phrase stands for; none where it is false."""
    words = phrase.split()
    number, rest = words[0], words[1:]
    assert number not in ("a", "an") or (number == "an") == (rest[0][0] in "aeiou"), phrase
    wanted: dict[str, str] = {}
    while (word := rest.pop(0)) and _singular(word) not in NOUN:
        if word in COLOUR:
            wanted["colour"] = word
        elif word in SIZE:
            wanted["size"] = SIZE[word]
        elif word in MATERIAL:
            wanted["material"] = MATERIAL[word]
        elif word in STATE:
            wanted["state"] = STATE[word]
        else:
            assert word in ("toy", "shiny") or (word == "table" and rest[0].startswith("lamp")), (phrase, word)
    if rest and word == "table" and rest[0].startswith("lamp"):
        word = rest.pop(0)
    kind, after = NOUN[_singular(word)], " ".join(rest)
    shirt = re.match(r"(?:dressed in|in) (\w+)(?: |$)", after)
    if shirt:
        assert shirt[1] in COLOUR, phrase
        wanted["colour"], after = shirt[1], after[shirt.end() :]
    if after:
        wanted["state"] = POSE[after] if kind == "person" else STATE[after]
    found = [thing for thing in scene["things"] if thing["kind"] == kind]
    right = len(found) >= 2 if number == "some" else len(found) == COUNT[number]
    for thing in found:
        facts = thing | {"state": SAME_STATE.get((thing["kind"], thing["state"]), thing["state"])}
        right = right and all(facts[name] == value for name, value in wanted.items())
    return found if right else []


def _singular(word: str) -> str:
    for ending in ("es", "s"):
        if word not in NOUN and word.endswith(ending) and word[: -len(ending)] in NOUN:
            return word[: -len(ending)]
    return word


def _related(one: dict, name: str, other: dict, scene: dict) -> bool:
    """Read off where the boxes lie in the picture; which thing carries which only tells "in" from "on"."""
    (l1, t1, r1, b1), (l2, t2, r2, b2) = one["box"], other["box"]
    x1, x2 = (l1 + r1) / 2, (l2 + r2) / 2
    carried = one["carrier"] is not None and scene["things"][one["carrier"]] == other
    if name in ("on", "in", "under"):
        inside = carried and l2 < x1 < r2
        height = {"on": t1 < t2 and b1 < (t2 + b2) / 2, "in": t1 < t2 < b1 < b2, "under": t1 > t2 and b1 <= b2 + 1}
        return inside and height[name]
    if carried:
        return False
    hangs = [thing.get("lift", 0) > 0 for thing in (one, other)]
    if name in ("above", "below"):
        hanging, over, under = (hangs[0], b1, t2) if name == "above" else (hangs[1], b2, t1)
        return hanging and not all(hangs) and over <= under and abs(x1 - x2) < 12
    if any(hangs):
        return False
    return {"left": x1 < x2 - 10, "right": x1 > x2 + 10, "front": b1 > b2 + 8, "behind": b1 < b2 - 8}[name]
