# Slicer's files of this kind pack the extension for its server; the stand-in has nothing to add.
