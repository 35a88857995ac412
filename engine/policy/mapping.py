"""Which of a robot's cameras, readings and motions a policy's inputs and outputs are: an explicit table, nothing guessed or padded.

Each part of the policy's state and each component of its action is named; its number is ``scale * SI value + offset``, so that a policy
that was trained in degrees, percent or metres of finger opening is served what it knows.
"""

from collections.abc import Callable, Sequence
from collections.abc import Mapping as Named
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np

from engine.policy.errors import PolicyError
from engine.types import F32, F64, U8, Observation

FINGER = 0.04  #: m that each finger of the Franka hand opens
SPACES = ("cartesian_delta", "joint_position")
TOOL = ("x", "y", "z", "rx", "ry", "rz")  #: m and rotation vector in rad, relative to the tool pose at the exposure
GRIP = "grip"  #: 0 open .. 1 closed
STEP_S = 0.05  #: s between the actions of a chunk, where nothing says otherwise


def _fingers(observation: Observation) -> F64:
    return np.full(2, FINGER * (1.0 - observation.gripper))


#: name -> its value in SI units, and its length; 0 = as many as the robot has joints
READINGS: dict[str, tuple[Callable[[Observation], F64], int]] = {
    "joint_position": (lambda seen: seen.q, 0),
    "joint_velocity": (lambda seen: seen.dq, 0),
    "tool_position": (lambda seen: seen.pose[:3], 3),
    "tool_velocity": (lambda seen: seen.twist[:3], 3),
    "tool_turning": (lambda seen: seen.twist[3:], 3),
    "force": (lambda seen: seen.wrench[:3], 3),
    "torque": (lambda seen: seen.wrench[3:], 3),
    "gripper": (lambda seen: np.array([seen.gripper]), 1),
    "fingers": (_fingers, 2),
}


class Part(msgspec.Struct, frozen=True, array_like=True):
    """One named piece of the policy's state."""

    name: str
    size: int
    scale: float = 1.0
    offset: float = 0.0


class Component(msgspec.Struct, frozen=True, array_like=True):
    """One number of the policy's action."""

    name: str
    scale: float = 1.0
    offset: float = 0.0


@dataclass(frozen=True)
class Offered:
    """What a robot has to offer a policy."""

    cameras: tuple[str, ...]
    pixels: int  #: side of its square pictures
    joints: int


