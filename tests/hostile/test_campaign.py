"""Damaged files of every format: refused in one line, or read; never a traceback, a hang or a figure out of range."""

from collections import Counter

import pytest
from hostile_campaign import campaign, verdict
from hostile_formats import every, write


def test_the_files_are_whole_before_they_are_damaged(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name, (command, files) in every().items():
        write(tmp_path, files)
        assert verdict(command)[0] == "accepted", name
        for path in tmp_path.iterdir():
            path.unlink()


def outcomes(inputs, seed, folder):
    counts = Counter()
    for name, _files, command, outcome, details, _seconds in campaign(inputs, seed, folder):
        assert not outcome.startswith("broken"), f"{name}: {command}\n{outcome}\n{details}"
        counts[outcome] += 1
    return counts


def test_a_few_hundred(tmp_path):
    counts = outcomes(400, "small", tmp_path)
    assert min(counts["refused"], counts["accepted"]) > 60  # some damage is none that matters


@pytest.mark.slow
def test_twenty_thousand(tmp_path):
    outcomes(20_000, "large", tmp_path)
