"""What a report was made from: hashes and versions, nothing that differs between two runs of the same code and data."""

import hashlib
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from eqlib.files import content_hash, read_json

PACKAGES = ["torch", "open_clip_torch", "numpy", "pandas", "scipy", "pyarrow", "pillow", "matplotlib", "seaborn"]

_IGNORED = ("__pycache__", ".ipynb_checkpoints")


def git_tree(folder: str | Path) -> str:
    """The id git gives to ``folder`` as it lies on disk: equal to ``git rev-parse HEAD:folder`` when all is committed.

    The report is itself committed, so the commit that holds it cannot be named in it. The tree it was made from can,
    and ``git log --find-object=ID`` finds its commits. Works without git.
    """
    return _tree(Path(folder)).hex()


def _tree(folder: Path) -> bytes:
    entries = []
    for path in folder.iterdir():
        if path.name in _IGNORED or path.suffix == ".pyc":
            continue
        if path.is_dir():
            if any(file.is_file() and not set(file.parts) & set(_IGNORED) for file in path.rglob("*")):
                entries.append((path.name + "/", b"40000", path.name, _tree(path)))
        else:
            mode = b"100755" if path.stat().st_mode & 0o111 else b"100644"
            entries.append((path.name, mode, path.name, _object(b"blob", path.read_bytes())))
    body = b"".join(mode + b" " + name.encode() + b"\0" + digest for _, mode, name, digest in sorted(entries))
    return _object(b"tree", body)


def _object(kind: bytes, body: bytes) -> bytes:
    return hashlib.sha1(kind + b" " + str(len(body)).encode() + b"\0" + body, usedforsecurity=False).digest()


def provenance(*, code: list[Path], data: Path | None, tables: list[Path]) -> dict[str, str]:
    """Label to value: trees of ``code`` folders, the ``data`` manifest's hash, one hash of ``tables``, versions."""
    facts = {f"git tree of {folder.name}/": git_tree(folder) for folder in code if folder.is_dir()}
    if data is not None and (data / "manifest.json").is_file():
        manifest = read_json(data / "manifest.json")
        for key in ("edition", "seed", "content"):
            if isinstance(manifest, dict) and isinstance(manifest.get(key), str | int):
                facts[f"data {key}"] = str(manifest[key])
        facts["data manifest (SHA-256)"] = content_hash(data / "manifest.json")
    present = [path for path in tables if path.is_file()]
    if present:
        facts[f"tables: {', '.join(path.name for path in present)} (SHA-256)"] = content_hash(present)
    facts["Python"] = platform.python_version()
    for package in PACKAGES:
        try:
            facts[package] = version(package)
        except PackageNotFoundError:
            continue
    return facts
