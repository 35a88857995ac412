"""The engine in lock-step on the real cell: the same run twice gives the same bits, and hazards at the adapters stop it."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from adapters.base import AdapterError
from adapters.mujoco import cosaw
from engine import demo
from engine.clock import SimulatedClock
from engine.config import Settings
from engine.engine import INTENTS_WAITING, Engine
from engine.faults.parts import FaultyRig, standing_still
from engine.messages import Arm, Go, Hold, Pause
from engine.policy.scripted import Scripted
from engine.safety import arbiter
from engine.session.reader import Session
from engine.session.verify import recompute
from engine.stop import StopPage
from engine.types import Inputs, Reason, Writer


class Bench:
    """An engine in lock-step without recording; keeps every tick's inputs."""

    def __init__(self, folder: Path, *, seed: int = 3) -> None:
        self.robot, rig = cosaw.build(seed, 64)
        self.rig = FaultyRig(rig)
        self.page = StopPage(folder / "stop", create=True)
        self.inputs: list[Inputs] = []
        self.delay = 8
        self.engine = Engine(
            Settings(policy="scripted", seed=seed),
            run="test",
            robot=self.robot,
            rig=self.rig,
            load_policy=lambda progress: Scripted(),
            page=self.page,
            recorder=None,
            console_required=False,
            clock=SimulatedClock(),
        )
        self.engine.prepare_lockstep()

    def run(self, ticks: int) -> None:
        self.engine.lockstep(ticks, script=self._script, latency=lambda tick: self.delay)

    def drive(self) -> None:
        """Arm, go and saw."""
        self.run(60)
        self.engine.post(Arm(robot="cosaw"))
        self.run(150)
        self.engine.post(Go())
        self.run(300)
        assert self.engine.control.last is not None
        assert self.engine.control.last.decision.going

    @property
    def reasons(self) -> list[str]:
        return [stop.reason for stop in self.engine.stops]

    def _script(self, tick: int) -> None:
        if self.engine.control.last is not None:
            self.inputs.append(self.engine.control.last.inputs)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_two_runs_from_one_seed_are_equal_to_the_bit(tmp_path: Path) -> None:
    recorded = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        bench = Bench(tmp_path / name)
        bench.drive()
        recorded.append([msgspec.msgpack.encode(inputs) for inputs in bench.inputs])
    assert len(recorded[0]) > 500
    assert recorded[0] == recorded[1]


def test_frozen_cameras_stop_the_robot(bench: Bench) -> None:
    bench.drive()
    bench.rig.change = standing_still
    bench.run(120)
    assert bench.reasons == ["camera_stale"]


def test_a_model_that_hangs_stops_the_robot(bench: Bench) -> None:
    bench.drive()
    bench.delay = 10_000
    bench.run(200)
    assert bench.reasons == ["chunk_stale"]


