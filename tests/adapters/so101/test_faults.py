"""Every fault of a real arm, put into the running engine or in its way: a stop with its cause, or a refusal, and a session that is sound.

One engine, with the real driver, the real camera class and servos emulated in a process of their own, goes on from fault to fault.
"""

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from adapters.base import AdapterError, CameraRig, Robot
from adapters.so101 import cameras, emulator
from adapters.so101.bus import Bus
from adapters.so101.calibration import load
from adapters.so101.emulated import Emulated
from adapters.so101.emulator import Emulator, Remote
from engine import headless, host
from engine.config import Settings
from engine.engine import Engine
from engine.exits import NOT_CONNECTED
from engine.loops.inference import Policy
from engine.messages import Arm, ClearStop, Hold, KeyTiming
from engine.operator import RUN
from engine.policy import mapping
from engine.policy.scripted import Scripted
from engine.session.reader import Session
from engine.session.recorder import Recorder
from engine.session.schema import header
from engine.session.verify import recompute, verify
from engine.stop import StopPage
from engine.types import Decision, Event, Reason, StopKind
from tests.adapters.so101.test_cameras import PX, Live, black, frozen, hanging, spec
from tests.adapters.so101.test_entry import PATIENT

PATIENCE = 60.0  #: s, for a machine that is busy with other things
LIMIT = 0.06  #: s, likewise, for the servos' answers
TRIES = 3  #: to have the arm stopped by a fault, and not just before it by that machine
SOON = 20.0  #: s, likewise, to be stopped by a fault


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with TemporaryDirectory(prefix="saw-", ignore_cleanup_errors=True) as name, pytest.MonkeyPatch.context() as patch:
        patch.setattr(cameras, "OPENING", 30.0)
        patch.setattr("adapters.so101.eye.FIRST", 30.0)
        patch.setenv("XDG_RUNTIME_DIR", name)
        yield Path(name)


class Run:
    """The engine in real time as the scripted policy lets it lift the cube, recorded; its operator, and who does harm to it."""

    def __init__(self, folder: Path, arm: Remote) -> None:
        self.arm, self.live = arm, Live(folder)
        self.scene = self.live.scene
        self.settings = Settings(robot="so101", policy="scripted", seed=6, store=folder / "store", limits=PATIENT)
        calibration = load(Path(arm.save_calibration(folder, "arm")))
        robot = Emulated(Bus(LIMIT), arm.port, calibration, plant=arm.plant, task="lift")
        rig = cameras.rig([spec(self.live.path)], PX)
        self.recorder = Recorder(self.settings.store, header(self.settings, robot, rig))
        self.engine = Engine(
            self.settings,
            run="test",
            robot=robot,
            rig=rig,
            load_policy=lambda progress: Scripted("so101", "lift"),
            page=StopPage(folder / "stop", create=True),
            recorder=self.recorder,
            console_required=False,
        )
        robot.tell = self.engine.note
        self.engine.start()
        self._pressed = 0
        self._old = (0, 0)  #: stops and events that were before

    def wait(self, condition: Callable[[], bool], seconds: float = PATIENCE, do: Callable[[], None] = lambda: None) -> bool:
        """Whether it comes about in time; the operator's end is there meanwhile."""
        until = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > until:
                return False
            self.engine.heard(0.0)
            do()
            time.sleep(0.01)
        return True

    @property
    def decision(self) -> Decision:
        assert self.engine.control.last is not None
        return self.engine.control.last.decision

    def go(self) -> None:
        """Until it moves by itself: clear, arm, hold the key."""
        asked = 0.0

        def ask() -> None:
            nonlocal asked
            if time.monotonic() - asked < 0.15 or not self.engine.ready():
                return
            asked = time.monotonic()
            if self.decision.stop_kind == StopKind.LATCHED:
                self.engine.post(ClearStop(number=self.decision.stop_number))
            elif not self.decision.armed:
                self.engine.post(KeyTiming(key_mode="HOLD", repeat_interval=0.0))
                self.engine.post(Arm(robot="so101"))
            else:
                self._pressed += 2
                self.engine.post(Hold(axis=RUN, down=False, repeat=False, seq=self._pressed))
                self.engine.post(Hold(axis=RUN, down=True, repeat=False, seq=self._pressed + 1))

        going = self.wait(lambda: self.engine.ready() and self.decision.going and self.decision.ramp > 0.3, do=ask)
        assert going, (self.engine.binding_sentence(), self.said())

    def notice(self) -> None:
        """What it told before is old."""
        self._old = (len(self.engine.stops), max((event.seq for event in self._events()), default=0))

    def stops(self) -> list[str]:
        """Reasons of the new ones."""
        return [stop.reason for stop in self.engine.stops[self._old[0] :]]

    def said(self) -> list[str]:
        """What is new of faults and stops."""
        return [event.text for event in self._events() if event.kind in ("fault", "stop") and event.seq > self._old[1]]

    def _events(self) -> tuple[Event, ...]:
        snapshot = self.engine.snapshot()
        return snapshot.events if snapshot is not None else ()


