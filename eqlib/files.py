"""Files: written whole or not at all, read within limits or refused by name; paths under their root; content hashes.

Whatever a stranger may have written is read here: text, JSON and arrays. Text is UTF-8, with or without a byte order
mark. JSON is what the standard says and no more: no NaN, no key twice, no lone surrogate, numbers that 64 bits hold.
"""

import errno
import hashlib
import json
import os
import re
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import numpy as np
from numpy.lib import format as npy

from eqlib.errors import InputError, shown

LIMIT = 1 << 30
"""Bytes of the largest file that is read, and of what is packed in it: some six times EqBen's annotation."""

NODES = 1 << 22
"""Records and lists of the largest JSON file that is read at once, and an eighth of its values: a record of three bytes
takes a hundred."""

CHUNK = 1 << 20
"""Characters that ``stream_json`` reads at a time; a record may have 16 times as many."""

CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
"""What no name has: printed, it could end the line or redraw the screen."""


@contextmanager
def reading(path: str | Path, kind: str, *damage: type[Exception], row: object = None) -> Iterator[None]:
    """InputError naming ``path`` where the block fails: OSError says that it cannot be read, ``damage`` that what it
    holds is not ``kind``."""
    damage = (MemoryError, *damage)
    try:
        yield
    except InputError:
        raise
    except OSError as error:
        raise InputError("a readable file", error.strerror or str(error), where=path, row=row) from error
    except damage as error:
        got = str(error).partition("\n")[0] or type(error).__name__
        raise InputError(kind, got, where=path, row=row) from error


def bounded(path: str | Path) -> Path:
    """``path`` where it is a regular file of at most LIMIT bytes (InputError): a pipe may never begin, or never end."""
    path = Path(path)
    with reading(path, "a file", ValueError):
        size = path.stat().st_size
        if not path.is_file():
            raise InputError("a file", "a folder" if path.is_dir() else "none that can be read twice", where=path)
    if size > LIMIT:
        raise InputError(f"a file of at most {LIMIT:,} bytes", f"{size:,}", where=path)
    return path


def unpacked(path: str | Path) -> Path:
    """``path`` where it is a zip archive that also unpacked has at most LIMIT bytes. Raises InputError, BadZipFile."""
    with ZipFile(bounded(path)) as archive:
        size = sum(member.file_size for member in archive.infolist())
    if size > LIMIT:
        raise InputError(f"at most {LIMIT:,} bytes unpacked", f"{size:,}", where=path)
    return Path(path)


def read_text(path: str | Path) -> str:
    """A text file. Raises InputError where it is missing, too large or no UTF-8."""
    with reading(path, "UTF-8 text", UnicodeDecodeError):
        return bounded(path).read_text(encoding="utf-8-sig")


