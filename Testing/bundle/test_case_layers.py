import numpy as np
import pytest
from cases import human_mask, make_case, predict, predicted_mask, predicted_parts

from rasnet.case import LAYER_COLORS, Case, Layer
from rasnet.case.changes import FrameStore
from rasnet.errors import RASNetError
from rasnet.labels import LabelSchema
from rasnet.masks import read_mask
from rasnet.progress import SilentProgress


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


# Splitting


def two_in_one(case: Case, frames: range) -> None:
    """Layer 1 as two bars, the upper one moving right, the lower one left; in frame 6 they touch."""
    for index in frames:
        case.write_prediction(index, case.times[index], bars(index), (bars(index) > 0).astype(np.uint8))


def bars(index: int, upper: int = 1) -> np.ndarray:
    mask = np.zeros((48, 64), np.uint8)
    mask[30:40, 50 - 3 * index :] = 1
    mask[6:16, : 20 + 3 * index] = upper
    if index == 6:
        mask[16:30, 36] = upper
    return mask


@pytest.fixture
def joined(tmp_path):
    with make_case(tmp_path, 12) as case:
        two_in_one(case, range(12))
        case.correct(4, bars(4), who="A. Surgeon", tool="test")
        yield case


@pytest.mark.parametrize("into", [None, 7])
def test_from_a_frame_on_a_layer_is_another_instrument(joined, into):
    if into:
        joined.set_layers([Layer(into, "Sucker", (1, 2, 3))])
    parts = [joined.parts(index) for index in range(12)]
    before = {row.index: row for row in joined.frames()}

    other = joined.split_layer_at(1, 5, into=into, who="A. Surgeon", tool="test")

    assert other.id == (into or 2)
    assert other in joined.layers()
    for index in range(12):
        np.testing.assert_array_equal(joined.mask(index), bars(index) * (1 if index < 5 else other.id))
        np.testing.assert_array_equal(joined.parts(index), parts[index])
        row = joined.frame(index)
        assert (row.status, row.uncertainty, row.model) == (
            before[index].status,
            before[index].uncertainty,
            before[index].model,
        )
    entry = list(joined.journal())[-8]
    assert [e.what for e in joined.journal()][-8:] == ["split layer"] * 8  # the layer, and the frames 5 to 11
    assert (entry.who, entry.layer, entry.before, entry.after) == ("A. Surgeon", 1, "Instrument 1", str(other.id))


@pytest.mark.parametrize("frame", [0, 3, 5])
def test_a_component_is_followed_as_long_as_it_stays_apart(joined, frame):
    other = joined.split_layer_component(1, frame, (2, 10), name="Upper")

    assert other == Layer(2, "Upper", LAYER_COLORS[1])
    for index in range(12):
        # In frame 6 the bars touch: from there on nothing tells which is which.
        np.testing.assert_array_equal(joined.mask(index), bars(index, 2 if index < 6 else 1))


def test_behind_the_contact_it_is_split_again_into_the_same_layer(joined):
    other = joined.split_layer_component(1, 0, (2, 10))
    joined.split_layer_component(1, 7, (2, 10), into=other.id)

    for index in range(12):
        np.testing.assert_array_equal(joined.mask(index), bars(index, 1 if index == 6 else 2))


def test_a_component_that_fills_its_layer_is_followed_through_the_video(tmp_path):
    with make_case(tmp_path, 12) as case:
        for index in range(12):
            case.write_prediction(index, case.times[index], bars(0) * (index != 8))

        case.split_layer_component(1, 3, (2, 10))

        for index in range(12):
            expected = bars(0, 2 if index < 8 else 1) * (index != 8)  # it left in frame 8
            np.testing.assert_array_equal(case.mask(index), expected)


@pytest.mark.parametrize(
    ("split", "message"),
    [
        (lambda case: case.split_layer_at(9, 5), "no layer 9"),
        (lambda case: case.split_layer_at(1, 5, into=9), "no layer 9"),
        (lambda case: case.split_layer_at(1, 5, into=1), "cannot be split into itself"),
        (lambda case: case.split_layer_at(1, 99), "layer 1 is in none of these frames"),
        (lambda case: case.split_layer_at(1, 5, name="\n"), "use printable characters"),
        (lambda case: case.split_layer_component(1, 3, (63, 47)), r"layer 1 is not at \(63, 47\) in frame 3"),
        (lambda case: case.split_layer_component(1, 3, (64, 10)), r"layer 1 is not at \(64, 10\)"),
        (lambda case: case.split_layer_component(1, 3, (-1, 10)), r"layer 1 is not at \(-1, 10\)"),
    ],
)
def test_what_cannot_be_split_changes_nothing(joined, split, message):
    before = list(joined.journal()), joined.frames(), joined.layers()

    with pytest.raises(RASNetError, match=message):
        split(joined)

    assert (list(joined.journal()), joined.frames(), joined.layers()) == before


def test_a_split_is_all_or_nothing_when_someone_else_corrects_a_frame_meanwhile(joined):
    class Meddling(SilentProgress):
        def advance(self, frame=None, count=1):
            if frame == 9:
                with Case.open(joined.folder) as other:
                    other.correct(8, human_mask(8) // 2, who="A. Nurse", tool="test")

    with pytest.raises(RASNetError, match=r"frame 8 of .* has changed meanwhile"):
        joined.split_layer_at(1, 5, progress=Meddling())

    np.testing.assert_array_equal(joined.mask(8), human_mask(8) // 2)
    for index in (5, 6, 7, 9, 10, 11):
        np.testing.assert_array_equal(joined.mask(index), bars(index))


def test_a_split_that_is_killed_after_its_decision_is_finished_by_whoever_comes_next(joined, monkeypatch):
    def die(store):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(FrameStore, "carry_out", die)
        with pytest.raises(KeyboardInterrupt):
            joined.split_layer_at(1, 5)
    files = {index: read_mask(joined.folder / f"masks/{index:08d}.png") for index in range(12)}
    assert all((files[index] == bars(index)).all() for index in range(12))  # no file has changed yet

    with Case.open(joined.folder) as case:
        for index in range(12):
            np.testing.assert_array_equal(case.mask(index), bars(index) * (1 if index < 5 else 2))


def test_layer_edits_tell_how_far_they_are(joined):
    seen = []

    class Watching(SilentProgress):
        def start(self, task, total):
            seen.append([task, total, 0])

        def advance(self, frame=None, count=1):
            seen[-1][2] += count

    joined.split_layer_at(1, 5, progress=Watching())
    joined.merge_layers(1, [2], progress=Watching())
    joined.remove_layer(1, progress=Watching())

    assert seen == [["split layer", 7, 7], ["change layers", 12, 12], ["change layers", 12, 12]]
