"""How each kind of thing is drawn. The foot is (0, 0), a hundred is the width of an ordinary thing, y points down."""

from collections.abc import Callable
from functools import lru_cache

from eqlib.study.scenes.pen import BLACK, RGB, WHITE, Pen, mix

WOOD, STEEL, DARK, GLEAM = (138, 94, 56), (168, 172, 178), (44, 42, 48), (255, 240, 180)
SKINS = ((245, 208, 174), (222, 170, 126), (168, 112, 74), (112, 72, 50))


def ball(pen: Pen, state: str) -> None:
    pen.ellipse(0, -50, 50, 50)
    if pen.material in ("metal", "glass"):
        pen.out.append(f'<ellipse cx="{18 * pen.light_x:.1f}" cy="-78" rx="13" ry="7" fill="#fff" fill-opacity=".85"/>')


def cube(pen: Pen, state: str) -> None:
    pen.path("M 30 0 L 57 -22 L 57 -102 L 30 -78 Z", pen.side(1))
    pen.path("M -54 -78 L 30 -78 L 57 -102 L -27 -102 Z", "lit")
    pen.path("M -54 0 L 30 0 L 30 -78 L -54 -78 Z", "face")


def cylinder(pen: Pen, state: str) -> None:
    pen.path("M -40 -98 L -40 -12 C -40 4 40 4 40 -12 L 40 -98 Z", "tube")
    pen.ellipse(0, -98, 40, 13, "lit")


def cone(pen: Pen, state: str) -> None:
    pen.path("M 0 -120 L 49 -13 C 50 5 -50 5 -49 -13 Z", "tube")


def box(pen: Pen, state: str) -> None:
    inside = mix(pen.rgb, BLACK, 0.72)
    if state == "open":
        pen.path("M -30 -76 L 67 -76 L 62 -122 L -36 -122 Z", "dim")
        pen.path("M -24 -79 L 61 -79 L 57 -116 L -30 -116 Z", "", mix(pen.rgb, BLACK, 0.55))
        pen.path("M -64 -54 L 36 -54 L 67 -76 L -30 -76 Z", "", inside)
    pen.path("M 36 0 L 67 -22 L 67 -76 L 36 -54 Z", pen.side(1))
    pen.path("M -64 0 L 36 0 L 36 -54 L -64 -54 Z", "face")
    if state == "closed":
        pen.path("M 34 -50 L 68 -72 L 68 -84 L 34 -64 Z", pen.side(1))
        pen.path("M -66 -64 L 36 -64 L 68 -84 L -32 -84 Z", "lit")
        pen.path("M -66 -50 L 36 -50 L 36 -64 L -66 -64 Z", "face")
    pen.path("M -22 -42 L -8 -42 L -8 -58 L -22 -58 Z", "face", (222, 184, 92))


def mug(pen: Pen, state: str) -> None:
    hollow = mix(pen.rgb, BLACK, 0.66)
    if state == "upright":
        pen.line("M 26 -62 C 66 -70 66 -18 26 -22", 13, mix(pen.rgb, BLACK, 0.45))
        pen.line("M 26 -62 C 64 -70 64 -18 26 -22", 9, mix(pen.rgb, BLACK, 0.1))
        pen.path("M -44 -72 L -38 -10 C -34 3 24 3 28 -10 L 34 -72 Z", "tube")
        pen.ellipse(-5, -72, 39, 11, "lit")
        pen.ellipse(-5, -71, 32, 8, "", hollow)
        return
    pen.ellipse(48, -3, 20, 5, "", (96, 60, 36), 0.8)
    pen.line("M -28 -54 C -30 -78 22 -78 18 -54", 12, mix(pen.rgb, BLACK, 0.45))
    pen.line("M -28 -54 C -30 -76 22 -76 18 -54", 8, mix(pen.rgb, BLACK, 0.1))
    pen.path("M 36 -60 L -48 -54 C -64 -48 -64 -10 -48 -4 L 36 0 Z", "face")
    pen.ellipse(36, -30, 13, 30, "lit")
    pen.ellipse(38, -30, 10, 24, "", hollow)


