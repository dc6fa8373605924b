"""Words in which two captions differ."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from eqlib.study.report.figures.examples import marked

CAPTION = st.lists(st.sampled_from(["a", "the", "red", "blue", "cube", "ball", "on", "left"]), max_size=8).map(" ".join)


def changed(words):
    return [word for word, mark in words if mark]


def test_one_word_and_an_inserted_word():
    first, second = marked("A cat sits on the mat.", "a dog sits on the green mat")
    assert changed(first) == ["cat"]
    assert changed(second) == ["dog", "green"]


def test_case_and_full_stop_are_no_change():
    first, second = marked("A red cube.", "a red cube")
    assert changed(first) == changed(second) == []


@given(CAPTION, CAPTION)
def test_unmarked_words_are_shared_in_order_and_no_word_is_lost(one, other):
    first, second = marked(one, other)
    assert [word for word, _ in first] == one.split()
    assert [word for word, _ in second] == other.split()
    kept = [[word for word, mark in side if not mark] for side in (first, second)]
    assert kept[0] == kept[1]