def read_json(path: str | Path) -> Any:
    """A JSON file. Raises InputError as ``read_text``, and where it is truncated, not JSON, or has over NODES nodes."""
    text = read_text(path)
    if (nodes := max(text.count("{") + text.count("["), text.count(",") // 8)) > NODES:
        raise InputError(f"at most {NODES:,} records and lists", f"{nodes:,}", where=path)
    return parse_json(text, path)


def parse_json(text: str, where: str | Path, *, kind: str = "JSON", row: object = None) -> Any:
    """JSON that stands at ``row`` of ``where``. Raises InputError where it is not what this module takes for JSON."""
    with reading(where, kind, ValueError, RecursionError, row=row):
        value = _JSON.decode(text)
        return _encodable(value) if _SURROGATE.search(text) else value


def stream_json(path: str | Path) -> Iterator[Any]:
    """The items of a JSON list, one at a time: 1,004,192 rows of EqBen in 2 s and 12 MB (all at once: 0.9 GB)."""
    row, fault = -1, "no end of the list"
    with (
        reading(path, "a whole JSON list", ValueError, RecursionError),
        bounded(path).open(encoding="utf-8-sig") as file,
    ):
        text = file.read(CHUNK)
        if not (mark := _LIST.match(text)):
            raise InputError("a JSON list of records", "no list", where=path)
        end, paired = mark.end(), _SURROGATE.search(text) is None
        while mark[1] != "]":
            found = None
            try:
                value, behind = _JSON.scan_once(text, end)  # type: ignore[attr-defined]
                found = _NEXT.match(text, behind)
            except StopIteration:
                pass
            except ValueError as error:
                fault = str(error).partition("\n")[0]
            if found is None:  # cut at the end of what was read, or broken
                more = file.read(max(CHUNK, len(text) - end)) if len(text) - end < 16 * CHUNK else ""
                if not more:
                    after = f"after row {row}" if row >= 0 else None
                    raise InputError("a whole JSON list", fault, where=path, row=after)
                text, end = (text[end:] + more).lstrip(" \t\r\n"), 0
                paired = _SURROGATE.search(text) is None
                continue
            row, mark, end = row + 1, found, found.end()
            yield value if paired else _encodable(value)
        if text[end:].strip() or file.read(CHUNK).strip():
            raise ValueError("text behind the list")


def read_array(path: str | Path) -> np.ndarray:
    """The array of a .npy file. Never unpickles. Raises InputError where it is missing, damaged, or another kind."""
    kind = "an array saved by numpy, not pickled"
    with reading(path, kind, Exception), bounded(path).open("rb") as file:  # of a damaged header numpy raises anything
        return npy.read_array(file, allow_pickle=False)


@contextmanager
def whole(path: str | Path, *, replace_folder: bool = False) -> Iterator[Path]:
    """A temporary name beside ``path``; renamed to ``path`` when the block ends well, removed when it raises.

    It is on the disk before it is renamed: after a power cut the old stands there or the new, no empty file. Works for
    a file and for a folder (create the folder under the name given). An existing file is replaced; an existing folder
    only with ``replace_folder``, for those who own it (``made_here``), else InputError is raised before the block
    begins.
    """
    path = Path(path)
    if path.is_dir() and not replace_folder:
        raise InputError("a name that no folder has", "a folder", where=path)
    path.parent.mkdir(parents=True, exist_ok=True)
    parent = tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent)
    draft = Path(parent) / path.name
    try:
        yield draft
        flush(draft)
        if path.is_dir():
            path.rename(Path(parent) / "replaced")  # rename cannot replace a folder that is not empty
        os.replace(draft, path)
    except Exception as error:
        if "No space left" in str(error):  # nobody says where; safetensors raises an error of its own
            raise OSError(errno.ENOSPC, "no space left on the disk", str(path)) from error
        raise
    finally:
        shutil.rmtree(parent, ignore_errors=True)


def flush(path: Path) -> None:
    """To the disk, a file or a folder with all that is in it."""
    for one in (*(path.rglob("*") if path.is_dir() else ()), path):
        handle = os.open(one, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def made_here(folder: str | Path, mark: str) -> bool:
    """Whether nothing of anyone else's can be lost with ``folder``: it is absent, empty, or has the file ``mark``,
    which only its maker writes."""
    folder = Path(folder)
    return (folder / mark).is_file() or not folder.exists() or not any(folder.iterdir())


def write_json(path: str | Path, value: object) -> None:
    """JSON with sorted keys and a final newline, written whole. NaN is refused: no reader agrees on it."""
    text = json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False)
    with whole(path) as draft:
        draft.write_text(text + "\n", encoding="utf-8")


def under(root: str | Path, name: object, *, where: str | Path | None = None, row: object = None) -> Path:
    """``root / name`` for a path read from an annotation. Absolute and climbing names are refused (InputError)."""
    return Path(root) / relative(name, where=where, row=row)


def relative(name: object, *, where: str | Path | None = None, row: object = None) -> str:
    """``name`` where it stays under any root (InputError). On text alone: a Path takes 10 us, 10 s for EqBen's."""
    if not isinstance(name, str) or not name:
        raise InputError("a relative path", shown(name), where=where, row=row)
    if name[0] == "/" or "\\" in name or CONTROL.search(name) or (".." in name and ".." in name.split("/")):
        raise InputError("a path under its root", shown(name), where=where, row=row)
    if len(name) > 60 or not name.isascii():  # a name that is shorter fits, whatever its letters
        try:
            parts = name.encode().split(b"/")
        except UnicodeEncodeError:
            raise InputError("a path in Unicode", shown(name), where=where, row=row) from None
        if len(name) > 2_000 or max(map(len, parts)) > 250:  # 255, less a suffix
            raise InputError("a path that a file system takes", shown(name), where=where, row=row)
    return name


def link_out(root: str, path: str | Path) -> str | None:
    """The place that ``path`` leads to, its links followed, where that is not under ``root``, a real path; or None.

    A link into DVC's cache, which is how DVC lays out data with ``cache.type symlink``, is none.
    """
    real = os.path.realpath(path)
    kept = real.startswith(root.rstrip(os.sep) + os.sep) or _CACHED.search(real)
    return None if kept else real


def content_hash(paths: list[Path] | Path) -> str:
    """SHA-256 (hex) of the bytes of one file, or of several in the order given."""
    digest = hashlib.sha256()
    for path in [paths] if isinstance(paths, Path) else paths:
        with path.open("rb") as file:
            hashlib.file_digest(file, lambda: digest)
    return digest.hexdigest()


def _once(pairs: list[tuple[str, object]]) -> dict:
    found = dict(pairs)
    if len(found) != len(pairs):
        again = Counter(key for key, _ in pairs).most_common(1)[0][0]
        raise ValueError(f"the key {shown(again)} more than once")
    return found


def _finite(text: str) -> float:
    if abs(value := float(text)) == float("inf"):
        raise ValueError(f"{shown(text)}, which is no number of 64 bits")
    return value


def _whole(text: str) -> int:
    if len(text) > 20 or not -(1 << 63) <= (value := int(text)) < 1 << 64:
        raise ValueError(f"{shown(text)}, which is no number of 64 bits")
    return value


def _no_number(text: str) -> None:
    raise ValueError(f"{text}, which is no finite number and not JSON")


def _encodable(value: object) -> object:
    json.dumps(value, ensure_ascii=False).encode()  # UnicodeEncodeError, a ValueError, for half a pair of surrogates
    return value


_JSON = json.JSONDecoder(object_pairs_hook=_once, parse_float=_finite, parse_int=_whole, parse_constant=_no_number)
_CACHED = re.compile(r"/files/md5/[0-9a-f]{2}/[0-9a-f]{30}$")  # an object of DVC's cache
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
_LIST = re.compile(r"[ \t\r\n]*\[[ \t\r\n]*(\])?")
_NEXT = re.compile(r"[ \t\r\n]*([,\]])[ \t\r\n]*")