class Mapping(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The whole mapping of one policy to one robot."""

    cameras: dict[str, str]  #: the policy's name -> the robot's name
    state: tuple[Part, ...]
    action_space: str  #: one of SPACES
    action: tuple[Component, ...]
    statistics: str = ""  #: which of several sets of statistics the checkpoint brings
    step_s: float = STEP_S

    @property
    def state_size(self) -> int:
        return sum(part.size for part in self.state)

    def state_of(self, observation: Observation) -> F32:
        """(S,) the policy's state in its own units. Raises PolicyError naming both lengths if the robot's reading has another."""
        values = []
        for part in self.state:
            value = READINGS[part.name][0](observation)
            if value.shape != (part.size,):
                raise PolicyError(f"the policy's state takes {part.name} of shape ({part.size},); the robot's is {value.shape}")
            values.append(part.scale * value + part.offset)
        return np.concatenate(values).astype(np.float32)

    def actions_of(self, chunks: F32) -> F32:
        """``chunks`` (..., A) as the policy gives them -> (..., A) in SI units, in the order of ``canonical``."""
        order = self._order
        if all(one.scale == 1.0 and one.offset == 0.0 for one in self.action) and order == list(range(len(order))):
            return chunks
        offset = np.array([self.action[i].offset for i in order], dtype=np.float32)
        scale = np.array([self.action[i].scale for i in order], dtype=np.float32)
        return (chunks[..., order] - offset) / scale

    @property
    def _order(self) -> list[int]:
        names = [one.name for one in self.action]
        return [names.index(name) for name in canonical(self.action_space, names)]

    def pictures_of(self, images: Named[str, U8], sizes: Named[str, tuple[int, int, int]]) -> dict[str, U8]:
        """By the policy's names, its pictures out of the robot's; larger ones averaged down. ``sizes`` (3, h, w). Raises PolicyError."""
        shown = {}
        for name, (channels, height, width) in sizes.items():
            image = images.get(self.cameras[name])
            fitting = None if image is None or image.dtype != np.uint8 or image.shape[2:] != (channels,) else shrunk(image, height, width)
            if fitting is None:
                found = {camera: tuple(one.shape) for camera, one in images.items()}
                wanted = f"camera '{self.cameras[name]}' as uint8 ({height}, {width}, {channels})"
                raise PolicyError(f"the policy needs {wanted}; the pictures are {found}{_pixels_hint(height, width)}")
            shown[name] = fitting
        return shown

    def check(self, where: str, cameras: Named[str, tuple[int, int, int]], state: tuple[int, ...], action: tuple[int, ...]) -> None:
        """Hold the table against what a policy takes: pictures (3, h, w) by name, shapes of state and action. Raises PolicyError."""
        if sorted(cameras) != sorted(self.cameras):
            raise PolicyError(f"{where} names cameras {sorted(cameras)}; expected {sorted(self.cameras)}, as its mapping has them")
        if state != (self.state_size,):
            parts = " + ".join(f"{part.name} {part.size}" for part in self.state)
            raise PolicyError(f"{where} has a state of shape {state}; expected ({self.state_size},), its mapping's {parts}")
        if action != (len(self.action),):
            names = " ".join(one.name for one in self.action)
            raise PolicyError(f"{where} has an action of shape {action}; expected ({len(self.action)},), its mapping's {names}")

    def check_robot(self, where: str, cameras: Named[str, tuple[int, int, int]], offered: Offered) -> None:
        """Hold the table against the robot. Raises PolicyError."""
        lacking = sorted(set(self.cameras.values()) - set(offered.cameras))
        if lacking:
            raise PolicyError(f"{where} needs camera '{lacking[0]}'; the robot has {', '.join(offered.cameras) or 'none'}")
        for name, (_, height, width) in cameras.items():
            side = offered.pixels
            if side % height or side % width or height != width:
                camera, hint = self.cameras[name], _pixels_hint(height, width)
                raise PolicyError(f"{where} needs camera '{camera}' of ({height}, {width}); its pictures are ({side}, {side}){hint}")
        for part in self.state:
            size = READINGS[part.name][1] or offered.joints
            if part.size != size:
                raise PolicyError(f"{where} takes {part.name} of shape ({part.size},); the robot's is ({size},)")
        joints = [one.name for one in self.action if one.name != GRIP]
        if self.action_space == "joint_position" and len(joints) != offered.joints:
            raise PolicyError(f"{where} moves joints {' '.join(joints)}; the robot has {offered.joints}")

    def as_json(self) -> dict[str, Any]:
        """What ``from_json`` reads back."""
        return msgspec.to_builtins(self)  # type: ignore[no-any-return]


def canonical(space: str, names: Sequence[str]) -> list[str]:
    """The order in which the engine takes the components of an action: the tool or the joints, then the grip."""
    moving = list(TOOL) if space == "cartesian_delta" else [f"j{i + 1}" for i in range(len([name for name in names if name != GRIP]))]
    return moving + [GRIP] * (GRIP in names)


def from_json(value: Named[str, Any], where: str) -> Mapping:
    """The table that a manifest or the configuration writes down. Raises PolicyError naming what is wrong in it."""
    rows = value.get("action")
    written = {"action": [[row] if isinstance(row, str) else row for row in rows]} if isinstance(rows, list | tuple) else {}
    try:
        table = msgspec.convert({**value, **written}, Mapping)
    except msgspec.ValidationError as error:
        raise PolicyError(
            f"{where} is no mapping ({error}); expected cameras = {{policy's = robot's}}, state = [[name, size], ...], action_space, "
            "action = [names], and perhaps statistics and step_s"
        ) from error
    cameras, state, space, action, step_s = table.cameras, table.state, table.action_space, table.action, table.step_s
    names = [one.name for one in action]
    if space not in SPACES:
        raise PolicyError(f"{where} has actions of '{space}'; expected {' or '.join(SPACES)}")
    if sorted(names) != sorted(canonical(space, names)):
        raise PolicyError(f"{where} has action components {' '.join(names)}; expected {' '.join(canonical(space, names))} in any order")
    for part in state:
        if part.name not in READINGS:
            raise PolicyError(f"{where} has '{part.name}' in the state; expected of {', '.join(READINGS)}")
    if not (len(cameras) and len(state) and 0.0 < step_s <= 1.0):
        raise PolicyError(
            f"{where} has {len(cameras)} cameras, {len(state)} parts of the state and a step of {step_s} s; expected some of each"
        )
    scales = [(one.scale, one.offset) for one in state] + [(one.scale, one.offset) for one in action]
    if not np.isfinite(scales).all() or any(scale == 0.0 for scale, _ in scales):
        raise PolicyError(f"{where} has a scale that is 0 or no number")
    return table


def shrunk(image: U8, height: int, width: int) -> U8 | None:
    """(height, width, C) from a picture of that size, or a whole number of times as large and then averaged; None from any other."""
    block = image.shape[0] // height
    if block < 1 or image.shape[:2] != (block * height, block * width):
        return None
    if block == 1:
        return np.ascontiguousarray(image)
    parts = image.reshape(height, block, width, block, -1).astype(np.uint16)
    return np.asarray(np.rint(parts.mean(axis=(1, 3))), dtype=np.uint8)


def _pixels_hint(height: int, width: int) -> str:
    return f"; camera.pixels = {height} would fit" if height == width else "; no square picture fits"


_THREE = {name: name for name in ("front", "side", "top")}
_CARTESIAN = tuple(Component(name) for name in (*TOOL, GRIP))
COSAW = Mapping(
    cameras=_THREE,
    state=(Part("tool_position", 3), Part("tool_velocity", 3), Part("force", 3)),
    action_space="cartesian_delta",
    action=_CARTESIAN,
)
FRANKA = Mapping(_THREE, (Part("joint_position", 7), Part("fingers", 2)), "cartesian_delta", _CARTESIAN)
#: the sixth number is the jaw in rad, 0.70 open and -0.10 closed
SO101 = Mapping(_THREE, (Part("joint_position", 5), Part("gripper", 1, -0.80, 0.70)), "cartesian_delta", _CARTESIAN)
