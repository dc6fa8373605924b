"""How each kind of thing is drawn: parts for the pen, from a table; a person's follow the pose."""

import tomllib
from functools import lru_cache
from pathlib import Path

PARTS = tomllib.loads(Path(__file__).with_name("shapes.toml").read_text(encoding="utf-8"))
"""For each kind and state ("box open", "ball") its parts, as the arguments of `Pen.part`."""
POSES = PARTS.pop("poses")

JOINTS = ("head", "neck", "hip", "elbow0", "hand0", "elbow1", "hand1", "knee0", "foot0", "knee1", "foot1")
SKINS = ("#f5d0ae", "#deaa7e", "#a8704a", "#704832")
HAIRS = ("#3a281e", "#1a181a", "#966230", "#5c5856")
TROUSERS = ("#3e465c", "#5c544a", "#464c46")


def _along(a: tuple[float, float], b: tuple[float, float], share: float) -> tuple[float, float]:
    return a[0] + (b[0] - a[0]) * share, a[1] + (b[1] - a[1]) * share


@lru_cache(maxsize=1024)
def person(state: str, vigour: float, looks: int) -> list[tuple[str, ...]]:
    """The parts of a figure, ``vigour`` of the way from standing to its pose; ``looks`` picks skin, hair and trousers,
    which no caption mentions."""
    rest, pose = ([tuple(map(float, at.split())) for at in POSES[name].split(",")] for name in ("standing", state))
    at = {name: _along(a, b, vigour) for name, a, b in zip(JOINTS, rest, pose, strict=True)}
    at["shoulder"] = _along(at["neck"], at["elbow1"], 0.4)
    skin, hair, trousers = SKINS[looks % 4], HAIRS[looks // 4 % 4], TROUSERS[looks % 3]

    def limb(width: int, tone: str, *joints: str) -> tuple[str, ...]:
        return f"limb {width}", "M " + " L ".join("{:g} {:g}".format(*at[name]) for name in joints), tone

    def blob(how: str, tone: str, joint: str, rx: float, ry: float, dx: float = 0, dy: float = 0) -> tuple[str, ...]:
        x, y = at[joint]
        return how, f"E {x + dx:g} {y + dy:g} {rx} {ry}", tone

    step = 2 if state == "lying" else 5
    return [
        limb(11, "own 0.22 black", "neck", "elbow0", "hand0"),
        limb(16, f"{trousers} 0.25 black", "hip", "knee0", "foot0"),
        blob("", "#2c2a30", "foot0", 10, 5.5, step, 1),
        limb(16, trousers, "hip", "knee1", "foot1"),
        blob("", "#2c2a30", "foot1", 10, 5.5, step, 1),
        blob("round", skin, "hand0", 7, 7),
        limb(33, "own", "neck", "hip"),
        limb(9, f"{skin} 0.1 black", "neck", "head"),
        blob("round", hair, "head", 17, 17, -2, -3),
        blob("round", skin, "head", 13.5, 14, 3, 2),
        limb(11, "own 0.1 white", "shoulder", "elbow1", "hand1"),
        blob("round", skin, "hand1", 7.5, 7.5),
    ]
