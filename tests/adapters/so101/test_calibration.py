"""LeRobot's calibration: its place, whether it can be believed, the angles that follow, and making one through LeRobot's own questions."""

import importlib
import json
import math
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from adapters.base import AdapterError
from adapters.so101.calibrating import calibrate
from adapters.so101.calibration import CalibrationError, load, place
from adapters.so101.emulator import Emulator
from adapters.so101.motors import IDS, MOTORS

PATIENCE = 60.0  #: s, for a machine that is busy with other things
GOOD: dict[str, dict[str, int]] = {
    "shoulder_pan": {"id": 1, "drive_mode": 0, "homing_offset": -35, "range_min": 795, "range_max": 3299},
    "shoulder_lift": {"id": 2, "drive_mode": 0, "homing_offset": 212, "range_min": 909, "range_max": 3185},
    "elbow_flex": {"id": 3, "drive_mode": 0, "homing_offset": -118, "range_min": 845, "range_max": 3149},
    "wrist_flex": {"id": 4, "drive_mode": 0, "homing_offset": 64, "range_min": 966, "range_max": 3128},
    "wrist_roll": {"id": 5, "drive_mode": 0, "homing_offset": 1407, "range_min": 0, "range_max": 4095},
    "gripper": {"id": 6, "drive_mode": 0, "homing_offset": -903, "range_min": 2030, "range_max": 3500},
}


def written(folder: Path, change: Callable[[dict[str, Any]], object] = lambda motors: None) -> Path:
    motors = json.loads(json.dumps(GOOD))
    change(motors)
    (folder / "arm.json").write_text(json.dumps(motors))
    return folder / "arm.json"


# --- its place ---


def test_the_place_and_the_angles_are_lerobots(tmp_path: Path) -> None:
    from lerobot.robots.so_follower import SO101Follower, SO101FollowerConfig
    from lerobot.utils.constants import HF_LEROBOT_CALIBRATION, ROBOTS

    assert place(None, "left") == HF_LEROBOT_CALIBRATION / ROBOTS / SO101Follower.name / "left.json"
    mine = load(written(tmp_path))
    follower = SO101Follower(SO101FollowerConfig(port="x", id="arm", calibration_dir=tmp_path))
    assert place(tmp_path, "arm") == follower.calibration_fpath
    steps = (1000, 2000, 3000, 1500, 700, 2600)
    theirs = follower.bus._normalize(dict(enumerate(steps, start=1)))
    q, gripper = mine.angles(steps)
    assert [math.degrees(angle) for angle in q] == pytest.approx([theirs[number] for number in range(1, 6)])
    assert 100.0 * (1.0 - gripper) == pytest.approx(theirs[6])
    assert mine.steps(q, gripper) == steps


def test_its_place_follows_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_LEROBOT_CALIBRATION", str(tmp_path))
    assert place(None, "left") == tmp_path / "robots" / "so_follower" / "left.json"
    assert place(tmp_path / "mine", "left") == tmp_path / "mine" / "left.json"


# --- whether it can be believed ---


def test_a_good_one_gives_limits_and_keeps_goals_within_them(tmp_path: Path) -> None:
    calibration = load(written(tmp_path))
    for (low, high), entry in zip(calibration.limits, GOOD.values(), strict=False):
        assert high == pytest.approx(-low)
        assert high - low == pytest.approx((entry["range_max"] - entry["range_min"]) * 2 * math.pi / 4095)
    assert calibration.angles((2047, 2047, 1997, 2047, 2047, 3500))[0][2] == pytest.approx(0.0)
    assert calibration.angles((2047, 2047, 1997, 2047, 2047, 3500))[1] == 0.0  # open
    assert calibration.angles((0, 0, 0, 0, 0, 1900))[1] == 1.0
    assert calibration.steps((9.0, -9.0, 0.0, 0.0, 0.0), 1.5)[:3] == (3299, 909, 1997)
    assert calibration.steps((0.0,) * 5, 1.5)[5] == 2030


def test_missing_damaged_and_foreign_files(tmp_path: Path) -> None:
    with pytest.raises(CalibrationError, match=r"There is no calibration at .*sawhorse calibrate"):
        load(tmp_path / "arm.json")
    (tmp_path / "arm.json").write_text(written(tmp_path).read_text()[:200])
    with pytest.raises(CalibrationError, match=r"cannot be read \(.*line 1"):
        load(tmp_path / "arm.json")
    for data in (b"\xff\xfe\x00", b"[" * 200_000, b"9" * 5000):
        (tmp_path / "arm.json").write_bytes(data)
        with pytest.raises(CalibrationError, match="cannot be read"):
            load(tmp_path / "arm.json")
    for text in ("[]", "{}", "3"):
        (tmp_path / "arm.json").write_text(text)
        with pytest.raises(CalibrationError, match="not of the six motors"):
            load(tmp_path / "arm.json")


@pytest.mark.parametrize(
    ("motor", "change", "said"),
    [
        ("elbow_flex", {"id": 4}, "elbow_flex has id 4 and must have 3"),
        ("elbow_flex", {"id": "3"}, "elbow_flex has not the whole numbers"),
        ("gripper", {"range_max": 2300.5}, "gripper has not the whole numbers"),
        ("gripper", {"range_max": True}, "gripper has not the whole numbers"),
        ("wrist_flex", {"drive_mode": 1}, "wrist_flex has drive_mode 1"),
        ("wrist_roll", {"homing_offset": 2100}, "wrist_roll has homing_offset 2100"),
        ("shoulder_pan", {"range_min": -1}, "ranges from -1 to 3299"),
        ("shoulder_pan", {"range_max": 4096}, "ranges from 795 to 4096"),
        ("shoulder_pan", {"range_min": 3299}, "ranges from 3299 to 3299"),
        ("shoulder_lift", {"range_min": 2000, "range_max": 2100}, "shoulder_lift moves only 9 degrees and should move about 200"),
        ("wrist_flex", {"range_min": 0, "range_max": 4095}, "wrist_flex moves 360 degrees and should move about 190"),
        ("elbow_flex", {"range_min": 1845, "range_max": 4095}, "elbow_flex has the middle of its range 81 degrees"),
    ],
)
def test_what_cannot_be(tmp_path: Path, motor: str, change: dict[str, Any], said: str) -> None:
    path = written(tmp_path, lambda motors: motors[motor].update(change))
    with pytest.raises(CalibrationError, match=said):
        load(path)


