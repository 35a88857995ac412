"""Which columns a session has, and how the program's structs become rows and rows become structs again.

The columns of ``tick/`` are the fields of the structs themselves, by name, type and comment; there is no second list to keep.
"""

import inspect
import math
import re
from collections.abc import Callable, Container, Sequence
from typing import Annotated, Any, NamedTuple, get_args, get_origin, get_type_hints

import msgspec
import numpy as np

from engine.session import pictures
from engine.session.layout import BYTES, STRING, Column, Rows
from engine.types import (
    F32,
    FAILURES,
    LAYERS,
    SIGNALS,
    U8,
    Command,
    Decision,
    Energy,
    Event,
    Frames,
    Inference,
    Inputs,
    OperatorState,
    Reason,
    SawState,
    Spring,
    StopCategory,
    Tick,
    Zone,
)

TICK_BLOCK = 100  #: rows: one second
INFERENCE_BLOCK = 4
FRAME_BLOCK = 8  #: pictures compressed together, so that what does not change costs little
EVENT_BLOCK = 1

SCALARS = {float: "float64", int: "int64", bool: "bool"}


class Field(NamedTuple):
    """One field of a struct and the column that holds it."""

    name: str
    column: Column
    storage: np.dtype[Any]
    vector: bool
    text: bool  #: stored as a row number of ``words``
    optional: bool  #: it has a default, for sessions that were recorded before it was there
    joints: bool  #: as wide as the robot has joints


def notes(struct: type) -> dict[str, str]:
    """The ``#:`` comment of each field, from the struct's own source."""
    found = (re.match(r"\s+(\w+): .*?#: (.+)$", line) for line in inspect.getsource(struct).splitlines())
    return {match[1]: match[2] for match in found if match}


def fields_of(struct: type, prefix: str) -> tuple[Field, ...]:
    """The columns of a struct of numbers, flags, texts and fixed vectors. Raises TypeError for a field of another type."""
    comments = notes(struct)
    optional = {field.name for field in msgspec.structs.fields(struct) if not field.required}
    fields = []
    for name, hint in get_type_hints(struct, include_extras=True).items():
        size: tuple[int, ...] = ()
        kind, joints = hint, False
        if get_origin(hint) is Annotated:
            vector, meta = get_args(hint)[:2]
            kind, size, joints = get_args(vector)[0], (meta.max_length,), meta.min_length != meta.max_length
        if kind is str:
            dtype = "int32"
        elif kind in SCALARS:
            dtype = SCALARS[kind]
        else:
            raise TypeError(f"{struct.__name__}.{name}: a session has no column for {hint}")
        note = "row of words; " * (kind is str) + comments.get(name, "")
        labels = {len(LAYERS): LAYERS, len(SIGNALS): SIGNALS, len(FAILURES): FAILURES}.get(size[0], ()) if size else ()
        column = Column(name=prefix + name, dtype=dtype, shape=size, block_rows=TICK_BLOCK, note=note, labels=labels)
        fields.append(Field(name, column, column.storage, bool(size), kind is str, name in optional, joints))
    return tuple(fields)


# The operator's wishes and what was made of them share names (hand_force, cut_line_y, log_top_z): the wishes get a prefix.
TICK_FIELDS: dict[type, tuple[Field, ...]] = {
    Inputs: fields_of(Inputs, "tick/"),
    Decision: fields_of(Decision, "tick/"),
    Command: fields_of(Command, "tick/"),
    SawState: fields_of(SawState, "tick/"),
    Spring: fields_of(Spring, "tick/spring_"),
    Energy: fields_of(Energy, "tick/energy_"),
    OperatorState: fields_of(OperatorState, "tick/operator_"),
}

#: by column, what every session that an engine recorded has
REQUIRED = {field.column.name: field for fields in TICK_FIELDS.values() for field in fields if not field.optional}
#: what says nothing, where 0 would say something
NOTHING = {"action": -1, "stop_category": StopCategory.NONE, "layer_reason": Reason.NOT_CONFIGURED, "zone": Zone.NONE}


def unknown(field: Field, rows: int, joints: int) -> Rows:
    """(rows, *shape) of a column that an imported session does not have: NaN, 0, False, or the first of the words."""
    shape = (joints,) if field.joints else field.column.shape
    nothing = math.nan if field.storage.kind == "f" else NOTHING.get(field.name, 0)
    return np.full((rows, *shape), nothing, field.storage)


