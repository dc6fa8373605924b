"""Where a scene takes place: wall or sky, ground with texture, light. Nothing here looks like a named thing."""

from functools import lru_cache
from itertools import pairwise

from eqlib.study.scenes.draw import stream
from eqlib.study.scenes.pen import BLACK, RGB, WHITE, ink, mix
from eqlib.study.scenes.scene import Place
from eqlib.study.scenes.vocabulary import BACKDROPS

Drawing = tuple[dict[str, tuple[RGB, ...]], str]
"""The tones of each fade that a backdrop needs, from the top down, and its SVG, which names them."""


def _rect(y: float, height: float, fill: str) -> str:
    return f'<rect x="-1" y="{y:.2f}" width="102" height="{height:.2f}" fill="{fill}"/>'


def _shaded(tone: RGB, dark: float, light: float) -> tuple[RGB, RGB]:
    """The tone's two ends of a fade: so much darker above, so much lighter below."""
    return mix(tone, BLACK, dark), mix(tone, WHITE, light)


def _view(h: float, wall: tuple[RGB, ...], before: str, ground: tuple[RGB, ...], on: str) -> Drawing:
    """Wall or sky, what is ``before`` it, the ground from ``h`` down, what lies ``on`` it."""
    drawn = _rect(-1, h + 2, "url(#wall)") + before + _rect(h, 102 - h, "url(#ground)") + on
    return {"wall": wall, "ground": ground}, drawn


def _lines(d: str, tone: RGB, width: float, alpha: float) -> str:
    return f'<path d="{d}" fill="none" stroke="{ink(tone)}" stroke-width="{width}" stroke-opacity="{alpha}"/>'


def _ellipse(x: float, y: float, rx: float, ry: float, tone: RGB, alpha: float) -> str:
    fill = f'fill="{ink(tone)}" fill-opacity="{alpha}"'
    return f'<ellipse cx="{x:.1f}" cy="{y:.1f}" rx="{rx:.2f}" ry="{ry:.2f}" {fill}/>'


def _boards(h: float, tone: RGB, shift: float) -> str:
    """Floor boards that run to a vanishing point."""
    lines, eye = [], h - 16
    for k in range(-9, 20):
        x = k * 10 + shift
        lines.append(f"M {50 + (x - 50) * (h - eye) / (100 - eye) * 1.1:.2f} {h:.2f} L {x * 1.6 - 30:.2f} 101")
    return _lines(" ".join(lines), tone, 0.5, 0.55)


def _specks(rng, h: float, tones: tuple[RGB, ...], n: int, size: float, alpha: float) -> str:
    """Small marks on the ground, larger towards the front."""
    made = []
    for k in range(n):
        deep = rng.random()
        y, r = h + (100 - h) * deep**0.8, size * (0.35 + 0.65 * deep)
        made.append(_ellipse(rng.random() * 100, y, r * 1.6, r * 0.6, tones[k % len(tones)], alpha))
    return "".join(made)


def _clouds(rng, h: float) -> str:
    made = []
    for _ in range(3):
        x, y, w = rng.random() * 100, 4 + rng.random() * (h * 0.5), 7 + rng.random() * 9
        for dx, dy, r in ((-0.6, 0.1, 0.55), (0, 0, 0.8), (0.65, 0.12, 0.5)):
            rx, ry = round(r * w, 1), round(r * w * 0.38, 1)
            made.append(_ellipse(x + dx * w, y + dy * w, rx, ry, WHITE, 0.75))
    return "".join(made)


def _ridge(rng, base: float, height: float, tone: RGB, sharp: bool) -> str:
    points, x = [f"M -2 {base + 1:.1f}"], -2.0
    while x < 102:
        step = 9 + rng.random() * 13
        top = base - height * (0.35 + 0.65 * rng.random())
        if sharp:
            points.append(f"L {x + step / 2:.1f} {top:.1f} L {x + step:.1f} {base - height * 0.25:.1f}")
        else:
            points.append(f"Q {x + step / 2:.1f} {top:.1f} {x + step:.1f} {base - height * 0.3:.1f}")
        x += step
    return f'<path d="{" ".join(points)} L 104 {base + 1:.1f} Z" fill="{ink(tone)}"/>'


