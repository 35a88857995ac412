"""Seeking in a long session: any tick with its inference and its pictures, beside zarr-python reading the same tick."""

import time
from collections.abc import Callable
from itertools import batched
from pathlib import Path
from statistics import median

import msgspec
import numpy as np

from engine.bench.figure import Alternative, Figure, Tell, figure
from engine.bench.material import Material
from engine.bench.plain_zarr import read_row
from engine.loops.control import DT
from engine.session import columns
from engine.session.reader import Session
from engine.session.writer import SessionWriter

SEEKS = 60
PLAIN_SEEKS = 3
COMMIT_EVERY = 3000  #: ticks
TELL_EVERY = 60_000  #: ticks
PICTURES_KEPT = 5  #: one exposure of so many is written: how many there are does not matter to finding one
TICK_NS = round(DT * 1e9)


def measure(material: Material, folder: Path, minutes: float, tell: Tell) -> tuple[Figure, ...]:
    """Seeks at random in a session of so many minutes, each to a place not looked at before; the system's own disk cache is warm."""
    path = long_session(material, folder, minutes, tell)
    tell(f"{SEEKS} seeks")
    begun = time.perf_counter()
    session = Session.open(path)
    show(session, session.ticks // 2)
    opened = (time.perf_counter() - begun) * 1e3
    places = np.random.default_rng(0).integers(0, session.ticks, SEEKS).tolist()
    own = [_ms(show, session, tick) for tick in places]
    names = [name for name in session.commit.arrays if name.startswith("tick/")]
    plain = [_ms(read_row, path, names, tick) for tick in places[:PLAIN_SEEKS]]
    other = Alternative("zarr-python opening it and reading the tick's row alone, median", median(plain))
    length = f"in a session of {session.ticks * DT / 60:.3g} min"
    return (
        figure(f"opening and the first seek, {length}", opened, "ms", "lower", against=other),
        figure(f"seek p50, {length}", median(own), "ms", "lower", against=other),
        figure(f"seek, worst of {SEEKS}, {length}", max(own), "ms", "lower", bar=100.0, against=other),
    )


def show(session: Session, tick: int) -> None:
    """All that a replay's screen shows at a tick."""
    t_ns = session.snapshot(tick).inputs.t_ns
    for camera in session.cameras:
        session.frame_at(camera, t_ns)


def long_session(material: Material, folder: Path, minutes: float, tell: Tell) -> Path:
    """The material over and over, each time with later numbers and times."""
    replace = msgspec.structs.replace
    writer = SessionWriter(folder, replace(material.header, id="long"))
    first, length = material.ticks[0].inputs, len(material.ticks)
    count = max(length, round(minutes * 60 / DT))
    for turn in range(-(-count // length)):
        ticks, shift = turn * length, turn * length * TICK_NS
        kept = min(length, count - ticks)
        rows = (
            row._replace(inputs=replace(row.inputs, tick=first.tick + ticks + number, t_ns=row.inputs.t_ns + shift))
            for number, row in enumerate(material.ticks[:kept])
        )
        for batch in batched(rows, columns.TICK_BLOCK):
            writer.add_ticks(batch)
        writer.add_inferences([replace(one, end_ns=one.end_ns + shift) for one in material.inferences])
        writer.add_frames([replace(one, t_ns=one.t_ns + shift) for one in material.exposures[::PICTURES_KEPT]])
        if ticks // COMMIT_EVERY != (ticks + kept) // COMMIT_EVERY:
            writer.commit()
        if ticks // TELL_EVERY != (ticks + kept) // TELL_EVERY:
            tell(f"writing a session: {(ticks + kept) * DT / 60:.0f} of {count * DT / 60:.0f} min")
    writer.commit(exit_reason="measured")
    writer.release()
    return writer.path


def _ms[**Given](work: Callable[Given, object], *given: Given.args, **named: Given.kwargs) -> float:
    begun = time.perf_counter()
    work(*given, **named)
    return (time.perf_counter() - begun) * 1e3
