"""What a LeRobot data set calls a session's readings and commands, and in which units: moments, states and actions from columns.

A frame is the newest tick at its time. Its action is what the robot had been told one frame later, so that the i-th action of a chunk
that is learnt from it is due i + 1 frames after the exposure, as ``engine.control.chunk`` follows it.
"""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple, cast

import numpy as np

from engine.control.pose import error
from engine.policy.errors import PolicyError
from engine.policy.mapping import GRIP, READINGS, Component, Mapping, Part, canonical, from_json
from engine.session.layout import Rows, SessionError
from engine.session.reader import SECOND, Session
from engine.tasks import KINDS
from engine.types import F32, F64, Observation

DEGREES = 180.0 / math.pi
SERVOS = ("shoulder_pan", "shoulder_lift", "elbow_flex", "wrist_flex", "wrist_roll", "gripper")
SO101_ROBOTS = ("so101", "so101-sim")
SO101_TYPE = "so101_follower"  #: what LeRobot calls it
#: LeRobot's units: degrees, and a gripper of 0 closed .. 100 open
SO101 = Mapping(
    cameras={},
    state=(Part("joint_position", 5, DEGREES), Part("gripper", 1, -100.0, 100.0)),
    action_space="joint_position",
    action=(*(Component(f"j{joint}", DEGREES) for joint in range(1, 6)), Component(GRIP, -100.0, 100.0)),
)
#: reading -> the column that it is; the others are only parts of one
COLUMNS = {"joint_position": "tick/q", "joint_velocity": "tick/dq", "gripper": "tick/gripper"}

TOLD = "the joint angles that the servos had been told one frame later, less what of them carries the weight of the arm"
MEASURED = "the joint angles measured one frame later, as no column holds what the servos were told"
MOVED = (
    "the commanded pose one frame later, from the tool pose of the frame itself (sawhorse.pose): m and rotation vector in rad, base axes"
)


class Form(NamedTuple):
    """How one robot's sessions are written down."""

    robot_type: str
    mapping: Mapping
    state: tuple[str, ...]  #: a name a number
    action: tuple[str, ...]


class Moments(NamedTuple):
    """The frames of one session."""

    t_ns: Rows  #: (n + 1,) evenly spaced; the last is only there for the action of the one before it
    rows: Rows  #: (n + 1,) the tick at each


class _Reading(NamedTuple):
    """What ``Mapping.state_of`` reads of an observation."""

    q: F64
    dq: F64
    pose: F64
    twist: F64
    wrench: F64
    gripper: float


def form_of(session: Session) -> Form:
    """The form of a session's robot: LeRobot's own of an SO-101, else the session's mapping, else the robot's usual one.

    Raises SessionError where nothing says what its numbers are.
    """
    header = session.header
    if header.robot in SO101_ROBOTS:
        names = tuple(f"{servo}.pos" for servo in SERVOS)
        return Form(SO101_TYPE, SO101, names, names)
    given: Any = header.settings.get("mapping")
    if not given and header.robot not in KINDS:
        raise SessionError(
            f"Session {session.path} is of the robot {header.robot}, of which this program knows no readings: it stays as it is."
        )
    mapping = from_json(given, f"the mapping of session {session.path}") if given else KINDS[header.robot].mapping
    state = tuple(f"{part.name}.{number}" if part.size > 1 else part.name for part in mapping.state for number in range(part.size))
    return Form(header.robot, mapping, state, tuple(one.name for one in mapping.action))


def moments(session: Session, fps: int) -> Moments:
    """When a session's frames are: while it was armed, if it ever was, and not before every camera had given a picture.

    Raises SessionError where no two of them fit in.
    """
    times = np.maximum.accumulate(session.times)
    armed = np.flatnonzero(session.rows("tick/armed")) if session.ticks else np.empty(0, np.int64)
    first, last = (int(armed[0]), int(armed[-1])) if len(armed) else (0, session.ticks - 1)
    begins = [int(times[first])] if session.ticks else []
    begins += [int(session.rows(f"camera/{camera}/t_ns", 0, 1)[0]) for camera in session.cameras]
    begin = max(begins, default=0)
    count = ((int(times[last]) - begin + 1) * fps - 1) // SECOND if session.ticks else 0  # the last with a frame's time at or before it
    if count < 1:
        raise SessionError(f"Session {session.path} has less than two frames at {fps} a second: nothing of it can be exported.")
    t_ns = begin + np.arange(count + 1, dtype=np.int64) * SECOND // fps
    return Moments(t_ns, np.searchsorted(times, t_ns, side="right") - 1)


