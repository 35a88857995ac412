"""What the servos do not tell but the arm's model does: where the tool and the links are, and what carries the arm's own weight."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from adapters.mujoco.body import Body
from adapters.mujoco.tabletop import servos
from adapters.mujoco.tabletop.arm import TOOL_SITE
from adapters.mujoco.tabletop.so101 import SO101
from engine.control.pose import Floats, floats
from engine.types import F64

LEAST_LEVER = 1e-4  #: m^2, added so that a singular arm feels no infinite force


@dataclass(frozen=True, slots=True)
class Figure:
    """The arm at one reading. Arrays are never written again."""

    pose: F64  #: (7,) tool frame
    twist: F64  #: (6,)
    jacobian: F64  #: (6, 5) of the tool
    links: F64  #: (4, 3) m
    weight: Floats  #: (5,) N m that carries the arm as its model has it; a load in the jaws is not in it

    @property
    def levers(self) -> Floats:
        """(5,) m that the tool goes for each rad of a joint."""
        return floats(np.linalg.norm(self.jacobian[:3], axis=0))

    def wrench(self, outer: Sequence[float]) -> F64:
        """(6,) N on the tool: the least force there that the joints would feel as ``outer`` (5,) N m; its moment is not told apart."""
        lever = self.jacobian[:3]
        force = np.linalg.solve(lever @ lever.T + LEAST_LEVER * np.eye(3), lever @ np.array(outer))
        return np.concatenate([force, np.zeros(3)])


class Model:
    """The arm alone, never stepped; for one thread."""

    def __init__(self) -> None:
        self._body = Body(SO101.spec(False).compile(), TOOL_SITE, SO101.links, SO101.joints)

    def figure(self, q: Sequence[float], dq: Sequence[float], gripper: float) -> Figure:
        """At joints (5,) rad that turn at (5,) rad/s, the gripper 0 open .. 1 closed."""
        body = self._body
        body.q[:], body.dq[:] = q, dq
        body.qpos[SO101.joints] = servos.jaw_at(gripper)
        body.look()
        return Figure(body.pose(), body.twist(), body.jacobian.copy(), np.array(body.links()), floats(body.bias))
