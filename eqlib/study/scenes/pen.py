"""A pen that writes one thing as SVG: parts filled flat, then patterned, then shaded, so one set of shades serves
every colour."""

import re

from eqlib.study.scenes.vocabulary import COLOURS

RGB = tuple[int, int, int]
BLACK, WHITE = (0, 0, 0), (255, 255, 255)
SECOND = (250, 250, 246), (64, 60, 70)  # inks of stripes and spots, on a dark and on a light thing
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
}
"""Each shade's direction and its stops: place, colour, opacity."""


def shades(light_x: float) -> str:
    """The gradients that make flat parts look solid, lit from ``light_x`` (-1 left .. 1 right)."""
    bright, dark = ("0", "1") if light_x < 0 else ("1", "0")
    made = []
    for name, (way, stops) in SHADES.items():
        element, attributes = _GRADIENTS[way]
        made.append(f'<{element} id="{name}" {attributes.format(bright=bright, dark=dark, focus=0.5 + 0.2 * light_x)}>')
        for at, tone, alpha in map(str.split, stops.split(",")):
            made.append(f'<stop offset="{at}" stop-color="{tone}" stop-opacity="{alpha}"/>')
        made.append(f"</{element}>")
    return "".join(made)


class Pen:
    """Collects the SVG of one thing. Points are hundredths of its width, y upwards is negative, the foot at (0, 0)."""

    def __init__(self, colour: str, material: str, turn: int, light_x: float, vigour: float = 1.0):
        rgb = COLOURS[colour]
        grey = (round(sum(rgb) / 3),) * 3
        self.rgb = mix(grey, rgb, vigour) if vigour < 1 else rgb
        self.material, self.turn, self.light_x = material, turn, light_x
        self.second = SECOND[sum(self.rgb) >= 560]  # stripes and spots stand out
        self.out: list[str] = []

    def _mirror(self, path: str) -> str:
        if self.turn > 0:
            return path
        return _NUMBERS.sub(lambda m: f"{-float(m[1]):g}{m[2]}{m[3]}", path)

    def path(self, d: str, shade: str = "face", rgb: RGB | None = None, alpha: float = 1.0) -> None:
        """A part of its own colour, or of the thing's colour and material where ``rgb`` is not given."""
        self._part(f'path d="{self._mirror(d)}"', shade, rgb, alpha)

    def ellipse(
        self, x: float, y: float, rx: float, ry: float, shade: str = "round", rgb: RGB | None = None, alpha: float = 1.0
    ) -> None:
        """An ellipse about (x, y)."""
        self._part(f'ellipse cx="{x * self.turn:g}" cy="{y:g}" rx="{rx:g}" ry="{ry:g}"', shade, rgb, alpha)

    def limb(self, d: str, width: float, rgb: RGB) -> None:
        """A rounded stroke with a darker edge."""
        d = self._mirror(d)
        for colour, wide in ((mix(rgb, BLACK, 0.42), width + 4), (rgb, width)):
            self.out.append(
                f'<path d="{d}" fill="none" stroke="{ink(colour)}" stroke-width="{wide:g}" '
                'stroke-linecap="round" stroke-linejoin="round"/>'
            )

    def line(self, d: str, width: float, rgb: RGB = BLACK, alpha: float = 1.0) -> None:
        """A plain stroke."""
        self.out.append(
            f'<path d="{self._mirror(d)}" fill="none" stroke="{ink(rgb)}" stroke-width="{width:g}" '
            f'stroke-opacity="{alpha:g}" stroke-linecap="round"/>'
        )

    def glow(self, x: float, y: float, radius: float) -> None:
        """Light that shines."""
        self.out.append(f'<circle cx="{x * self.turn:g}" cy="{y:g}" r="{radius:g}" fill="url(#glow)"/>')

    def side(self, where: int) -> str:
        """The shade of a face that looks left (-1) or right (1), mirrored with the thing."""
        return "face" if where * self.turn * self.light_x > 0 else "dim"

    def _part(self, shape: str, shade: str, rgb: RGB | None, alpha: float) -> None:
        edge = 'stroke="#000" stroke-opacity=".3" stroke-width="2.4"'
        if rgb is not None:
            self.out.append(f'<{shape} fill="{ink(rgb)}" fill-opacity="{alpha:g}" {edge}/>')
            if shade:
                self.out.append(f'<{shape} fill="url(#{shade})"/>')
            return
        if self.material == "glass":
            alpha, edge = 0.55, f'stroke="{ink(mix(self.rgb, BLACK, 0.25))}" stroke-opacity=".8" stroke-width="3"'
        self.out.append(f'<{shape} fill="{ink(self.rgb)}" fill-opacity="{alpha:g}" {edge}/>')
        if self.material in ("striped", "spotted"):
            self.out.append(f'<{shape} fill="url(#{self.material}-{ink(self.second)[1:]})"/>')
        if shade:
            suffix = f"-{self.material}" if self.material in ("metal", "glass") else ""
            name = shade + suffix if shade + suffix in SHADES else shade
            self.out.append(f'<{shape} fill="url(#{name})"/>')


def patterns() -> str:
    """Stripes and spots in both inks."""
    made = []
    for second in SECOND:
        tone, name = ink(second), ink(second)[1:]
        made.append(
            f'<linearGradient id="striped-{name}" x1="0" y1="0" x2="24" y2="9" gradientUnits="userSpaceOnUse" '
            f'spreadMethod="repeat"><stop offset=".5" stop-color="{tone}" stop-opacity="0"/>'
            f'<stop offset=".5" stop-color="{tone}"/></linearGradient>'
            f'<pattern id="spotted-{name}" width="34" height="34" patternUnits="userSpaceOnUse">'
            f'<circle cx="9" cy="9" r="7.5" fill="{tone}"/><circle cx="26" cy="26" r="7.5" fill="{tone}"/></pattern>'
        )
    return "".join(made)
