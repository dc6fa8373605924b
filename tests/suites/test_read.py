"""Readers by name, of the table or of one's own."""

import pytest

from eqlib.errors import InputError
from eqlib.suites import QuadSuite, read

OWN = """
import pandas as pd
from eqlib.suites import QuadSuite

def pairs(path, *, side=0, root=None):
    words = path.read_text().split()
    quad = {"quad": "0", "subset": "all", "cluster": "0", "image0": "a.png", "image1": "b.png"}
    return QuadSuite("mine", f"side {side}", "0" * 64, path.parent, pd.DataFrame(
        [quad | {"caption0": words[0], "caption1": words[1]}]))
"""


@pytest.fixture
def words(tmp_path, monkeypatch):
    (tmp_path / "my_readers.py").write_text(OWN)
    (tmp_path / "words.txt").write_text("dog cat")
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path / "words.txt"


def test_a_reader_of_ones_own(words):
    suite = read("my_readers:pairs", words, side=1)
    assert isinstance(suite, QuadSuite)
    assert (suite.edition, suite.records["caption1"].tolist()) == ("side 1", ["cat"])
    with pytest.raises(InputError, match=r"an option of the reader my_readers:pairs \(side, root\), got 'left'"):
        read("my_readers:pairs", words, left=1)


@pytest.mark.parametrize(
    "name",
    [
        "pairs",
        "my_readers:",
        "my_readers:quads",
        ":pairs",
        "os:path",
        "my_reader:pairs",
        ".my_readers:pairs",
        "",
        3,
        None,
    ],
)
def test_a_reader_that_is_not_there_is_said(words, name):
    with pytest.raises(InputError, match=r"a reader \(eqben, .*captions, or module:function\)"):
        read(name, words)
