"""What a real SO-101 stands on: its port, its six servos, its calibration and its cameras. Nothing here moves or holds it."""

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from adapters.base import AdapterError
from adapters.so101 import calibration, ports, status
from adapters.so101.motors import Servo
from console.doctor import cell
from console.doctor.check import Check, Result, checked
from engine.config import Settings
from engine.so101_settings import So101Settings, camera_of

if TYPE_CHECKING:
    from adapters.so101.examination import Examination


def checks(settings: Settings, tell: Callable[[str], None], *, running: bool = False) -> Iterator[Check]:
    """Every check of the arm, one after the other. ``running``: an engine has its port and its cameras, which are left alone then."""
    arm = settings.so101
    if running:
        yield checked(
            "servo port", lambda: Result("ok", "the running engine has it: `sawhorse doctor` asks the servos once that has ended")
        )
        return
    if arm.emulated:
        yield checked("servo port", lambda: Result("ok", "none: the servos are emulated"))
    else:
        yield from _servos(arm, tell)
    if arm.cameras and not arm.synthetic_camera:
        tell("looking at cameras")
    yield checked("cameras", lambda: cameras(settings))


def untouched(settings: Settings) -> Settings:
    """The same, but that nothing is written to the servos and no other policy stands in."""
    arm = settings.so101.model_copy(update={"dry_run": True, "fallback": ""})
    return settings.model_copy(update={"so101": arm})


def _servos(arm: So101Settings, tell: Callable[[str], None]) -> Iterator[Check]:
    from adapters.so101.examination import examine, unlike

    port, found = arm.port, None
    try:
        port = port or ports.only(ports.look()).path
        tell(f"asking the servos at {port}")
        found = examine(port)
        said = Result("ok", port)
    except AdapterError as error:
        said = Result("fail", str(error), "`sawhorse find-port` says which ports there are; nothing was asked of the servos.")
    yield checked("servo port", lambda: said)
    if found is None:
        return
    yield checked("servos", lambda: servos(found, port))
    if found.servos:
        yield checked("servo firmware", lambda: _said(unlike(found.servos)) or Result("ok", found.servos[0].firmware))
        yield checked("servo supply", lambda: supply(found.servos))
        yield checked("servo warmth", lambda: warmth(found.servos))
        yield checked("servo alarms", lambda: alarms(found.servos))
        yield checked("servo torque", lambda: torque(found.servos))
    yield checked("calibration", lambda: calibrated(arm, found))


def servos(found: "Examination", port: str) -> Result:
    """Whether the six answer, and nobody else does."""
    from adapters.so101.examination import unfit

    answer = ", ".join([f"{servo.id} {servo.name}" for servo in found.servos] + [f"{number} of no joint" for number in found.strange])
    return _said(unfit(found, port), f"; found: {answer or 'none'}") or Result("ok", f"{answer}; all are STS3215")


def _said(text: str, more: str = "") -> Result | None:
    """What a sentence says is wrong, apart from what it says to do; None where it says nothing."""
    wrong, _, advice = text.partition(": ")
    return Result("fail", wrong + more, advice[0].upper() + advice[1:]) if text else None


def supply(found: Sequence[Servo]) -> Result:
    """What arrives at the servos, against what the arm's power supply is made for."""
    volts = [servo.present.volts for servo in found]
    made_for = status.supply_of(volts)
    return _numbers(found, volts, f"V of a {made_for:g} V supply", ("low voltage", "sagging"), made_for)


def warmth(found: Sequence[Servo]) -> Result:
    return _numbers(found, [servo.present.celsius for servo in found], "°C", ("hot", "warm"))


def _numbers(found: Sequence[Servo], values: Sequence[float], unit: str, kinds: tuple[str, ...], made_for: float | None = None) -> Result:
    """The range of what the servos measure, and what is wrong with it."""
    spread = " to ".join(dict.fromkeys((f"{min(values):g}", f"{max(values):g}")))
    told = (one for servo in found for one in status.numbers(servo.name, servo.present.celsius, servo.present.volts, made_for))
    return _judged(f"{spread} {unit}", [one for one in told if one.what in kinds])


def alarms(found: Sequence[Servo]) -> Result:
    """What the servos themselves complain of."""
    troubles = [one for servo in found for one in status.alarms(servo.name, servo.present.status)]
    return _judged(_and([f"{one.motor} {one.what}" for one in troubles]) or "none", troubles)


def _judged(found: str, troubles: Sequence[status.Trouble]) -> Result:
    if not troubles:
        return Result("ok", found)
    return Result("fail" if any(one.stops for one in troubles) else "warn", found, " ".join(one.text for one in troubles))


def torque(found: Sequence[Servo]) -> Result:
    """Whether the arm is held."""
    limp = [servo.name for servo in found if not servo.torque]
    if not limp:
        return Result("ok", "on: the arm holds where it stands")
    if len(limp) == len(found):
        return Result("ok", "off: the arm is limp until a run holds it")
    return Result("warn", f"off on {_and(limp)} only", "Support the arm: a part of it is limp. A run holds all of it.")


def calibrated(arm: So101Settings, found: "Examination") -> Result:
    """Whether the file is there and plausible, and says what the servos hold."""
    path = calibration.place(arm.calibration, arm.id)
    advice = "`sawhorse calibrate` makes one; where there are several arms, --id says which is this one's."
    try:
        own = calibration.load(path)
        if found.missing:
            return Result("warn", f"{path} is plausible, and not compared: not all servos answer", "Have all six answer first.")
        calibration.judge(own, found.servos)
    except calibration.CalibrationError as error:
        return Result("fail", str(error), advice)
    return Result("ok", f"{path}, as the servos hold it")


def cameras(settings: Settings) -> Result:
    """Whether each camera that is given shows a picture."""
    arm = settings.so101
    if arm.synthetic_camera:
        return Result("ok", "a test picture is asked for; nothing moves by itself on it")
    if not arm.cameras:
        there = ", ".join(f"{path}{f' ({name})' if name else ''}" for path, name in cell.video_nodes())
        if arm.emulated:
            return Result("ok", "none is given: the emulated arm's table is drawn")
        advice = "Name each with --camera, such as front=0:640x480@30: without one the arm moves by hand only."
        return Result("warn", f"none is given; {f'there are {there}' if there else 'no video device is there'}", advice)
    from adapters.so101.cameras import look

    looks = look([camera_of(text) for text in arm.cameras], settings.camera.pixels)
    bad = [one.trouble for one in looks if one.trouble]
    good = ", ".join(
        f"{one.spec.name} {one.width}×{one.height} at {one.fps:g}/s, brightness {one.mean:.0f}" for one in looks if not one.trouble
    )
    if bad:
        return Result(
            "fail", " ".join(bad) + (f" Others: {good}." if good else ""), "Check the cable, or name another device with --camera."
        )
    dark = [one.spec.name for one in looks if one.mean < 8.0]
    if dark:
        return Result("warn", good, f"Take the lid off {_and(dark)}, or turn the light on: the picture is black.")
    return Result("ok", good)


def _and(words: Sequence[str]) -> str:
    return " and ".join((", ".join(words[:-1]), words[-1]) if len(words) > 1 else words)
