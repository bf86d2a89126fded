import numpy as np
import pytest
from cases import human_mask, make_case, predict, predicted_mask, predicted_parts

from rasnet.case import LAYER_COLORS, Case, Layer
from rasnet.errors import RASNetError
from rasnet.labels import LabelSchema
from rasnet.masks import read_mask


@pytest.fixture
def case(tmp_path):
    with make_case(tmp_path) as case:
        predict(case)
        yield case


def test_every_mask_value_has_a_layer(case):
    assert case.layers() == [Layer(i, f"Instrument {i}", LAYER_COLORS[i - 1], None) for i in (1, 2, 3)]


def test_colours_of_neighbouring_layers_differ():
    assert len(set(LAYER_COLORS)) == len(LAYER_COLORS) >= 8


def test_added_layers_have_ids_that_no_mask_uses(case):
    assert case.add_layer().id == 4
    assert case.add_layer("Left hand", color=(1, 2, 3), type="large needle driver") == Layer(
        5, "Left hand", (1, 2, 3), "Large Needle Driver"
    )
    assert [layer.id for layer in case.layers()] == [1, 2, 3, 4, 5]


def test_an_update_changes_what_is_given_and_is_in_the_journal(case):
    case.update_layer(2, name="Right hand", who="A. Surgeon")
    case.update_layer(2, color=(255, 0, 16), type="Vessel Sealer", who="A. Surgeon")
    assert case.layers()[1] == Layer(2, "Right hand", (255, 0, 16), "Vessel Sealer")
    assert case.update_layer(2, type="", who="A. Surgeon").type is None
    entries = [(e.who, e.what, e.before, e.after) for e in case.journal() if e.layer == 2]
    assert entries[1:] == [
        ("A. Surgeon", "rename layer", "Instrument 2", "Right hand"),
        ("A. Surgeon", "recolor layer", "#f0e442", "#ff0010"),
        ("A. Surgeon", "set type", None, "Vessel Sealer"),
        ("A. Surgeon", "set type", "Vessel Sealer", None),
    ]


def test_several_layers_change_at_once_or_not_at_all(case):
    new = [Layer(1, "One", (9, 9, 9)), Layer(7, "Seven", (7, 7, 7), "Other")]
    case.set_layers(new)
    assert [layer for layer in case.layers() if layer.id in (1, 7)] == new
    before = case.layers()
    with pytest.raises(RASNetError, match="no label 'Spoon'"):
        case.set_layers([Layer(1, "Uno", (9, 9, 9)), Layer(2, "Due", (9, 9, 9), "Spoon")])
    assert case.layers() == before


def test_a_program_names_types_until_a_person_does(case):
    assert case.propose_type(1, "Prograsp Forceps", who="toy")
    assert case.propose_type(1, "Bipolar Forceps", who="toy")
    case.update_layer(1, type="Prograsp Forceps")
    assert not case.propose_type(1, "Bipolar Forceps", who="toy")
    assert case.layers()[0].type == "Prograsp Forceps"


def test_types_are_of_the_models_own_schema_where_it_knows_types(tmp_path):
    types = LabelSchema.load("endovis2017_types")
    case = make_case(tmp_path, schema=types)
    assert case.info.types is case.info.schema
    assert case.info.parts == LabelSchema.load("instrument_parts")


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (lambda case: case.update_layer(9, name="x"), "no layer 9; it has 1, 2, 3"),
        (lambda case: case.update_layer(1, name=" "), "cannot be named"),
        (lambda case: case.update_layer(1, name="a\nb"), "cannot be named"),
        (lambda case: case.update_layer(1, color=(0, 0, 256)), "cannot have the colour"),
        (lambda case: case.update_layer(1, type="Spoon"), "has no label 'Spoon'; it has"),
        (lambda case: case.update_layer(1, type="background"), "is no instrument"),
        (lambda case: case.propose_type(9, None, who="toy"), "no layer 9"),
        (lambda case: case.merge_layers(1, [1, 2]), "cannot be merged into itself"),
        (lambda case: case.merge_layers(9, [2]), "no layer 9"),
        (lambda case: case.merge_layers(1, [2, 9]), "no layer 9"),
        (lambda case: case.remove_layer(9), "no layer 9"),
        (lambda case: case.set_layers([Layer(256, "x", (0, 0, 0))]), "use 1 to 255"),
    ],
)
def test_edits_that_make_no_sense_change_nothing(case, edit, words):
    before = case.layers(), list(case.journal())
    with pytest.raises(RASNetError, match=words):
        edit(case)
    assert (case.layers(), list(case.journal())) == before