@pytest.fixture(scope="module")
def run(folder: Path) -> Iterator[Run]:
    with emulator.start("cube", seed=6, holding=True) as arm:
        made = Run(folder, arm)
        yield made
        made.engine.close("over")
        if made.live.path.exists():
            made.live.unplug()


@dataclass(frozen=True)
class Harm:
    """Something that goes wrong while it moves, why it must stop, and what it must tell of it."""

    do: Callable[[Run], Any]
    reason: Reason
    says: str
    undo: Callable[[Run], Any] = lambda run: run.arm.clear()


def lively(run: Run) -> None:
    """The camera sees again, something else in every picture."""
    run.live.running, run.live.scene = True, run.scene


HARMS = {
    "camera frozen": Harm(lambda run: frozen(run.live), Reason.CAMERA_FROZEN, "frozen", lively),
    "camera black": Harm(lambda run: black(run.live), Reason.CAMERA_DARK, "dark", lively),
    "camera hangs": Harm(lambda run: hanging(run.live), Reason.CAMERA_STALE, "gives no picture", lively),
    "camera unplugged": Harm(lambda run: run.live.unplug(), Reason.CAMERA_STALE, "is gone; plug it in again", lambda run: run.live.plug()),
    "unplugged": Harm(lambda run: run.arm.unplug(), Reason.PLANT_TIMEOUT, "is gone: is the arm's USB cable in?"),
    "servo silent": Harm(lambda run: run.arm.silent(3), Reason.PLANT_TIMEOUT, "elbow_flex (servo 3) does not answer"),
    "wrong id": Harm(
        lambda run: run.arm.wrong_id(3, 9),
        Reason.PLANT_TIMEOUT,
        "elbow_flex (servo 3) does not answer",
        lambda run: run.arm.wrong_id(3, 3),
    ),
    "corrupt checksum": Harm(lambda run: run.arm.corrupt(1.0), Reason.PLANT_TIMEOUT, "arrives damaged"),
    "answers 200 ms late": Harm(lambda run: run.arm.delay(0.2), Reason.PLANT_TIMEOUT, "The servos answer later than 60 ms"),
    "half packets": Harm(lambda run: run.arm.half_packet(10**6), Reason.PLANT_TIMEOUT, "arrives damaged"),
    "overload": Harm(lambda run: run.arm.overload(5), Reason.SERVO_OVERLOAD, "wrist_roll is overloaded"),
    "70 °C": Harm(lambda run: run.arm.temperature(5, 70.0), Reason.SERVO_HOT, "wrist_roll is at 70 °C"),
    "6 V": Harm(lambda run: run.arm.voltage(5, 6.0), Reason.SERVO_VOLTAGE, "wrist_roll has 6.0 V of a 7.4 V supply"),
}


@pytest.mark.parametrize("name", HARMS)
def test_what_goes_wrong_stops_the_moving_arm_with_its_cause_and_mends(name: str, run: Run) -> None:
    harm = HARMS[name]
    for _ in range(TRIES):
        run.go()
        run.notice()
        harm.do(run)
        stopped = run.wait(lambda: harm.reason.name.lower() in run.stops(), SOON)
        told = stopped and run.wait(lambda: any(harm.says in text for text in run.said()), SOON)
        armed = run.engine.armed()
        harm.undo(run)
        if stopped:
            break
    assert stopped, run.said()
    assert told, run.said()
    assert not armed


def test_all_of_it_is_in_a_session_that_opens_and_verifies(run: Run) -> None:
    run.go()
    run.engine.close("all was tried")
    found, again = verify(run.recorder.path), recompute(run.recorder.path)
    assert found.ok, found.problems
    assert again.ok, again.problems
    assert (found.lost, again.mismatches) == (0, 0)
    session = Session.open(run.recorder.path)
    reasons = {Reason(int(reason)).name.lower() for reason in session.rows("tick/stop_reason")}
    assert {stop.reason for stop in run.engine.stops} <= reasons


# --- before it begins ---


@dataclass
class Start:
    """An arm that waits, and what a run of it is told."""

    arm: Emulator
    calibration: Path
    given: dict[str, Any]

    @classmethod
    def of(cls, arm: Emulator, place: Path) -> "Start":
        about = {"port": arm.port, "id": "arm", "calibration": place, "dry_run": True, "synthetic_camera": True}
        return cls(arm, place / "arm.json", {"policy": "scripted", "so101": about})

    def settings(self, folder: Path) -> Settings:
        return Settings(robot="so101", store=folder / "store", limits=PATIENT, **self.given)


