"""A worker by the clock without Isaac Lab: ``plant_side.py NAME WHAT``. Its joints are damped springs, its cube stays where it is put.

``WHAT``: "steps"; "refuses", with an error; "differs", whose robot has other joints. What it hears is a step's command, as the worker's.
"""

import sys
import threading
import time
from typing import Any

import numpy as np

from adapters.isaaclab import known, shared
from adapters.mujoco.tabletop.kinematics import Kinematics
from adapters.mujoco.tabletop.so101 import SO101 as ARM

WITHIN = 120.0
PHYSICS_S = known.STEP_S / known.DECIMATION
INERTIA = 0.06  #: kg m^2, of each joint
LEVER = 0.2  #: m, by which a force along x turns the second joint
FRESH_S = 0.05


class Plant:
    """The environments of a link; ``step`` lets one environment step pass."""

    def __init__(self, link: shared.Link) -> None:
        self.link, count, start = link, link.handshake["environments"], link.handshake["start"]
        self.command: dict[str, Any] | None = None
        self.resets = 0
        self._taken = 0
        self.steps = 0
        self.q, self.dq = np.tile(start["joints"], (count, 1)), np.zeros((count, len(start["joints"])))
        self.tau = self.weight = np.zeros_like(self.q)
        self._stands: Any = None
        self._begins = False
        self.gripper = np.full(count, start["gripper"])
        self.cube = np.tile(start["cube"], (count, 1))
        self.done, self.episode = np.zeros(count, bool), np.zeros(count, int)
        self._since = np.zeros(count)
        self._kinematics = Kinematics(ARM)

    def ready(self) -> None:
        self.show()
        self.link.say({"ready": True, "bodies": list(known.BODIES)})

    def step(self) -> None:
        found = self.link.command.newest(shared.clock_ns())
        if found is not None and found.number != self._taken:
            self.command, self._taken = found.values, found.number
        begins = self.command is not None and bool(self.command["reset"].any())
        if begins and not self._begins:
            self.begin()
        self._begins = begins
        follows = not self.link.stopped and not begins and found is not None and found.age(shared.clock_ns()) <= FRESH_S
        target, force = (
            (self.q, 0.0) if self.command is None else (self.command["target"] - self.command["sag"], self.command["force"][:, 0])
        )
        self._stands = None if follows else self.q if self._stands is None else self._stands
        if self._stands is not None:
            target = self._stands
        for _ in range(known.DECIMATION):
            self.tau = known.STIFFNESS * (target - self.q)
            outer = -known.DAMPING * self.dq
            outer[:, 1] += LEVER * force
            self.dq = self.dq + (self.tau + outer) / INERTIA * PHYSICS_S
            self.q = self.q + self.dq * PHYSICS_S
        if self.command is not None:
            self.gripper = self.command["gripper"]
            self.weight = known.STIFFNESS * self.command["sag"]
        self.steps += 1
        near = np.linalg.norm(np.array(self._kinematics.pose(self.q[0])[:3]) - self.goal()) <= known.WITHIN
        self._since[0] = self._since[0] + known.STEP_S if near else 0.0
        self.done[0] |= self._since[0] >= known.HELD_S
        self.show()

    def goal(self) -> Any:
        """(3,) m, of the first environment: over its cube."""
        return self.cube[0, :3] + (0.0, 0.0, known.ABOVE)

    def begin(self) -> None:
        """The next episode, in all environments."""
        self.resets += 1
        self._stands = None
        self.q[:], self.dq[:] = self.link.handshake["start"]["joints"], 0.0
        self.done[:], self._since[:] = False, 0.0
        self.episode += 1

    def show(self) -> None:
        count = len(self.q)
        every = self.link.handshake["camera_every"]
        if every and self.steps % every == 0:
            pictures = {
                name: np.random.default_rng(self.steps).integers(0, 255, (*size, 3), np.uint8)
                for name, size in self.link.handshake["cameras"].items()
            }
            self.link.frames.write(exposed_ns=0, step=self.steps, **pictures)
        self.link.state.write(
            step=self.steps,
            time=known.STEP_S * self.steps,
            q=self.q,
            dq=self.dq,
            tau=self.tau + self.weight,
            gripper=self.gripper,
            pose=np.zeros((count, 7)),
            delta=np.zeros((count, 7)),
            object=self.cube,
            object_twist=np.zeros((count, 6)),
            reward=np.zeros(count),
            success=self.done,
            episode=self.episode,
        )


def main(name: str, what: str) -> None:
    link = shared.attach(name, WITHIN)
    threading.Thread(target=_beat, args=(link,), daemon=True).start()
    if what == "refuses":
        link.say({"error": "the moon is full"})
        sys.stdin.read()
        return
    if what == "differs":
        try:
            link.match({"joints": ["a", "b"]})
        except shared.LinkError as error:
            link.say({"error": str(error)})
        sys.stdin.read()
        return
    plant = Plant(link)
    link.say({"phase": "winding up the springs", "share": 0.5})
    plant.ready()
    due = time.monotonic()
    while link.silence(shared.clock_ns()) < WITHIN:
        plant.step()
        due = max(due + known.STEP_S, time.monotonic() - 0.1)
        time.sleep(max(0.0, due - time.monotonic()))


def _beat(link: shared.Link) -> None:
    while True:
        link.beat()
        time.sleep(0.05)


if __name__ == "__main__":
    main(*sys.argv[1:])
