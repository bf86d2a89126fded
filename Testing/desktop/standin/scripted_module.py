"""Stand-in for `slicer.ScriptedLoadableModule`: the four classes that a scripted module is made of."""

from __future__ import annotations

import sys
import unittest
from pathlib import Path
from types import ModuleType
from typing import Any

import slicer

from standin.pythonqt import qt


class ScriptedLoadableModule:
    def __init__(self, parent: Any) -> None:
        self.parent = parent
        self.moduleName = type(self).__name__

    def resourcePath(self, name: str) -> str:  # noqa: N802
        return str(Path(self.parent.path).parent / "Resources" / name)

    def runTest(self, msec: int = 100) -> None:  # noqa: N802
        test = getattr(sys.modules[type(self).__module__], f"{self.moduleName}Test")()
        test.messageDelay = msec
        test.runTest()


class ScriptedLoadableModuleWidget:
    def __init__(self, parent: Any = None) -> None:
        super().__init__()
        self.moduleName = type(self).__name__.removesuffix("Widget")
        self.parent = parent
        self.layout = parent.layout()
        slicer.app.moduleManager().connect("moduleAboutToBeUnloaded(QString)", self._onModuleAboutToBeUnloaded)

    def resourcePath(self, name: str) -> str:  # noqa: N802
        return str(Path(slicer.util.modulePath(self.moduleName)).parent / "Resources" / name)

    def setup(self) -> None:
        """Slicer adds a section for developers here."""

    def cleanup(self) -> None:
        """The module is about to go."""

    def _onModuleAboutToBeUnloaded(self, name: str) -> None:  # noqa: N802
        if name == self.moduleName:
            self.cleanup()
            manager = slicer.app.moduleManager()
            manager.disconnect("moduleAboutToBeUnloaded(QString)", self._onModuleAboutToBeUnloaded)


class ScriptedLoadableModuleLogic:
    def __init__(self, parent: Any = None) -> None:
        super().__init__()
        self.moduleName = type(self).__name__.removesuffix("Logic")

    def getParameterNode(self) -> slicer.vtkMRMLScriptedModuleNode:  # noqa: N802
        node = slicer.mrmlScene.GetSingletonNode(self.moduleName, "vtkMRMLScriptedModuleNode")
        if node is None:
            node = slicer.mrmlScene.CreateNodeByClass("vtkMRMLScriptedModuleNode")
            node.UnRegister(None)
            node.SetSingletonTag(self.moduleName)
            node.SetModuleName(self.moduleName)
            node.SetName(self.moduleName)
            node = slicer.mrmlScene.AddNode(node)
        node.SetAttribute("ModuleName", self.moduleName)
        return node


class ScriptedLoadableModuleTest(unittest.TestCase):
    messageDelay = 0  # noqa: N815

    def runTest(self) -> None:  # noqa: N802
        """What a module's own test class overrides."""

    def delayDisplay(self, message: str, msec: int | None = None) -> None:  # noqa: N802
        """Slicer shows the message for a while."""
        qt.QApplication.processEvents()


module = ModuleType("slicer.ScriptedLoadableModule", __doc__)
module.__all__ = []
for _kind in (
    ScriptedLoadableModule,
    ScriptedLoadableModuleWidget,
    ScriptedLoadableModuleLogic,
    ScriptedLoadableModuleTest,
):
    setattr(module, _kind.__name__, _kind)
    module.__all__.append(_kind.__name__)
