"""Whether reports/ is older than the code: ``python -m eqlib.study.report.fresh``, which exits with 1 where it is.

A report cannot name the commit that will hold it, so it names git's ids of what it was made from (provenance.json).
Here they are looked up: their commit, and the files that differ from it.
"""

import re
import subprocess
import sys
from pathlib import Path

from eqlib.errors import InputError
from eqlib.files import read_json


def made_from(root: str | Path = ".") -> tuple[str, list[str]]:
    """The commit that ``root``/reports was made from, and the files of its code that are other now, new ones included.
    Raises InputError where no commit up to HEAD holds all that the report names."""
    where = Path(root) / "reports" / "provenance.json"
    facts = read_json(where)
    named = {found[1]: facts[label] for label in facts if (found := re.fullmatch(r"git (?:tree|blob) of (.+)", label))}
    for commit in _git(root, "log", "-m", "--format=%H", *(f"--find-object={id}" for id in named.values())):
        if _git(root, "rev-parse", *(f"{commit}:{name}" for name in named)) == list(named.values()):
            changed = _git(root, "diff", "--name-only", commit, "--", *named)
            return commit, sorted(changed + _git(root, "ls-files", "--others", "--exclude-standard", "--", *named))
    raise InputError("what a commit holds: " + ", ".join(named), "code that was not committed like this", where=where)


def _git(root: str | Path, *arguments: str) -> list[str]:
    """Lines of an answer; none where git does not know one of the names."""
    done = subprocess.run(["git", *arguments], cwd=root, capture_output=True, text=True)
    return [] if done.returncode else done.stdout.splitlines()


def mark(root: str | Path = ".") -> tuple[bool, str]:
    """Whether the report is of the code as it stands, and a sentence that says so."""
    try:
        commit, changed = made_from(root)
    except InputError:
        return False, "The report was made from code that no commit holds."
    made = f"The report was made from the code of commit {commit[:10]}"
    if changed:
        return False, f"{made} and is older than the code. Changed since: {', '.join(changed)}."
    return True, f"{made}, as it stands."


def main() -> int:
    fresh, said = mark()
    print(said)
    return not fresh


if __name__ == "__main__":
    sys.exit(main())
