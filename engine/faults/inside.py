"""The faults of cameras, policy, forecast, robot, threads, recorder, clock and person's sensor, put into the real engine while it saws."""

import math
import threading
import time
from collections.abc import Callable

import msgspec
import numpy as np

from adapters.base import AdapterError
from engine.faults.bench import PAST, Bench, tried
from engine.faults.fault import Fault, Trial
from engine.faults.parts import pictures
from engine.faults.workshop import Workshop
from engine.limits import Limits
from engine.loops.control import DT
from engine.session import commit, recorder, writer
from engine.types import U8, Frames, Inference, Observation, Person, Reason, StopCategory

STALL = 0.3  #: s that the control thread stands still
HANGS = 2.0  #: s that a forecast takes
STEP = 5.0  #: s that the clock jumps
SILENT = 10  #: ticks in which the robot does not answer


def fault(
    name: str,
    inject: Callable[[Bench], None],
    reason: Reason,
    keeps: str,
    *,
    also: tuple[Reason, ...] = (),
    more: float = 0.0,
    known: str = "",
    categories: tuple[StopCategory, ...] = (StopCategory.CAT2,),
    marks: bool = False,
    foresees: bool = False,
) -> Fault:
    """A fault that is put into an engine in this process. It is bound by the limit ``keeps``, if any, and ``more`` s.

    ``marks``: it says by itself in the session when it is in. ``foresees``: a forecast is in force.
    """

    def limit(limits: Limits) -> float:
        return (getattr(limits, keeps) if keeps else 0.0) + more

    def run(workshop: Workshop) -> Trial:
        ticks = math.ceil(limit(workshop.settings.limits) / DT) + PAST
        return tried(inject, ticks, name, workshop.rig, workshop.policy, workshop, marks=marks, foresees=foresees)

    return Fault(name=name, run=run, reasons=(reason, *also), limit=limit, keeps=(keeps,), known=known, categories=categories)


# --- cameras ---


def _pictures(change: Callable[[U8], U8]) -> Callable[[Bench], None]:
    def inject(bench: Bench) -> None:
        bench.rig.change = pictures(change)

    return inject


def _freeze(bench: Bench) -> None:
    bench.rig.change = lambda fresh, last: msgspec.structs.replace(fresh, images=last.images)


def _unplug(bench: Bench) -> None:
    def gone(fresh: Frames, last: Frames) -> Frames:
        raise AdapterError("the camera does not answer")

    bench.rig.change = gone


# --- policy ---


def _answers(change: Callable[[Bench, Inference, Inference], Inference]) -> Callable[[Bench], None]:
    def inject(bench: Bench) -> None:
        bench.policy.change = lambda fresh, last: change(bench, fresh, last)

    return inject


def _hang(bench: Bench, fresh: Inference, last: Inference) -> Inference:
    bench.over.wait()
    return fresh


def _raise(bench: Bench, fresh: Inference, last: Inference) -> Inference:
    raise RuntimeError("the model ran out of memory")


def _not_numbers(bench: Bench, fresh: Inference, last: Inference) -> Inference:
    """The policy itself still says that its answer is finite."""
    return msgspec.structs.replace(fresh, chunks=np.full_like(fresh.chunks, np.nan))


def _old(bench: Bench, fresh: Inference, last: Inference) -> Inference:
    return last


def _doubles(bench: Bench, fresh: Inference, last: Inference) -> Inference:
    return msgspec.structs.replace(fresh, chunks=fresh.chunks.astype(np.float64))


def _short(bench: Bench, fresh: Inference, last: Inference) -> Inference:
    return msgspec.structs.replace(fresh, chunks=fresh.chunks[:, :, :1])


# --- forecast ---


def _foretells(change: Callable[[Bench, Inference], Inference]) -> Callable[[Bench], None]:
    def inject(bench: Bench) -> None:
        bench.forecast.change = lambda calm: change(bench, calm)

    return inject


def _foretell_late(bench: Bench, calm: Inference) -> Inference:
    bench.over.wait(HANGS)
    return calm


def _foretell_error(bench: Bench, calm: Inference) -> Inference:
    raise RuntimeError("the forecast ran out of memory")


def _foretell_nothing(bench: Bench, calm: Inference) -> Inference:
    return msgspec.structs.replace(calm, forecast_alarm=np.full_like(calm.forecast_alarm, np.nan))


# --- robot ---


def _silence(bench: Bench) -> None:
    """It answers again after a while: what it says then shows how it came to rest."""
    left = iter(range(SILENT))

    def silent(observation: Observation) -> Observation:
        bench.mark()
        if next(left, None) is None:
            return observation
        raise AdapterError("the robot does not answer")

    bench.robot.change = silent


# --- threads and clock ---


def _stall_control(bench: Bench) -> None:
    def stall(observation: Observation) -> Observation:
        bench.mark()
        bench.robot.change = None
        time.sleep(STALL)
        return observation

    bench.robot.change = stall


def _stall_server(bench: Bench) -> None:
    bench.serving.clear()


def _kill_watchdog(bench: Bench) -> None:
    bench.clock.before_end = bench.mark
    bench.clock.fatal_to = "watchdog"


def _step_clock(bench: Bench) -> None:
    def step(observation: Observation) -> Observation:
        bench.mark()
        bench.clock.stepped_ns = round(STEP * 1e9)
        return observation

    bench.robot.change = step


