"""How instruments, camera and breathing move: closed forms of time, so that any frame can be had directly."""

from __future__ import annotations

import math
from dataclasses import dataclass

from rasnet.labels import LabelSchema
from rasnet.synthetic.instruments import Finish, Pose
from rasnet.synthetic.parameters import Dice
from rasnet.synthetic.render import Actor
from rasnet.synthetic.shapes import JawShape, draw_shape
from rasnet.synthetic.tissue import View

_TYPES = LabelSchema.load("endovis2017_types")


@dataclass(frozen=True)
class Wave:
    """A smooth, never quite repeating course: two sines about a mean.

    Attributes:
        mean: what it goes about.
        swing: how far it goes.
        pace: cycles per second.
        phase: where it starts, cycles.
    """

    mean: float
    swing: float
    pace: float
    phase: float

    def __call__(self, time: float) -> float:
        """Value at `time` seconds."""
        turn = 2 * math.pi * (self.pace * time + self.phase)
        return self.mean + self.swing * (0.7 * math.sin(turn) + 0.3 * math.sin(2.31 * turn + self.phase * 7))


@dataclass(frozen=True)
class Absence:
    """A time during which an instrument is out of the picture, seconds; it takes `way` to go and to come."""

    start: float
    end: float
    way: float

    def __call__(self, time: float) -> float:
        """0 in place, 1 withdrawn."""
        return _ease((time - self.start) / self.way) * _ease((self.end - time) / self.way)


@dataclass(frozen=True)
class Instrument:
    """One instrument of a scene, over the whole of it.

    Attributes:
        id: layer id, 1 and up, in draw order.
        type_name: name in the schema ``endovis2017_types``.
        shape: shape of its jaws and wrist.
        finish: what it is made of.
        trocar: where it comes from, outside the picture, frame widths from the centre.
        x: course of the shaft's end, to the right, frame widths from the centre.
        y: course of the shaft's end, downwards.
        radius: half-width of the shaft, frame widths.
        taper: how much the shaft widens towards the camera.
        bend: course of the wrist's angle.
        yaw: course of the jaws' angle.
        opening: course of the opening, as a share of the widest.
        roll: course of the roll, 0 to 1.
        reach: course of the foreshortening.
        softness: width of the edges, pixels.
        absences: when it is withdrawn.
    """

    id: int
    type_name: str
    shape: JawShape
    finish: Finish
    trocar: tuple[float, float]
    x: Wave
    y: Wave
    radius: Wave
    taper: float
    bend: Wave
    yaw: Wave
    opening: Wave
    roll: Wave
    reach: Wave
    softness: float
    absences: tuple[Absence, ...]

    def actor(self, time: float) -> Actor:
        """The instrument at `time` seconds, as it is rendered."""
        return Actor(self.id, _TYPES[self.type_name].id, self.pose(time), self.shape, self.finish)

    def pose(self, time: float) -> Pose:
        """Where the instrument is at `time` seconds."""
        x, y = self.x(time), self.y(time)
        angle = math.atan2(y - self.trocar[1], x - self.trocar[0])
        away = 1.4 * max((absence(time) for absence in self.absences), default=0.0)
        return Pose(
            x=x - away * math.cos(angle),
            y=y - away * math.sin(angle),
            angle=angle,
            radius=self.radius(time),
            taper=self.taper,
            bend=self.bend(time),
            yaw=self.yaw(time),
            opening=self.shape.opening * min(1.0, max(0.0, self.opening(time))),
            roll=min(1.0, max(0.0, self.roll(time))),
            reach=self.reach(time),
            softness=self.softness,
        )


@dataclass(frozen=True)
class CameraPath:
    """How the camera moves over the tissue, and how the patient breathes."""

    x: Wave
    y: Wave
    turn: Wave
    zoom: Wave
    breath: Wave

    def view(self, time: float) -> View:
        """What has moved at `time` seconds."""
        return View((self.x(time), self.y(time)), self.turn(time), self.zoom(time), self.breath(time))


def draw_camera_path(dice: Dice) -> CameraPath:
    """Draw a slow camera and a patient who breathes 12 to 20 times a minute."""
    return CameraPath(
        x=_draw_wave(dice, 0.0, dice.between(0.01, 0.06), 0.07),
        y=_draw_wave(dice, 0.0, dice.between(0.01, 0.05), 0.07),
        turn=_draw_wave(dice, 0.0, dice.between(0.0, 0.06), 0.05),
        zoom=_draw_wave(dice, 1.0, dice.between(0.0, 0.06), 0.05),
        breath=Wave(0.0, dice.between(0.004, 0.014), dice.between(0.2, 0.33), dice.random()),
    )


