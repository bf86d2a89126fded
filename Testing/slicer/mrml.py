"""Slicer's scene and logics without its application, as the application would start them."""

from __future__ import annotations

from types import SimpleNamespace

import slicer

_LOGICS = {
    "Volumes": "vtkSlicerVolumesLogic",
    "Terminologies": "vtkSlicerTerminologiesModuleLogic",
    "SubjectHierarchy": "vtkSlicerSubjectHierarchyModuleLogic",
    "Segmentations": "vtkSlicerSegmentationsModuleLogic",
    "Sequences": "vtkSlicerSequencesLogic",
    "Tables": "vtkSlicerTablesLogic",
    "Texts": "vtkSlicerTextsLogic",
    "Markups": "vtkSlicerMarkupsLogic",
    "Transforms": "vtkSlicerTransformLogic",
}


class Mrml:
    """A scene with everything that reacts to what happens in it.

    Args:
        cache: folder for files that the scene unpacks when it reads archives.
    """

    def __init__(self, cache: str) -> None:
        self.scene = slicer.vtkMRMLScene()
        self.application = slicer.vtkSlicerApplicationLogic()
        self.application.SetMRMLScene(self.scene)
        colors = slicer.vtkMRMLColorLogic()
        colors.SetMRMLApplicationLogic(self.application)
        colors.SetMRMLScene(self.scene)
        self.application.SetModuleLogic("Colors", colors)
        self.logics = {"Colors": colors}
        for name, kind in _LOGICS.items():
            logic = getattr(slicer, kind)()
            logic.SetMRMLApplicationLogic(self.application)
            logic.SetMRMLScene(self.scene)
            self.application.SetModuleLogic(name, logic)
            self.logics[name] = logic
        self._cache = slicer.vtkCacheManager()
        self._cache.SetRemoteCacheDirectory(cache)
        self.scene.SetCacheManager(self._cache)
        self._data = slicer.vtkDataIOManager()
        self._data.SetCacheManager(self._cache)
        self.scene.SetDataIOManager(self._data)
        # slicer.util asks for these.
        slicer.mrmlScene = self.scene
        slicer.modules = SimpleNamespace(
            **{name.lower(): SimpleNamespace(logic=lambda logic=logic: logic) for name, logic in self.logics.items()}
        )

    def stop(self) -> None:
        """Let go of observers: a scene that the garbage collector finds would call those that it has cleared."""
        self.scene.RemoveAllObservers()
