"""Stages side by side on a small pipeline of DVC's own: the graph, the order, failures, a launcher."""

import os
import subprocess
import sys
import textwrap

import pytest

from eqlib.study.jobs import main, stages, stale

MEET = "touch began-{}; for n in $(seq 600); do [ -e began-{} ] && break; sleep 0.1; done; [ -e began-{} ]"


@pytest.fixture
def pipeline(tmp_path, monkeypatch):
    """first -> second@a, second@b -> last, and a stage beside them."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", f"{sys.prefix}/bin{os.pathsep}{os.environ['PATH']}")
    subprocess.run(["dvc", "init", "--no-scm", "-q"], check=True)
    text = f"""
    stages:
      first:
        cmd: echo 1 > first
        outs: [first]
      second:
        foreach:
          a: b
          b: a
        do:
          cmd: {MEET.format("${key}", "${item}", "${item}")} && echo ${{key}} > second-${{key}}
          deps: [first]
          outs: ["second-${{key}}"]
      last:
        cmd: cat second-a second-b > last
        deps: [second-a, second-b]
        outs: [last]
      beside:
        cmd: echo 2 > beside
        outs: [beside]
    """
    (tmp_path / "dvc.yaml").write_text(textwrap.dedent(text))
    return tmp_path


def test_what_a_stage_needs(pipeline):
    assert stages("last") == {
        "last": {"second@a", "second@b"},
        "second@a": {"first"},
        "second@b": {"first"},
        "first": set(),
    }
    assert stages("second").keys() == {"second@a", "second@b", "first"}
    assert stages().keys() == stages("last").keys() | {"beside"}


def test_two_at_once_and_nothing_is_left(pipeline):
    assert main(["2"]) == 0
    # each of the two waits for the other to begin: one after the other, the first would fail after a minute
    told = subprocess.run(["dvc", "repro"], capture_output=True, text=True, check=True).stdout
    assert "Running" not in told
    assert {"last", "beside"} <= {path.name for path in pipeline.iterdir()}


def test_what_is_up_to_date_is_not_asked_for_again(pipeline):
    assert main(["2"]) == 0
    assert stale(stages()) == {}
    (pipeline / "second-a").unlink()
    assert stale(stages()) == {"second@a": set(), "last": {"second@a"}}


def test_what_depends_on_a_failure_is_not_begun(pipeline, capsys):
    text = (pipeline / "dvc.yaml").read_text().replace("echo 1 > first", "exit 3")
    (pipeline / "dvc.yaml").write_text(text)
    assert main(["2", "last"]) == 1
    assert "error: first failed; `dvc repro first` shows why" in capsys.readouterr().err
    assert not (pipeline / "second-a").exists()


def test_a_launcher_gets_the_command_as_one_word(pipeline):
    (pipeline / "launch").write_text('#!/bin/sh\necho "$2" >> launched\nexec sh "$1" "$2"\n')
    (pipeline / "launch").chmod(0o755)
    assert main(["2", "last", "--launch", "./launch -c"]) == 0
    launched = (pipeline / "launched").read_text().splitlines()
    assert sorted(launched) == [
        f"dvc --wait-for-lock repro --quiet --single-item {name}" for name in ("first", "last", "second@a", "second@b")
    ]