def lamp(pen: Pen, state: str) -> None:
    pen.ellipse(0, -7, 28, 8, "face", (82, 76, 78))
    pen.path("M -4 -8 L 4 -8 L 4 -94 L -4 -94 Z", "tube", (120, 112, 110))
    screen = "M -44 -88 C -40 -80 40 -80 44 -88 L 26 -146 C 22 -150 -22 -150 -26 -146 Z"
    if state == "on":
        pen.glow(0, -118, 92)
    pen.path(screen, "tube")
    if state == "on":
        pen.path(screen, "", mix(pen.rgb, GLEAM, 0.3))
        pen.out.append('<ellipse cx="0" cy="-108" rx="26" ry="34" fill="url(#glow)"/>')
        pen.ellipse(0, -86, 40, 6, "", (255, 250, 214))
    else:
        pen.ellipse(0, -86, 40, 5, "", mix(pen.rgb, BLACK, 0.7))


def car(pen: Pen, state: str) -> None:
    pen.path(
        "M -78 -16 C -80 -42 -72 -44 -50 -46 C -38 -70 -28 -74 0 -74 C 26 -74 34 -66 46 -46 C 70 -44 79 -38 78 -16 Z",
        "face",
    )
    glass = (176, 212, 230)
    pen.path("M -39 -46 C -31 -62 -26 -66 -6 -66 L -6 -46 Z", "lit", glass)
    pen.path("M 1 -66 C 22 -66 27 -60 35 -46 L 1 -46 Z", "lit", glass)
    pen.ellipse(71, -32, 6, 6, "", (255, 244, 190))
    pen.path("M -80 -12 L 80 -12 L 80 -18 L -80 -18 Z", "", mix(pen.rgb, BLACK, 0.5))
    for x in (-44, 44):
        pen.ellipse(x, -16, 18, 18, "round", DARK)
        pen.ellipse(x, -16, 8, 8, "round", STEEL)


def umbrella(pen: Pen, state: str) -> None:
    if state == "open":
        pen.line("M 0 -112 L 0 -14 C 0 0 18 0 18 -14", 6, (92, 66, 48))
        pen.path(
            "M -74 -66 C -72 -148 72 -148 74 -66 C 62 -78 42 -78 37 -66 C 26 -78 10 -78 0 -66 "
            "C -10 -78 -26 -78 -37 -66 C -42 -78 -62 -78 -74 -66 Z",
            "round",
        )
        for x, bend in ((-37, -34), (0, 0), (37, 34)):
            pen.line(f"M 0 -126 C {bend} -118 {x} -92 {x} -67", 2, BLACK, 0.35)
        pen.line("M 0 -126 L 0 -134", 5, (92, 66, 48))
        return
    pen.line("M 0 -30 L 0 -14 C 0 0 18 0 18 -14", 6, (92, 66, 48))
    pen.path("M 0 -132 C 10 -110 22 -48 16 -34 L -16 -34 C -22 -48 -10 -110 0 -132 Z", "tube")
    pen.line("M -14 -60 C -4 -54 6 -54 17 -62", 4, BLACK, 0.4)
    pen.line("M 0 -126 C 2 -100 6 -60 4 -36", 2, BLACK, 0.35)


def tree(pen: Pen, state: str) -> None:
    pen.path("M -9 0 C -6 -30 -6 -50 -8 -72 L 8 -72 C 6 -50 6 -30 10 0 Z", "tube", WOOD)
    for x, y, r in ((-22, -84, 27), (23, -82, 26), (-1, -124, 31), (0, -92, 29)):
        pen.ellipse(x, y, r, r * 0.98)


