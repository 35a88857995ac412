"""The settings of a real SO-101: its port and calibration, its cameras, and the poses and macros it has by name.

Poses are written as LeRobot shows them: five joints in degrees, zero in the middle of the calibrated range, and the gripper in percent,
0 closed and 100 open. ``target`` gives what the program itself works with.
"""

import math
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, Self

from annotated_types import Interval
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator, model_validator

ROBOT = "so101"
JOINTS = ("shoulder_pan", "shoulder_lift", "elbow_flex", "wrist_flex", "wrist_roll")
SWIFT = 215.0  #: deg/s, a macro's joint at its fastest: 0.8 of the 4.7 rad/s that an STS3215 reaches when it moves nothing
PEAK = 1.875  #: of the mean speed, the greatest of a motion with the least jerk (Flash and Hogan 1985)
CAMERAS = 4

# the range of each joint, degrees: the model's own
Pan = Annotated[float, Interval(ge=-110.0, le=110.0)]
Lift = Annotated[float, Interval(ge=-100.0, le=100.0)]
Elbow = Annotated[float, Interval(ge=-96.8, le=96.8)]
Flex = Annotated[float, Interval(ge=-95.0, le=95.0)]
Roll = Annotated[float, Interval(ge=-157.2, le=162.8)]
Percent = Annotated[float, Interval(ge=0.0, le=100.0)]
Pose = tuple[Pan, Lift, Elbow, Flex, Roll, Percent]

#: folded back, the jaws 2 mm over the table that the base stands on: without power it sinks that far; and over the table, jaws down
POSES: Mapping[str, Pose] = {"rest": (0.0, -99.0, 90.0, 72.0, -89.0, 5.0), "home": (0.0, -10.0, 11.0, 88.0, -89.0, 60.0)}
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,31}")
_CAMERA = re.compile(r"(?P<name>[a-z][a-z0-9_]{0,31})=(?P<device>\d{1,2}|/.+?)(?::(?P<width>\d+)x(?P<height>\d+)@(?P<fps>\d+))?", re.ASCII)


def _readable(text: str) -> str:
    if not text.isprintable() or text.isspace():
        raise ValueError("write one line that can be read, without control characters")
    return text


Line = Annotated[str, AfterValidator(_readable)]  #: a sentence for a person or a policy; what may be left out is ""


class Target(NamedTuple):
    """Where joints and gripper shall be, in the program's own units."""

    q: tuple[float, ...]  #: (5,) rad
    gripper: float  #: 0 open .. 1 closed


class CameraSpec(NamedTuple):
    """One camera of ``So101Settings.cameras``; None: as the device has it."""

    name: str
    device: int | Path
    width: int | None
    height: int | None
    fps: int | None


def camera_of(text: str) -> CameraSpec:
    """A camera as written, ``front=0:320x240@30`` or ``side=/dev/video2``. Raises ValueError with one clause."""
    found = _CAMERA.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is no camera: write NAME=INDEX or NAME=INDEX:WIDTHxHEIGHT@FPS, such as front=0:320x240@30")
    device = found["device"]
    width, height, fps = (int(found[part]) if found[part] else None for part in ("width", "height", "fps"))
    for what, value, least, most in (("width", width, 64, 4096), ("height", height, 64, 4096), ("rate", fps, 3, 240)):
        if value is not None and not least <= value <= most:
            raise ValueError(f"the {what} of {text!r} must be from {least} to {most}")
    return CameraSpec(found["name"], int(device) if device.isdigit() else Path(device), width, height, fps)


class Step(BaseModel):
    """One motion of a macro: to a pose by its name, or to six numbers."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    pose: str = Field("", description="by its name")
    to: Pose | None = Field(None, description="five joints in degrees and the gripper in percent open")
    seconds: float = Field(
        ge=0.2, le=30.0, description="that it takes; longer where it would be faster than the jog speed that is chosen, 0.10 m/s at most"
    )

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.to is None) == (not self.pose):
            raise ValueError("a step has either pose, a name, or to, five joints and the gripper")
        return self


class Macro(BaseModel):
    """A scripted motion."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    steps: tuple[Step, ...] = Field(min_length=1, max_length=50)
    clearance: Line = Field(
        "", max_length=200, description="what the operator confirms before it, and then gives a second key; nothing: it needs neither"
    )


#: a scripted motion that needs more than arming: draw back, flick the wrist up, let go. It takes these seconds at the fastest that
#: anything is played, 0.10 m/s, the turn of the hand counted in: what it lets go drops more than it flies
THROW = Macro(
    steps=(
        Step(to=(0.0, -30.0, 35.0, 80.0, -89.0, 5.0), seconds=2.0),
        Step(to=(0.0, -20.0, 20.0, 55.0, -89.0, 5.0), seconds=6.0),
        Step(to=(0.0, -20.0, 20.0, 55.0, -89.0, 100.0), seconds=1.0),
        Step(pose="home", seconds=6.0),
    ),
    clearance="Nobody is within 2 m in front of the arm, and nothing that breaks.",
)


