"""What the RASNet module does with cases and MRML nodes, and its panel; no torch and no MONAI in here."""  # noqa: N999 (Slicer names a module's library after the module)