def _room(rng, h: float, p: int) -> Drawing:
    wall = ((214, 204, 184), (176, 196, 200), (206, 182, 170), (184, 192, 168), (190, 184, 204), (222, 212, 160))[p]
    floor = ((168, 122, 80), (138, 98, 66), (186, 146, 102))[p % 3]
    x, frame = 12 + rng.random() * 60, mix(wall, WHITE, 0.75)
    bars = f"M {x + 12:.1f} 6 V {h - 11:.1f} M {x + 1:.1f} {h / 2 - 2:.1f} H {x + 23:.1f}"
    window = (
        f'<rect x="{x:.1f}" y="5" width="24" height="{h - 15:.1f}" fill="{ink(frame)}"/>'
        f'<rect x="{x + 1.4:.1f}" y="6.4" width="21.2" height="{h - 17.8:.1f}" fill="url(#pane)"/>'
        + _lines(bars, frame, 1.2, 1)
    )
    floor_and_skirting = (
        _boards(h, mix(floor, BLACK, 0.55), rng.random() * 10)
        + _rect(h - 2.4, 2.6, ink(mix(wall, WHITE, 0.6)))
        + _rect(h + 0.1, 0.7, ink(mix(floor, BLACK, 0.6)))
    )
    fades, drawn = _view(h, _shaded(wall, 0.1, 0.12), window, _shaded(floor, 0.25, 0.12), floor_and_skirting)
    return fades | {"pane": ((150, 196, 232), (222, 238, 246))}, drawn


def _meadow(rng, h: float, p: int) -> Drawing:
    grass = ((122, 168, 74), (104, 152, 78), (146, 176, 86), (96, 142, 66), (134, 158, 92), (112, 164, 96))[p]
    tufts = []
    for _ in range(60):
        deep = rng.random()
        x, y, r = rng.random() * 100, h + 1 + (100 - h) * deep, 0.5 + 1.5 * deep
        tufts.append(f"M {x:.1f} {y:.1f} l {-0.4 * r:.2f} {-r:.2f} M {x:.1f} {y:.1f} l {0.5 * r:.2f} {-0.9 * r:.2f}")
    hills = (
        _clouds(rng, h)
        + _ridge(rng, h, 9, mix(grass, (120, 150, 170), 0.6), False)
        + _ridge(rng, h, 5, mix(grass, (90, 120, 110), 0.35), False)
    )
    blades = _lines(" ".join(tufts), mix(grass, BLACK, 0.3), 0.5, 0.7)
    flowers = _specks(rng, h + 4, ((250, 240, 200), (236, 214, 120)), 9, 0.55, 0.9)
    return _view(h, ((112, 172, 224), (214, 234, 244)), hills, _shaded(grass, 0.12, 0.14), blades + flowers)


