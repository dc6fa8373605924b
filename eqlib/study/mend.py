"""Finds what was damaged on the disk: ``python -m eqlib.study.mend``; `make study` begins with it.

DVC names an object of its cache by the MD5 of its bytes, and takes it later without another look. Here each is looked
at: one that is not as it was written is removed and named, with every copy of it under build/ and data/, and the next
`dvc repro` makes them again. Seconds a gigabyte.
"""

import hashlib
import sys
from pathlib import Path


def mend(root: str | Path = ".") -> list[Path]:
    """The files that were removed, objects first."""
    root, removed, wrong = Path(root), [], set()
    for path in _files(root / ".dvc" / "cache" / "files" / "md5"):
        if (md5 := _md5(path)) != path.parent.name + path.name.removesuffix(".dir"):
            removed.append(path)
            wrong.add(md5)
    if removed:
        removed += [path for top in ("build", "data") for path in _files(root / top) if _md5(path) in wrong]
    for path in removed:
        path.unlink()
    return removed


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def _md5(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "md5").hexdigest()


if __name__ == "__main__":
    for path in mend():
        print(f"{path}: not as it was written; removed, for dvc repro to make again", file=sys.stderr)
