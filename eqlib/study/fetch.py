"""The published sets, from where their makers keep them: ``python -m eqlib.study.fetch NAME FOLDER``.

``fetch.toml`` beside this file names sets, addresses and checksums. A file is written whole or not at all. A download
that broke off stays beside it as ``.NAME.*.part``, and the same command goes on from there. Nothing is unpacked: the
last lines say what to do next.
"""

import argparse
import hashlib
import os
import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

from huggingface_hub import get_hf_file_metadata
from huggingface_hub.constants import ENDPOINT
from huggingface_hub.errors import HTTPError  # httpx's, under whichever name the hub's library has it
from huggingface_hub.file_download import http_get
from huggingface_hub.utils import build_hf_headers

from eqlib.errors import InputError
from eqlib.files import content_hash, flush, under
from eqlib.study.command import command

TABLE = Path(__file__).with_suffix(".toml")
HUB = "hub:"
"""What an address on the Hugging Face hub, or on HF_ENDPOINT, begins with. The user's token goes there alone."""

CHECKSUM = re.compile("[0-9a-f]{40}|[0-9a-f]{64}")


def digest(path: Path, like: str) -> str:
    """Of the bytes of ``path``, hex: SHA-256, or where ``like`` has 40 digits the SHA-1 that git knows them by."""
    if len(like) == 64:
        return content_hash(path)
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.sha1(b"blob %d\0" % path.stat().st_size)).hexdigest()


def fetch_file(url: str, path: Path, *, checksum: str = "", hub: bool = False) -> str:
    """Bring the bytes at ``url`` to ``path``; a sentence on how they were checked.

    ``checksum``: see ``digest``; without one a file of the hub has the hub's own, which is its ETag, and any other is
    checked by its size. Raises InputError where size or checksum differ: what came is removed, a file that stood there
    before is left alone. Raises OSError or HTTPError where the host refuses or the connection breaks.
    """
    token = None if hub else False  # None: the user's own
    found = get_hf_file_metadata(url, token=token)
    if not checksum and hub and CHECKSUM.fullmatch(found.etag or ""):
        checksum = str(found.etag)

    def check(held: Path) -> str:
        if found.size is not None and (size := held.stat().st_size) != found.size:
            raise InputError(f"{found.size:,} bytes", f"{size:,}", where=path)
        if checksum and (got := digest(held, checksum)) != checksum:
            raise InputError(f"the checksum {checksum}", got, where=path)
        return "the checksum is right" if checksum else "of the host's size; no checksum is published"

    if path.exists():
        return f"was here, {check(path)}"
    path.parent.mkdir(parents=True, exist_ok=True)
    version = hashlib.sha256(str(found.etag).encode()).hexdigest()[:12]  # no part of another version is gone on with
    part = path.with_name(f".{path.name}.{version}.part")
    with part.open("ab") as file:
        if (held := file.tell()) != found.size:
            headers = build_hf_headers(token=token) if hub else {}
            http_get(url, file, resume_size=held, headers=headers | {"Accept-Encoding": "identity"})
    try:
        told = check(part)
    except InputError:
        part.unlink()
        raise
    flush(part)
    os.replace(part, path)
    return told


def fetch(source: dict[str, Any], folder: Path) -> Iterator[str]:
    """Every file of an entry of the table, a line each. Raises InputError naming the address, or the file."""
    hub = source["base"].startswith(HUB)
    base = f"{ENDPOINT}/{source['base'].removeprefix(HUB)}" if hub else source["base"]
    for name, checksum in source["files"].items():
        url = urljoin(base, name)
        path = under(folder, f"{source['folder']}/{name.rpartition('/')[2]}", where=url)
        try:
            yield f"{path}: {fetch_file(url, path, checksum=checksum, hub=hub)}"
        except (HTTPError, OSError) as error:
            status = getattr(getattr(error, "response", None), "status_code", None)
            expected = "the whole file; the same command goes on where this one stopped"
            if status in (401, 403):
                expected = source.get("gate", "an address that is open to all")
            elif status and status < 500:
                expected = f"the file, of which {source['page']} tells"
            got = f"HTTP {status}" if status else str(error).partition("\n")[0] or type(error).__name__
            raise InputError(expected, got, where=url) from error


@command
def main(arguments: list[str] | None = None, table: Path = TABLE) -> int:
    sources = tomllib.loads(table.read_text(encoding="utf-8"))
    parser = argparse.ArgumentParser(prog="python -m eqlib.study.fetch", description=__doc__.splitlines()[0])
    parser.add_argument("name", choices=sources, metavar="NAME", help=", ".join(sources))
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="the folder that holds the sets")
    options = parser.parse_args(arguments)
    source = sources[options.name]
    for line in fetch(source, options.folder):
        print(line, flush=True)
    print(f"next, in {options.folder}:", *source["next"], sep="\n  ")
    return 0


if __name__ == "__main__":
    sys.exit(main())
