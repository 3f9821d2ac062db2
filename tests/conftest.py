"""Shared fixtures."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def balrog_data() -> Path:
    """The folder of public BALROG records: `EMBODIED_BALROG_DATA`, or `../shared/data/balrog` beside the checkout."""
    root = Path(os.environ.get("EMBODIED_BALROG_DATA", Path(__file__).parents[2] / "shared/data/balrog"))
    if not (root / "manifest.json").is_file():
        pytest.skip("the public BALROG records are not here; set EMBODIED_BALROG_DATA to their folder")
    return root
