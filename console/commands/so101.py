"""The real SO-101 before it runs: find-port, calibrate, smoke."""

import errno
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from console.commands.common import (
    arm_flags,
    arm_options,
    check_arm,
    config_option,
    fail,
    json_option,
    progress,
    run_options,
    settings_from,
)
from engine.exits import INTERRUPTED, NOT_CONNECTED, USAGE
from engine.unix_signals import interrupting

if TYPE_CHECKING:
    from adapters.so101.ports import Port
    from console.doctor.check import Check

SETTLED = 5.0  #: s that a port may take to go or come
FAILED = 1  #: exit code of a check that failed


@click.command("find-port")
@click.option("--unplug", is_flag=True, help="Have the arm's cable pulled out and plugged in: the port that goes is the arm's.")
@json_option
def find_port(unplug: bool, as_json: bool) -> None:
    """The serial port that a real arm's servos are on. Without --unplug: all that could be it; exit 1 if that leaves a choice."""
    from adapters.base import AdapterError
    from adapters.so101 import ports

    if unplug:
        try:
            with interrupting():
                path = _unplugged()
        except AdapterError as error:
            fail(str(error), NOT_CONNECTED)
        except KeyboardInterrupt:
            fail("Interrupted.", INTERRUPTED)
        click.echo(json.dumps({"port": path}) if as_json else path)
        return
    likely = ports.found(ports.look())
    port, why = None, ""
    try:
        port = ports.only(likely).path
    except AdapterError as error:
        why = str(error)
    if as_json:
        listed = [{"port": one.path, "adapter": one.adapter, "name": one.name, "serial": one.serial} for one in likely]
        click.echo(json.dumps({"port": port, "ports": listed}))
    else:
        for one in likely:
            click.echo(one)
    if port is None:
        fail(f"{why} `sawhorse find-port --unplug` tells which." if likely else why, FAILED if likely else NOT_CONNECTED)


def _unplugged() -> str:
    """The path of the port that goes with the cable and comes with it. Raises AdapterError."""
    from adapters.base import AdapterError
    from adapters.so101 import ports

    before = ports.look()
    if not before:
        raise AdapterError("This computer has no serial port now: plug the arm in first.")
    _wait_for_enter("Pull the arm's USB cable out of this computer, then press Enter.")
    gone = _settled(lambda now: ports.unplugged(before, now))
    without = ports.look()
    progress(f"{gone} went away")
    _wait_for_enter("Plug it in again, then press Enter.")
    return _settled(lambda now: ports.plugged(without, now))


def _settled(changed: "Callable[[tuple[Port, ...]], str]") -> str:
    """What ``changed`` says of the ports as soon as it says anything. Raises AdapterError after ``SETTLED``."""
    from adapters.base import AdapterError
    from adapters.so101 import ports

    until = time.monotonic() + SETTLED
    while True:
        try:
            return changed(ports.look())
        except AdapterError:
            if time.monotonic() > until:
                raise
        time.sleep(0.1)


def _wait_for_enter(text: str) -> None:
    click.echo(text, err=True)
    if sys.stdin is None or not sys.stdin.readline():
        fail("Nobody answers: this asks for Enter, and the input has ended.", USAGE)


@click.command()
@click.option("--port", help="The serial port of its servos [default: the only one there is].")
@click.option("--id", help="What the arm is called, which names the file [default: sawhorse].")
@click.option("--calibration", type=click.Path(path_type=Path), help="The file's folder [default: LeRobot's own place].")
@click.option("--force", is_flag=True, help="Replace a calibration that is there.")
@config_option
def calibrate(config: Path | None, force: bool, **given: Any) -> None:
    """LeRobot's calibration of a real arm: middle of its range, then every joint from stop to stop. The arm goes limp meanwhile.

    An interrupt leaves the file and the servos as they were.
    """
    flags = {"robot": "so101", "so101": {name: value for name, value in given.items() if value is not None}}
    settings = settings_from(config, **flags)
    check_arm(settings, flags, config)
    arm = settings.so101
    if arm.emulated:
        fail("The emulated servos come calibrated: leave so101.emulated out to calibrate real ones.", USAGE)
    from adapters.base import AdapterError
    from adapters.so101 import calibrating, calibration, ports
    from adapters.so101.examination import refusal

    path = calibration.place(arm.calibration, arm.id)
    if path.exists() and not force:
        fail(f"There is a calibration already, {path}: give --force to replace it, or --id to name another arm.", USAGE)
    try:
        with interrupting():
            port = arm.port or ports.only(ports.look()).path
            if sys.platform != "win32" and not Path(port).exists():
                raise AdapterError(refusal(port, FileNotFoundError(errno.ENOENT, port)))
            click.echo(f"Calibrates the arm at {port} into {path}.")
            _wait_for_enter("Its servos will let go, and it falls unless it rests on something: hold it, then press Enter.")
            progress("loading LeRobot")
            calibrating.calibrate(port, arm.id, arm.calibration)
    except (KeyboardInterrupt, EOFError) as error:
        why, code = ("Interrupted", INTERRUPTED) if isinstance(error, KeyboardInterrupt) else ("Nobody answers LeRobot", USAGE)
        kept = f"{path} is as it was" if path.exists() else "no file was written"
        fail(f"{why}: {kept}; the servos may be limp, so mind the arm.", code)
    except AdapterError as error:
        fail(str(error), NOT_CONNECTED)


@click.command()
@run_options
@arm_options
@click.option("--yes", is_flag=True, help="Do not ask before the arm moves.")
@json_option
def smoke(config: Path | None, yes: bool, as_json: bool, **flags: Any) -> None:
    """Try a real arm briefly: connect, read, turn its wrist by two degrees and back, infer once without moving, report.

    Exit 1 if a step failed, 3 if there was no connecting.
    """
    flags = arm_flags(flags | {"robot": flags["robot"] or "so101"})
    settings = settings_from(config, **flags)
    if settings.robot != "so101":
        fail(f"The smoke test is of so101 only: leave out --robot {settings.robot}.", USAGE)
    check_arm(settings, flags, config)
    arm = settings.so101
    if not (yes or arm.emulated or arm.dry_run):
        if sys.stdin is None or not sys.stdin.isatty():
            fail("The arm would move, and there is nobody to ask: give --yes, --dry-run or --emulated.", USAGE)
        _wait_for_enter("The servos will hold the arm, and its wrist turns by two degrees and back. Keep clear, then press Enter.")
    import msgspec

    from adapters.base import AdapterError
    from console.doctor import lines
    from console.doctor.smoke import steps

    found: list[Check] = []
    try:
        with interrupting():
            found += steps(settings, progress)
    except KeyboardInterrupt:
        fail("Interrupted: the arm holds where it stands.", INTERRUPTED)
    except AdapterError as error:
        fail(str(error), NOT_CONNECTED)
    click.echo(json.dumps(msgspec.to_builtins(found)) if as_json else "\n".join(lines(found)))
    sys.exit(FAILED if any(one.status == "fail" for one in found) else 0)