def test_a_merge_counts_for_every_frame_also_a_persons(case):
    case.correct(4, human_mask(4), who="A. Surgeon", tool="test")
    case.set_status(5, "accepted", who="A. Surgeon")
    case.merge_layers(1, [2, 3], who="B. Surgeon")
    assert [layer.id for layer in case.layers()] == [1]
    for index in range(12):
        expected = (human_mask(4) if index == 4 else predicted_mask(index)) > 0
        np.testing.assert_array_equal(case.mask(index), expected)
        np.testing.assert_array_equal(read_mask(case.folder / "masks" / f"{index:08d}.png"), expected)
    assert [case.frame(index).status for index in (3, 4, 5)] == ["predicted", "corrected", "accepted"]
    changed = [e.frame for e in case.journal() if e.what == "merge layers" and e.frame is not None]
    assert changed == [index for index in range(12) if index % 3 or index == 4]
    whole = [(e.layer, e.before, e.after) for e in case.journal() if e.what == "merge layers" and e.frame is None]
    assert whole == [(2, "Instrument 2", "1"), (3, "Instrument 3", "1")]


def test_parts_stay_through_a_merge_and_go_with_a_removed_layer(case):
    case.merge_layers(1, [2])
    np.testing.assert_array_equal(case.parts(1), predicted_parts(1))
    case.remove_layer(3)
    assert not case.mask(2).any()
    assert not case.parts(2).any()
    np.testing.assert_array_equal(case.parts(0), predicted_parts(0))
    assert [layer.id for layer in case.layers()] == [1]


def test_ids_of_layers_that_are_gone_are_not_used_again(case):
    case.merge_layers(1, [3])
    case.remove_layer(2)
    assert case.add_layer().id == 4


def test_a_full_case_says_so_and_takes_back_ids_that_are_free(case):
    case.set_layers([Layer(i, f"L{i}", (0, 0, 0)) for i in range(4, 256)])
    with pytest.raises(RASNetError, match="255 layers"):
        case.add_layer()
    case.remove_layer(100)
    assert case.add_layer().id == 100


def test_edits_hold_for_a_program_that_started_before_them(tmp_path):
    case = make_case(tmp_path)
    with case.writer() as writer, Case.open(case.folder) as gui:
        for index in range(3):
            writer.write(index, 0.0, predicted_mask(index), predicted_parts(index))
        while len(gui.frames()) < 3:
            pass
        gui.merge_layers(1, [2])
        gui.remove_layer(3)
        for index in range(3, 12):
            writer.write(index, 0.0, predicted_mask(index), predicted_parts(index))
    assert [layer.id for layer in case.layers()] == [1]
    for index in range(12):
        expected = np.array([0, 1, 1, 0], np.uint8)[predicted_mask(index)]
        np.testing.assert_array_equal(case.mask(index), expected)
        np.testing.assert_array_equal(case.parts(index), np.where(expected, predicted_parts(index), 0))


def test_the_palette_shows_the_layers_colours(case):
    case.update_layer(2, color=(10, 20, 30))
    palette = case.palette()
    assert palette.shape == (256, 3)
    assert palette[0].tolist() == [0, 0, 0]
    assert palette[2].tolist() == [10, 20, 30]
    assert palette[4].tolist() == list(LAYER_COLORS[3])