def house(pen: Pen, state: str) -> None:
    roof = (112, 74, 66)
    pen.path("M 24 0 L 62 -14 L 62 -82 L 24 -74 Z", pen.side(1))
    pen.path("M -58 0 L 24 0 L 24 -74 L -17 -120 L -58 -74 Z", "face")
    pen.path("M -17 -126 L 30 -74 L 64 -82 L 22 -128 Z", "face", roof)
    pen.path("M -64 -70 L -17 -126 L -10 -126 L -58 -66 Z", "", mix(roof, BLACK, 0.3))
    pen.path("M -28 0 L -6 0 L -6 -40 L -28 -40 Z", "face", (92, 58, 38))
    pen.path("M -50 -48 L -34 -48 L -34 -64 L -50 -64 Z", "lit", (160, 206, 232))
    pen.path("M 0 -48 L 16 -48 L 16 -64 L 0 -64 Z", "lit", (160, 206, 232))
    pen.path("M 36 -40 L 52 -45 L 52 -62 L 36 -58 Z", "lit", (160, 206, 232))


def book(pen: Pen, state: str) -> None:
    page = (246, 242, 228)
    if state == "closed":
        pen.path("M -58 -12 L 14 0 L 14 -12 L -58 -24 Z", "face", page)
        pen.path("M 14 0 L 57 -18 L 57 -30 L 14 -12 Z", "face", page)
        pen.path("M -58 -22 L 14 -10 L 57 -28 L -12 -38 Z", "lit")
        pen.line("M -58 -10 L 14 2 L 57 -16", 5, mix(pen.rgb, BLACK, 0.25))
        pen.line("M -40 -23 L 12 -15", 4, _band(pen), 0.9)
        return
    pen.path("M 0 -2 L -77 -10 L -66 -66 L 0 -56 L 66 -66 L 77 -10 Z", "face")
    pen.path("M 0 -15 C -18 -26 -42 -27 -61 -23 L -53 -59 C -36 -62 -14 -62 0 -52 Z", "face", page)
    pen.path("M 0 -15 C 18 -26 42 -27 61 -23 L 53 -59 C 36 -62 14 -62 0 -52 Z", "lit", page)
    for y in (-32, -40, -48):
        pen.line(f"M -48 {y} C -36 {y - 3} -22 {y - 2} -10 {y + 4}", 3, (120, 116, 120), 0.7)
        pen.line(f"M 48 {y} C 36 {y - 3} 22 {y - 2} 10 {y + 4}", 3, (120, 116, 120), 0.7)


def _band(pen: Pen) -> RGB:
    """A band on a cover that stands out from it."""
    return mix(pen.rgb, WHITE, 0.6) if sum(pen.rgb) < 560 else mix(pen.rgb, BLACK, 0.5)


def duck(pen: Pen, state: str) -> None:
    pen.path("M 40 -84 L 58 -78 C 56 -70 48 -68 38 -70 Z", "face", (240, 140, 40))
    pen.path(
        "M -57 -52 C -48 -40 -34 -46 -18 -48 C 0 -50 8 -54 8 -66 C 0 -100 48 -106 46 -74 C 44 -60 46 -50 46 -34 "
        "C 44 -6 20 0 -8 0 C -40 0 -56 -20 -57 -52 Z",
        "round",
    )
    pen.path("M -34 -34 C -14 -44 10 -40 18 -28 C 6 -12 -24 -12 -34 -34 Z", "dim")
    pen.ellipse(30, -82, 4.5, 5, "", DARK)


def candle(pen: Pen, state: str) -> None:
    pen.ellipse(0, -8, 34, 9, "face", (150, 128, 88))
    if state == "lit":
        pen.glow(0, -120, 62)
    pen.path("M -17 -98 L -17 -12 C -16 -4 16 -4 17 -12 L 17 -98 Z", "tube")
    pen.ellipse(0, -98, 17, 5, "lit")
    pen.line("M 0 -98 L 0 -108", 4, DARK)
    if state == "lit":
        pen.path("M 0 -140 C 14 -122 12 -104 0 -104 C -12 -104 -14 -122 0 -140 Z", "", (255, 176, 46))
        pen.path("M 0 -126 C 7 -116 6 -106 0 -106 C -6 -106 -7 -116 0 -126 Z", "", (255, 244, 180))


def star(pen: Pen, state: str) -> None:
    points = "M 0 -107 L 15 -70 L 53 -67 L 24 -42 L 33 -3 L 0 -24 L -33 -3 L -24 -42 L -53 -67 L -15 -70 Z"
    pen.out.append(f'<g transform="translate({-6 * pen.light_x:.1f} -2)">')
    pen.path(points, "", mix(pen.rgb, BLACK, 0.5))
    pen.out.append("</g>")
    pen.path(points, "round")


