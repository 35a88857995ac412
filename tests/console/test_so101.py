"""The real arm's own commands, against emulated servos on a real pty: find-port, calibrate, the doctor's checks, the options of a run."""

import io
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner
from serial.tools import list_ports
from serial.tools.list_ports_common import ListPortInfo

from adapters.mujoco.tabletop.so101 import SO101
from adapters.so101 import calibration
from adapters.so101.emulator import Emulator
from adapters.so101.motors import MOTORS, RAD
from console.cli import main
from console.doctor import so101 as doctor
from console.doctor.check import Check
from engine.config import load
from engine.plain_names import NAMES

PATIENT = 0.4  #: s, for answers of servos on a machine that is busy with other things


@pytest.fixture(autouse=True)
def _no_settings_of_this_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "none"))
    for room in ("calibrating", "examination"):
        monkeypatch.setattr(f"adapters.so101.{room}.LIMIT", PATIENT)
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)


def refused(*arguments: str) -> str:
    """The one sentence of a usage error."""
    told = CliRunner().invoke(main, list(arguments))
    assert told.exit_code == 2, told.output
    assert told.stderr.startswith("sawhorse: ")
    assert told.stderr.count("\n") == 1
    return told.stderr


# --- the options of a run ---


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("run", "--port", "/dev/x", "--rate", "15"), "Of so101 only: --rate, --port; leave that out, or give --robot so101."),
        (("run", "--robot", "so101-sim", "--camera", "front=0"), "Of so101 only: --camera; leave that out"),
        (("run", "--robot", "pickplace", "--no-dry-run"), "Of so101 only: --dry-run; leave that out"),
        (("run", "--robot", "so101", "--fallback", "compact"), "so101.fallback = 'compact' from flag --fallback is not allowed"),
        (("run", "--robot", "so101", "--camera", "front"), "from flag --camera is not allowed: 'front' is no camera"),
        (
            ("run", "--robot", "so101", "--rate", "100"),
            "camera.hz = 100.0 from flag --rate is not allowed: it must be at least 3 and at most 60.",
        ),
        (
            ("run", "--robot", "so101", "--port", "/dev/x", "--emulated"),
            "The port /dev/x would not be opened: so101.emulated is true from flag",
        ),
        (
            ("run", "--robot", "so101", "--headless"),
            "a script arms and grants, which a real arm is not left to: give --dry-run or --emulated.",
        ),
        (("doctor", "--port", "/dev/x"), "Of so101 only: --port"),
        (("doctor", "--faults", "--robot", "so101"), "The faults are of simulated robots only: give another --robot than so101"),
        (("smoke", "--robot", "cosaw"), "The smoke test is of so101 only: leave out --robot cosaw."),
        (("smoke",), "The arm would move, and there is nobody to ask: give --yes, --dry-run or --emulated."),
    ],
)
def test_what_the_arm_s_options_cannot_mean_is_refused(arguments: tuple[str, ...], words: str) -> None:
    assert words in refused(*arguments)


def test_a_port_beside_a_variable_that_has_the_servos_emulated_is_refused_with_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("USE_HARDWARE", "false")
    assert "so101.emulated is true from environment variable USE_HARDWARE; leave out one" in refused("calibrate", "--port", "/dev/x")
    assert "The emulated servos come calibrated" in refused("calibrate")


def test_the_options_become_settings_with_the_flag_as_their_source() -> None:
    flags = ("--port", "/dev/x", "--id", "left", "--calibration", "/tmp/x", "--camera", "front=0:320x240@30", "--camera", "side=1")
    flags += ("--rate", "15", "--dry_run")
    shown = json.loads(CliRunner().invoke(main, ["config", "show", "--json", "--robot", "so101", *flags, "--fallback", "scripted"]).stdout)
    assert {key: (one["value"], one["source"]) for key, one in shown.items() if one["source"].startswith("flag")} == {
        "robot": ("so101", "flag --robot"),
        "so101.port": ("/dev/x", "flag --port"),
        "so101.id": ("left", "flag --id"),
        "so101.calibration": ("/tmp/x", "flag --calibration"),
        "so101.cameras": (["front=0:320x240@30", "side=1"], "flag --camera"),
        "camera.hz": (15.0, "flag --rate"),
        "so101.dry_run": (True, "flag --dry-run"),
        "so101.fallback": ("scripted", "flag --fallback"),
    }


