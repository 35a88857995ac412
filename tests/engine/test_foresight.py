"""A forecast in the running engine: acted on, recorded and replayed; and whatever goes wrong with it, policy and stops go on."""

import math
import time
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from adapters.base import AdapterError
from engine import runs
from engine.clock import SimulatedClock
from engine.config import ForecastSettings, Settings
from engine.engine import Engine
from engine.forecast import card
from engine.host import Host, foresight_loader, open_robot
from engine.limits import Limits
from engine.loops.foresight import Foresight, Foreteller
from engine.messages import Arm, Go
from engine.policy.scripted import Scripted
from engine.safety.forecast import IN_FORCE, UNPROVEN
from engine.session.reader import Session
from engine.session.recorder import Recorder
from engine.session.schema import header
from engine.session.verify import recompute
from engine.stop import StopPage
from engine.types import FAILURES, Inference, Intervention, PolicyInfo, Tick

CALM = (0.1,) * 4
DROP, MISS = FAILURES.index("drop"), FAILURES.index("miss")
PATIENCE = 0.05  #: s


def level(failure: int, value: float) -> tuple[float, ...]:
    return tuple(value if index == failure else 0.1 for index in range(4))


class Oracle:
    """A forecast that says what it is told to."""

    def __init__(self) -> None:
        self.alarm: tuple[float, ...] = CALM
        self.asked: list[int] = []
        self.fails: Callable[[Inference], Inference] | None = None

    def __call__(self, inference: Inference) -> Inference:
        self.asked.append(inference.id)
        if self.fails is not None:
            return self.fails(inference)
        chances = np.outer(self.alarm, (0.05, 0.08, 0.09, 0.1))
        because = np.linspace(-0.1, 0.1, 18)
        return msgspec.structs.replace(inference, forecast=chances, forecast_alarm=np.array(self.alarm), forecast_because=because)


class Table:
    """An engine in lock-step that works under an oracle; keeps every tick."""

    def __init__(
        self,
        folder: Path,
        *,
        robot: str = "pickplace",
        state: int = 1,
        load: Callable[[PolicyInfo], Foresight] | None = None,
        recorded: bool = False,
        **limits: Any,
    ) -> None:
        given = Settings(robot=robot, policy="scripted", seed=6, store=folder / "store", camera={"pixels": 64, "record": "none"})
        settings = given.model_copy(update={"limits": replace(given.limits, **limits)}) if limits else given
        built, rig = open_robot(settings)
        self.robot, self.oracle, self.ticks = built, Oracle(), list[Tick]()
        clock = SimulatedClock()
        self.recorder = Recorder(settings.store, header(settings, built, rig), clock=clock, wait=True) if recorded else None
        self.engine = Engine(
            settings,
            run="test",
            robot=built,
            rig=rig,
            load_policy=lambda progress: Scripted(robot, settings.task),
            page=StopPage(folder / "stop", create=True),
            recorder=self.recorder,
            console_required=False,
            clock=clock,
            foresight=load or (lambda policy: Foresight(state, "", self.oracle)),
        )
        self.engine.prepare_lockstep()
        self.run(50)
        self.go()
        self.run(130)
        assert self.last.decision.going

    def go(self) -> None:
        self.engine.post(Arm(robot=self.engine.settings.robot))
        self.run(2)
        self.engine.post(Go())

    def run(self, ticks: int, script: Callable[[int], None] = lambda tick: None) -> None:
        def kept(tick: int) -> None:
            if self.engine.control.last is not None:
                self.ticks.append(self.engine.control.last)
            script(tick)

        self.engine.lockstep(ticks, script=kept)

    @property
    def last(self) -> Tick:
        assert self.engine.control.last is not None
        return self.engine.control.last

    def told(self, kind: str) -> list[str]:
        return [event.text for event in self.engine._events if event.kind == kind]


