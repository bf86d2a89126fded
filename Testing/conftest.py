"""Fixtures that every test folder shares."""

from pathlib import Path

import pytest

SHARED = Path(__file__).resolve().parents[2] / "shared"
SHARED_DATA = SHARED / "data"
SHARED_SCHEMA = SHARED / "schema" / "meta_schema_20240725.json"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of real surgical frames, which the project may not ship."""
    if not SHARED_DATA.is_dir():
        pytest.skip(f"real surgical frames are not at {SHARED_DATA}")
    return SHARED_DATA


@pytest.fixture(scope="session")
def metadata_schema() -> Path:
    """MONAI's JSON schema of ``metadata.json``, which is published apart from MONAI."""
    if not SHARED_SCHEMA.is_file():
        pytest.skip(f"MONAI's metadata schema is not at {SHARED_SCHEMA}")
    return SHARED_SCHEMA