@pytest.mark.parametrize("command", [("find-port", "--unplug"), ("calibrate", "--port", os.devnull), ("smoke",)])
def test_what_asks_without_an_input_is_refused(
    command: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HF_LEROBOT_CALIBRATION", str(tmp_path))
    plugs(monkeypatch, ["/dev/ttyACM0"])
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(SystemExit) as ended:
        main([*command])
    assert ended.value.code == 2
    assert "sawhorse: " in capsys.readouterr().err


# --- find-port ---


def port(path: str, vid: int = 0x1A86, pid: int = 0x55D3) -> ListPortInfo:
    info = ListPortInfo(path, skip_link_detection=True)
    info.vid, info.pid, info.serial_number = vid, pid, "A1"
    return info


def plugs(monkeypatch: pytest.MonkeyPatch, *looks: list[str]) -> None:
    """What the system lists at each look, the last of them from then on."""
    left = list(looks)
    monkeypatch.setattr(list_ports, "comports", lambda: [port(path) for path in (left.pop(0) if len(left) > 1 else left[0])])


def test_the_only_port_is_found_several_leave_a_choice_and_none_is_no_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    for here, code, found in ((["/dev/ttyACM0"], 0, "/dev/ttyACM0"), (["/dev/ttyACM0", "/dev/ttyACM1"], 1, None), ([], 3, None)):
        plugs(monkeypatch, here)
        told = CliRunner().invoke(main, ["find-port", "--json"])
        assert told.exit_code == code
        said = json.loads(told.stdout)
        assert said["port"] == found
        assert [one["port"] for one in said["ports"]] == here
        assert CliRunner().invoke(main, ["find-port"]).stdout.count("ttyACM") == len(here)


def test_the_port_that_goes_and_comes_is_the_arm_s_by_the_name_it_comes_back_with(monkeypatch: pytest.MonkeyPatch) -> None:
    both = ["/dev/ttyACM0", "/dev/ttyACM1"]
    plugs(monkeypatch, both, both, ["/dev/ttyACM0"], ["/dev/ttyACM0"], ["/dev/ttyACM0"], ["/dev/ttyACM0", "/dev/ttyACM2"])
    told = CliRunner().invoke(main, ["find-port", "--unplug"], input="\n\n")
    assert told.exit_code == 0, told.stderr
    assert told.stdout == "/dev/ttyACM2\n"
    assert "/dev/ttyACM1 went away" in told.stderr


def test_a_cable_that_was_not_pulled_and_a_guide_that_nobody_follows_end_in_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("console.commands.so101.SETTLED", 0.05)
    plugs(monkeypatch, ["/dev/ttyACM0"])
    told = CliRunner().invoke(main, ["find-port", "--unplug"], input="\n")
    assert told.exit_code == 3
    assert "No port went away" in told.stderr
    told = CliRunner().invoke(main, ["find-port", "--unplug"])
    assert told.exit_code == 2
    assert "Nobody answers" in told.stderr
    plugs(monkeypatch, [])
    told = CliRunner().invoke(main, ["find-port", "--unplug"])
    assert (told.exit_code, "plug the arm in first" in told.stderr) == (3, True)


# --- calibrate ---


def test_nobody_is_asked_to_hold_an_arm_whose_port_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_LEROBOT_CALIBRATION", str(tmp_path))
    told = CliRunner().invoke(main, ["calibrate", "--port", "/dev/none"])
    assert (told.exit_code, told.stderr.count("hold it")) == (3, 0)
    assert "There is no port /dev/none" in told.stderr


class Hands:
    """Presses Enter where LeRobot asks for it, and moves the limp joints meanwhile, in a thread of its own."""

    def __init__(self, arm: Emulator, monkeypatch: pytest.MonkeyPatch, script: Callable[["Hands"], None]) -> None:
        self.arm = arm
        self.told = io.StringIO()
        out, into = os.pipe()
        self._keys = os.fdopen(into, "wb", buffering=0)
        self._input = os.fdopen(out)
        monkeypatch.setattr(sys, "stdin", self._input)
        monkeypatch.setattr(sys, "stdout", self.told)
        self._thread = threading.Thread(target=script, args=(self,), daemon=True)
        self._thread.start()

    def enter(self) -> None:
        self._keys.write(b"\n")

    def until(self, holds: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 120.0
        while not holds() and time.monotonic() < deadline:
            time.sleep(0.02)

    def wait_for_homing(self) -> None:
        self.until(lambda: "Recording positions" in self.told.getvalue())

    def move(self, number: int, place: float) -> None:
        """Take the joint to ``place``, rad, and see that LeRobot has seen it there."""
        self.arm.place(number, place)
        at = 2047 + (place - MIDDLE[number]) / RAD

        def seen() -> bool:
            rows = [line.split("|") for line in self.told.getvalue().splitlines() if line.startswith(MOTORS[number - 1])]
            return bool(rows) and min(abs(int(rows[-1][column]) - at) for column in (1, 3)) < 30

        self.until(seen)

    def close(self) -> None:
        self._thread.join(10.0)
        self._keys.close()
        self._input.close()


def registers(arm: Emulator) -> list[tuple[int, ...]]:
    names = ("Homing_Offset", "Min_Position_Limit", "Max_Position_Limit")
    return [tuple(servo.get(name) for name in names) for servo in arm.servos.values()]


MIDDLE = {number: 0.0 if number < 6 else 0.75 for number in range(1, 7)}  #: rad


def calibrated_by_hand(hands: Hands) -> None:
    for number, place in MIDDLE.items():
        hands.arm.place(number, place)
    hands.enter()  # it may go limp
    hands.enter()  # it stands in the middle
    hands.wait_for_homing()
    for number, (low, high) in enumerate((*SO101.joint_limits, (-0.10, 1.6)), start=1):
        if number != 5:
            hands.move(number, low)
            hands.move(number, high)
    hands.enter()


def test_calibrate_is_lerobot_s_own_into_its_own_file_and_the_servos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Emulator(calibrated=False) as arm:
        hands = Hands(arm, monkeypatch, calibrated_by_hand)
        with pytest.raises(SystemExit) as ended:
            main(["calibrate", "--port", arm.port, "--id", "left", "--calibration", str(tmp_path)])
        hands.close()
        monkeypatch.undo()
        assert ended.value.code == 0
        found = calibration.load(tmp_path / "left.json")
        assert [(span.homing, span.low, span.high) for span in found.spans] == registers(arm)
        for (low, high), (least, most) in zip(found.limits[:4], SO101.joint_limits[:4], strict=True):
            assert high - low == pytest.approx(most - least, abs=0.1)
        assert "There is a calibration already" in refused("calibrate", "--port", arm.port, "--id", "left", "--calibration", str(tmp_path))


def test_an_interrupt_leaves_the_file_and_the_servos_as_they_were(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(hands: Hands) -> None:
        hands.enter()
        hands.enter()
        hands.wait_for_homing()
        os.kill(os.getpid(), signal.SIGINT)

    with Emulator() as arm:
        arm.save_calibration(tmp_path, "left")
        before, file = registers(arm), (tmp_path / "left.json").read_bytes()
        hands = Hands(arm, monkeypatch, interrupted)
        with pytest.raises(SystemExit) as ended:
            main(["calibrate", "--port", arm.port, "--id", "left", "--calibration", str(tmp_path), "--force"])
        hands.close()
        assert ended.value.code == 130
        assert (tmp_path / "left.json").read_bytes() == file
        assert registers(arm) == before


def test_a_question_that_nobody_answers_leaves_the_file_and_the_servos_as_they_were(tmp_path: Path) -> None:
    with Emulator() as arm:
        before = registers(arm)
        for text, kept in (("", "no file was written"), ("{ damaged", f"{tmp_path / 'left.json'} is as it was")):
            if text:
                (tmp_path / "left.json").write_text(text)
            calibrate = ["calibrate", "--port", arm.port, "--id", "left", "--calibration", str(tmp_path), "--force"]
            told = CliRunner().invoke(main, calibrate, input="\n")
            assert told.exit_code == 2, told.output
            assert f"Nobody answers LeRobot: {kept}" in told.stderr
            assert [file.read_text() for file in tmp_path.iterdir()] == ([text] if text else [])
            assert registers(arm) == before


def test_an_arm_that_is_not_there_can_be_neither_calibrated_nor_tried(tmp_path: Path) -> None:
    port = str(tmp_path / "none")
    told = CliRunner().invoke(main, ["calibrate", "--port", port, "--calibration", str(tmp_path)], input="\n")
    assert told.exit_code == 3
    assert "There is no port" in told.stderr
    with Emulator() as arm:
        arm.save_calibration(tmp_path, "sawhorse")
    (tmp_path / "config.toml").write_text(f"[so101]\ncalibration = '{tmp_path}'\n")
    told = CliRunner().invoke(main, ["smoke", "--yes", "--port", port, "--config", str(tmp_path / "config.toml")])
    assert told.exit_code == 3
    assert "There is no port" in told.stderr


# --- doctor ---


def look(arm: Emulator, folder: Path) -> dict[str, Check]:
    settings = load({"robot": "so101", "so101": {"port": arm.port, "calibration": folder}})
    found = {one.check: one for one in doctor.checks(settings, lambda text: None)}
    assert all(one.advice for one in found.values() if one.status != "ok")
    return found


def test_the_doctor_asks_each_servo_and_writes_to_none(tmp_path: Path) -> None:
    with Emulator() as arm:
        arm.save_calibration(tmp_path, "sawhorse")
        found = look(arm, tmp_path)
        assert {name: one.status for name, one in found.items()} == {
            "servo port": "ok",
            "servos": "ok",
            "servo firmware": "ok",
            "servo supply": "ok",
            "servo warmth": "ok",
            "servo alarms": "ok",
            "servo torque": "ok",
            "calibration": "ok",
            "cameras": "warn",
        }
        assert "3 elbow_flex" in found["servos"].found
        assert found["servo torque"].found.startswith("off")
        assert not arm.writes()


def test_what_is_wrong_with_the_arm_is_told_by_servo_with_what_to_do(tmp_path: Path) -> None:
    def expect(arm: Emulator, **expected: tuple[str, str]) -> None:
        found = look(arm, tmp_path)
        for name, (status, words) in expected.items():
            one = found[name.replace("_", " ")]
            assert one.status == status, one
            assert words in one.found

    with Emulator() as arm:
        arm.save_calibration(tmp_path, "sawhorse")
        arm.servos[2].set("Firmware_Minor_Version", 9)
        arm.servos[2].set("Homing_Offset", 7)
        arm.servos[1].set("Torque_Enable", 1)
        arm.voltage(5, 6.0)
        arm.temperature(3, 70.0)
        arm.overload(6)
        expect(
            arm,
            servo_firmware=("fail", "shoulder_lift has firmware 3.9 and the others 3.10"),
            servo_supply=("fail", "6 to 7.4 V of a 7.4 V supply"),
            servo_warmth=("fail", "to 70 °C"),
            servo_alarms=("fail", "gripper overload"),
            servo_torque=("warn", "off on shoulder_lift"),
            calibration=("fail", "shoulder_lift differ"),
        )
        arm.clear()
        arm.voltage(5, 6.4)
        arm.temperature(3, 62.0)
        (tmp_path / "sawhorse.json").write_text("{}")
        expect(
            arm,
            servo_supply=("warn", "6.4 to 7.4 V"),
            servo_warmth=("warn", "to 62 °C"),
            calibration=("fail", "cannot be right"),
        )
        arm.silent(3)
        arm.wrong_id(4, 9)
        (tmp_path / "sawhorse.json").unlink()
        expect(
            arm,
            servos=("fail", "elbow_flex (servo 3) does not answer and servo 9 does"),
            calibration=("fail", f"There is no calibration at {tmp_path / 'sawhorse.json'}"),
        )
        assert "found: 1 shoulder_pan, 2 shoulder_lift, 5 wrist_roll, 6 gripper, 9 of no joint" in look(arm, tmp_path)["servos"].found
        for number in range(1, 7):
            arm.silent(number)
        expect(arm, servos=("fail", f"No servo answers on {arm.port}; found: none"))
        arm.unplug()
        expect(arm, servo_port=("fail", "There is no port"))
        assert not arm.writes()


def test_beside_a_run_and_for_emulated_servos_no_port_is_opened() -> None:
    settings = load({"robot": "so101", "so101": {"port": "/dev/none"}})
    (one,) = doctor.checks(settings, lambda text: None, running=True)
    assert one.status == "ok"
    emulated = load({"robot": "so101", "so101": {"port": "/dev/none", "emulated": True}})
    assert [one.status for one in doctor.checks(emulated, lambda text: None)] == ["ok", "ok"]


# --- smoke ---


def test_the_smoke_test_turns_the_wrist_there_and_back_and_infers_once() -> None:
    trial = ["smoke", "--emulated", "--policy", "scripted", "--synthetic-camera", "--json"]
    told = CliRunner().invoke(main, trial)
    assert told.exit_code == 0, told.output
    found = {one["check"]: one for one in json.loads(told.stdout)}
    assert {name: one["status"] for name, one in found.items()} == {"connect": "ok", "read": "ok", "jog": "ok", "inference": "warn"}
    assert "wrist_roll moved by" in found["jog"]["found"]
    assert "16 actions of 7 numbers" in found["inference"]["found"]
