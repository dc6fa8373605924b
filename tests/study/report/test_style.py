"""One style: the same bytes, embedded fonts, a colour a method."""

from __future__ import annotations

import re
import zlib

import matplotlib as mpl
import matplotlib.pyplot as plt
from PIL import Image

from eqlib.study.report.style import METHODS, PAGE, colours, in_order, label, markers, save, style


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


def test_order_and_names():
    assert in_order(["zeta", "eqsim", "pretrained", "eqsim", "alpha"]) == ["pretrained", "eqsim", "alpha", "zeta"]
    assert label("eqsim") == "EqSim"
    assert label("my_method") == "my method"
