"""Surgical video as frames: files, folders of images and single images behind one interface."""

from rasnet.video.opening import open_source
from rasnet.video.roi import RegionOfInterest, find_roi
from rasnet.video.source import Damage, Frame, TakenFrame, VideoSource
from rasnet.video.writer import VideoWriter

__all__ = ["Damage", "Frame", "RegionOfInterest", "TakenFrame", "VideoSource", "VideoWriter", "find_roi", "open_source"]
