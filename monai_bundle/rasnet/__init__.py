"""RASNet: find surgical instruments in endoscopic video, per pixel and per category."""

__version__ = "0.1.0"
