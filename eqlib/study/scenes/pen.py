"""A pen that writes one thing as SVG: parts filled flat, then patterned, then shaded, so one set of shades serves
every colour."""

import re
from functools import lru_cache

from PIL.ImageColor import getrgb

from eqlib.study.scenes.vocabulary import COLOURS

RGB = tuple[int, int, int]
BLACK, WHITE = (0, 0, 0), (255, 255, 255)
SECOND = "#fafaf6", "#403c46"  # inks of stripes and spots, on a dark and on a light thing
_NUMBERS = re.compile(r"(-?[\d.]+)([ ,]+)(-?[\d.]+)")


def mix(one: RGB, other: RGB, share: float) -> RGB:
    """``share`` of the other colour in the one."""
    return tuple(round(a + (b - a) * share) for a, b in zip(one, other, strict=True))


def ink(rgb: RGB) -> str:
    """A colour as SVG writes it."""
    return "#{:02x}{:02x}{:02x}".format(*rgb)


_GRADIENTS = {
    "ball": ("radialGradient", 'cx="{focus:.3f}" cy=".3" r=".78"'),
    "across": ("linearGradient", 'x1="{bright}" x2="{dark}" y1="0" y2="0"'),
    "down": ("linearGradient", 'x1="0" x2="0" y1="0" y2="1"'),
    "slanting": ("linearGradient", 'x1="{bright}" x2="{dark}" y1="0" y2="1"'),
    "spread": ("radialGradient", ""),
    "wide": ("radialGradient", 'cx=".5" cy=".5" r=".75"'),
}
"""Where a shade runs: the SVG element and its attributes, for a light from ``bright`` to ``dark``."""

SHADES = {
    "round": ("ball", "0 #fff 0.62, 0.18 #fff 0.3, 0.5 #fff 0, 0.62 #000 0.03, 1 #000 0.5"),
    "round-metal": (
        "ball",
        "0 #fff 1, 0.1 #fff 0.85, 0.28 #fff 0.2, 0.5 #000 0.16, 0.68 #000 0.55, 0.8 #000 0.5, 0.9 #fff 0.3, "
        "1 #fff 0.05",
    ),
    "round-glass": ("ball", "0 #fff 0.9, 0.14 #fff 0.25, 0.55 #fff 0.04, 0.85 #000 0.12, 1 #000 0.45"),
    "tube": ("across", "0 #000 0.12, 0.22 #fff 0.36, 0.5 #fff 0, 1 #000 0.46"),
    "tube-metal": (
        "across",
        "0 #000 0.3, 0.14 #fff 0.2, 0.26 #fff 0.95, 0.38 #fff 0.1, 0.6 #000 0.5, 0.78 #000 0.35, 0.88 #fff 0.55, "
        "1 #000 0.25",
    ),
    "tube-glass": ("across", "0 #fff 0.81, 0.14 #fff 0.225, 0.55 #fff 0.036, 0.85 #000 0.108, 1 #000 0.405"),
    "lit": ("down", "0 #fff 0.34, 1 #fff 0.1"),
    "face": ("down", "0 #fff 0.12, 0.5 #000 0.02, 1 #000 0.2"),
    "dim": ("down", "0 #000 0.22, 1 #000 0.46"),
    "face-metal": ("slanting", "0 #fff 0.25, 0.28 #fff 0.8, 0.42 #fff 0.1, 0.7 #000 0.38, 1 #fff 0.2"),
    "dim-metal": ("slanting", "0 #000 0.1, 0.45 #000 0.6, 0.75 #fff 0.15, 1 #000 0.4"),
    "shadow": ("spread", "0 #000 0.62, 0.45 #000 0.42, 0.8 #000 0.1, 1 #000 0"),
    "glow": ("spread", "0 #fff6c8 0.95, 0.3 #ffe58a 0.55, 1 #ffd24a 0"),
    "corners": ("wide", "0.62 #000 0, 1 #000 0.2"),
}
"""Each shade's direction and its stops: place, colour, opacity."""


