"""What must not leave the house with an export: people outside the body, and text in the picture."""

from rasnet.privacy.burned_in_text import BurnedInText, find_text, to_grey
from rasnet.privacy.check import Flags, flag_frames, refuse_flagged
from rasnet.privacy.outside_body import BodyScore, score_frame

__all__ = [
    "BodyScore",
    "BurnedInText",
    "Flags",
    "find_text",
    "flag_frames",
    "refuse_flagged",
    "score_frame",
    "to_grey",
]