# --- the person's sensors ---


def _drop_out(bench: Bench) -> None:
    """The sensor delivers nothing new: its last word grows old."""
    kept: list[Person | None] = []

    def same(observation: Observation) -> Observation:
        bench.mark()
        kept[:] = kept or [observation.person]
        return msgspec.structs.replace(observation, person=kept[0])

    bench.robot.change = same


def _blind(bench: Bench) -> None:
    def nowhere(observation: Observation) -> Observation:
        bench.mark()
        if observation.person is None:
            return observation
        person = msgspec.structs.replace(observation.person, place=np.full_like(observation.person.place, np.nan))
        return msgspec.structs.replace(observation, person=person)

    bench.robot.change = nowhere


def _numb(bench: Bench) -> None:
    def nothing(observation: Observation) -> Observation:
        bench.mark()
        return msgspec.structs.replace(observation, grip=np.full(3, np.nan))

    bench.robot.change = nothing


# --- recorder ---


def _slow_disk(bench: Bench) -> None:
    """Every wait for the disk takes until the run is over."""
    real = commit.sync_disk

    def slow(folder: object) -> None:
        if threading.current_thread().name == "recorder":
            bench.over.wait()
        real(bench.session)

    vars(writer)["sync_disk"] = slow  # the name by which the writer calls it
    bench.mending.callback(setattr, writer, "sync_disk", real)


def _pull_disk(bench: Bench) -> None:
    """The session's folder is not there any more; it comes back before the session is closed."""
    away = bench.session.with_name("away")
    bench.session.rename(away)
    bench.mending.callback(away.rename, bench.session)


PICTURE = Limits().frame_age_max  #: s in which a wrong picture must be found out: no later than a missing one
ANSWER = Limits().inference_age_max  #: s, the same for an answer
#: after a gap in time the last sight of the person is old as well, which closes the brakes, unless a new one comes that very tick
GAP = (StopCategory.CAT1, StopCategory.CAT2)
COMMIT = recorder.COMMIT_EVERY + recorder.POLL  #: s until the recorder next writes

INSIDE = (
    fault("camera frozen", _freeze, Reason.CAMERA_FROZEN, "", more=PICTURE),
    fault("camera black", _pictures(np.zeros_like), Reason.CAMERA_DARK, "", more=PICTURE),
    fault("camera wrong size", _pictures(lambda image: image[::2, ::2]), Reason.CAMERA_WRONG, "", more=PICTURE),
    fault("camera gone", _unplug, Reason.CAMERA_STALE, "frame_age_max"),
    fault("model hangs", _answers(_hang), Reason.CHUNK_STALE, "inference_age_max"),
    fault("model raises", _answers(_raise), Reason.MODEL_FAILED, "", more=ANSWER),
    fault("model says NaN", _answers(_not_numbers), Reason.CHUNK_NOT_FINITE, "", more=ANSWER),
    fault("model repeats an old chunk", _answers(_old), Reason.CHUNK_STALE, "inference_age_max"),
    fault("model's chunk of a wrong dtype", _answers(_doubles), Reason.CHUNK_WRONG, "", more=ANSWER),
    fault("model's chunk of a wrong horizon", _answers(_short), Reason.CHUNK_WRONG, "", more=ANSWER),
    fault("forecast hangs", _foretells(_foretell_late), Reason.FORECAST_MISSING, "", more=ANSWER, foresees=True),
    fault("forecast raises", _foretells(_foretell_error), Reason.FORECAST_MISSING, "", more=ANSWER, foresees=True),
    fault("forecast says NaN", _foretells(_foretell_nothing), Reason.FORECAST_MISSING, "", more=ANSWER, foresees=True),
    fault("robot does not answer", _silence, Reason.PLANT_TIMEOUT, "", more=DT, marks=True),
    fault("control thread stalls", _stall_control, Reason.WATCHDOG_CONTROL, "watchdog_control", marks=True),
    fault("server thread stalls", _stall_server, Reason.WATCHDOG_SERVER, "watchdog_server", known="the end of its last round", marks=True),
    fault("watchdog dies", _kill_watchdog, Reason.WATCHDOG_SELF, "watchdog_self", marks=True),
    fault("clock steps", _step_clock, Reason.CLOCK_STEPPED, "", more=DT, categories=GAP, marks=True),
    fault(  # an older sight of a person asks for more distance: that may stop first
        "person's sensor drops out",
        _drop_out,
        Reason.PERSON_STALE,
        "person_age_max",
        also=(Reason.SEPARATION,),
        categories=(StopCategory.CAT1,),
        marks=True,
    ),
    fault("person's sensor says NaN", _blind, Reason.PERSON_NOT_FINITE, "", more=DT, categories=(StopCategory.CAT1,), marks=True),
    fault("grip sensor says NaN", _numb, Reason.GRIP_NOT_FINITE, "", more=DT, marks=True),
    fault(
        "disk slow",
        _slow_disk,
        Reason.WATCHDOG_RECORDER,
        "watchdog_recorder",
        more=COMMIT,
        known="the first write that does not end",
    ),
    fault("disk gone", _pull_disk, Reason.RECORDER_FAILED, "", more=COMMIT, known="the first write that fails"),
)
