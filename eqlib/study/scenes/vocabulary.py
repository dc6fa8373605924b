"""What a scene may hold: kinds of thing, colours, materials, sizes, states, backdrops, light."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Kind:
    """One kind of thing. ``box`` gives, for each state, half the width and the height in hundredths of its width."""

    box: dict[str, tuple[float, float]]
    materials: tuple[str, ...] = ("plain",)
    role: str = "thing"  # "thing", "figure" (a person) or "support" (others stand on it, or in it)

    @property
    def states(self) -> tuple[str, ...]:
        return tuple(self.box)


SOLID = ("plain", "metal", "striped", "spotted", "glass")
PAINTED = ("plain", "striped", "spotted")

# The order is the order in which the dial `kinds` takes them; what stands first is the most distinct at 64 px.
KINDS: dict[str, Kind] = {
    "person": Kind(
        {
            "standing": (32, 172),
            "sitting": (58, 118),
            "lying": (88, 42),
            "raising": (32, 215),
            "running": (62, 166),
            "bowing": (74, 130),
        },
        role="figure",
    ),
    "ball": Kind({"": (50, 100)}, SOLID),
    "box": Kind({"closed": (68, 84), "open": (68, 124)}, PAINTED),
    "cone": Kind({"": (50, 120)}, SOLID),
    "lamp": Kind({"on": (44, 150), "off": (44, 150)}),
    "car": Kind({"": (80, 74)}, ("plain", "striped")),
    "umbrella": Kind({"open": (76, 136), "folded": (30, 132)}, PAINTED),
    "table": Kind({"": (92, 88)}, role="support"),
    "mug": Kind({"upright": (58, 84), "tipped": (66, 75)}, PAINTED),
    "tree": Kind({"": (50, 158)}),
    "cube": Kind({"": (58, 104)}, SOLID),
    "house": Kind({"": (64, 128)}),
    "star": Kind({"": (60, 110)}, ("plain", "metal", "spotted")),
    "duck": Kind({"": (58, 98)}),
    "book": Kind({"open": (78, 66), "closed": (58, 40)}),
    "candle": Kind({"lit": (34, 140), "unlit": (34, 140)}, PAINTED),
    "basket": Kind({"": (64, 62)}, role="support"),
    "chair": Kind({"": (44, 134)}),
    "cylinder": Kind({"": (40, 112)}, SOLID),
    "bottle": Kind({"upright": (26, 138), "tipped": (72, 50)}, ("plain", "glass", "striped")),
}

COLOURS: dict[str, tuple[int, int, int]] = {
    "red": (214, 40, 47),
    "blue": (38, 92, 214),
    "yellow": (247, 205, 40),
    "green": (44, 160, 66),
    "white": (240, 240, 236),
    "purple": (134, 60, 176),
    "orange": (245, 130, 31),
    "black": (48, 48, 54),
    "pink": (246, 140, 182),
    "brown": (132, 82, 48),
}

SIZES = {"small": 0.72, "": 1.0, "large": 1.3}
"""Factor on the thing's width. The empty name is the ordinary size, which no caption mentions."""

BACKDROPS = ("room", "meadow", "beach", "studio", "snow", "kitchen", "desert", "plaza")
MOODS = ("noon", "morning", "evening", "overcast", "moonlight")

UNIT = 26.0
"""Width of an ordinary thing at the front of the ground, in hundredths of the picture."""


def distance_of_colours(one: str, other: str) -> float:
    """Euclidean distance of two named colours in RGB, as a share of the cube's diagonal (0..1)."""
    return (sum((a - b) ** 2 for a, b in zip(COLOURS[one], COLOURS[other], strict=True)) / (3 * 255**2)) ** 0.5
