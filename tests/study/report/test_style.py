"""One style: the same bytes, embedded fonts, a colour a method."""

from __future__ import annotations

import re
import zlib
from itertools import combinations

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.colors import to_rgb
from PIL import Image

from eqlib.study.report.style import METHODS, PAGE, RIGHT, SPARE, WRONG, colours, in_order, label, markers, save, style


def draw():
    with style():
        figure, ax = plt.subplots(figsize=(PAGE, 2))
        ax.plot([0, 1], [0.1, 0.3], label="EqSim")
        ax.set_title("A title")
        ax.legend()
    plt.close(figure)
    return figure


def test_saving_twice_gives_the_same_bytes_whatever_the_clock_says(tmp_path, monkeypatch):
    first = [path.read_bytes() for path in save(draw(), tmp_path / "one", "figure")]
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1000000000")
    second = [path.read_bytes() for path in save(draw(), tmp_path / "two", "figure")]
    assert first == second
    assert b"CreationDate" not in first[0]


def test_fonts_are_embedded_as_truetype_and_the_width_is_the_page(tmp_path):
    pdf, png = save(draw(), tmp_path, "figure")
    content = pdf.read_bytes()
    streams = [content]
    for stream in re.findall(rb"stream\r?\n(.*?)endstream", content, re.DOTALL):
        try:
            streams.append(zlib.decompress(stream))
        except zlib.error:
            continue
    assert b"/FontFile2" in content
    assert b"/Type3" not in content
    with Image.open(png) as picture:
        assert picture.width == round(300 * PAGE)


def test_drawing_leaves_matplotlib_as_it_was():
    before = dict(mpl.rcParams)
    draw()
    assert dict(mpl.rcParams) == before


def test_a_method_keeps_its_colour_and_no_two_share_one():
    alone, together = colours(["eqsim"]), colours([*METHODS, "mine", "yours"])
    assert alone["eqsim"] == together["eqsim"]
    assert len(set(together.values())) == len(together)
    assert len(set(markers(together).values())) == len(together)
    shown = colours(["pretrained", "contrastive", "eqsim", "cyclip", "negclip", "mine"])
    assert len(set(shown.values())) == 6
    assert len(set(markers(shown).values())) == 6


def linear(colour: str) -> np.ndarray:
    """Linear light of an sRGB colour."""
    channel = np.array(to_rgb(colour))
    return np.where(channel <= 0.04045, channel / 12.92, ((channel + 0.055) / 1.055) ** 2.4)


def lab(light: np.ndarray) -> np.ndarray:
    """CIE L*a*b* (D65) of linear light."""
    to_xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    x, y, z = np.cbrt(to_xyz @ np.clip(light, 0, 1) / [0.9505, 1, 1.089])
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


# Machado, Oliveira & Fernandes (2009), full severity
SEEN = {
    "all cones": np.eye(3),
    "no red": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "no green": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "no blue": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}


def test_every_colour_has_a_contrast_of_three_on_white():
    """WCAG 2.1, 1.4.11: 1.05 / (luminance + 0.05), at least 3 for graphics."""
    every = [colour for _, colour, _ in METHODS.values()] + [*SPARE, RIGHT, WRONG]
    assert not [colour for colour in every if 1.05 / (linear(colour) @ [0.2126, 0.7152, 0.0722] + 0.05) < 3]


@pytest.mark.parametrize("matrix", SEEN.values(), ids=SEEN)
def test_the_study_s_methods_stay_apart(matrix):
    """By 20 in L*a*b*, some ten times a difference that can just be seen."""
    methods = ("pretrained", "contrastive", "pairwise", "eqsim", "relative")
    seen = [lab(np.array(matrix) @ linear(METHODS[method][1])) for method in methods]
    assert min(np.linalg.norm(one - other) for one, other in combinations(seen, 2)) > 20


def test_order_and_names():
    assert in_order(["zeta", "eqsim", "pretrained", "eqsim", "alpha"]) == ["pretrained", "eqsim", "alpha", "zeta"]
    assert label("eqsim") == "EqSim"
    assert label("my_method") == "my method"
