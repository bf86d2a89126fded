"""The stand-in has PythonQt's manners where code written for them would notice, and leaves nothing behind."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

pytest.importorskip("slicer_core", reason="the package slicer-core is not installed")
pytest.importorskip("PySide6", reason="the package PySide6-Essentials is not installed")

import slicer
from mrml import Mrml
from standin.application import Desk
from standin.pythonqt import application, qt


@pytest.fixture(autouse=True)
def _application() -> None:
    application()


def test_properties_have_no_parentheses() -> None:
    box = qt.QSpinBox()
    box.maximum = 7
    box.value = 12

    assert box.value == box.maximum == 7
    assert (box.name, box.className()) == ("", "QSpinBox")


def test_what_a_widget_does_not_have_cannot_be_set() -> None:
    with pytest.raises(AttributeError, match="no property vlaue"):
        qt.QSpinBox().vlaue = 3


def test_signals_are_connected_by_signature_or_by_name() -> None:
    seen: list[int] = []
    box = qt.QSpinBox()
    box.connect("valueChanged(int)", seen.append)
    box.value = 1
    box.disconnect("valueChanged(int)", seen.append)
    box.valueChanged.connect(lambda value: seen.append(10 * value))
    box.value = 2

    assert seen == [1, 20]


def test_a_signal_that_is_not_there_is_an_error() -> None:
    with pytest.raises(ValueError, match="QPushButton has no signal valueChanged"):
        qt.QPushButton().connect("valueChanged(int)", print)


def test_it_is_gone_after_the_test(mrml: Mrml, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = {"qt", "ctk", "slicer.i18n", "slicer.ScriptedLoadableModule"} & set(sys.modules)
    names = set(dir(slicer))

    with monkeypatch.context() as patch:
        module = Path(__file__).resolve().parents[2] / "RASNetSlicer" / "RASNetSlicer.py"
        Desk(mrml, str(tmp_path), patch, module).close()

    assert {"qt", "ctk", "slicer.i18n", "slicer.ScriptedLoadableModule"} & set(sys.modules) == before
    assert set(dir(slicer)) == names