WORDS = (Column(name="words", dtype=STRING, shape=(), block_rows=EVENT_BLOCK, note="the texts that tick/ columns point at"),)

EVENTS = tuple(
    Column(name=f"events/{name}", dtype=dtype, shape=(), block_rows=EVENT_BLOCK, note=notes(Event).get(name, ""))
    for name, dtype in (("seq", "int64"), ("tick", "int64"), ("t_ns", "int64"), ("wall", "float64"), ("kind", STRING), ("text", STRING))
)


def distinct(columns: Sequence[Column]) -> tuple[Column, ...]:
    """The columns themselves. Raises ValueError when two have one name."""
    names = [column.name for column in columns]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"Two fields of a tick would share a column: {', '.join(twice)}. Give one struct a prefix.")
    return tuple(columns)


TRUTH = (
    Column(name="truth/t_ns", dtype="int64", shape=(), block_rows=TICK_BLOCK, note="of an inference's delivery"),
    Column(name="truth/oracle", dtype="float32", shape=(12,), block_rows=TICK_BLOCK, note="what the simulator alone knows, within [-1, 1]"),
)

TICK_SCALARS = distinct([field.column for fields in TICK_FIELDS.values() for field in fields])


def tick_columns(row: Tick) -> tuple[Column, ...]:
    """The columns of ``tick/`` for as many joints and a plant of the size that this row has; a plant without state has no column."""
    size = len(row.plant)
    plant = Column(name="tick/plant", dtype="float64", shape=(size,), block_rows=TICK_BLOCK, note="the plant's full state")
    columns = [
        msgspec.structs.replace(field.column, shape=(len(getattr(struct, field.name)),)) if field.joints else field.column
        for struct, fields in zip(row[:-1], TICK_FIELDS.values(), strict=True)
        for field in fields
    ]
    return (*columns, plant) if size else tuple(columns)


def tick_values(rows: Sequence[Tick], word: Callable[[str], int]) -> list[Rows]:
    """One array a column, in the order of ``tick_columns``. ``word`` gives a text's row in ``words``."""
    values: list[Rows] = []
    for structs, fields in zip(list(zip(*rows, strict=True))[:-1], TICK_FIELDS.values(), strict=True):
        for field, plain in zip(fields, zip(*map(msgspec.structs.astuple, structs), strict=True), strict=True):
            values.append(np.array([word(text) for text in plain] if field.text else plain, field.storage))
    if len(rows[0].plant):
        values.append(np.array([row.plant for row in rows], np.float64))
    return values


def structs_from[T: msgspec.Struct](
    struct: type[T], read: Callable[[Column], Rows], words: Sequence[str], recorded: Container[str]
) -> list[T]:
    """The structs that ``tick_values`` took apart. ``read`` gives the wanted rows of a column; of those not ``recorded`` the default."""
    lists: list[list[Any]] = []
    fields = [field for field in TICK_FIELDS[struct] if field.column.name in recorded or not field.optional]
    for field in fields:
        plain = read(field.column).tolist()
        if field.text:
            plain = [words[index] for index in plain]
        lists.append([tuple(value) for value in plain] if field.vector else plain)
    names = [field.name for field in fields]
    return [struct(**dict(zip(names, values, strict=True))) for values in zip(*lists, strict=True)]


INFERENCE_NUMBERS = ("id", "exposed_ns", "start_ns", "end_ns", "members")
INFERENCE_VECTORS = ("base_pose", "signals", "ratio", "quantile")
#: of a session recorded before there were any: NaN
FORECAST = {"forecast": FAILURES, "forecast_alarm": FAILURES, "forecast_because": SIGNALS}


def inference_columns(first: Inference) -> tuple[Column, ...]:
    """The columns of ``inference/`` for chunks, heads and stages such as the first inference has."""
    comments = notes(Inference)

    def column(name: str, dtype: str, shape: tuple[int, ...] = (), labels: tuple[str, ...] = ()) -> Column:
        note = comments.get(name, "")
        return Column(name=f"inference/{name}", dtype=dtype, shape=shape, block_rows=INFERENCE_BLOCK, note=note, labels=labels)

    columns = [column(name, "int64") for name in INFERENCE_NUMBERS]
    columns += [column("step_s", "float64"), column("finite", "bool"), column("valid", "bool", (18,), SIGNALS)]
    columns.append(column("signal_ns", "int64", (18,), SIGNALS))
    columns.append(column("base_pose", "float64", (7,)))
    columns += [column(name, "float64", (18,), SIGNALS) for name in INFERENCE_VECTORS if name != "base_pose"]
    columns.append(column("chunks", "float32", first.chunks.shape))
    columns += [column(name, "float64", getattr(first, name).shape, labels) for name, labels in FORECAST.items()]
    for name, labels in (("heads", tuple(first.heads)), ("stage_ms", tuple(first.stage_ms))):
        if labels:
            columns.append(column(name, "float64", (len(labels),), labels))
    return tuple(columns)