def test_what_is_foreseen_is_acted_on_recorded_and_replayed_to_the_bit(tmp_path: Path) -> None:
    table = Table(tmp_path, recorded=True)
    assert all(before < after for before, after in pairwise(table.oracle.asked))
    latest = table.engine._boxes.inferences.get()
    assert latest is not None
    assert (latest.id, latest.forecast_alarm.tolist()) == (table.oracle.asked[-1], [*CALM])
    assert "forecast" in latest.stage_ms
    assert (table.last.inputs.inference_id, table.last.inputs.forecast_ns) == (latest.id, latest.exposed_ns)
    table.oracle.alarm = level(DROP, 1.5)
    table.run(70)
    assert table.last.decision.intervention == Intervention.SLOW
    table.oracle.alarm = level(DROP, math.nan)
    table.run(40)
    assert [stop.reason for stop in table.engine.stops] == ["forecast_missing"]
    snapshot = table.engine.snapshot()
    table.engine.close("done")
    assert table.recorder is not None
    session = Session.open(table.recorder.path)
    report = recompute(session.path)
    assert report.ok, report.problems
    assert {"SLOW: a drop is likely within 1.6 s", "OVER: SLOW"} <= {event.text for event in session.events if event.kind == "forecast"}
    alarms = session.rows("inference/forecast_alarm")[:, DROP]
    assert {0.1, 1.5} <= set(alarms.tolist())
    assert math.isnan(alarms[-1])
    assert session.describe("inference/forecast").labels == FAILURES
    assert session.describe("tick/forecast_alarm").labels == FAILURES
    slow = int(np.flatnonzero(session.rows("tick/intervention") == Intervention.SLOW)[0])
    shown = session.snapshot(slow)
    assert shown.decision.foreseen == DROP
    assert shown.inference is not None
    assert (shown.inference.forecast_alarm[DROP], shown.inference.forecast[4 * DROP + 3]) == (1.5, pytest.approx(0.15))
    assert shown.inference.forecast_because[17] == pytest.approx(0.1)
    assert (shown.run.policy and shown.run.policy.forecast) == 1
    assert snapshot is not None
    assert math.isnan(snapshot.inputs.forecast_alarm[DROP])


def test_a_retry_lets_go_backs_off_slowly_and_hands_back_to_the_policy(tmp_path: Path) -> None:
    table = Table(tmp_path)
    table.oracle.alarm = level(MISS, 1.5)
    table.run(50)
    table.oracle.alarm = CALM
    table.run(260)
    during = [tick for tick in table.ticks if tick.decision.intervention == Intervention.RETRY]
    assert during
    assert all(tick.decision.going for tick in during)
    limit = max(tick.decision.speed_limit for tick in during)
    assert max(math.hypot(*tick.command.twist_d[:3]) for tick in during) <= limit + 1e-9 <= 0.2 + 1e-9
    begun = during[0].command.pose_d
    apart = [tick for tick in during if tick.command.pose_d[2] - begun[2] > 0.04]
    assert apart
    assert math.hypot(*apart[0].command.pose_d[:2]) < math.hypot(*begun[:2]) - 0.015
    assert all(tick.command.gripper_d == 0.0 for tick in apart[:1])
    assert min(tick.command.pose_d[2] for tick in table.ticks[-100:]) < apart[0].command.pose_d[2] - 0.02  # it approaches again
    assert table.told("forecast") == ["RETRY: a miss is likely within 1.6 s", "OVER: RETRY"]
    assert table.engine.stops == []


def test_at_the_saw_a_retry_lightens_and_is_given_up_on_a_stop(tmp_path: Path) -> None:
    table = Table(tmp_path, robot="cosaw")
    table.run(60)
    table.oracle.alarm = level(MISS, 1.5)
    table.run(105)
    during = [tick for tick in table.ticks if tick.decision.intervention == Intervention.RETRY]
    assert during
    before = max(tick.saw.press_force for tick in table.ticks[-400:] if tick.decision.intervention == Intervention.NONE)
    assert min(tick.saw.press_force for tick in during) < 0.3 * before
    assert table.engine.stops == []
    assert table.engine.control._retry is not None
    table.engine.stop(latched=False)
    table.run(1)
    assert table.engine.control._retry is None
    assert table.last.command.hold


def test_a_question_pauses_and_what_was_answered_is_told(tmp_path: Path) -> None:
    table = Table(tmp_path, on_drop="ask")
    table.oracle.alarm = level(DROP, 1.5)
    table.run(80)
    assert table.last.decision.asking
    assert (table.last.decision.going, table.last.command.hold) == (False, True)
    assert table.engine.binding_sentence() == "forecast: a drop is likely: shall it go on?"
    table.oracle.alarm = CALM
    table.engine.post(Go())
    table.run(100)
    assert table.last.decision.going
    assert table.told("forecast") == ["ASK: a drop is likely within 1.6 s", "ANSWERED: go"]
    assert table.told("pause") == []


FAILURES_OF_A_FORECAST: dict[str, tuple[Callable[[Inference], Inference], str]] = {
    "raises": (lambda inference: (_ for _ in ()).throw(RuntimeError("out of memory")), "forecast: RuntimeError: out of memory"),
    "says NaN": (lambda inference: msgspec.structs.replace(inference, forecast_alarm=np.full(4, np.nan)), ""),
    "says too little": (
        lambda inference: msgspec.structs.replace(inference, forecast_alarm=np.zeros(3)),
        "forecast: ValueError: forecast_alarm has the shape (3,) instead of (4,)",
    ),
    "forgets it, and takes the chunk": (lambda inference: msgspec.structs.replace(inference, chunks=np.zeros(0, np.float32)), ""),
}