def chair(pen: Pen, state: str) -> None:
    for d in ("M -22 -66 L -22 -18", "M 38 -66 L 38 -16"):
        pen.limb(d, 6, mix(pen.rgb, BLACK, 0.35))
    pen.path("M -26 -66 L -26 -134 L -14 -134 L -14 -66 Z", "face")
    pen.path("M 28 -66 L 28 -134 L 40 -134 L 40 -66 Z", "face")
    for y in (-90, -112):
        pen.path(f"M -16 {y} L 30 {y} L 30 {y - 14} L -16 {y - 14} Z", "face")
    pen.path("M -42 -52 L 28 -52 L 42 -68 L -26 -68 Z", "lit")
    pen.path("M -42 -44 L 28 -44 L 28 -53 L -42 -53 Z", "face")
    pen.path("M 28 -44 L 42 -60 L 42 -69 L 28 -53 Z", pen.side(1))
    for x in (-37, 23):
        pen.path(f"M {x - 5} 0 L {x + 5} 0 L {x + 5} -44 L {x - 5} -44 Z", "face")


def bottle(pen: Pen, state: str) -> None:
    label = (244, 238, 220)
    if state == "upright":
        pen.path(
            "M -25 -8 C -25 2 25 2 25 -8 L 25 -76 C 25 -96 9 -96 9 -112 L 9 -128 L -9 -128 L -9 -112 "
            "C -9 -96 -25 -96 -25 -76 Z",
            "tube",
        )
        pen.path("M -10 -126 L 10 -126 L 10 -138 L -10 -138 Z", "tube", WOOD)
        pen.path("M -25 -30 L 25 -30 L 25 -62 L -25 -62 Z", "tube", label)
        return
    pen.path(
        "M -64 -48 C -72 -48 -72 0 -64 0 L 8 0 C 28 0 28 -15 44 -15 L 60 -15 L 60 -33 L 44 -33 C 28 -33 28 -48 8 -48 Z",
        "face",
    )
    pen.path("M 58 -14 L 71 -14 L 71 -34 L 58 -34 Z", "face", WOOD)
    pen.path("M -44 0 L -12 0 L -12 -48 L -44 -48 Z", "face", label)


def table(pen: Pen, state: str) -> None:
    for x in (-64, 78):
        pen.path(f"M {x - 5} -16 L {x + 5} -16 L {x + 5} -80 L {x - 5} -80 Z", "dim")
    pen.path("M -92 -68 L 68 -68 L 92 -88 L -68 -88 Z", "lit")
    pen.path("M -92 -60 L 68 -60 L 68 -69 L -92 -69 Z", "face")
    pen.path("M 68 -60 L 92 -80 L 92 -89 L 68 -69 Z", pen.side(1))
    for x in (-84, 60):
        pen.path(f"M {x - 6} 0 L {x + 6} 0 L {x + 6} -60 L {x - 6} -60 Z", "face")


def basket_back(pen: Pen, state: str) -> None:
    pen.ellipse(0, -48, 62, 14, "face")
    pen.ellipse(0, -47, 55, 10, "", mix(pen.rgb, BLACK, 0.7))


def basket(pen: Pen, state: str) -> None:
    pen.path("M -62 -48 C -50 -34 50 -34 62 -48 L 48 -8 C 40 3 -40 3 -48 -8 Z", "tube")
    weave = mix(pen.rgb, BLACK, 0.5)
    for y, half, sag in ((-26, 54, 11), (-14, 50, 10)):
        bend, low = half * 0.7, y + sag - 6
        pen.line(f"M {-half} {y - 8} C {-bend:g} {low} {bend:g} {low} {half} {y - 8}", 3, weave, 0.6)
    for x in (-40, -24, -8, 8, 24, 40):
        pen.line(f"M {x * 1.12:g} -39 L {x * 0.9:g} -2", 2.5, weave, 0.6)
    pen.line("M -62 -48 C -50 -34 50 -34 62 -48", 6, mix(pen.rgb, WHITE, 0.25))


