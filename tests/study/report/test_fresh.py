"""Whether reports/ is older than the code: the commit of its provenance, and what differs since."""

from __future__ import annotations

import subprocess

import pytest

from eqlib.errors import InputError
from eqlib.files import write_json
from eqlib.study.report.fresh import made_from, main, mark
from eqlib.study.report.provenance import provenance


def git(folder, *arguments):
    command = ["git", "-c", "user.name=n", "-c", "user.email=e@x", *arguments]
    return subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout.strip()


def commit(folder):
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "--allow-empty", "-m", "one")
    return git(folder, "rev-parse", "HEAD")


def report(folder):
    code = {name: folder / name for name in ("eqlib", "notebooks", "params.yaml")}
    write_json(folder / "reports" / "provenance.json", provenance(code=code, data=None, tables=[]))


@pytest.fixture
def clone(tmp_path):
    for name in ("eqlib/a.py", "eqlib/study/b.py", "notebooks/c.ipynb", "params.yaml", "README.md"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    try:
        git(tmp_path, "init", "-q")
    except FileNotFoundError:
        pytest.skip("no git on this machine")
    return tmp_path


def test_the_commit_of_a_report_and_what_has_changed_since(clone, monkeypatch, capsys):
    commit(clone)
    (clone / "eqlib/a.py").write_text("two")
    second = commit(clone)
    report(clone)
    third = commit(clone)  # the report alone: the code is that of the second
    (clone / "README.md").write_text("not what a report is made from")
    assert third != second
    assert made_from(clone) == (second, [])
    (clone / "params.yaml").write_text("other")
    (clone / "eqlib/new.py").write_text("new")
    commit(clone)
    (clone / "eqlib/study/b.py").write_text("not committed")
    (clone / "eqlib/study/d.py").write_text("not added")
    changed = ["eqlib/new.py", "eqlib/study/b.py", "eqlib/study/d.py", "params.yaml"]
    assert made_from(clone) == (second, changed)
    monkeypatch.chdir(clone)
    assert main() == 1
    made = f"The report was made from the code of commit {second[:10]}"
    assert capsys.readouterr().out == f"{made} and is older than the code. Changed since: {', '.join(changed)}.\n"


def test_code_that_came_together_in_a_merge_is_found(clone):
    commit(clone)
    git(clone, "checkout", "-q", "-b", "side")
    (clone / "eqlib/study/b.py").write_text("side")
    commit(clone)
    git(clone, "checkout", "-q", "-")
    (clone / "eqlib/a.py").write_text("main")
    commit(clone)
    git(clone, "merge", "-q", "-m", "both", "side")
    report(clone)
    merged = git(clone, "rev-parse", "HEAD")
    commit(clone)
    assert made_from(clone) == (merged, [])


def test_a_report_of_code_that_was_never_committed_is_said_to_be_one(clone):
    commit(clone)
    (clone / "eqlib/a.py").write_text("in no commit")
    report(clone)
    with pytest.raises(InputError, match=r"params.yaml, eqlib, notebooks"):
        made_from(clone)
    assert mark(clone) == (False, "The report was made from code that no commit holds.")
