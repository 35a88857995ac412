"""Which robots there are, what each can be told to do and in which words, and the limits it has unless others are set."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from adapters.isaaclab.known import KNOWN
from engine.policy.mapping import COSAW, FRANKA, SO101
from engine.policy.mapping import Mapping as PolicyMapping

#: task: what a policy is told, unless it is told otherwise
INSTRUCTIONS: Mapping[str, str] = {
    "saw": "Saw through the log at the line with your partner.",
    "pickplace": "Pick up the red cube and place it in the blue zone.",
    "lift": "Lift the red cube.",
    "reach": "Reach the red cube with the gripper.",
}
_ISAAC = {task: known for task, known in KNOWN.items() if known.does in ("lift", "reach")}  #: Isaac Lab's tasks of an arm at the table
SMOLVLA = "lerobot/smolvla_base"
#: settings that a policy of the hub needs with an SO-101: its pictures, and LeRobot's units (degrees; a gripper of 0 closed .. 100 open)
_NEEDS: Mapping[str, Mapping[str, Any]] = {
    SMOLVLA: {
        "camera": {"pixels": 256},
        "mapping": {
            "cameras": {f"observation.images.camera{number}": name for number, name in enumerate(("top", "side", "front"), 1)},
            "state": [["joint_position", 5, 57.29577951308232], ["gripper", 1, -100.0, 100.0]],
            "action_space": "joint_position",
            "action": [*([f"j{joint}", 57.29577951308232] for joint in range(1, 6)), ["grip", -100.0, 100.0]],
        },
    }
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

    tasks: tuple[str, ...]  #: the first of them its usual one
    checkpoint: str  #: folder of the policy that ships for it
    mapping: PolicyMapping  #: of a policy that brings none of its own
    arm: str = ""  #: that stands at the table; "" for the co-sawing cell
    limits: Mapping[str, Any] = field(default_factory=dict)  #: where they differ from those of ``engine.limits.Limits``
    twin: str = ""  #: a simulated robot whose policies drive this one too; "" if it has none
    policy: str = "compact"  #: that drives it where no other is named
    does: Mapping[str, tuple[str, str]] = field(
        default_factory=dict
    )  #: by a task of another name: the arm, and which task of its own it is
    instructions: Mapping[str, str] = field(default_factory=lambda: INSTRUCTIONS)  #: by task
    pushed: bool = False  #: keys pull and push it, as somebody's hand would


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
    "isaaclab": Kind(
        tuple(_ISAAC),
        "so101",
        SO101,
        "so101",
        _SO101 | {"observation_age_max": 0.1},  # its physics waits while its pictures are drawn, and so does the next state
        twin="so101-sim",
        policy=SMOLVLA,
        does={task: (known.arm, known.does) for task, known in _ISAAC.items()},
        instructions={task: "Pick the cube." if known.does == "lift" else INSTRUCTIONS[known.does] for task, known in _ISAAC.items()},
        pushed=True,
    ),
}
ROBOTS = tuple(KINDS)


def completed(given: Mapping[str, Any]) -> dict[str, Any]:
    """Settings with the task, policy, instruction and limits that follow from robot and task, and what the policy needs, where none are
    given."""
    robot = given.get("robot", ROBOTS[0])
    if robot not in KINDS:
        return dict(given)
    kind = KINDS[robot]
    task = given.get("task", kind.tasks[0])
    filled = {"task": task, "policy": kind.policy, "instruction": kind.instructions.get(task, INSTRUCTIONS["saw"]), **given}
    needs = _NEEDS.get(str(filled["policy"]), {}) if kind.policy in _NEEDS else {}
    for section, values in {"limits": kind.limits, **needs}.items():
        own = filled.get(section, {})
        if isinstance(own, Mapping):
            filled[section] = {**values, **own}
    return filled
