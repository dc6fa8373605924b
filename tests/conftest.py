"""Fixtures for every room."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("eqlib", deadline=None)  # on a busy machine the smallest example takes a second
settings.load_profile("eqlib")

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real files beside the repository (``EQLIB_SHARED`` names another place)."""
    folder = Path(os.environ.get("EQLIB_SHARED", ROOT.parent / "shared"))
    if not (folder / "README.md").is_file():
        pytest.skip("real files are not beside this clone (../shared, or EQLIB_SHARED)")
    return folder


@pytest.fixture(scope="session")
def golden_folder(tmp_path_factory) -> Path:
    """The numbers of the official code, unpacked; see golden/README.md."""
    folder = tmp_path_factory.mktemp("golden")
    for archive in sorted((ROOT / "tests" / "golden").glob("*.tar.xz")):
        shutil.unpack_archive(archive, folder, filter="data")
    return folder


@pytest.fixture(scope="session")
def root() -> Path:
    """The repository."""
    return ROOT
