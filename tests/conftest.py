"""Fixtures for every room."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of golden values and real files beside the repository (``EQLIB_SHARED`` names another place)."""
    folder = Path(os.environ.get("EQLIB_SHARED", ROOT.parent / "shared"))
    if not (folder / "README.md").is_file():
        pytest.skip("golden values and real files are not beside this clone (../shared, or EQLIB_SHARED)")
    return folder


@pytest.fixture(scope="session")
def root() -> Path:
    """The repository."""
    return ROOT