def states(session: Session, form: Form, rows: Rows) -> F32:
    """(n, S) what was measured at the ticks in ``rows``. Raises SessionError where the session does not hold it."""
    columns = [_column(session, name, rows) for name in ("q", "dq", "pose", "twist", "wrench", "gripper")]
    try:
        found = np.stack([form.mapping.state_of(cast(Observation, _Reading(*reading))) for reading in zip(*columns, strict=True)])
    except PolicyError as wrong:
        raise SessionError(f"Session {session.path} cannot be exported: {wrong}.") from wrong
    return _finite(session, found, form.state)


def told_joints(session: Session, rows: Rows) -> bool:
    """Whether the session holds what the joints' servos had been told at all ticks in ``rows``."""
    name = "tick/spring_target"
    return name in session.commit.arrays and bool(np.isfinite(session.rows(name)[rows]).all())


def actions(session: Session, form: Form, found: Moments, told: bool) -> F32:
    """(n, A) what the robot was told of each frame; ``told`` as by ``told_joints``, else the joints as measured.

    A gripper that nothing was said to stays as it was measured; where there is none, the tool is held. Raises SessionError.
    """
    now, later = found.rows[:-1], found.rows[1:]
    mapping = form.mapping
    if mapping.action_space == "joint_position":
        motion = _column(session, "spring_target" if told else "q", later)
    else:
        pairs = zip(_column(session, "pose_d", later), _column(session, "pose", now), strict=True)
        motion = np.array([error(wanted, measured) for wanted, measured in pairs])
    measured = _column(session, "gripper", later)
    asked = _column(session, "gripper_d", later) if "tick/gripper_d" in session.commit.arrays else measured
    grip = np.where(np.isfinite(asked), asked, np.where(np.isfinite(measured), measured, 1.0))
    named = canonical(mapping.action_space, form_names := [one.name for one in mapping.action])
    whole = np.column_stack([motion, grip])[:, : len(named)]
    ordered = whole[:, [named.index(name) for name in form_names]]
    scaled = ordered * [one.scale for one in mapping.action] + [one.offset for one in mapping.action]
    return _finite(session, scaled.astype(np.float32), form.action)


def readings(mapping: Mapping, state: Rows) -> dict[str, Rows]:
    """What ``states`` made of whole columns, back in SI units: name of the column -> (n,) or (n, size)."""
    found, at = {}, 0
    for part in mapping.state:
        if part.name in COLUMNS:
            values = (state[:, at : at + part.size].astype(np.float64) - part.offset) / part.scale
            found[COLUMNS[part.name]] = values if READINGS[part.name][1] != 1 else values[:, 0]
        at += part.size
    return found


def joint_targets(mapping: Mapping, action: Rows) -> dict[str, Rows]:
    """What ``actions`` made of joint targets and the gripper's, back in SI units, each at the frame after its own: NaN at the first."""
    values = mapping.actions_of(action.astype(np.float32)).astype(np.float64)
    before = np.vstack([np.full((1, values.shape[1]), np.nan), values[:-1]])
    gripped = GRIP in (one.name for one in mapping.action)
    found = {"tick/spring_target": before[:, : values.shape[1] - gripped]}
    return found | ({"tick/gripper_d": before[:, -1]} if gripped else {})


def _column(session: Session, name: str, rows: Rows) -> Rows:
    """The rows of a column of ``tick/``, which an older session may not have."""
    column = f"tick/{name}"
    if name == "gripper" and column not in session.commit.arrays:
        return np.full(len(rows), np.nan)
    return session.rows(column)[rows]


def _finite(session: Session, values: F32, names: Sequence[str]) -> F32:
    if not np.isfinite(values).all():
        row, column = np.argwhere(~np.isfinite(values))[0]
        raise SessionError(f"Session {session.path} does not know {names[column]} at its frame {row}: it cannot be exported.")
    return values