JOINTS = ("head", "neck", "hip", "elbow0", "hand0", "elbow1", "hand1", "knee0", "foot0", "knee1", "foot1")
POSES: dict[str, str] = {
    "standing": "0 -154, 0 -132, 0 -80, -21 -106, -25 -80, 21 -106, 25 -80, -10 -42, -12 -6, 10 -42, 12 -6",
    "raising": "0 -154, 0 -132, 0 -80, -21 -106, -25 -80, 25 -164, 20 -206, -10 -42, -12 -6, 10 -42, 12 -6",
    "sitting": "-24 -96, -26 -74, -24 -18, -6 -46, 16 -44, -8 -50, 20 -52, 12 -50, 38 -8, 20 -44, 48 -8",
    "lying": "-71 -17, -50 -15, 2 -13, -26 -8, 2 -8, -26 -22, 4 -22, 40 -15, 80 -9, 40 -13, 78 -15",
    "running": "20 -150, 12 -130, -4 -80, -20 -110, -34 -132, 38 -112, 50 -132, 32 -64, 28 -22, -22 -48, -54 -36",
    "bowing": "53 -104, 32 -112, -14 -84, 28 -82, 36 -56, 36 -84, 44 -58, -14 -44, -18 -6, -6 -44, -6 -6",
}
"""Where each joint is in each pose, in the order of JOINTS; the figure faces right."""


@lru_cache(maxsize=64)
def _joints(state: str, vigour: float) -> dict[str, tuple[float, float]]:
    """Each joint's x and y: ``vigour`` of the way from standing to the pose."""
    rest, pose = ([tuple(map(float, pair.split())) for pair in POSES[name].split(",")] for name in ("standing", state))
    return {name: _along(a, b, vigour) for name, a, b in zip(JOINTS, rest, pose, strict=True)}


def _along(a: tuple[float, float], b: tuple[float, float], share: float) -> tuple[float, float]:
    return a[0] + (b[0] - a[0]) * share, a[1] + (b[1] - a[1]) * share


def person(pen: Pen, state: str, vigour: float = 1.0, looks: int = 0) -> None:
    """An articulated figure; ``looks`` picks skin, hair and trousers, which no caption mentions."""
    at = _joints(state, vigour)
    at = at | {"shoulder": _along(at["neck"], at["elbow1"], 0.4)}
    skin, hair = SKINS[looks % 4], ((58, 40, 30), (26, 24, 26), (150, 98, 48), (92, 88, 86))[looks // 4 % 4]
    trousers = ((62, 70, 92), (92, 84, 74), (70, 76, 70))[looks % 3]
    shirt = pen.rgb

    def limb(joints: str, width: float, tone: RGB) -> None:
        pen.limb("M " + " L ".join(f"{at[name][0]:g} {at[name][1]:g}" for name in joints.split()), width, tone)

    limb("neck elbow0 hand0", 11, mix(shirt, BLACK, 0.22))
    for leg, tone in (("0", mix(trousers, BLACK, 0.25)), ("1", trousers)):
        limb(f"hip knee{leg} foot{leg}", 16, tone)
        x, y = at["foot" + leg]
        pen.ellipse(x + (5 if state != "lying" else 2), y + 1, 10, 5.5, "", DARK)
    pen.ellipse(*at["hand0"], 7, 7, "round", skin)
    limb("neck hip", 33, shirt)
    limb("neck head", 9, mix(skin, BLACK, 0.1))
    x, y = at["head"]
    pen.ellipse(x - 2, y - 3, 17, 17, "round", hair)
    pen.ellipse(x + 3, y + 2, 13.5, 14, "round", skin)
    limb("shoulder elbow1 hand1", 11, mix(shirt, WHITE, 0.1))
    pen.ellipse(*at["hand1"], 7.5, 7.5, "round", skin)


DRAWN: dict[str, Callable[..., None]] = {
    draw.__name__: draw
    for draw in (ball, cube, cylinder, cone, box, mug, lamp, car, umbrella, tree, house, book, duck, candle, star,
                 chair, bottle, table, basket, person)
}  # fmt: skip