def inference_values(inference: Inference) -> list[Rows]:
    """One array of one row a column, in the order of ``inference_columns``."""
    values: list[Rows] = [np.array([getattr(inference, name)], np.int64) for name in INFERENCE_NUMBERS]
    values += [np.array([inference.step_s]), np.array([inference.finite]), np.array([inference.valid])]
    values.append(np.array([inference.signal_ns], np.int64))
    values += [np.array([getattr(inference, name)]) for name in INFERENCE_VECTORS]
    values.append(np.array([inference.chunks]))
    values += [np.array([getattr(inference, name)]) for name in FORECAST]
    values += [np.array([list(table.values())], np.float64) for table in (inference.heads, inference.stage_ms) if table]
    return values


def inference_from(row: dict[str, Rows], labels: dict[str, tuple[str, ...]]) -> Inference:
    """The inference that ``inference_values`` took apart. ``row``: one row of each column by its last name.

    A session recorded before ``signal_ns`` was there computed every valid signal from the inference's own exposure.
    """
    tables = {name: dict(zip(labels.get(name, ()), row.get(name, np.empty(0)).tolist(), strict=True)) for name in ("heads", "stage_ms")}
    return Inference(
        id=int(row["id"]),
        exposed_ns=int(row["exposed_ns"]),
        start_ns=int(row["start_ns"]),
        end_ns=int(row["end_ns"]),
        base_pose=row["base_pose"],
        chunks=row["chunks"],
        step_s=float(row["step_s"]),
        signals=row["signals"],
        valid=row["valid"],
        signal_ns=row["signal_ns"] if "signal_ns" in row else np.where(row["valid"], row["exposed_ns"], 0),
        ratio=row["ratio"],
        quantile=row["quantile"],
        heads=tables["heads"],
        stage_ms=tables["stage_ms"],
        members=int(row["members"]),
        finite=bool(row["finite"]),
        **{name: row[name] for name in FORECAST if name in row},
    )


def camera_columns(camera: str, image: U8, jpeg: bool) -> tuple[Column, ...]:
    """The columns of ``camera/NAME/`` for pictures of this one's size, or of files of any."""
    comments = notes(Frames)
    times = [
        Column(name=f"camera/{camera}/{name}", dtype="int64", shape=(), block_rows=FRAME_BLOCK, note=comments.get(name, ""))
        for name in ("seq", "t_ns", "exposed_ns")
    ]
    seen = Column(name=f"camera/{camera}/observation_seq", dtype="int64", shape=(), block_rows=FRAME_BLOCK, note="reading at the exposure")
    if jpeg:
        files = Column(name=f"camera/{camera}/jpeg", dtype=BYTES, shape=(), block_rows=FRAME_BLOCK, note="a JPEG file each")
        return (*times, seen, files)
    frames = Column(name=f"camera/{camera}/frames", dtype="uint8", shape=image.shape, block_rows=FRAME_BLOCK, note="RGB (H, W, 3)")
    return (*times, seen, frames)


def camera_values(frames: Frames, camera: str, jpeg: bool) -> list[Rows]:
    """One array of one row a column, in the order of ``camera_columns``."""
    numbers = [frames.seq, frames.t_ns, frames.exposed_ns, frames.observation.seq]
    image = frames.images[camera]
    picture = np.array([pictures.encoded(image)], object) if jpeg else image[np.newaxis]
    return [*(np.array([number], np.int64) for number in numbers), picture]


def event_values(events: Sequence[Event]) -> list[Rows]:
    """One array a column, in the order of ``EVENTS``."""
    return [np.array([getattr(event, column.name.removeprefix("events/")) for event in events], column.storage) for column in EVENTS]


def truth_values(rows: Sequence[tuple[int, F32]]) -> list[Rows]:
    """One array a column, in the order of ``TRUTH``."""
    return [np.array([t_ns for t_ns, _ in rows], np.int64), np.array([oracle for _, oracle in rows], np.float32)]
