"""What a session says about itself: its schema version and the header every session begins with."""

import math
import secrets
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib import metadata as packages
from platform import python_version
from typing import TYPE_CHECKING, Any

import msgspec

from engine.limits import Limits
from engine.safety.arbiter import RobotLimits
from engine.session.layout import SessionError
from engine.types import PolicyInfo

if TYPE_CHECKING:  # a reader needs neither settings nor robots
    from adapters.base import CameraRig, Robot
    from engine.config import Settings

SCHEMA_VERSION = 2

UNITS = {
    "length": "m",
    "angle": "rad",
    "time": "s, or ns of the engine's clock in names that end in t_ns or _ns",
    "force": "N",
    "torque": "N m",
    "energy": "J",
    "pose": "x y z qw qx qy qz in base axes",
    "twist and wrench": "linear, then angular, in base axes",
}

VERSIONS_OF = ("sawhorse", "numpy", "zarr", "numcodecs", "msgspec", "mujoco", "mujoco-warp", "torch", "transformers", "lerobot")


class Imported(msgspec.Struct, frozen=True, kw_only=True):
    """Where a session comes from that no engine recorded. What its source does not tell has no column, and reads NaN, 0, False or ""."""

    source: str  #: the data set's name
    episode: int
    fps: int
    session: str  #: that was exported into the data set; "" where it was made by other means


class Header(msgspec.Struct, frozen=True, kw_only=True):
    """All that holds for a whole session. Plain JSON: no NaN, no infinity."""

    schema: int
    id: str
    started: str  #: UTC, ISO 8601
    started_wall: float  #: s since the epoch
    robot: str
    task: str
    instruction: str
    simulated: bool
    seed: int
    policy: PolicyInfo | None  #: None until the model is loaded
    settings: dict[str, Any]  #: every setting as it was resolved
    versions: dict[str, str]
    cameras: dict[str, Any]  #: by name: size, field of view, pose
    units: dict[str, str]
    limits: Limits
    robot_limits: dict[str, Any]  #: the fields of engine.safety.arbiter.RobotLimits
    cell: dict[str, Any]  #: the fields of engine.safety.cell.Cell
    imported: Imported | None = None  #: then started, limits, robot_limits, cell, settings and whether it was simulated may be unknown


def software_versions() -> dict[str, str]:
    """Versions of Python and of what decides, simulates, infers and records; only what is installed."""
    found = {"python": python_version()}
    for name in VERSIONS_OF:
        try:
            found[name] = packages.version(name)
        except packages.PackageNotFoundError:
            continue
    return found


def session_id(wall: float) -> str:
    """A name that sorts by time and that two engines started in one second do not share."""
    return f"{datetime.fromtimestamp(wall, UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"


def header(settings: "Settings", robot: "Robot", rig: "CameraRig", name: str = "") -> Header:
    """The header of a session that begins now, before the model is loaded; its id is ``name``, or tells when it began."""
    wall = time.time()
    return Header(
        schema=SCHEMA_VERSION,
        id=name or session_id(wall),
        started=datetime.fromtimestamp(wall, UTC).isoformat(timespec="milliseconds"),
        started_wall=wall,
        robot=settings.robot,
        task=settings.task,
        instruction=settings.instruction,
        simulated=robot.simulated,
        seed=settings.seed,
        policy=None,
        settings=settings.model_dump(mode="json"),
        versions=software_versions(),
        cameras=dict(rig.geometry()),
        units=UNITS,
        limits=settings.limits,
        robot_limits=msgspec.to_builtins(RobotLimits.of(robot)),
        cell=msgspec.to_builtins(robot.cell),
    )


def plain(header: Header) -> dict[str, Any]:
    """The header as JSON values, for the group's attributes. Raises SessionError naming a number that JSON cannot hold."""
    tree: dict[str, Any] = msgspec.to_builtins(header)
    for name, value in _leaves(tree):
        if isinstance(value, float) and not math.isfinite(value):
            raise SessionError(f"{name} = {value} cannot be written into a session's header: it must be a finite number.")
    return tree


def _leaves(tree: Any, name: str = "header") -> list[tuple[str, Any]]:
    if isinstance(tree, Mapping):
        return [leaf for key, value in tree.items() for leaf in _leaves(value, f"{name}.{key}")]
    if isinstance(tree, list | tuple):
        return [leaf for index, value in enumerate(tree) for leaf in _leaves(value, f"{name}[{index}]")]
    return [(name, tree)]