def test_a_stop_raised_between_decision_and_command_goes_to_the_robot_in_the_same_tick(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.drive()
    stopped: list[int] = []
    commanded: list[int] = []
    control = bench.engine.control
    decide = control._command

    def raise_meanwhile(*arguments: object) -> object:
        command = decide(*arguments)  # type: ignore[arg-type]
        if not stopped:
            bench.page.raise_stop(Writer.CONSOLE)
        return command

    robot_stop, robot_command = bench.robot.stop, bench.robot.command
    monkeypatch.setattr(control, "_command", raise_meanwhile)
    monkeypatch.setattr(bench.robot, "stop", lambda category: (stopped.append(category), robot_stop(category)))
    monkeypatch.setattr(bench.robot, "command", lambda command: (commanded.append(command.command_tick), robot_command(command)))
    bench.run(1)
    assert stopped == [2]
    assert commanded == []


def test_a_fault_in_the_loop_stops_the_robot_and_latches(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.drive()

    def broken(*arguments: object, **words: object) -> Inputs:
        raise RuntimeError("a bug")

    with monkeypatch.context() as patched:
        patched.setattr(bench.engine.control, "_gather", broken)
        bench.run(1)
    bench.run(60)
    assert bench.reasons[0] == "engine_fault"
    last = bench.engine.control.last
    assert last is not None
    assert not last.decision.armed
    assert abs(last.inputs.twist[0]) < 0.12


def test_a_policy_that_raises_ends_as_failed_and_the_robot_holds(bench: Bench) -> None:
    bench.drive()

    bench.engine._worker_failed("inference", RuntimeError("out of memory"))
    bench.run(60)
    assert bench.reasons == ["model_failed"]
    assert "out of memory" in bench.engine.run_info().model_note


def test_the_partner_pulled_by_keys_moves_the_saw_and_lets_go(bench: Bench) -> None:
    bench.drive()
    bench.engine.post(Hold(axis="pull", down=True, repeat=False, seq=1))
    bench.run(3)
    assert bench.engine.control.last is not None
    assert bench.engine.control.last.command.hand_force > 0
    bench.run(30)
    assert bench.engine.control.last.command.hand_force == 0


def test_the_demonstration_is_recorded_and_every_hazard_is_answered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    tmp_path.chmod(0o700)
    settings = Settings(policy="scripted", demo=True, store=tmp_path / "store")
    summary, _ = demo.run(settings)
    assert summary["ticks"] == round(demo.SECONDS * 100) + 1
    reasons = {stop["reason"] for stop in summary["stops"]}
    assert {"camera_stale", "chunk_stale"} <= reasons
    report = recompute(Path(summary["session"]))
    assert report.ok, report.problems
    assert report.decisions_recomputed == report.ticks == summary["ticks"]
    session = Session.open(Path(summary["session"]))
    told = {event.text for event in session.events if event.kind == "hazard"}
    assert len(told) == 5
    assert Reason.CAMERA_STALE in {session.row(i)[1].stop_reason for i in range(3000, 3200)}


def test_a_robot_that_does_not_answer_stops_and_is_told(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.drive()

    def silent(t_ns: int) -> None:
        raise AdapterError("the robot does not answer")

    with monkeypatch.context() as patched:
        patched.setattr(bench.robot, "read", silent)
        bench.run(1)
    bench.run(20)
    assert bench.reasons == ["plant_timeout"]
    last = bench.engine.control.last
    assert last is not None
    assert not last.decision.armed


def test_a_silence_of_the_robot_is_one_stop_however_long_it_lasts(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.run(60)

    def silent(t_ns: int) -> None:
        raise AdapterError("the robot does not answer")

    for silences in (1, 2):
        with monkeypatch.context() as patched:
            patched.setattr(bench.robot, "read", silent)
            bench.run(100)
        bench.run(20)
        assert bench.page.counts()[Writer.PLANT] == silences
    assert bench.reasons[0] == "plant_timeout"


def test_what_a_console_asks_while_a_tick_takes_up_its_intents_waits_for_the_next(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    operator = bench.engine.control._operator
    apply = operator.apply

    def meanwhile(*arguments: Any, **words: Any) -> None:
        apply(*arguments, **words)
        if operator.pause_requests < 1000:
            bench.engine.post(Pause())

    monkeypatch.setattr(operator, "apply", meanwhile)
    bench.engine.post(Pause())
    bench.run(3)
    assert operator.pause_requests == 3


def test_of_more_intents_than_a_tick_takes_up_the_newest_count(bench: Bench) -> None:
    for _ in range(INTENTS_WAITING):
        bench.engine.post(Pause())
    bench.engine.post(Go())
    bench.run(1)
    assert bench.engine.control.last is not None
    asked = bench.engine.control.last.inputs
    assert (asked.pause_request, asked.go_request) == (INTENTS_WAITING - 1, 1)


def test_a_tick_that_fails_leaves_no_hole_in_what_is_recorded(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.drive()
    state, decisions = None, []
    recorded: list[Inputs] = []
    bench.engine.control._on_tick = lambda tick: (recorded.append(tick.inputs), decisions.append(tick.decision))
    state = bench.engine.control._state

    def broken(dt: float) -> None:
        raise RuntimeError("a bug")

    with monkeypatch.context() as patched:
        patched.setattr(bench.robot, "advance", broken)
        bench.run(1)
    bench.run(20)
    assert [inputs.tick for inputs in recorded] == list(range(recorded[0].tick, recorded[0].tick + 20))
    for inputs, decision in zip(recorded, decisions, strict=True):
        state, again = arbiter.step(state, inputs)
        assert repr(again) == repr(decision)