def draw_instrument(
    dice: Dice, number: int, type_name: str, *, side: float, variety: float, absences: tuple[Absence, ...]
) -> Instrument:
    """Draw an instrument.

    Args:
        dice: where the chances come from.
        number: layer id.
        type_name: name in the schema ``endovis2017_types``.
        side: direction it comes from, as an angle about the picture's centre, radians.
        variety: 0 stays near a robot's instruments at their usual size, 1 takes any.
        absences: when it is withdrawn.
    """
    laparoscopic = dice.chance(0.45 * variety)
    scale = 2.0 ** (variety * dice.between(-1.0, 1.0))
    radius = dice.between(0.044, 0.060) * scale * (0.75 if laparoscopic else 1.0)
    shape = draw_shape(dice, type_name, variety=variety)
    if laparoscopic:  # no wrist: the jaws follow the shaft
        shape = shape._replace(link=0.7, collar=shape.collar if shape.collar_metal == 0 else 0.5)
    length = radius * (shape.collar + shape.link + 0.6 * shape.length)
    # The tip is what the surgeon looks at: it works near the centre, the shaft's end behind it.
    near = dice.between(-0.06, 0.08) + length
    spread = dice.between(-0.35, 0.35)
    wrist = 0.0 if laparoscopic else dice.between(0.15, 0.5)
    return Instrument(
        id=number,
        type_name=type_name,
        shape=shape,
        finish=_draw_finish(dice, laparoscopic=laparoscopic, variety=variety),
        trocar=(1.1 * math.cos(side + spread * 0.3), 1.1 * math.sin(side + spread * 0.3)),
        x=_draw_wave(dice, near * math.cos(side + spread), dice.between(0.03, 0.12), 0.18),
        y=_draw_wave(dice, near * math.sin(side + spread), dice.between(0.03, 0.10), 0.18),
        radius=_draw_wave(dice, radius, 0.08 * radius, 0.1),
        taper=dice.between(0.005, 0.030),
        bend=_draw_wave(dice, dice.between(-0.3, 0.3) * (wrist > 0), wrist, 0.2),
        yaw=_draw_wave(dice, dice.between(-0.2, 0.2) * (wrist > 0), wrist * 0.8, 0.25),
        opening=_draw_wave(dice, dice.between(0.2, 0.6), 0.55, 0.35),
        roll=_draw_wave(dice, dice.between(0.1, 0.7), 0.35, 0.08),
        reach=_draw_wave(dice, dice.between(0.82, 0.98), 0.08, 0.1),
        softness=dice.between(1.0, 1.5) + variety * dice.sometimes(0.3, 0.0, 2.5),
        absences=absences,
    )


def _draw_finish(dice: Dice, *, laparoscopic: bool, variety: float) -> Finish:
    steel = laparoscopic and dice.chance(0.55)
    dark = dice.choice([(0.13, 0.14, 0.16), (0.17, 0.19, 0.22), (0.09, 0.09, 0.10), (0.20, 0.22, 0.22)])
    return Finish(
        shaft_color=dice.near((0.52, 0.53, 0.54) if steel else dark, 0.12 + 0.1 * variety),
        shaft_metal=dice.between(0.6, 1.0) if steel else dice.between(0.0, 0.10),
        ring=dice.between(0.5, 2.5),
        ring_gain=dice.between(0.6, 2.2),
        print_gain=0.0 if steel or not dice.chance(0.35) else dice.between(0.25, 0.65),
        soil=dice.sometimes(0.4, 0.2, 0.5 + 0.4 * variety),
        soil_color=dice.near((0.34, 0.06, 0.06), 0.2),
        texture=dice.between(0, 20),
    )


def _draw_wave(dice: Dice, mean: float, swing: float, pace: float) -> Wave:
    return Wave(mean, swing, pace * dice.between(0.7, 1.3), dice.random())


def _ease(share: float) -> float:
    """0 below 0, 1 above 1, smooth between."""
    share = min(1.0, max(0.0, share))
    return share * share * (3 - 2 * share)
