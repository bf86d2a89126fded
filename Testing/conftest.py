"""Fixtures that every test folder shares."""

from pathlib import Path

import pytest

SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of real surgical frames, which the project may not ship."""
    if not SHARED_DATA.is_dir():
        pytest.skip(f"real surgical frames are not at {SHARED_DATA}")
    return SHARED_DATA
