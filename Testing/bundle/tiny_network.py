"""A network that trains in seconds, in place of a real one."""

from __future__ import annotations

TINY = {
    "_target_": "monai.networks.nets.UNet",
    "spatial_dims": 2,
    "in_channels": 3,
    "out_channels": 8,
    "channels": [8, 16, 32],
    "strides": [2, 2],
}
"""It learns colours; its normalisation looks at one picture at a time."""