class So101Settings(BaseModel):
    """The section ``so101``; it says nothing to other robots."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)

    port: str = Field("", max_length=200, description="serial port of the servos' bus; nothing: the only one there is")
    id: str = Field("sawhorse", description="name of the arm, and of its calibration's file")
    calibration: Path | None = Field(None, description="folder of the calibration's file; nothing: where LeRobot keeps it")
    emulated: bool = Field(False, description="servos that a program plays, with a port of their own: whatever port says is not opened")
    dry_run: bool = Field(False, description="never a goal and never torque: the actions are shown and recorded only")
    dry_run_actions: int = Field(20, ge=1, le=1000, description="that a dry run shows")
    cameras: tuple[str, ...] = Field((), max_length=CAMERAS, description="NAME=INDEX[:WIDTHxHEIGHT@FPS]; INDEX may be a device's path")
    synthetic_camera: bool = Field(False, description="a marked test picture for a camera; the arm then does nothing by itself")
    fallback: Literal["", "scripted"] = Field("", description="what drives where the policy cannot be loaded; nothing: nobody")
    max_relative_target: float = Field(
        math.radians(10.0), ge=0.005, le=0.5, description="rad from where a joint is to its goal, at most: LeRobot's own last check"
    )
    release: bool = Field(
        False, description="torque off at the end, where the arm stands folded as in the shipped pose rest; else it holds"
    )
    poses: dict[str, Pose] = Field(default_factory=dict, validate_default=True, description="by name, laid over those that are shipped")
    macros: dict[str, Macro] = Field(default_factory=dict, validate_default=True, description="by name, laid over those that are shipped")

    @field_validator("calibration", mode="before")
    @classmethod
    def _a_folder(cls, path: Any) -> Any:
        if path == "" or "\0" in str(path):
            raise ValueError("name a folder")
        return path

    @field_validator("id")
    @classmethod
    def _a_file_s_name(cls, name: str) -> str:
        if not _ID.fullmatch(name):
            raise ValueError("use letters, digits, ., - and _, a letter or digit first, 64 at most")
        return name

    @field_validator("port")
    @classmethod
    def _a_port(cls, port: str) -> str:
        if not port.isprintable() or port != port.strip():
            raise ValueError("name a serial port, such as /dev/ttyACM0 or COM3")
        return port

    @field_validator("cameras")
    @classmethod
    def _one_device_each(cls, cameras: tuple[str, ...]) -> tuple[str, ...]:
        specs = [camera_of(text) for text in cameras]
        devices = [f"/dev/video{spec.device}" if isinstance(spec.device, int) else os.path.realpath(spec.device) for spec in specs]
        for what, each in (("name", [spec.name for spec in specs]), ("device", devices)):
            twice = next((one for one in each if each.count(one) > 1), None)
            if twice is not None:
                raise ValueError(f"the {what} {twice} is there twice; each camera has its own")
        return cameras

    @field_validator("poses", mode="before")
    @classmethod
    def _shipped_poses(cls, poses: Any) -> Any:
        return {**POSES, **poses} if isinstance(poses, Mapping) else poses

    @field_validator("macros", mode="before")
    @classmethod
    def _shipped_macros(cls, macros: Any) -> Any:
        return {"throw": THROW, **macros} if isinstance(macros, Mapping) else macros

    @field_validator("poses", "macros")
    @classmethod
    def _named[T](cls, named: dict[str, T]) -> dict[str, T]:
        wrong = next((name for name in named if not _NAME.fullmatch(name)), None)
        if wrong is not None:
            raise ValueError(f"{wrong!r} is no name: use letters, digits, - and _, a letter first, 32 at most")
        return named

    @model_validator(mode="after")
    def _agree(self) -> Self:
        if not self.macros["throw"].clearance:
            raise ValueError("macros.throw needs clearance: what the operator confirms before something flies")
        for name, macro in self.macros.items():
            if name in self.poses:
                raise ValueError(f"{name} is a pose and a macro: give one of them another name")
            self._can_be_done(name, macro)
        return self

    def _can_be_done(self, name: str, macro: Macro) -> None:
        """Raises ValueError where a macro goes to no pose, or faster from one step to the next than the servos can."""
        before: Pose | None = None
        for number, step in enumerate(macro.steps, 1):
            if step.to is None and step.pose not in self.poses:
                raise ValueError(f"step {number} of macros.{name} goes to {step.pose!r}, none of the poses {', '.join(self.poses)}")
            here = step.to or self.poses[step.pose]
            ways = [abs(to - at) for to, at in zip(here[:5], (before or here)[:5], strict=True)]
            need = PEAK * max(ways) / SWIFT
            if step.seconds < need:
                turn = f"{JOINTS[ways.index(max(ways))]} by {max(ways):g} degrees in {step.seconds:g} s"
                raise ValueError(f"step {number} of macros.{name} turns {turn}, which takes {need:.2f} s")
            before = here

    def target(self, name: str) -> Target:
        """Joints and gripper of a pose."""
        return _target(self.poses[name])

    def motion(self, macro: str) -> tuple[tuple[Target, float], ...]:
        """A macro's targets in order, each with the seconds that it takes at least."""
        return tuple((_target(step.to or self.poses[step.pose]), step.seconds) for step in self.macros[macro].steps)


def _target(pose: Pose) -> Target:
    *degrees, percent = pose
    return Target(tuple(math.radians(angle) for angle in degrees), 1.0 - percent / 100.0)