@lru_cache(maxsize=16)
def definitions(light_x: float) -> str:
    """The gradients that make flat parts look solid, lit from ``light_x`` (-1 left .. 1 right), and the patterns."""
    bright, dark = ("0", "1") if light_x < 0 else ("1", "0")
    made = []
    for name, (way, stops) in SHADES.items():
        element, attributes = _GRADIENTS[way]
        made.append(f'<{element} id="{name}" {attributes.format(bright=bright, dark=dark, focus=0.5 + 0.2 * light_x)}>')
        for at, tone, alpha in map(str.split, stops.split(",")):
            made.append(f'<stop offset="{at}" stop-color="{tone}" stop-opacity="{alpha}"/>')
        made.append(f"</{element}>")
    for tone in SECOND:
        made.append(
            f'<linearGradient id="striped-{tone[1:]}" x1="0" y1="0" x2="24" y2="9" gradientUnits="userSpaceOnUse" '
            f'spreadMethod="repeat"><stop offset=".5" stop-color="{tone}" stop-opacity="0"/>'
            f'<stop offset=".5" stop-color="{tone}"/></linearGradient>'
            f'<pattern id="spotted-{tone[1:]}" width="34" height="34" patternUnits="userSpaceOnUse">'
            f'<circle cx="9" cy="9" r="7.5" fill="{tone}"/><circle cx="26" cy="26" r="7.5" fill="{tone}"/></pattern>'
        )
    return "".join(made)


class Pen:
    """Writes the parts of one thing that has this colour and material, see shapes.toml."""

    def __init__(self, colour: str, material: str, turn: int, light_x: float, vigour: float):
        rgb = COLOURS[colour]
        self.rgb = mix((round(sum(rgb) / 3),) * 3, rgb, vigour)
        self.pale = sum(self.rgb) >= 560
        self.material, self.turn, self.light_x = material, turn, light_x

    def part(self, how: str, shape: str, tone: str = "", alpha: float = 1.0) -> str:
        """One part. A limb is a rounded stroke with a darker edge, a gleam lies towards the light on metal and glass,
        and what is behind is moved away from the light."""
        how, _, width = how.partition(" ")
        rgb, element = self._rgb(tone), self._element(shape)
        if how == "glow":
            return f'<{element} fill="url(#glow)"/>'
        if how == "gleam":
            x, y, rx, ry = map(float, shape.split()[1:])
            place = f'cx="{x * self.light_x:.1f}" cy="{y:g}" rx="{rx:g}" ry="{ry:g}"'
            return f'<ellipse {place} fill="#fff" fill-opacity=".85"/>' if self.material in ("metal", "glass") else ""
        if how == "behind":
            return f'<g transform="translate({-6 * self.light_x:.1f} -2)">{self.part("", shape, tone)}</g>'
        if how == "line":
            stroke = f'stroke="{ink(rgb)}" stroke-width="{width}" stroke-opacity="{alpha:g}" stroke-linecap="round"'
            return f'<{element} fill="none" {stroke}/>'
        if how == "limb":
            return "".join(
                f'<{element} fill="none" stroke="{ink(colour)}" stroke-width="{wide}" stroke-linecap="round" '
                'stroke-linejoin="round"/>'
                for colour, wide in ((mix(rgb, BLACK, 0.42), int(width) + 4), (rgb, width))
            )
        if how == "side":
            how = "face" if self.turn * self.light_x > 0 else "dim"
        return self._surface(element, how, rgb, alpha, "" if tone else self.material)

    def _surface(self, element: str, shade: str, rgb: RGB, alpha: float, material: str) -> str:
        edge = 'stroke="#000" stroke-opacity=".3" stroke-width="2.4"'
        if material == "glass":
            alpha, edge = 0.55, f'stroke="{ink(mix(rgb, BLACK, 0.25))}" stroke-opacity=".8" stroke-width="3"'
        made = f'<{element} fill="{ink(rgb)}" fill-opacity="{alpha:g}" {edge}/>'
        if material in ("striped", "spotted"):
            made += f'<{element} fill="url(#{material}-{SECOND[self.pale][1:]})"/>'
        if shade:
            name = f"{shade}-{material}" if f"{shade}-{material}" in SHADES else shade
            made += f'<{element} fill="url(#{name})"/>'
        return made

    def _rgb(self, tone: str) -> RGB:
        if tone == "band":  # on a cover, from which it stands out
            tone = "own 0.5 black" if self.pale else "own 0.6 white"
        base, *towards = tone.split() or ["own"]
        rgb = self.rgb if base == "own" else getrgb(base)
        return mix(rgb, getrgb(towards[1]), float(towards[0])) if towards else rgb

    def _element(self, shape: str) -> str:
        """The SVG element of a path or an ellipse, without its brackets, mirrored where the thing is turned."""
        if shape.startswith("E"):
            _, x, y, rx, ry = shape.split()
            return f'ellipse cx="{float(x) * self.turn:g}" cy="{y}" rx="{rx}" ry="{ry}"'
        if self.turn < 0:
            shape = _NUMBERS.sub(lambda m: f"{-float(m[1]):g}{m[2]}{m[3]}", shape)
        return f'path d="{shape}"'
