"""The SO-101's entry: the robot and its cameras, as the settings have them; with ``emulated`` a program plays the servos."""

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from adapters.base import CameraRig
from adapters.so101 import calibration, cameras, ports
from adapters.so101.bus import Bus
from adapters.so101.robot import SO101
from engine.so101_settings import So101Settings, camera_of

if TYPE_CHECKING:
    from engine.config import Settings


def build(settings: "Settings") -> tuple[SO101, CameraRig]:
    """(the arm, not yet connected, and its cameras). Raises AdapterError: no port or several, no calibration, no emulated arm."""
    given = settings.so101
    specs = tuple(map(camera_of, given.cameras))
    rig = cameras.rig(specs, settings.camera.pixels, synthetic=given.synthetic_camera, drawn=given.emulated)
    return _emulated(settings) if given.emulated else _real(given), rig


def _real(given: So101Settings) -> SO101:
    found = calibration.load(calibration.place(given.calibration, given.id))
    port = given.port or ports.only(ports.found(ports.look())).path
    return SO101(Bus(), port, found, ahead=given.max_relative_target, dry_actions=_shown(given))


def _emulated(settings: "Settings") -> SO101:
    """An arm that stands at the start of the simulated table as the seed sets it, in a process of its own."""
    from adapters.so101 import emulator
    from adapters.so101.emulated import Emulated

    given = settings.so101
    with ExitStack() as made:
        arm = made.enter_context(emulator.start("cube", seed=settings.seed, holding=True))
        found = calibration.load(Path(arm.save_calibration(Path(arm.port).parent, given.id)))
        return Emulated(
            Bus(),
            arm.port,
            found,
            plant=arm.plant,
            task=settings.task,
            ahead=given.max_relative_target,
            dry_actions=_shown(given),
            ended=made.pop_all().close,
        )


def _shown(given: So101Settings) -> int:
    return given.dry_run_actions if given.dry_run else 0
