"""Which robots there are, what each can be told to do and in which words, and the limits it has unless others are set."""

from collections.abc import Mapping
from typing import Any

from engine.policy.compact import INSTRUCTION, LIFT, PICK_PLACE, REACH

#: robot: its tasks, the first of them its usual one
TASKS: Mapping[str, tuple[str, ...]] = {
    "cosaw": ("saw",),
    "pickplace": ("pickplace", "lift", "reach"),
    "so101-sim": ("reach", "lift"),
}
ROBOTS = tuple(TASKS)

#: task: what a policy is told, unless it is told otherwise
INSTRUCTIONS: Mapping[str, str] = {
    "saw": INSTRUCTION,
    "pickplace": PICK_PLACE,
    "lift": LIFT,
    "reach": REACH,
}

#: of an arm on a table, where nobody holds what it holds: it may turn its gripper any way, and stands on every axis
_ALONE = {"tilt_max": 7.0, "stroke_yield": 0.001}

#: robot: where its limits differ from those of ``engine.limits.Limits``, which are the cosaw cell's
LIMITS: Mapping[str, Mapping[str, Any]] = {
    "cosaw": {},
    "pickplace": _ALONE
    | {"workspace_min": (0.25, -0.45, 0.0), "workspace_max": (0.78, 0.45, 0.70), "manipulability_min": 0.01, "force_max": 40.0},
    "so101-sim": _ALONE
    | {
        "workspace_min": (0.05, -0.30, 0.0),
        "workspace_max": (0.42, 0.30, 0.45),
        "workspace_margin": 0.008,
        "manipulability_min": 0.001,
        "force_max": 20.0,
        "torque_max": 3.0,
    },
}


def completed(given: Mapping[str, Any]) -> dict[str, Any]:
    """Settings with the task, the instruction and the limits that follow from the robot and the task, where none are given."""
    robot = given.get("robot", ROBOTS[0])
    if robot not in TASKS:
        return dict(given)
    task = given.get("task", TASKS[robot][0])
    filled = {"task": task, "instruction": INSTRUCTIONS.get(task, INSTRUCTION), **given}
    limits = filled.get("limits", {})
    return filled | {"limits": {**LIMITS[robot], **limits}} if isinstance(limits, Mapping) else filled
