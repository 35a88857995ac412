"""A policy's numbers and an arm's: its action as joint targets and a gripper for the link, and the joints as its state, by a table.

Each number is named, has a unit, a sign, a scale and an offset; nothing is guessed, padded or put in another order silently. The worker
may import this too, so it stands on the standard library and numpy alone.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from adapters.isaaclab import known

Numbers = NDArray[np.float64]

#: how far each of ``known.JOINTS`` turns, rad
LIMITS: Final = ((-1.9198, 1.9198), (-1.7453, 1.7453), (-1.69, 1.69), (-1.6580, 1.6580), (-2.7438, 2.8412))
SO101_LIMITS: Final = dict(zip(known.JOINTS, LIMITS, strict=True))
GRIPPER: Final = "gripper"
TOOL: Final = ("x", "y", "z", "rx", "ry", "rz")  #: m and rotation vector in rad, base axes
_JAW: Final = known.JAW_CLOSED - known.JAW_OPEN  #: rad
#: unit: (a, b) of a * value + b, which is in rad, m, or for a gripper 0 open .. 1 closed
UNITS: Final[dict[str, tuple[float, float]]] = {
    "rad": (1.0, 0.0),
    "deg": (math.pi / 180.0, 0.0),
    "m": (1.0, 0.0),
    "closed": (1.0, 0.0),  #: 0 open .. 1 closed
    "% open": (-0.01, 1.0),  #: 0 closed .. 100 open
    "jaw rad": (1.0 / _JAW, -known.JAW_OPEN / _JAW),  #: angle of so101-sim's jaw
}


class MappingError(ValueError):
    """An action, a state or an environment does not fit the table. The text is one sentence for the operator."""


@dataclass(frozen=True)
class Component:
    """One number of a policy. ``sign * scale * number + offset`` is in ``unit``."""

    name: str  #: the policy's
    part: str  #: a joint's name, ``GRIPPER``, or one of ``TOOL``
    unit: str  #: of ``UNITS``
    sign: int = 1
    scale: float = 1.0
    offset: float = 0.0
    clip: tuple[float, float] = (-math.inf, math.inf)  #: of the target, or of the tool's displacement: rad, m, or 0 open .. 1 closed
    delta: bool = False  #: counts from the present joint or gripper


@dataclass(frozen=True)
class Table:
    """All numbers of one policy, in its order.

    ``horizon``: where its action moves the tool, how many actions of a chunk count from the pose that the tool had when the chunk began.
    """

    name: str
    action: tuple[Component, ...]
    state: tuple[Component, ...]
    horizon: int = 1

    @property
    def moves_tool(self) -> bool:
        return any(one.part in TOOL for one in self.action)

    def check(self, joints: Sequence[str]) -> None:
        """Raises MappingError where the action moves other parts than an arm with these joints has."""
        parts = [one.part for one in self.action if one.part != GRIPPER]
        wanted = TOOL if self.moves_tool else tuple(joints)
        if sorted(parts) != sorted(wanted):
            raise MappingError(
                f"The table {self.name!r} moves {' '.join(parts)} {(len(parts),)}, and the environment has {' '.join(wanted)} "
                f"{(len(wanted),)}: choose another table."
            )


class Targets(NamedTuple):
    """As the link's command ring takes them."""

    joints: Numbers  #: (E, J) rad
    gripper: Numbers  #: (E,) 0 open .. 1 closed; NaN, leave it, where the table has none


class Present(NamedTuple):
    """Where the arms are."""

    joints: Numbers  #: (E, J) rad
    gripper: Numbers  #: (E,) 0 open .. 1 closed


def joint_table(name: str, limits: Mapping[str, tuple[float, float]], unit: str, gripper: str, suffix: str = "") -> Table:
    """Absolute targets of joints, then of a gripper unless its unit is ""; the state is in the same units. ``limits`` in rad, in order."""
    rows = [Component(f"{joint}{suffix}", joint, unit, clip=ends) for joint, ends in limits.items()]
    if gripper:
        rows.append(Component(f"{GRIPPER}{suffix}", GRIPPER, gripper, clip=(0.0, 1.0)))
    return Table(name, tuple(rows), tuple(rows))


#: LeRobot's own SO-101: degrees, and how far the gripper is open
LEROBOT: Final = joint_table("lerobot", SO101_LIMITS, "deg", "% open", ".pos")
#: this program's units
RADIANS: Final = joint_table("radians", SO101_LIMITS, "rad", "closed")
#: the compact SO-101 policy that ships: the tool's displacement since its chunk began; of the jaw its state has the angle
COMPACT: Final = Table(
    "compact",
    (
        *(Component(axis, axis, "m", clip=(-0.5, 0.5)) for axis in TOOL[:3]),
        *(Component(axis, axis, "rad", clip=(-math.pi, math.pi)) for axis in TOOL[3:]),
        Component("grip", GRIPPER, "closed", clip=(0.0, 1.0)),
    ),
    (
        *(Component(joint, joint, "rad") for joint in known.JOINTS),
        Component("jaw", GRIPPER, "jaw rad"),
    ),
    horizon=16,
)
TABLES: Final = {table.name: table for table in (LEROBOT, RADIANS, COMPACT)}


