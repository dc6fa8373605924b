"""How fast pictures are made: one item is composed, told, drawn, grained and written as PNG."""

from __future__ import annotations

import io

import pytest

from eqlib.study.scenes import Dials, captioned, picture, quads_of


@pytest.mark.parametrize("size", [64, 128, 224])
def test_pictures(benchmark, size):
    numbers = iter(range(10**9))

    def one():
        number = next(numbers)
        item = captioned("train", number, Dials())
        picture(item.scene, size, Dials(), grain=number).save(io.BytesIO(), "png", compress_level=1)

    benchmark.extra_info["unit"] = "pictures"
    benchmark.pedantic(one, rounds=60, iterations=1, warmup_rounds=3)


def test_quads_without_pictures(benchmark):
    numbers = iter(range(10**9))
    benchmark.pedantic(lambda: quads_of("test", next(numbers), Dials()), rounds=60, iterations=1, warmup_rounds=3)