def silenced(start: Start, patch: pytest.MonkeyPatch) -> None:
    start.arm.silent(3)


def renamed(start: Start, patch: pytest.MonkeyPatch) -> None:
    start.arm.wrong_id(3, 9)


def gone(start: Start, patch: pytest.MonkeyPatch) -> None:
    start.arm.unplug()


def taken(start: Start, patch: pytest.MonkeyPatch) -> None:
    bus = Bus()
    bus.connect(start.arm.port, load(start.calibration))
    patch.setattr(start.arm, "close", lambda close=start.arm.close: (bus.close(), close()))


def forbidden(start: Start, patch: pytest.MonkeyPatch) -> None:
    """Root may open everything, and is somebody else for a moment."""
    os.chmod(start.arm.port, 0)
    if os.geteuid() == 0:
        for place in (folder := start.calibration.parent, folder.parent, Path(start.arm.port).parent):
            place.chmod(0o755)
        connect = Bus.connect

        def as_nobody(self: Bus, *given: Any) -> None:
            os.seteuid(65534)
            try:
                connect(self, *given)
            finally:
                os.seteuid(0)

        patch.setattr(Bus, "connect", as_nobody)


def foreign(start: Start, patch: pytest.MonkeyPatch) -> None:
    for place in range(1, 7):
        start.arm.set(place, "Homing_Offset", 77)


def edited(start: Start, patch: pytest.MonkeyPatch) -> None:
    text = start.calibration.read_text()
    high = load(start.calibration).spans[1].high
    start.calibration.write_text(text.replace(f": {high}", f": {high - 100}", 1))


def unseen(start: Start, patch: pytest.MonkeyPatch) -> None:
    start.given["so101"] |= {"synthetic_camera": False, "cameras": (f"front={start.calibration.parent}/none",)}
    loads(patch, lambda settings, robot, rig: None)


def seven(start: Start, patch: pytest.MonkeyPatch) -> None:
    """A policy of six joints and a gripper, held against the arm as loading does; its weights are not needed for that."""
    table = mapping.from_json(
        {
            "cameras": {name: name for name in cameras.USUAL},
            "state": [["joint_position", 5], ["gripper", 1]],
            "action_space": "joint_position",
            "action": ["j1", "j2", "j3", "j4", "j5", "j6", "grip"],
        },
        "the policy",
    )

    def check(settings: Settings, robot: Robot, rig: CameraRig) -> None:
        table.check_robot("the policy", {}, mapping.Offered(tuple(rig.names), settings.camera.pixels, len(robot.joint_limits)))

    loads(patch, check)


def loads(patch: pytest.MonkeyPatch, check: Callable[[Settings, Robot, CameraRig], None]) -> None:
    """Let a policy load where ``check`` raises nothing."""

    def loader(settings: Settings, robot: Robot, rig: CameraRig) -> Callable[[Callable[[str], None]], Policy]:
        def load(progress: Callable[[str], None]) -> Policy:
            check(settings, robot, rig)
            return Scripted("so101", "lift")

        return load

    patch.setattr(host, "policy_loader", loader)


STARTS: dict[Callable[[Start, pytest.MonkeyPatch], None], str] = {
    gone: "There is no port",
    taken: "is in use by another program",
    forbidden: "may not be opened by you",
    silenced: "elbow_flex (servo 3) does not answer",
    renamed: "elbow_flex (servo 3) does not answer and servo 9 does",
    foreign: "is of another arm",
    edited: "was edited",
    unseen: "is not there; plug it in",
    seven: "moves joints j1 j2 j3 j4 j5 j6; the robot has 5",
}


@pytest.mark.parametrize("fault", STARTS)
def test_what_is_wrong_from_the_start_is_refused_in_a_sentence_and_nothing_is_written(
    fault: Callable[[Start, pytest.MonkeyPatch], None], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A dry run, which a program may start without a person: it comes as far as any."""
    with Emulator(holding=True) as arm:
        start = Start.of(arm, folder / fault.__name__)
        arm.save_calibration(start.calibration.parent, start.calibration.stem)
        fault(start, monkeypatch)
        summary, code = headless.run(start.settings(folder), 0.5)
        assert code == NOT_CONNECTED
        assert STARTS[fault] in summary["exit_reason"]
        report = recompute(Path(summary["session"]))
        assert report.ok, report.problems
        assert Session.open(Path(summary["session"])).commit.closed
        assert [write for write in arm.writes() if write.name in ("Goal_Position", "Torque_Enable")] == []


def test_without_a_calibration_there_is_not_even_an_engine(folder: Path) -> None:
    with Emulator() as arm, pytest.raises(AdapterError, match="There is no calibration at"):
        headless.run(Start.of(arm, folder / "lost").settings(folder), 0.5)
