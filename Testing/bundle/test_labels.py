import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rasnet.errors import RASNetError
from rasnet.labels import Code, Label, LabelSchema

BACKGROUND = (0, "background", (0, 0, 0), None)

SHIPPED = {
    "endovis2017_types": (
        "types",
        [
            BACKGROUND,
            (1, "Bipolar Forceps", (230, 159, 0), Code("SCT", "29319002", "Forceps")),
            (2, "Prograsp Forceps", (86, 180, 233), Code("SCT", "29319002", "Forceps")),
            (3, "Large Needle Driver", (0, 158, 115), Code("SCT", "59746007", "Needle holder")),
            (4, "Vessel Sealer", (240, 228, 66), Code("SCT", "37759000", "Surgical instrument")),
            (5, "Grasping Retractor", (0, 114, 178), Code("SCT", "53535004", "Retractor")),
            (6, "Monopolar Curved Scissors", (213, 94, 0), Code("SCT", "31878003", "Surgical scissors")),
            (7, "Other", (204, 121, 167), Code("SCT", "37759000", "Surgical instrument")),
        ],
    ),
    "instrument_parts": (
        "parts",
        [
            BACKGROUND,
            (1, "shaft", (86, 180, 233), Code("SCT", "37759000", "Surgical instrument")),
            (2, "manipulator", (240, 228, 66), Code("SCT", "37759000", "Surgical instrument")),
        ],
    ),
}


@st.composite
def schemas(draw: st.DrawFn) -> LabelSchema:
    names = draw(st.lists(st.text(min_size=1), min_size=2, max_size=12, unique_by=str.casefold))
    colors = st.tuples(*[st.integers(0, 255)] * 3)
    codes = st.none() | st.builds(Code, st.text(), st.text(), st.text())
    labels = tuple(Label(index, name, draw(colors), draw(codes)) for index, name in enumerate(names))
    return LabelSchema(draw(st.text()), draw(st.sampled_from(["types", "parts"])), labels)


def labels(*names: str, **changes: Any) -> list[dict[str, Any]]:
    """Labels of a schema file; `changes` go into the last one."""
    items = [{"id": index, "name": name, "color": [0, 0, 0], "code": None} for index, name in enumerate(names)]
    items[-1].update(changes)
    return items


class TestShippedSchemas:
    def test_there_are_two(self) -> None:
        assert LabelSchema.available() == sorted(SHIPPED)

    @pytest.mark.parametrize("name", SHIPPED)
    def test_they_say_exactly_this(self, name: str) -> None:
        schema = LabelSchema.load(name)
        kind, expected = SHIPPED[name]
        assert (schema.name, schema.kind) == (name, kind)
        assert [(label.id, label.name, label.color, label.code) for label in schema.labels] == expected

    @pytest.mark.parametrize("name", SHIPPED)
    def test_every_view_of_a_schema_agrees_with_its_labels(self, name: str) -> None:
        schema = LabelSchema.load(name)
        assert len(schema) == len(schema.labels)
        assert schema.instruments == schema.labels[1:]
        assert schema.channel_def() == {str(label.id): label.name for label in schema.labels}
        assert (schema.palette.shape, schema.palette.dtype) == ((256, 3), np.uint8)
        for label in schema.labels:
            assert schema[label.id] is schema[label.name] is schema[label.name.upper()] is label
            assert tuple(schema.palette[label.id]) == label.color
        assert not schema.palette[len(schema) :].any()

    @pytest.mark.parametrize("name", SHIPPED)
    def test_colours_differ(self, name: str) -> None:
        colors = [label.color for label in LabelSchema.load(name).labels]
        assert len(set(colors)) == len(colors)


class TestFiles:
    @given(schema=schemas())
    def test_json_holds_everything(self, schema: LabelSchema) -> None:
        assert LabelSchema.from_json(json.loads(json.dumps(schema.to_json()))) == schema

    def test_a_schema_of_ones_own_is_read_by_path(self, tmp_path: Path) -> None:
        path = tmp_path / "own.json"
        path.write_text(
            json.dumps({"name": "own", "kind": "types", "labels": labels("nothing", "Hook", color=[1, 2, 3])})
        )
        assert LabelSchema.load(path).labels == (Label(0, "nothing", (0, 0, 0)), Label(1, "Hook", (1, 2, 3)))

    @pytest.mark.parametrize("name", ["endovis2018_types", "own.json", ""])
    def test_an_unknown_schema_is_told_which_there_are(self, name: str) -> None:
        with pytest.raises(RASNetError, match=f"unknown label schema '{name}'; use one of endovis2017_types, inst"):
            LabelSchema.load(name)

    @pytest.mark.parametrize(
        "content",
        [
            b"",
            b"no json",
            b"\xff\xfe\x00",
            b"[]",
            b"null",
            b'{"name": "own", "kind": "parts"}',
            b'{"name": "own", "kind": "parts", "labels": {"background": 0}}',
        ],
    )
    def test_a_file_that_is_no_schema_is_named(self, content: bytes, tmp_path: Path) -> None:
        path = tmp_path / "own.json"
        path.write_bytes(content)
        with pytest.raises(RASNetError, match=r"own\.json is not a label schema \(.*\); compare it with"):
            LabelSchema.load(path)

    @pytest.mark.parametrize(
        ("kind", "items", "message"),
        [
            ("parts", labels("background", "shaft", id=2), "must number its labels 0, 1, 2"),
            ("parts", labels("background", "shaft", id=0), "must number its labels 0, 1, 2"),
            ("parts", labels("background"), "must have 2 to 256 labels"),
            ("parts", labels(*map(str, range(257))), "must have 2 to 256 labels"),
            ("parts", labels("background", "shaft", "Shaft"), "has the same name twice"),
            ("organs", labels("background", "liver"), "must be of kind 'types' or 'parts'"),
            ("parts", labels("background", "shaft", color=[0, 0, 256]), "colour .* is outside 0 to 255"),
            ("parts", labels("background", "shaft", color=[0, -1, 0]), "colour .* is outside 0 to 255"),
            ("parts", labels("background", "shaft", color=[0, 0]), "is not a label schema"),
            ("parts", labels("background", "shaft", color="red"), "is not a label schema"),
            ("parts", labels("background", "shaft", code={"scheme": "SCT"}), "is not a label schema"),
            ("parts", labels("background", "shaft", name=7), "is not a label schema"),
        ],
    )
    def test_an_ill_formed_schema_is_refused(
        self, kind: str, items: list[dict[str, Any]], message: str, tmp_path: Path
    ) -> None:
        path = tmp_path / "own.json"
        path.write_text(json.dumps({"name": "own", "kind": kind, "labels": items}))
        with pytest.raises(RASNetError, match=message):
            LabelSchema.load(path)


@pytest.mark.parametrize("key", ["hook", "", 3, -1])
def test_an_unknown_label_is_told_which_there_are(key: int | str) -> None:
    schema = LabelSchema.load("instrument_parts")
    with pytest.raises(RASNetError) as caught:
        schema[key]
    assert str(caught.value) == (
        f"label schema 'instrument_parts' has no label '{key}'; it has background, shaft, manipulator"
    )