def _beach(rng, h: float, p: int) -> Drawing:
    sand = ((232, 212, 166), (222, 200, 158), (238, 222, 184))[p % 3]
    sea = ((58, 132, 172), (52, 150, 160), (72, 120, 168))[p // 2]
    shore = h + 4
    fades = {
        "wall": ((128, 188, 232), (226, 240, 246)),
        "sea": _shaded(sea, 0.12, 0.35),
        "ground": _shaded(sand, 0.1, 0.2),
    }
    drawn = _rect(-1, h + 2, "url(#wall)") + _clouds(rng, h) + _rect(h - 7, 12, "url(#sea)")
    for k in range(4):
        for _ in range(3):
            wave = f"M {rng.random() * 90:.1f} {h - 6 + 2.2 * k:.1f} h {6 + rng.random() * 14:.1f}"
            drawn += _lines(wave, WHITE, 0.5, 0.5)
    drawn += (
        f'<path d="M -1 {shore:.1f} Q 25 {shore - 2 + 4 * rng.random():.1f} 50 {shore:.1f} T 101 {shore:.1f} '
        'V 101 H -1 Z" fill="url(#ground)" stroke="#fff" stroke-opacity=".8" stroke-width=".9"/>'
    )
    return fades, drawn + _specks(rng, h + 7, (mix(sand, BLACK, 0.3), mix(sand, WHITE, 0.6)), 60, 0.5, 0.5)


def _studio(rng, h: float, p: int) -> Drawing:
    tone = ((196, 204, 212), (214, 200, 190), (190, 206, 196), (206, 196, 214), (170, 182, 196), (224, 216, 200))[p]
    light, soft = mix(tone, WHITE, 0.35), mix(tone, WHITE, 0.2)
    wall = (mix(tone, BLACK, 0.22), tone, light, soft, mix(tone, BLACK, 0.06))
    return {"wall": wall}, _rect(-1, 102, "url(#wall)")


def _snow(rng, h: float, p: int) -> Drawing:
    hill = ((122, 142, 170), (136, 138, 166), (108, 138, 158))[p % 3]
    peaks = _ridge(rng, h, 20, mix(hill, WHITE, 0.35), True) + _ridge(rng, h, 11, mix(hill, WHITE, 0.1), True)
    drifts = ""
    for _ in range(8):
        x, y = rng.random() * 100, h + 5 + rng.random() * 50
        rx, ry = round(10 + 14 * rng.random(), 1), round(1 + 1.6 * rng.random(), 1)
        drifts += _ellipse(x, y, rx, ry, (185, 201, 222), 0.45)
    drifts += _specks(rng, h, (WHITE, (188, 204, 226)), 30, 0.4, 0.8)
    return _view(h, ((138, 176, 214), (220, 230, 240)), peaks, ((206, 218, 232), (242, 246, 250)), drifts)


def _kitchen(rng, h: float, p: int) -> Drawing:
    tile = ((222, 226, 222), (206, 220, 226), (226, 218, 204), (212, 224, 208), (224, 212, 214), (216, 216, 226))[p]
    floor = ((150, 142, 134), (128, 138, 142), (164, 150, 128))[p % 3]
    shift = rng.random() * 9
    grout = "".join(f"M {k * 9 + shift - 9:.1f} -1 V {h:.1f} " for k in range(13)) + "".join(
        f"M -1 {h - 2 - 7 * k:.1f} H 101 " for k in range(6)
    )
    squares, eye = [], h - 30
    rows = [h + (102 - h) * (k / 6) ** 1.6 for k in range(7)]

    def at(column: float, y: float) -> str:
        return f"{50 + (column - 3) * 17 * (y - eye) / (100 - eye) + shift - 4:.1f} {y:.1f}"

    for r, (far, near) in enumerate(pairwise(rows)):
        for c in range(-3 + (r + 1) % 2, 9, 2):
            squares.append(f"M {at(c, far)} L {at(c + 1, far)} L {at(c + 1, near)} L {at(c, near)} Z")
    tiles = _lines(grout, mix(tile, BLACK, 0.25), 0.45, 0.7)
    chequers = f'<path d="{" ".join(squares)}" fill="#fff" fill-opacity=".3"/>'
    edge = _rect(h - 1.2, 1.6, ink(mix(floor, BLACK, 0.45)))
    return _view(h, _shaded(tile, 0.14, 0.2), tiles, _shaded(floor, 0.2, 0.2), chequers + edge)


def _desert(rng, h: float, p: int) -> Drawing:
    sand = ((224, 168, 104), (214, 152, 98), (232, 186, 122))[p % 3]
    far = (
        f'<circle cx="{15 + rng.random() * 70:.1f}" cy="{8 + rng.random() * 8:.1f}" r="5" fill="#fff6d8"/>'
        + _ridge(rng, h, 14, mix(sand, (150, 84, 70), 0.45), False)
        + _ridge(rng, h + 1, 7, mix(sand, (150, 84, 70), 0.2), False)
    )
    dunes = ""
    for y in (h + 5, h + 11, h + 19, h + 30, h + 44):
        dune = f"M -1 {y:.1f} Q {20 + 20 * rng.random():.0f} {y - 2:.1f} 50 {y:.1f} T 101 {y:.1f}"
        dunes += _lines(dune, mix(sand, BLACK, 0.3), 0.6, 0.4)
    dunes += _specks(rng, h + 3, (mix(sand, BLACK, 0.35),), 24, 0.5, 0.4)
    return _view(h, ((238, 190, 132), (252, 230, 190)), far, _shaded(sand, 0.14, 0.12), dunes)


def _plaza(rng, h: float, p: int) -> Drawing:
    stone = ((200, 192, 180), (184, 186, 190), (206, 188, 166))[p % 3]
    pave = ((170, 164, 156), (152, 154, 160), (180, 166, 148))[p // 2]
    shift = rng.random() * 18
    arches = "".join(
        f"M {x:.1f} {h:.1f} V {h - 14:.1f} A 6 6 0 0 1 {x + 12:.1f} {h - 14:.1f} V {h:.1f} Z "
        for x in (shift - 18 + 18 * k for k in range(7))
    )
    arcade = (
        _clouds(rng, h * 0.4)
        + _rect(h - 25, 26, ink(stone))
        + _rect(h - 26.5, 2, ink(mix(stone, WHITE, 0.4)))
        + f'<path d="{arches}" fill="{ink(mix(stone, BLACK, 0.45))}"/>'
    )
    joints = mix(pave, BLACK, 0.5)
    rows = " ".join(f"M -1 {y:.2f} L 101 {y:.2f}" for y in (h + (101 - h) * (k / 7) ** 1.7 for k in range(1, 7)))
    slabs = _boards(h, joints, shift / 2) + _lines(rows, joints, 0.45, 0.5)
    return _view(h, ((150, 190, 224), (214, 230, 240)), arcade, _shaded(pave, 0.16, 0.2), slabs)


_PLACES = dict(zip(BACKDROPS, (_room, _meadow, _beach, _studio, _snow, _kitchen, _desert, _plaza), strict=True))

VEILS: dict[str, tuple[str, float, float]] = {
    "noon": ("#ffffff", 0.0, 1.0),
    "morning": ("#ffc56e", 0.13, 0.9),
    "evening": ("#ff6a3a", 0.17, 1.0),
    "overcast": ("#7c8894", 0.2, 0.45),
    "moonlight": ("#122a72", 0.3, 0.7),
}
"""For each mood: the colour of the light, how much of it lies over everything, how strong shadows are."""


@lru_cache(maxsize=256)
def backdrop(place: Place) -> tuple[str, str]:
    """(definitions, drawing) of the backdrop as SVG."""
    rng = stream(7919, place.detail, place.palette)
    fades, drawn = _PLACES[place.backdrop](rng, place.horizon_y, place.palette)
    defined = ""
    for name, tones in fades.items():
        stops = (
            f'<stop offset="{i / (len(tones) - 1):.3f}" stop-color="{ink(tone)}"/>' for i, tone in enumerate(tones)
        )
        defined += f'<linearGradient id="{name}" x1="0" x2="0" y1="0" y2="1">{"".join(stops)}</linearGradient>'
    return defined, drawn


def veil(place: Place) -> str:
    """The light that lies over the whole picture, and a slight darkening of its corners."""
    tone, alpha, _ = VEILS[place.mood]
    return f'<g fill-opacity="{alpha}">{_rect(-1, 102, tone)}</g>' + _rect(-1, 102, "url(#corners)")
