"""Where a report comes from, in names that git can find."""

from __future__ import annotations

import subprocess
import sys

import pytest

from eqlib.study.report.provenance import git_tree, provenance


def git(folder, *arguments):
    command = ["git", "-c", "user.name=n", "-c", "user.email=e@x", *arguments]
    return subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout.strip()


def test_the_tree_is_the_one_git_names(tmp_path):
    code = tmp_path / "code"
    for name in ("a.py", "a/b.py", "a.b/c.txt", "__pycache__/a.pyc"):
        (code / name).parent.mkdir(parents=True, exist_ok=True)
        (code / name).write_text(name)
    (code / "run").write_text("#!/bin/sh\n")
    (code / "run").chmod(0o755)
    (tmp_path / ".gitignore").write_text("__pycache__/\n")
    try:
        git(tmp_path, "init", "-q")
    except FileNotFoundError:
        pytest.skip("no git on this machine")
    git(tmp_path, "add", "-A")
    git(tmp_path, "commit", "-q", "-m", "one")
    assert git_tree(code) == git(tmp_path, "rev-parse", "HEAD:code")


def test_facts_name_the_tables_and_change_with_them(tmp_path):
    table = tmp_path / "summary.csv"
    table.write_text("a\n1\n")
    first = provenance(code={}, data=None, tables=[table, tmp_path / "absent.csv"])
    table.write_text("a\n2\n")
    second = provenance(code={}, data=None, tables=[table])
    assert {name for name in first if first[name] != second[name]} == {"tables: summary.csv (SHA-256)"}
    assert "matplotlib" in first


def test_the_report_imports_no_torch():
    modules = "browser, build, tables, words"
    code = f"import sys; from eqlib.study.report import {modules}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