def policy_action_to_env(
    action: ArrayLike,
    mapping: Table = LEROBOT,
    *,
    present: Present | None = None,
    joints: Sequence[str] = known.JOINTS,
    reach: Callable[[Numbers], Numbers] | None = None,
) -> Targets:
    """A policy's ``action`` (A,) or (E, A), in the units and the order of ``mapping``, as targets in the order of ``joints``.

    ``present`` is needed for deltas, and its E must be the action's. ``reach`` is needed where the action moves the tool: it takes
    displacements (E, 6), m and rotation vector in rad in base axes, to joint targets (E, J). Raises MappingError, with both shapes and
    the names, where something does not fit, and for a number that is not finite.
    """
    numbers = _rows(action, mapping.action, f"The action for the table {mapping.name!r}")
    if present is not None and present.joints.shape != (len(numbers), len(joints)):
        raise MappingError(
            f"The action has shape {np.shape(action)}, which is {len(numbers)} environments, and the arms' joints have shape "
            f"{present.joints.shape} for {' '.join(joints)}: give as many rows as there are environments."
        )
    mapping.check(joints)
    values = {one.part: _value(one, numbers[:, column], joints, present) for column, one in enumerate(mapping.action)}
    gripper = values.get(GRIPPER, np.full(len(numbers), np.nan))
    if not mapping.moves_tool:
        return Targets(np.stack([values[joint] for joint in joints], axis=1), gripper)
    if reach is None:
        raise MappingError(f"The table {mapping.name!r} moves the tool: give `reach`, which takes its displacement to joint targets.")
    return Targets(reach(np.stack([values[axis] for axis in TOOL], axis=1)), gripper)


def state_of(mapping: Table, present: Present, joints: Sequence[str] = known.JOINTS) -> NDArray[np.float32]:
    """(E, S) the policy's state, in its units and order, of arms with ``joints`` in that order. Raises MappingError."""
    read = {joint: present.joints[:, column] for column, joint in enumerate(joints)} | {GRIPPER: present.gripper}
    if missing := [one.part for one in mapping.state if one.part not in read]:
        raise MappingError(f"The state of the table {mapping.name!r} has {' '.join(missing)}, and the environment has {' '.join(read)}.")
    return np.stack([_number(one, read[one.part]) for one in mapping.state], axis=1).astype(np.float32)


def action_range(mapping: Table) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """(A,) the least and (A,) the greatest number of each component that its ``clip`` leaves as it is; of a delta, the whole way."""
    ends = []
    for one in mapping.action:
        low, high = one.clip
        if one.delta:
            factor, _ = _line(one)
            ends.append([abs((high - low) / factor) * way for way in (-1.0, 1.0)])
        else:
            ends.append(sorted(_number(one, np.array([low, high])).tolist()))
    low_high = np.array(ends, np.float32)
    return low_high[:, 0], low_high[:, 1]


def _rows(given: ArrayLike, components: tuple[Component, ...], what: str) -> Numbers:
    """(E, A) finite. Raises MappingError."""
    names = " ".join(one.name for one in components)
    try:
        numbers = np.asarray(given)
    except ValueError:
        raise MappingError(f"{what} has rows of different shapes, and (…, {len(components)}) is needed: {names}.") from None
    if numbers.ndim not in (1, 2) or numbers.shape[-1] != len(components) or not numbers.size:
        raise MappingError(f"{what} has shape {numbers.shape}, and (…, {len(components)}) is needed: {names}.")
    if numbers.dtype.kind not in "iuf":
        raise MappingError(
            f"{what} is {numbers.dtype} {numbers.shape}, and real numbers of shape (…, {len(components)}) are needed: {names}."
        )
    rows = np.atleast_2d(numbers).astype(np.float64)
    if not np.isfinite(rows).all():
        row, column = np.argwhere(~np.isfinite(rows))[0]
        raise MappingError(f"{what} has {components[column].name} = {rows[row, column]} in environment {row}: give finite numbers.")
    return rows


def _line(one: Component) -> tuple[float, float]:
    """(a, b) of a * number + b, which is in rad, m, or closedness."""
    factor, zero = UNITS[one.unit]
    return factor * one.sign * one.scale, factor * one.offset + zero


def _value(one: Component, numbers: Numbers, joints: Sequence[str], present: Present | None) -> Numbers:
    """(E,) the target, or the tool's displacement, that the numbers (E,) mean."""
    factor, zero = _line(one)
    if not one.delta:
        return np.clip(factor * numbers + zero, *one.clip)
    if present is None:
        raise MappingError(f"{one.name} counts from the present {one.part}: give `present`.")
    here = present.gripper if one.part == GRIPPER else present.joints[:, joints.index(one.part)]
    return np.clip(here + factor * numbers + UNITS[one.unit][0] * one.offset, *one.clip)


def _number(one: Component, value: Numbers) -> Numbers:
    """Back: the policy's number for a target, a joint or a gripper (E,)."""
    factor, zero = _line(one)
    return (value - zero) / factor
