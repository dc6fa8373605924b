"""Pictures inside tar files: a member is read at its offset, nothing is ever extracted.

A picture is addressed as ``folder/shard.tar/key.png``. An index is kept per process; each read opens the file anew, so
a process made by fork shares no position with its parent.
"""

import tarfile
from functools import cache
from pathlib import Path

from eqlib.errors import InputError, shown
from eqlib.files import reading

BLOCK = 512


def tar_index(path: str | Path) -> dict[str, tuple[int, int]]:
    """Name -> (offset, size) in bytes of each regular member of an uncompressed tar, in the file's order.

    Raises InputError for a file that is missing, compressed, cut off, damaged, or holds one name twice.
    """
    path = Path(path)
    with reading(path, "a tar file"):
        found = path.stat()
    return _index(str(path), found.st_mtime_ns, found.st_size)


@cache
def _index(path: str, _changed: int, size: int) -> dict[str, tuple[int, int]]:
    members: dict[str, tuple[int, int]] = {}
    end = 0
    with (
        reading(path, "an uncompressed tar", Exception),  # of a damaged header tarfile raises anything
        open(path, "rb") as file,
        tarfile.open(fileobj=file, mode="r:") as tar,
    ):
        for member in tar:
            # A header may claim any size: below 0, tarfile would come to this member again and again.
            if member.size < 0 or not member.offset_data <= tar.offset <= size:
                got = f"a header of {member.size:,} bytes"
                raise InputError("members that the file has room for", got, where=path, row=shown(member.name))
            end = tar.offset
            if member.isreg() and not member.issparse():
                if member.name in members:
                    raise InputError("each name once", f"{shown(member.name)} again", where=path)
                members[member.name] = (member.offset_data, member.size)
            tar.members = []  # type: ignore[attr-defined]  # else an object a member stays, ten times what is kept
        file.seek(end)
        mark = file.read(BLOCK)
    if mark != bytes(BLOCK):  # tarfile takes damage behind the first member for the end
        raise InputError("an end mark behind the last member", f"none at byte {end} of {size}", where=path)
    return members


def member_of(path: str | Path) -> tuple[Path, str] | None:
    """The tar and the member's name that ``path`` addresses, or None for a path that leads through no tar file."""
    path = Path(path)
    for tar in path.parents if ".tar/" in path.as_posix() else ():
        if tar.suffix == ".tar" and tar.is_file():
            return tar, path.relative_to(tar).as_posix()
    return None


def read_member(tar: Path, name: str) -> bytes:
    """The bytes of one member. Raises FileNotFoundError where the tar has no such member, InputError where damaged."""
    index = tar_index(tar)
    if name not in index:
        raise FileNotFoundError(name)
    offset, size = index[name]
    with tar.open("rb") as file:
        file.seek(offset)
        return file.read(size)
