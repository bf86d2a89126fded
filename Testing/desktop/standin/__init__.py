"""A stand-in for the parts of 3D Slicer's desktop that slicer-core lacks: Qt through PythonQt, ctk, qMRML widgets.

MRML, VTK, sequences, segmentations and `slicer.util` are Slicer's own. What is in here only stands in for the
desktop, as far as RASNet's panel uses it: see the README beside this folder. It is not Slicer, and a picture of a
panel that was built with it is no screenshot of Slicer.
"""
