"""What a case shows: pictures, films and tables for people, without torch or MONAI."""

from rasnet.report.contact_sheet import write_contact_sheet
from rasnet.report.overlay import draw_overlay, write_overlay
from rasnet.report.summary import LayerSummary, summarize_layers
from rasnet.report.timeline import write_timeline
from rasnet.report.tracks import write_tracks

__all__ = [
    "LayerSummary",
    "draw_overlay",
    "summarize_layers",
    "write_contact_sheet",
    "write_overlay",
    "write_timeline",
    "write_tracks",
]
