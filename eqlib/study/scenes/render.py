"""A picture is a view of a scene: SVG text, drawn by resvg at any size."""

import io
import math
import re

import numpy as np
import resvg_py
from PIL import Image

from eqlib.errors import InputError
from eqlib.study.scenes.backdrops import VEILS, backdrop, veil
from eqlib.study.scenes.pen import Pen, definitions
from eqlib.study.scenes.scene import Scene, foot
from eqlib.study.scenes.shapes import PARTS, person
from eqlib.study.scenes.vocabulary import KINDS


def svg(scene: Scene) -> str:
    """The scene as an SVG document, 100 units wide and high."""
    fades, ground = backdrop(scene.place)
    order = _back_to_front(scene)
    shadows = "".join(_shadow(scene, index) for index in order if scene.things[index].relation in ("", "under"))
    things = "".join(_drawn(scene, index) for index in order)
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 100 100"><defs>'
        f"{fades}{definitions(scene.place.light_x)}</defs>{ground}{shadows}{things}{veil(scene.place)}</svg>"
    )


def render(scene: Scene, size: int = 64) -> Image.Image:
    """An RGB picture of ``size`` x ``size`` pixels, antialiased, the same on every call."""
    return _draw(svg(scene), size)


def masks(scene: Scene, size: int = 64) -> np.ndarray:
    """Which thing each pixel shows: int16 (size, size), -1 where it shows none. Edges are not antialiased."""
    flat = "".join(_drawn(scene, index, f"#{index + 1:06x}") for index in _back_to_front(scene))
    head = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 100 100" shape-rendering="crispEdges">'
    picture = np.asarray(_draw(f'{head}<rect width="100" height="100" fill="#000"/>{flat}</svg>', size), dtype=np.int32)
    return (picture[..., 2] - 1).astype(np.int16)


def _draw(document: str, size: int) -> Image.Image:
    if not 16 <= size <= 4096:
        raise InputError("a picture of 16 to 4096 pixels", size, row="size")
    png = resvg_py.svg_to_bytes(svg_string=document, width=size, height=size, skip_system_fonts=True)
    return Image.open(io.BytesIO(bytes(png))).convert("RGB")


def _back_to_front(scene: Scene) -> list[int]:
    """Far things first; what stands under, in or on another thing is drawn before, in or after it."""
    rank = {"under": -1, "": 0, "in": 1, "on": 1}

    def key(index: int) -> tuple:
        thing = scene.things[index]
        return -thing.depth, index if thing.carrier is None else thing.carrier, rank[thing.relation]

    return sorted(range(len(scene.things)), key=key)


def _shadow(scene: Scene, index: int) -> str:
    """A thing's shadow on the ground: dark where it stands, soft and long away from the light."""
    thing, place = scene.things[index], scene.place
    half, height = KINDS[thing.kind].box[thing.state]
    x, y, scale = foot(scene, index)
    if thing.kind in ("tree", "lamp", "umbrella", "person"):
        half *= {"lying": 1.0, "sitting": 0.8}.get(thing.state, 0.55)
    if thing.lift:
        half, height = 0.7 * half, 0.3 * height
    strength = VEILS[place.mood][2]
    angle = math.degrees(math.atan2(-0.2, -place.light_x))
    reach = height * (0.55 + 0.35 * abs(place.light_x)) / 2 + half * 0.35
    return (
        f'<g transform="translate({x:.2f} {y + thing.lift:.2f}) scale({scale:.4f})">'
        f'<g transform="rotate({angle:.1f})"><ellipse cx="{reach * 0.72:.1f}" cy="0" rx="{reach:.1f}" '
        f'ry="{min(half * 0.5, 34):.1f}" fill="url(#shadow)" fill-opacity="{0.62 * strength:.2f}"/></g>'
        f'<ellipse cx="0" cy="-4" rx="{half * 1.12:.1f}" ry="{half * 0.34:.1f}" fill="url(#shadow)" '
        f'fill-opacity="{0.55 + 0.35 * strength:.2f}"/></g>'
    )


def _drawn(scene: Scene, index: int, flat: str | None = None) -> str:
    """One thing; with ``flat`` its silhouette in one colour. A basket's front rim is drawn over what it holds."""
    thing = scene.things[index]
    x, y, scale = foot(scene, index)
    made = ""
    if thing.lift and flat is None:
        top = y - 0.97 * KINDS[thing.kind].box[thing.state][1] * scale
        made += f'<path d="M {x:.2f} {top:.2f} V -1" stroke="#3a3632" stroke-width=".6" stroke-opacity=".8"/>'
    if thing.relation in ("on", "in") and flat is None:
        half, _ = KINDS[thing.kind].box[thing.state]
        made += (
            f'<ellipse cx="{x:.2f}" cy="{y - 1 * scale:.2f}" rx="{half * 1.1 * scale:.2f}" '
            f'ry="{half * 0.26 * scale:.2f}" fill="url(#shadow)"/>'
        )
    if thing.kind == "basket":
        made += _placed(scene, index, PARTS["basket back"], flat)
        if any(other.carrier == index and other.relation == "in" for other in scene.things):
            return made  # the front follows what the basket holds
    if thing.kind == "person":
        parts = person(thing.state, scene.vigour, scene.place.detail)
    else:
        parts = PARTS[f"{thing.kind} {thing.state}".strip()]
    made += _placed(scene, index, parts, flat)
    if thing.relation == "in":
        made += _placed(scene, thing.carrier, PARTS["basket"], flat and f"#{thing.carrier + 1:06x}")
    return made


def _placed(scene: Scene, index: int, parts: list, flat: str | None) -> str:
    thing = scene.things[index]
    x, y, scale = foot(scene, index)
    pen = Pen(thing.colour, thing.material, thing.turn, scene.place.light_x, scene.vigour)
    body = "".join(pen.part(*part) for part in parts)
    if flat is not None:  # the same outlines in one opaque colour, without shades, patterns and glows
        body = re.sub(r'<[^<]*fill="url\(.*?/>|(fill|stroke)-opacity="[\d.]+"', "", body)
        body = re.sub(r'(fill|stroke)="#[0-9a-f]+"', rf'\1="{flat}"', body)
    return f'<g transform="translate({x:.2f} {y:.2f}) scale({scale:.4f})">{body}</g>'