@pytest.mark.parametrize(("state", "ways"), [(1, (*FAILURES_OF_A_FORECAST,)), (2, ("raises",))])
def test_a_forecast_that_fails_stops_only_where_it_is_in_force_and_leaves_the_policy_alone(
    tmp_path: Path, state: int, ways: tuple[str, ...]
) -> None:
    table = Table(tmp_path, state=state)
    for how in ways:
        fails, told = FAILURES_OF_A_FORECAST[how]
        before, inferences = len(table.told("fault")), table.last.inputs.inference_id
        table.engine.stops.clear()
        table.oracle.fails = fails
        table.run(35)
        assert table.last.inputs.inference_id > inferences, how
        assert table.last.inputs.inference_finite, how
        assert [stop.reason for stop in table.engine.stops] == (["forecast_missing"] if state == 1 else []), how
        assert table.told("fault")[before:] == ([told] if told else []), how
        table.oracle.fails = None
        table.run(40)
        table.go()
        table.run(10)
        assert table.last.decision.going, how


def test_a_forecast_that_hangs_delays_one_inference_by_its_patience_and_is_missing_until_it_answers() -> None:
    slow = Oracle()

    def hang(inference: Inference) -> Inference:
        time.sleep(4 * PATIENCE)
        return inference

    slow.fails = hang
    teller = Foreteller(slow)
    inference = an_inference()
    spent = []
    for _ in range(3):
        begun = time.monotonic()
        with pytest.raises(TimeoutError):
            teller.foretold(inference, PATIENCE)
        spent.append(time.monotonic() - begun)
    assert spent[0] < 3 * PATIENCE
    assert max(spent[1:]) < PATIENCE / 2
    assert len(slow.asked) == 1
    slow.fails = None
    time.sleep(5 * PATIENCE)
    assert teller.foretold(inference, PATIENCE).forecast_alarm.tolist() == [*CALM]


def an_inference() -> Inference:
    nan = np.full(18, np.nan)
    return Inference(
        id=1,
        exposed_ns=1,
        start_ns=2,
        end_ns=3,
        base_pose=np.zeros(7),
        chunks=np.zeros((1, 1, 16, 7), np.float32),
        step_s=0.05,
        signals=nan,
        valid=np.zeros(18, np.bool_),
        signal_ns=np.zeros(18, np.int64),
        ratio=nan,
        quantile=nan,
        heads={},
        stage_ms={},
        members=1,
        finite=True,
    )


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({}, ""),
        ({"camera": {"hz": 4.0}}, "camera.hz = 4.0, not 8.0"),
        ({"camera": {"pixels": 64}}, "camera.pixels = 64, not 128"),
        ({"ensemble": {"perturbed": 2}}, "ensemble.perturbed = 2, not 1"),
        ({"device": "cuda"}, "ensemble.dtype = bfloat16, not float32, ensemble.perturbed = 3, not 1"),
        ({"device": "cuda", "ensemble": {"dtype": "float32", "perturbed": 1}}, ""),
    ],
)
def test_a_forecast_is_proven_only_with_the_settings_it_was_learnt_under(changed: dict[str, Any], said: str) -> None:
    trained_on = msgspec.structs.replace(Scripted("pickplace", "pickplace").info, hash=card.load().card.tasks["pickplace/pickplace"])
    found = foresight_loader(Settings(robot="pickplace", **changed))(trained_on)
    assert found.foresee is not None
    assert (found.state, said in found.note) == (UNPROVEN if said else IN_FORCE, True)
    assert bool(found.note) == bool(said)


def test_a_forecast_that_cannot_be_loaded_is_not_configured_and_says_why(tmp_path: Path) -> None:
    policy = Scripted("pickplace", "pickplace").info
    found = foresight_loader(Settings(robot="pickplace", policy="scripted", forecast=ForecastSettings(path=str(tmp_path))))(policy)
    assert (found.state, found.foresee) == (0, None)
    assert str(tmp_path) in found.note
    assert foresight_loader(Settings(forecast=ForecastSettings(path="none")))(policy) == Foresight()

    def broken(info: PolicyInfo) -> Foresight:
        raise RuntimeError("a bug")

    table = Table(tmp_path, load=broken)
    assert table.engine.inference.info is not None
    assert (table.engine.inference.info.forecast, table.engine.inference.info.forecast_note) == (0, "RuntimeError: a bug")
    assert "forecast: RuntimeError: a bug" in table.told("system")


@pytest.mark.parametrize("judge", ["none", "published", "uncertainty", "forecast"])
def test_an_engine_that_a_console_may_attach_to_is_judged_by_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, judge: str) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    tmp_path.chmod(0o700)
    settings = Settings(policy="scripted", store=tmp_path / "store", limits=Limits(judged_by=judge))  # type: ignore[arg-type]
    with pytest.raises(AdapterError, match=rf"judged_by = '{judge}' is for simulated studies"):
        Host(settings, runs.create(settings), console_required=False)
    assert not (tmp_path / "store").exists()
