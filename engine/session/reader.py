"""Reads a session: any tick, inference or picture by number or by time, never a row beyond the commit."""

import bisect
from collections import OrderedDict
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np

from engine.session import pictures
from engine.session.columns import REQUIRED, inference_from, structs_from, unknown
from engine.session.commit import Commit, read_commit
from engine.session.layout import BLOCKS, Column, Rows, SessionError, blank, read_blocks, read_column
from engine.session.schema import Header
from engine.snapshot import badges, snapshot
from engine.types import (
    U8,
    Command,
    Decision,
    Energy,
    Event,
    Inference,
    Inputs,
    LoopStats,
    OperatorState,
    Reason,
    RecorderState,
    RunInfo,
    SawState,
    Snapshot,
    Spring,
    Tick,
)

CACHED = 96 * 2**20  #: bytes of decoded blocks kept: what replay looks at around the present tick
SECOND = 1_000_000_000


class Picture(NamedTuple):
    """One recorded exposure of one camera."""

    seq: int
    t_ns: int  #: received
    exposed_ns: int
    image: U8  #: (H, W, 3)


class Session:
    """An opened session, as far as it was committed when it was opened."""

    def __init__(self, path: Path, commit: Commit) -> None:
        self.path = path
        self.commit = commit
        self._columns: dict[str, Column] = {}
        self._blocks: OrderedDict[tuple[str, int], Rows] = OrderedDict()
        self._cached = 0

    @classmethod
    def open(cls, path: Path) -> "Session":
        """Raises SessionError when there is no session, when it is damaged, or when another schema version wrote it."""
        return cls(path, read_commit(path))

    @property
    def header(self) -> Header:
        return self.commit.header

    @property
    def ticks(self) -> int:
        return self.commit.rows("tick/t_ns")

    @property
    def inferences(self) -> int:
        return self.commit.rows("inference/id")

    @property
    def cameras(self) -> tuple[str, ...]:
        return tuple(name.split("/")[1] for name in self.commit.arrays if name.startswith("camera/") and name.endswith("/seq"))

    @property
    def seconds(self) -> float:
        """From the first tick to the last, by the engine's clock."""
        if not self.ticks:
            return 0.0
        return float(self.rows("tick/t_ns", self.ticks - 1)[0] - self.rows("tick/t_ns", 0, 1)[0]) / SECOND

    # --- columns ---

    def describe(self, name: str) -> Column:
        """What array ``name`` is. Raises SessionError."""
        if name not in self.commit.arrays:
            raise SessionError(f"Session {self.path} has no array {name}.")
        if name not in self._columns:
            self._columns[name] = read_column(self.path, name)
        return self._columns[name]

    def rows(self, name: str, start: int = 0, stop: int | None = None) -> Rows:
        """Rows ``start`` to ``stop`` of array ``name``, at most those committed: (n, *shape). Raises SessionError."""
        if self.header.imported is not None and name in REQUIRED and name not in self.commit.arrays:
            return unknown(REQUIRED[name], len(range(self.ticks)[start:stop]), self._joints)
        column = self.describe(name)
        stop = min(self.commit.rows(name), self.commit.rows(name) if stop is None else stop)
        if start >= stop:
            return blank(column)[:0]
        first, last = start // column.block_rows, (stop - 1) // column.block_rows
        at = first * column.block_rows
        if first == last:
            return self._block(column, first)[start - at : stop - at]
        blocks = [
            block
            for shard in range(first // BLOCKS, last // BLOCKS + 1)
            for block in read_blocks(self.path, column, max(first, shard * BLOCKS), min(last, shard * BLOCKS + BLOCKS - 1))
        ]
        return np.concatenate(blocks)[start - at : stop - at]

    @property
    def _joints(self) -> int:
        """How many an imported session's arm has; as many as can be, where it does not tell."""
        return (self.describe("tick/q") if "tick/q" in self.commit.arrays else REQUIRED["tick/q"].column).shape[0]

    def _block(self, column: Column, block: int) -> Rows:
        key = (column.name, block)
        if key in self._blocks:
            self._blocks.move_to_end(key)
            return self._blocks[key]
        rows = read_blocks(self.path, column, block, block)[0]
        rows.flags.writeable = False
        self._blocks[key] = rows
        self._cached += rows.nbytes
        while self._cached > CACHED and len(self._blocks) > 1:
            self._cached -= self._blocks.popitem(last=False)[1].nbytes
        return rows

    def _received_by(self, name: str, t_ns: int) -> int:
        """How many rows of an ascending column of times lie at or before ``t_ns``: a search that reads a few blocks."""
        return bisect.bisect_right(range(self.commit.rows(name)), t_ns, key=lambda row: int(self.rows(name, row, row + 1)[0]))

    def _rate(self, name: str, t_ns: int) -> float:
        """How many of a column's times fall into the second that ends at ``t_ns``."""
        return float(self._received_by(name, t_ns) - self._received_by(name, t_ns - SECOND))

    # --- ticks ---

    @cached_property
    def words(self) -> Sequence[str]:
        return [str(word) for word in self.rows("words")] if "words" in self.commit.arrays else []

    @cached_property
    def _started(self) -> int:
        """ns of the engine's clock at the first tick."""
        return int(self.rows("tick/t_ns", 0, 1)[0])

    def _wall(self, t_ns: int) -> float:
        """s since the epoch at ``t_ns`` of the engine's clock, which in lock-step is not the wall's."""
        return self.header.started_wall + ((t_ns - self._started) / SECOND if self.ticks else 0.0)

    @cached_property
    def times(self) -> Rows:
        """Of every tick: (ticks,) ns."""
        return self.rows("tick/t_ns") if self.ticks else np.empty(0, np.int64)

    def structs[T: msgspec.Struct](self, struct: type[T], start: int = 0, stop: int | None = None) -> list[T]:
        """The Inputs, Decisions, Commands, SawStates or OperatorStates of ticks ``start`` to ``stop``. Raises SessionError."""
        if not self.ticks:
            return []
        return structs_from(struct, lambda column: self.rows(column.name, start, stop), self.words, self.commit.arrays)

    def row(self, tick: int) -> Tick:
        """All that was recorded of the tick in row ``tick``; negative counts from the end. Raises SessionError, IndexError."""
        at = range(self.ticks)[tick]
        return Tick(
            self.structs(Inputs, at, at + 1)[0],
            self.structs(Decision, at, at + 1)[0],
            self.structs(Command, at, at + 1)[0],
            self.structs(SawState, at, at + 1)[0],
            self.structs(Spring, at, at + 1)[0],
            self.structs(Energy, at, at + 1)[0],
            self.structs(OperatorState, at, at + 1)[0],
            self.rows("tick/plant", at, at + 1)[0] if "tick/plant" in self.commit.arrays else np.empty(0),
        )

    def tick_at(self, t_ns: int) -> int:
        """The row of the last tick at or before ``t_ns``; 0 if there is none."""
        return max(0, self._received_by("tick/t_ns", t_ns) - 1)

    # --- inferences, pictures, events ---

    def inference(self, index: int) -> Inference:
        """The inference in row ``index``. Raises SessionError, IndexError."""
        at = range(self.inferences)[index]
        names = [name for name in self.commit.arrays if name.startswith("inference/")]
        row = {name.removeprefix("inference/"): self.rows(name, at, at + 1)[0] for name in names}
        return inference_from(row, {name.removeprefix("inference/"): self.describe(name).labels for name in names})

    def inference_at(self, t_ns: int) -> Inference | None:
        """The newest inference that the engine had received by ``t_ns``."""
        received = self._received_by("inference/end_ns", t_ns)
        return self.inference(received - 1) if received else None

    def frame_at(self, camera: str, t_ns: int) -> Picture | None:
        """The newest picture of a camera that the engine had received by ``t_ns``. Raises SessionError for an unknown camera."""
        if camera not in self.cameras:
            raise SessionError(f"Session {self.path} has no camera {camera!r}; it has {', '.join(self.cameras) or 'none'}.")
        name = f"camera/{camera}"
        row = self._received_by(f"{name}/t_ns", t_ns) - 1
        if row < 0:
            return None
        seq, received, exposed = (int(self.rows(f"{name}/{column}", row, row + 1)[0]) for column in ("seq", "t_ns", "exposed_ns"))
        return Picture(seq, received, exposed, self._image(name, row))

    def _image(self, camera: str, row: int) -> U8:
        if f"{camera}/jpeg" not in self.commit.arrays:
            return np.asarray(self.rows(f"{camera}/frames", row, row + 1)[0], np.uint8)
        try:
            return pictures.decoded(self.rows(f"{camera}/jpeg", row, row + 1)[0])
        except OSError as error:
            raise SessionError(f"Picture {row} of {camera} of session {self.path} is damaged ({error}): restore it from a copy.") from error

    @cached_property
    def events(self) -> tuple[Event, ...]:
        """Every event, in order."""
        if not self.commit.rows("events/seq"):
            return ()
        lists = [self.rows(f"events/{name}").tolist() for name in ("seq", "tick", "t_ns", "wall", "kind", "text")]
        return tuple(
            Event(seq=seq, tick=tick, t_ns=t_ns, wall=wall, kind=kind, text=text)
            for seq, tick, t_ns, wall, kind, text in zip(*lists, strict=True)
        )

    # --- what a screen shows of a tick ---

    @cached_property
    def _event_ticks(self) -> list[int]:
        return [event.tick for event in self.events]

    @cached_property
    def _shown_events(self) -> tuple[Event, ...]:
        """The events by the clock that a snapshot is shown with."""
        return tuple(msgspec.structs.replace(event, wall=self._wall(event.t_ns)) for event in self.events)

    def snapshot(self, tick: int) -> Snapshot:
        """What the live screen could have shown at row ``tick``; the loop's lateness is not recorded and reads NaN."""
        row = self.row(tick)
        inputs, t_ns = row.inputs, row.inputs.t_ns
        header = self.header
        return snapshot(
            wall=self._wall(t_ns),
            tick=row,
            inference=self.inference_at(t_ns) if inputs.inference_id else None,
            inference_hz=self._rate("inference/end_ns", t_ns),
            recorder=self._recorder_state(range(self.ticks)[tick], inputs),
            run=RunInfo(
                run=header.id,
                robot=header.robot,
                task=header.task,
                instruction=header.instruction,
                policy=header.policy,
                model_state=inputs.model_state,
                model_note="",
                simulated=header.simulated,
                controller="",
                badges=badges(header.settings.get(header.robot, {}), header.policy) if header.imported is None else ("IMPORTED",),
            ),
            loop=LoopStats(
                tick_hz=self._rate("tick/t_ns", t_ns),
                late_p99_ms=float("nan"),
                late_max_ms=float("nan"),
                real_time_factor=float("nan"),
                camera_fps=self._rate(f"camera/{self.cameras[0]}/t_ns", t_ns) if self.cameras else 0.0,
                overruns=0,
            ),
            events=self._shown_events[: bisect.bisect_right(self._event_ticks, inputs.tick)],
        )

    def _recorder_state(self, row: int, inputs: Inputs) -> RecorderState:
        return RecorderState(
            on=False,
            session=str(self.path),
            seconds=(inputs.t_ns - self._started) / SECOND,
            megabytes=self.commit.bytes / 1e6,
            queued=0,
            committed_ticks=row + 1,
            fault=Reason(inputs.recorder_fault).name if inputs.recorder_fault else "",
        )
