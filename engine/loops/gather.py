"""What one reading of the robot, and one inference's look at the pictures and at what comes, put into the arbiter's inputs."""

import math
from typing import Any

from engine.types import Inference, Observation, PolicyInfo

#: of ``Inference.heads``; the inputs of the arbiter have the same names
SIGHT = ("vision_raw", "vision_smooth", "vision_hand", "vision_human", "vision_stuck")


def reading(observation: Observation) -> dict[str, Any]:
    """The fields of ``Inputs`` that come from the robot: its state, the far handle, and the person where a sensor follows one."""
    fields: dict[str, Any] = {
        "obs_t_ns": observation.t_ns,
        "obs_seq": observation.seq,
        "q": tuple(observation.q.tolist()),
        "dq": tuple(observation.dq.tolist()),
        "tau": tuple(observation.tau.tolist()),
        "pose": tuple(observation.pose.tolist()),
        "twist": tuple(observation.twist.tolist()),
        "wrench": tuple(observation.wrench.tolist()),
        "manipulability": observation.manipulability,
        "links": tuple(observation.links.ravel().tolist()),
        "grip": tuple(observation.grip.tolist()),
        "holds": observation.holds,
        "gripper": observation.gripper,
        "robot_fault": observation.fault,
        "robot_fault_part": observation.fault_part,
    }
    person = observation.person
    if person is not None:
        fields |= {
            "person_seq": person.seq,
            "person_t_ns": person.t_ns,
            "person_exposed_ns": person.exposed_ns,
            "person_place": tuple(person.place.ravel().tolist()),
            "person_speed": tuple(person.speed.tolist()),
        }
    return fields


def sight(policy: PolicyInfo | None, inference: Inference | None) -> dict[str, Any]:
    """The fields of ``Inputs`` that tell what the policy sees; NaN what its newest inference does not say."""
    if policy is None or not policy.vision:
        return {}
    fields: dict[str, Any] = {"vision_state": policy.vision}
    if inference is not None:
        fields |= {name: inference.heads.get(name, math.nan) for name in SIGHT} | {"vision_t_ns": inference.exposed_ns}
    return fields


def foreseen(policy: PolicyInfo | None, inference: Inference | None) -> dict[str, Any]:
    """The fields of ``Inputs`` that tell how the work is likely to fail; NaN what the newest inference does not say."""
    if policy is None or not policy.forecast:
        return {}
    fields: dict[str, Any] = {"forecast_state": policy.forecast}
    if inference is not None:
        fields |= {"forecast_ns": inference.exposed_ns, "forecast_alarm": tuple(inference.forecast_alarm.tolist())}
    return fields
