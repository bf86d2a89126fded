"""The shapes of the seven instrument types, as numbers.

Lengths are in units of the shaft's half-width. A jaw is a tapered, bent limb; two of them, mirrored, hang
on the wrist. What differs between the types is here and nowhere else.
"""

from __future__ import annotations

from typing import NamedTuple

from rasnet.synthetic.parameters import Color, Dice

STEEL: Color = (0.58, 0.59, 0.60)


class JawShape(NamedTuple):
    """What the working end of an instrument looks like.

    Attributes:
        length: from the pivot to the tip.
        side: half-width of one jaw seen from the side, where the opening shows.
        face: half-width seen from above, where one jaw covers the other.
        tip: half-width at the tip over half-width at the pivot.
        curve: how far the tip is bent to one side, both jaws alike.
        bow: how far each jaw bulges away from the other, halfway to the tip.
        window: fenestration: start, end (fractions of the length), half-width (fraction of the face's).
        flatness: 1 is round like a rod; the larger, the flatter the face.
        teeth: depth of the ripple on the gripping edge.
        pad: where a plastic pad lies: start, end (fractions of the length), half-width (fraction of the jaw's).
        collar: length of the tube between shaft and wrist.
        collar_tip: half-width of that tube at the wrist.
        link: length of the wrist's link.
        jaw_color: colour of the jaws.
        pad_color: colour of the pad.
        collar_color: colour of the tube.
        collar_metal: 1 where the tube is metal, 0 where it is plastic.
        jaw_metal: 1 where the jaws are metal, 0 where they are plastic.
        opening: widest angle between the jaws, radians; 0 for a probe in one piece.
    """

    length: float
    side: float
    face: float
    tip: float
    curve: float
    bow: float
    window: tuple[float, float, float]
    flatness: float
    teeth: float
    pad: tuple[float, float, float]
    collar: float
    collar_tip: float
    link: float
    jaw_color: Color
    pad_color: Color
    collar_color: Color
    collar_metal: float
    jaw_metal: float
    opening: float


_NONE = (0.0, 0.0, 0.0)

_FORCEPS = JawShape(
    length=3.9, side=0.25, face=0.46, tip=0.42, curve=0.75, bow=0.10, window=(0.22, 0.72, 0.50), flatness=2.0,
    teeth=0.0, pad=_NONE, collar=2.3, collar_tip=0.95, link=1.8, jaw_color=STEEL, pad_color=STEEL,
    collar_color=STEEL, collar_metal=1.0, jaw_metal=1.0, opening=0.9,
)  # fmt: skip

SHAPES: dict[str, tuple[JawShape, ...]] = {
    "Bipolar Forceps": (_FORCEPS,),
    "Prograsp Forceps": (
        _FORCEPS._replace(
            length=3.3, side=0.33, face=0.74, tip=0.92, curve=0.0, bow=0.22, window=(0.30, 0.80, 0.58),
            flatness=3.0, teeth=0.03,
        ),
    ),
    "Large Needle Driver": (
        _FORCEPS._replace(
            length=2.0, side=0.36, face=0.56, tip=0.62, curve=0.0, bow=0.0, window=_NONE, flatness=1.4, teeth=0.02,
            pad=(0.25, 0.95, 0.55), pad_color=(0.36, 0.35, 0.34), opening=0.8,
        ),
    ),
    "Vessel Sealer": (
        _FORCEPS._replace(
            length=4.2, side=0.47, face=0.68, tip=0.80, curve=0.25, bow=0.0, window=_NONE, flatness=1.6,
            pad=(0.10, 0.86, 0.50), pad_color=(0.72, 0.78, 0.86), collar=2.6, collar_tip=0.92, link=1.5,
            collar_color=(0.56, 0.60, 0.68), collar_metal=0.4, jaw_metal=0.6,
            opening=0.6,
        ),
    ),
    "Grasping Retractor": (
        _FORCEPS._replace(
            length=5.4, side=0.30, face=0.62, tip=0.78, curve=0.0, bow=0.46, window=(0.12, 0.40, 0.45), flatness=3.0,
            teeth=0.05, opening=0.8,
        ),
    ),
    "Monopolar Curved Scissors": (
        _FORCEPS._replace(
            length=3.0, side=0.34, face=0.42, tip=0.16, curve=0.85, bow=0.0, window=_NONE, flatness=4.0,
            collar=3.4, collar_tip=0.66, link=0.7, collar_color=(0.72, 0.36, 0.16), collar_metal=0.0,
            opening=1.0,
        ),
    ),
    "Other": (
        _FORCEPS._replace(  # drop-in ultrasound probe
            length=4.4, side=0.85, face=0.95, tip=0.92, curve=0.0, bow=0.0, window=_NONE, flatness=3.0,
            jaw_color=(0.66, 0.67, 0.68), pad=(0.45, 0.96, 0.62), pad_color=(0.22, 0.24, 0.27), collar=0.6,
            link=0.6, jaw_metal=0.35, opening=0.0,
        ),
        _FORCEPS._replace(  # suction and irrigation tube
            length=5.0, side=0.46, face=0.46, tip=0.96, curve=0.15, bow=0.0, window=_NONE, flatness=1.0,
            pad=(0.97, 1.2, 0.7), pad_color=(0.05, 0.04, 0.04), collar=0.5, collar_tip=0.8, link=0.4, opening=0.0,
        ),
    ),
}  # fmt: skip
"""Shapes by type name: one of them is drawn for every instrument of the type."""


def draw_shape(dice: Dice, type_name: str, *, variety: float) -> JawShape:
    """Draw the shape of one instrument of a type.

    Args:
        dice: where the chances come from.
        type_name: an instrument of the schema ``endovis2017_types``.
        variety: 0 gives the shape of the table; the larger, the farther from it.
    """
    shape = dice.choice(SHAPES[type_name])
    sleeve = dice.near(dice.choice([(0.72, 0.36, 0.16), (0.42, 0.40, 0.39), (0.55, 0.42, 0.32)]), 0.1)

    def vary(value: float) -> float:
        return value * dice.between(1 - 0.2 * variety, 1 + 0.2 * variety)

    return shape._replace(
        length=vary(shape.length),
        side=vary(shape.side),
        face=vary(shape.face),
        curve=vary(shape.curve) * dice.choice([-1, 1]),
        bow=vary(shape.bow),
        collar=vary(shape.collar),
        link=vary(shape.link),
        jaw_color=dice.near(shape.jaw_color, 0.12 * variety),
        pad_color=dice.near(shape.pad_color, 0.15 * variety),
        collar_color=shape.collar_color if shape.collar_metal > 0 else sleeve,
    )
