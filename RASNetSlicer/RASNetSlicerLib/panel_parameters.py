"""What the panel is set to, typed, in a node of the scene."""

# No postponed annotations here: Slicer reads them when the class is made.
from typing import Annotated

import slicer
from slicer.parameterNodeWrapper import Choice, WithinRange, parameterNodeWrapper

SCALES = {"automatic": None, "full": 1, "half": 2, "quarter": 4}
"""Source pixels along the side of one pixel in Slicer, by what the panel calls it."""

_ANY_FRAME = 100_000_000


@parameterNodeWrapper
class PanelParameters:
    """What the panel is set to; it is saved with the scene.

    Attributes:
        source: video or folder of images; "" where the case knows it.
        case_folder: folder of the case.
        image_browser: an image sequence that is in the scene already.
        first_frame: first frame in Slicer.
        last_frame: last frame in Slicer; -1 is the end of the video.
        every_nth: distance of frames in Slicer; 0 is as much as memory takes.
        scale: resolution in Slicer.
        memory: that frames in Slicer may take, gigabytes.
        reviewed_only: training data holds only what a person has corrected or accepted.
        with_layers: training data holds masks of instruments.
        with_types: training data holds masks of instrument types.
        with_parts: training data holds masks of instrument parts.
        history: of what the section History shows the changes.
    """

    source: str = ""
    case_folder: str = ""
    image_browser: slicer.vtkMRMLSequenceBrowserNode
    first_frame: Annotated[int, WithinRange(0, _ANY_FRAME)] = 0
    last_frame: Annotated[int, WithinRange(-1, _ANY_FRAME)] = -1
    every_nth: Annotated[int, WithinRange(0, 1000)] = 0
    scale: Annotated[str, Choice(list(SCALES))] = "automatic"
    memory: Annotated[float, WithinRange(0.1, 64.0)] = 2.0
    reviewed_only: bool = True
    with_layers: bool = True
    with_types: bool = False
    with_parts: bool = False
    history: Annotated[str, Choice(["this frame", "whole case"])] = "this frame"
