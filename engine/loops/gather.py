"""What one reading of the robot puts into the arbiter's inputs."""

from typing import Any

from engine.types import Observation


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