# --- making one ---


@pytest.fixture(scope="module")
def boxed() -> Iterator[Emulator]:
    importlib.import_module("lerobot.robots.so_follower")  # takes seconds, and a hand does not wait for ever
    with Emulator(calibrated=False) as arm:
        yield arm


class Hand:
    """Somebody at the terminal: presses Enter when asked to, and moves the joints between two of them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        read, self._write = os.pipe()
        self._read = os.fdopen(read, "r")
        monkeypatch.setattr("sys.stdin", self._read)

    def enter(self, text: str = "") -> None:
        os.write(self._write, f"{text}\n".encode())

    def close(self) -> None:
        os.close(self._write)
        self._read.close()


@pytest.fixture
def hand(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hand]:
    hand = Hand(monkeypatch)
    yield hand
    hand.close()


def registers(arm: Emulator) -> list[tuple[int, ...]]:
    names = ("Homing_Offset", "Min_Position_Limit", "Max_Position_Limit")
    return [tuple(arm.get(number, name) for name in names) for number in IDS.values()]


def told(arm: Emulator, name: str) -> int:
    return len(arm.writes(name))


def waits(reached: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not reached():
        assert time.monotonic() < end
        time.sleep(0.005)


def test_calibrating_from_the_box(boxed: Emulator, hand: Hand, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from lerobot.motors import motors_bus

    from adapters.so101.bus import Bus

    ends = ((-1.8, 1.8), (-1.7, 1.7), (-1.6, 1.6), (-1.6, 1.6), (0.0, 0.0), (-0.1, 1.6))
    pressed, looks = motors_bus.enter_pressed, list[float]()

    def looked() -> bool:
        """What LeRobot asks after each look at all positions."""
        looks.append(time.monotonic())
        return bool(pressed())

    monkeypatch.setattr(motors_bus, "enter_pressed", looked)
    for number, (low, high) in enumerate(ends, start=1):
        boxed.place(number, (low + high) / 2)

    def move(number: int, there: float) -> None:
        """Until LeRobot has seen it there."""
        boxed.place(number, there)
        waits(lambda: abs(boxed.servos[number].q - there) < 1e-3)
        before = len(looks)
        waits(lambda: len(looks) > before + 1)

    def somebody() -> None:
        hand.enter()  # it is in the middle
        try:
            waits(lambda: told(boxed, "Homing_Offset") >= 12)
            for which in range(2):
                for number in (1, 2, 3, 4, 6):
                    move(number, ends[number - 1][which])
        finally:
            hand.enter()

    (tmp_path / "arm.json").write_text("{ damaged")
    thread = threading.Thread(target=somebody)
    thread.start()
    path = calibrate(boxed.port, "arm", tmp_path)
    thread.join()
    assert path == tmp_path / "arm.json"
    calibration = load(path)
    assert calibration.limits[0] == pytest.approx((-1.8, 1.8), abs=0.05)
    assert [boxed.get(number, "Lock") for number in IDS.values()] == [1] * 6
    boxed.power_cycle()  # it was kept in the servos
    bus = Bus(0.4)
    bus.connect(boxed.port, calibration)
    bus.close()


@pytest.mark.parametrize("ending", ["interrupt", "unplugged", "no file can be written"])
def test_calibrating_that_does_not_end_well_changes_nothing(
    boxed: Emulator, hand: Hand, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ending: str
) -> None:
    boxed.replug()
    boxed.servos[1].set("Min_Position_Limit", 795)
    before = registers(boxed)
    path = tmp_path / "arm.json"
    path.write_text(json.dumps(GOOD))
    os.utime(path, ns=(0, 0))

    def ends(*_: object) -> bool:
        if ending == "interrupt":
            raise KeyboardInterrupt
        if ending == "unplugged":
            boxed.unplug()
        else:
            path.unlink()
            path.mkdir()
            raise ValueError("a range was not recorded")
        return False

    monkeypatch.setattr("lerobot.motors.motors_bus.enter_pressed", ends)
    hand.enter()
    with pytest.raises(KeyboardInterrupt if ending == "interrupt" else AdapterError):
        calibrate(boxed.port, "arm", tmp_path)
    if ending != "no file can be written":
        assert (json.loads(path.read_text()), path.stat().st_mtime_ns) == (GOOD, 0)
    if ending != "unplugged":
        assert registers(boxed) == before
        assert [boxed.get(number, "Lock") for number in IDS.values()] == [1] * 6


def test_calibrating_needs_all_six(boxed: Emulator, tmp_path: Path) -> None:
    boxed.replug()
    boxed.silent(4)
    with pytest.raises(AdapterError, match=f"{MOTORS[3]} \\(servo 4\\) does not answer"):
        calibrate(boxed.port, "arm", tmp_path)
    assert not (tmp_path / "arm.json").exists()


def test_calibrating_into_what_is_no_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(AdapterError, match="File exists"):
        calibrate("none", "arm", written(tmp_path))
