"""The shortest run of a real arm that touches everything: connect, read, turn one joint a little and back, and infer once.

No layer decides here: what moves is two degrees of the joint that carries nothing, at a speed and by a way that are written below.
"""

import math
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Final

import numpy as np

from adapters.base import AdapterError, CameraRig, Robot
from console.doctor.check import Check, Result, checked
from engine.clock import RealClock
from engine.config import Settings
from engine.host import open_robot, policy_loader
from engine.policy.errors import PolicyError
from engine.so101_settings import JOINTS
from engine.types import F64, Command, Observation

JOINT: Final = JOINTS.index("wrist_roll")  #: it turns about its own axis, and lifts nothing
TURN: Final = math.radians(2.0)  #: rad, there and back
SPEED: Final = math.radians(4.0)  #: rad/s
SETTLE: Final = 0.4  #: s, at least
PATIENCE: Final = 3.0  #: s, at most
NEAR: Final = math.radians(0.3)  #: rad
DT: Final = 0.01  #: s
READS: Final = 50
MOVED: Final = 0.5  #: of TURN, that must be seen
BACK: Final = math.radians(0.8)  #: rad, from where it began


def steps(settings: Settings, tell: Callable[[str], None]) -> Iterator[Check]:
    """Each step's finding; the arm then holds where it stands. Raises AdapterError where it cannot be connected."""
    robot, rig = open_robot(settings)
    clock = RealClock()
    try:
        tell("connecting")
        robot.connect()
        yield checked("connect", lambda: connected(settings))
        read = checked("read", lambda: _answered(lambda: reading(robot, clock)))
        yield read
        if read.status == "fail":
            return
        tell(f"turning {JOINTS[JOINT]} by {math.degrees(TURN):g} degrees and back")
        yield checked("jog", lambda: _answered(lambda: jog(robot, clock, settings)))
        tell("inferring once")
        yield checked("inference", lambda: inferred(settings, robot, rig, clock, tell))
    finally:
        with suppress(AdapterError):
            robot.stop(2)
        rig.close()
        robot.close()


def _answered(look: Callable[[], Result]) -> Result:
    try:
        return look()
    except AdapterError as error:
        return Result("fail", str(error), "`sawhorse doctor --robot so101` asks each servo by itself.")


def connected(settings: Settings) -> Result:
    arm = settings.so101
    if arm.dry_run:
        return Result("ok", "nothing is written to the servos: a dry run")
    return Result("ok", f"{'emulated servos' if arm.emulated else arm.port or 'the only port there is'}; they hold the arm where it stands")


def reading(robot: Robot, clock: RealClock) -> Result:
    """Joints and gripper, and at what rate the newest reading changes."""
    first = robot.read(clock.now_ns())
    begun, seen = time.monotonic(), {first.seq}
    for _ in range(READS):
        time.sleep(DT)
        last = robot.read(clock.now_ns())
        seen.add(last.seq)
    rate = (len(seen) - 1) / (time.monotonic() - begun)
    angles = ", ".join(f"{name} {math.degrees(angle):.1f}°" for name, angle in zip(JOINTS, last.q, strict=True))
    found = f"{angles}, gripper {100.0 * last.gripper:.0f} % closed; {rate:.0f} readings/s"
    if not np.isfinite(last.q).all() or len(seen) < 2:
        return Result("fail", found, "The readings do not come anew: check the cable of the bus.")
    return Result("ok", found)


def jog(robot: Robot, clock: RealClock, settings: Settings) -> Result:
    """``JOINT`` goes by ``TURN``, towards the middle of its range, and comes back."""
    if settings.so101.dry_run:
        return Result("warn", "left out: a dry run moves nothing", "Leave out --dry-run to try it.")
    robot.resume()
    start = robot.read(clock.now_ns())
    low, high = robot.joint_limits[JOINT]
    turn = TURN if start.q[JOINT] < 0.5 * (low + high) else -TURN
    there = _go(robot, clock, start, 0.0, turn, settings)
    back = _go(robot, clock, start, turn, 0.0, settings)
    robot.stop(2)
    moved, off = abs(there.q[JOINT] - start.q[JOINT]), abs(back.q[JOINT] - start.q[JOINT])
    others = max(abs(math.degrees(angle)) for joint, angle in enumerate(there.q - start.q) if joint != JOINT)
    found = f"{JOINTS[JOINT]} moved by {math.degrees(moved):.1f}° and back to within {math.degrees(off):.1f}°; the others {others:.1f}°"
    if moved < MOVED * TURN:
        return Result("fail", found, "Something holds it, or the servo has no torque: `sawhorse doctor --robot so101`.")
    if off > BACK:
        return Result("warn", found, "It does not come back to where it began: check what the joint carries, and its calibration.")
    return Result("ok", found)


def _go(robot: Robot, clock: RealClock, start: Observation, begin: float, end: float, settings: Settings) -> Observation:
    """The joint goes from ``begin`` to ``end``, rad from where it started, and settles. Returns the last reading."""
    moving = abs(end - begin) / SPEED
    begun = time.monotonic()
    tick, passed, now = 0, 0.0, start
    while passed < moving + SETTLE or (passed < moving + PATIENCE and abs(now.q[JOINT] - start.q[JOINT] - end) > NEAR):
        q = start.q.copy()
        q[JOINT] += begin + (end - begin) * min(1.0, passed / moving)
        tick += 1
        robot.command(_command(robot, q, tick, start.gripper, settings))
        time.sleep(DT)
        now = robot.read(clock.now_ns())
        passed = time.monotonic() - begun
    return now


def _command(robot: Robot, q: F64, tick: int, gripper: float, settings: Settings) -> Command:
    limits = settings.limits
    return Command(
        command_tick=tick,
        pose_d=robot.tool_at(q.tolist()),
        twist_d=(0.0,) * 6,
        stiffness_d=(800.0, 800.0, 600.0, 40.0, 40.0, 40.0),
        force_max=limits.force_max,
        torque_max=limits.torque_max,
        hold=False,
        brakes=False,
        hand_force=0.0,
        hand_press=0.0,
        line_y_d=0.0,
        log_top_d=0.0,
        posture=tuple(q.tolist()),
        gripper_d=gripper,
    )


def inferred(settings: Settings, robot: Robot, rig: CameraRig, clock: RealClock, tell: Callable[[str], None]) -> Result:
    """One inference on one exposure of the real cameras; what it says goes nowhere."""
    try:
        rig.open()
        policy = policy_loader(settings, robot, rig)(tell)
        policy.warm_up(tell, settings.instruction)
        frames = rig.capture(robot.read(clock.now_ns()), 1, clock.now_ns())
        said = policy.infer(frames, settings.instruction, 1, None, clock.now_ns)
    except AdapterError as error:
        return Result("fail", str(error), "`sawhorse doctor --robot so101` looks at each camera by itself.")
    except PolicyError as error:
        return Result("fail", str(error), "Choose another policy or device: `sawhorse config show` says where these came from.")
    spent = (said.end_ns - said.start_ns) / 1e6
    _, _, horizon, width = said.chunks.shape
    pictures = ", ".join(f"{name} {picture.shape[1]}×{picture.shape[0]}" for name, picture in frames.images.items())
    found = f"{policy.info.name} on {policy.info.device}: {horizon} actions of {width} numbers in {spent:.0f} ms from {pictures}"
    if not said.finite:
        return Result("fail", f"{found}; some of them are no numbers", "Do not run this policy: its checkpoint or its mapping is broken.")
    if settings.so101.synthetic_camera:
        return Result("warn", f"{found}, which are test pictures", "Give real cameras with --camera.")
    return Result("ok", found)
