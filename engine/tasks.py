"""Which robots there are, what each can be told to do and in which words, and the limits it has unless others are set."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from engine.policy.mapping import COSAW, FRANKA, SO101
from engine.policy.mapping import Mapping as PolicyMapping

#: task: what a policy is told, unless it is told otherwise
INSTRUCTIONS: Mapping[str, str] = {
    "saw": "Saw through the log at the line with your partner.",
    "pickplace": "Pick up the red cube and place it in the blue zone.",
    "lift": "Lift the red cube.",
    "reach": "Reach the red cube with the gripper.",
}

#: of an arm on a table, where nobody holds what it holds: it may turn its gripper any way, and stands on every axis
_ALONE = {"tilt_max": 7.0, "stroke_yield": 0.001}
_SO101 = _ALONE | {
    "workspace_min": (0.05, -0.30, 0.0),
    "workspace_max": (0.42, 0.30, 0.45),
    "workspace_margin": 0.008,
    "manipulability_min": 0.001,
    "force_max": 20.0,
    "torque_max": 3.0,
}


@dataclass(frozen=True)
class Kind:
    """One robot."""

    tasks: tuple[str, ...]  #: of INSTRUCTIONS, the first of them its usual one
    checkpoint: str  #: folder of the policy that ships for it
    mapping: PolicyMapping  #: of a policy that brings none of its own
    arm: str = ""  #: that stands at the table; "" for the co-sawing cell
    limits: Mapping[str, Any] = field(default_factory=dict)  #: where they differ from those of ``engine.limits.Limits``
    twin: str = ""  #: a simulated robot whose policies drive this one too; "" if it has none


KINDS: Mapping[str, Kind] = {
    "cosaw": Kind(("saw",), "compact", COSAW),
    "pickplace": Kind(
        ("pickplace", "lift", "reach"),
        "pickplace",
        FRANKA,
        "franka",
        _ALONE | {"workspace_min": (0.25, -0.45, 0.0), "workspace_max": (0.78, 0.45, 0.70), "manipulability_min": 0.01, "force_max": 40.0},
    ),
    "so101-sim": Kind(("lift", "reach"), "so101", SO101, "so101", _SO101),
    "so101": Kind(("lift", "reach"), "so101", SO101, "so101", _SO101 | {"hold_to_run": True}, twin="so101-sim"),
}
ROBOTS = tuple(KINDS)


def completed(given: Mapping[str, Any]) -> dict[str, Any]:
    """Settings with the task, the instruction and the limits that follow from the robot and the task, where none are given."""
    robot = given.get("robot", ROBOTS[0])
    if robot not in KINDS:
        return dict(given)
    task = given.get("task", KINDS[robot].tasks[0])
    filled = {"task": task, "instruction": INSTRUCTIONS.get(task, INSTRUCTIONS["saw"]), **given}
    limits = filled.get("limits", {})
    return filled | {"limits": {**KINDS[robot].limits, **limits}} if isinstance(limits, Mapping) else filled
