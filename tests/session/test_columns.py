"""The columns of ``tick/`` follow from the structs."""

import msgspec
import numpy as np
import pytest
import session_material

from engine.session.columns import (
    TICK_FIELDS,
    TICK_SCALARS,
    distinct,
    fields_of,
    inference_columns,
    inference_from,
    inference_values,
    notes,
    structs_from,
)
from engine.types import Command, Inputs, OperatorState, SawState


def test_every_field_of_every_struct_has_a_column_of_its_own():
    assert len({column.name for column in TICK_SCALARS}) == sum(len(struct.__struct_fields__) for struct in TICK_FIELDS)


def test_operator_and_saw_share_names_and_do_not_share_columns():
    shared = set(OperatorState.__struct_fields__) & set(SawState.__struct_fields__)
    assert shared == {"cut_line_y", "log_top_z"}
    names = {column.name for column in TICK_SCALARS}
    assert {f"tick/{name}" for name in shared} | {f"tick/operator_{name}" for name in shared} <= names


def test_a_collision_is_refused_by_name():
    twice = [field.column for struct in (SawState, OperatorState) for field in fields_of(struct, "tick/")]
    with pytest.raises(ValueError, match="tick/cut_line_y, tick/log_top_z"):
        distinct(twice)


def test_a_field_that_no_column_can_hold_is_refused_by_name():
    class Odd(msgspec.Struct):
        table: dict[str, float]

    with pytest.raises(TypeError, match=r"Odd\.table"):
        fields_of(Odd, "tick/")


def test_types_shapes_and_notes_come_from_the_annotations():
    fields = {field.name: field for field in fields_of(Inputs, "tick/")}
    assert (fields["q"].column.dtype, fields["q"].column.shape, fields["q"].vector) == ("float64", (7,), True)
    assert (fields["signal_valid"].column.dtype, fields["signal_valid"].column.shape) == ("bool", (18,))
    assert fields["signal_valid"].column.labels[0] == "epistemic"
    assert (fields["tick"].column.dtype, fields["tick"].column.shape) == ("int64", ())
    assert notes(SawState)["press_force"] == "N, blade on wood, >= 0"


def test_what_an_older_session_did_not_record_reads_as_its_default():
    here = {field.column.name for field in TICK_FIELDS[Command]} - {"tick/posture"}
    rows = {field.column.name: np.zeros((2, *field.column.shape), field.column.storage) for field in TICK_FIELDS[Command]}
    read = structs_from(Command, lambda column: rows[column.name], (), here)
    assert [command.posture == (0.0,) * 7 for command in read] == [False, False]
    assert np.isnan(read[0].posture).all()
    del rows["tick/pose_d"]
    with pytest.raises(KeyError, match="tick/pose_d"):
        structs_from(Command, lambda column: rows[column.name], (), here - {"tick/pose_d"})


def test_an_older_session_computed_every_valid_signal_from_its_own_exposure():
    kept = session_material.inference(3, 2_000_000_000)
    names = [column.name.removeprefix("inference/") for column in inference_columns(kept)]
    row = dict(zip(names, (value[0] for value in inference_values(kept)), strict=True))
    labels = {"heads": tuple(kept.heads), "stage_ms": tuple(kept.stage_ms)}
    np.testing.assert_array_equal(inference_from(row, labels).signal_ns, kept.signal_ns)
    del row["signal_ns"]
    np.testing.assert_array_equal(inference_from(row, labels).signal_ns, [1_910_000_000 * (i != 3) for i in range(18)])


def test_a_forecast_comes_back_and_of_an_older_session_there_is_none():
    kept = msgspec.structs.replace(session_material.inference(3, 2_000_000_000), forecast=np.arange(16.0).reshape(4, 4))
    names = [column.name.removeprefix("inference/") for column in inference_columns(kept)]
    row = dict(zip(names, (value[0] for value in inference_values(kept)), strict=True))
    labels = {"heads": tuple(kept.heads), "stage_ms": tuple(kept.stage_ms)}
    np.testing.assert_array_equal(inference_from(row, labels).forecast, kept.forecast)
    for name in ("forecast", "forecast_alarm", "forecast_because"):
        del row[name]
    older = inference_from(row, labels)
    assert [array.shape for array in (older.forecast, older.forecast_alarm, older.forecast_because)] == [(4, 4), (4,), (18,)]
    assert np.isnan(older.forecast).all()


def test_names_that_other_programs_read(recorded):
    import zarr

    group = zarr.open_group(recorded, mode="r")
    ticks = group["tick/t_ns"].shape[0]
    assert group["tick/score"].shape == group["tick/speed_scale"].shape == (ticks,)
    inferences = group["inference/id"].shape[0]
    assert group["inference/signals"].shape == group["inference/valid"].shape == (inferences, 18)
    assert group["inference/valid"].dtype == np.bool_
