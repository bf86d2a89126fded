"""Slicer's catalogue of extensions: its entry and what it checks, by the rules of Slicer/ExtensionsIndex."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import PurePosixPath
from urllib.parse import urlparse

import pytest
from extension import ROOT, TOP, cmake_value

ENTRY = ROOT / "RASNet.json"


def test_the_catalogue_entry_has_the_fields_that_its_schema_allows() -> None:
    entry = json.loads(ENTRY.read_text(encoding="utf-8"))

    schema = "https://raw.githubusercontent.com/Slicer/Slicer/main/Schemas/slicer-extension-catalog-entry-schema-"
    assert entry["$schema"] == f"{schema}v1.0.1.json#"
    assert {"$schema", "category", "scm_url"} <= set(entry)
    assert {name: type(value) for name, value in entry.items() if name != "$schema"} == {
        "build_dependencies": list,
        "build_subdirectory": str,
        "category": str,
        "scm_url": str,
        "tier": int,
    }
    assert entry["category"] == "Segmentation"
    assert 1 <= entry["tier"] <= 5


def test_the_catalogue_entry_is_laid_out_as_the_catalogue_wants_it() -> None:
    text = ENTRY.read_bytes()

    assert text.decode("ascii") == json.dumps(json.loads(text), indent=2, sort_keys=True) + "\n"


def test_the_extension_is_named_by_the_rules() -> None:
    assert re.findall(r"^project\((\w+)\)", TOP, re.MULTILINE) == [ENTRY.stem]
    assert not ENTRY.stem.lower().startswith("slicer")
    address = urlparse(json.loads(ENTRY.read_text(encoding="utf-8"))["scm_url"])
    assert address.scheme == "https"
    assert PurePosixPath(address.path).stem.startswith("Slicer")


def test_the_catalogue_and_cmake_name_the_same_dependencies() -> None:
    entry = json.loads(ENTRY.read_text(encoding="utf-8"))

    assert entry["build_dependencies"] == cmake_value("EXTENSION_DEPENDS").split()


def test_addresses_point_into_the_repository_at_what_is_there() -> None:
    home = cmake_value("EXTENSION_HOMEPAGE")
    raw = home.replace("https://github.com/", "https://raw.githubusercontent.com/") + "/main/"
    pictures = [cmake_value("EXTENSION_ICONURL"), *cmake_value("EXTENSION_SCREENSHOTURLS").split()]

    assert json.loads(ENTRY.read_text(encoding="utf-8"))["scm_url"] == f"{home}.git"
    assert len(pictures) >= 2
    for picture in pictures:
        assert picture.startswith(raw)
        assert (ROOT / picture.removeprefix(raw)).suffix in (".png", ".jpg")
        assert (ROOT / picture.removeprefix(raw)).is_file()


def test_licence_and_description_say_the_terms() -> None:
    assert (ROOT / "LICENSE").is_file()
    assert "Apache-2.0" in cmake_value("EXTENSION_DESCRIPTION")
    assert "CC BY-NC-SA" in cmake_value("EXTENSION_DESCRIPTION")


def test_slicer_shows_the_whole_of_every_text() -> None:
    # Slicer's macros take a semicolon for the end of a text.
    for name in ("HOMEPAGE", "CONTRIBUTORS", "DESCRIPTION", "ICONURL", "SCREENSHOTURLS", "DEPENDS"):
        assert ";" not in cmake_value(f"EXTENSION_{name}")


def test_the_repository_is_small_enough_for_the_catalogue() -> None:
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    listed = subprocess.run(["git", "-C", ROOT, "ls-files", "-z"], capture_output=True, check=True).stdout
    tracked = [ROOT / os.fsdecode(name) for name in listed.split(b"\0") if name]

    # With no revision in its entry it is cloned without history, and holds every file twice: in git's store and as
    # itself. The limit is 100 MB.
    assert "scm_revision" not in json.loads(ENTRY.read_text(encoding="utf-8"))
    assert 2 * sum(path.stat().st_size for path in tracked if path.is_file()) <= 100 * 2**20
