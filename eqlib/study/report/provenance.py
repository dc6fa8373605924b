"""What a report was made from: hashes and versions, nothing that differs between two runs of the same code and data."""

import platform
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path

from dulwich.index import commit_tree
from dulwich.object_store import MemoryObjectStore
from dulwich.objects import Blob

from eqlib.files import content_hash, read_json

PACKAGES = ["torch", "open_clip_torch", "numpy", "pandas", "scipy", "pyarrow", "pillow", "matplotlib", "seaborn"]


def git_tree(folder: str | Path) -> str:
    """The id git gives to ``folder`` as it lies on disk: equal to ``git rev-parse HEAD:folder`` when all is committed.

    The report is itself committed, so the commit that holds it cannot be named in it. The tree it was made from can,
    and ``git log --find-object=ID`` finds its commits. Works without git.
    """
    found = [
        (bytes(path.relative_to(folder)), _blob(path), 0o100755 if path.stat().st_mode & 0o111 else 0o100644)
        for path in sorted(Path(folder).rglob("*"))
        if path.is_file() and path.suffix != ".pyc" and not set(path.parts) & {"__pycache__", ".ipynb_checkpoints"}
    ]
    return commit_tree(MemoryObjectStore(), found).decode()


def _blob(path: Path) -> bytes:
    return Blob.from_string(path.read_bytes()).id


def provenance(*, code: Mapping[str, Path], data: Path | None, tables: list[Path]) -> dict[str, str]:
    """Label to value: git's ids of ``code`` (name in the repository: where its folder or file lies), the ``data``
    manifest's hash, one hash of ``tables``, versions."""
    facts = {f"git tree of {name}": git_tree(path) for name, path in code.items() if path.is_dir()}
    facts |= {f"git blob of {name}": _blob(path).decode() for name, path in code.items() if path.is_file()}
    if data is not None and (data / "manifest.json").is_file():
        manifest = read_json(data / "manifest.json")
        facts |= {f"data {key}": str(manifest[key]) for key in ("edition", "seed", "content") if key in manifest}
        facts["data manifest (SHA-256)"] = content_hash(data / "manifest.json")
    present = [path for path in tables if path.is_file()]
    facts[f"tables: {', '.join(path.name for path in present)} (SHA-256)"] = content_hash(present)
    return facts | {"Python": platform.python_version()} | {package: version(package) for package in PACKAGES}
