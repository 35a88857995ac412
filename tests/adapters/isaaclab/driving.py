"""The console's side of a link whose real worker runs Isaac Lab, driven by hand."""

import itertools
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from adapters.isaaclab import known, launch, shared

WITHIN = 600.0  #: s, for a machine that is busy with other things
REACH = "Isaac-SO-ARM101-Reach-v0"
HAND = list(known.BODIES).index(known.LINK)
COUNT = itertools.count()
HANDSHAKE: dict[str, Any] = {
    "environments": 1,
    "joints": list(known.JOINTS),
    "cameras": {},
    "task": REACH,
    "seed": 3,
    "pace": "lockstep",
    "camera_every": 0,
    "robot_name": known.ROBOT,
    "ee_link_name": known.LINK,
    "ee_in_obs": True,
    "device": "cpu",
}


class Driver:
    """A link, and the worker on it."""

    def __init__(self, log: Path, **asked: Any) -> None:
        """Raises AdapterError where the worker does not start."""
        self.name = f"driven-{os.getpid()}-{next(COUNT)}"
        self.link = shared.create(self.name, HANDSHAKE | asked)
        self.told: list[str] = []
        self.worker = launch.Worker(self.link, self.name, log, self.told.append)
        self.message: Any = None
        self._number, self._over = 0, threading.Event()
        self._beating = threading.Thread(target=self._beat)
        self._beating.start()
        try:
            self.ready = self.worker.start(within=WITHIN)
        except BaseException:
            self.close()
            raise
        if (HANDSHAKE | asked)["pace"] == shared.LOCKSTEP:
            self.link.clear(self.link.stops)
        self.message = self.link.state.after(0, WITHIN)

    @property
    def state(self) -> Any:
        return self.message.values

    def write(self, target: Any, **more: Any) -> None:
        """A command towards joints (1, 5) rad."""
        still: dict[str, Any] = {
            "reset": [False],
            "seed": [-1],
            "sag": np.zeros((1, 5)),
            "gripper": [np.nan],
            "body": [HAND],
            "force": np.zeros((1, 3)),
        }
        self.link.command.write(**(still | {"step": self._number, "target": np.reshape(target, (1, 5))} | more))

    def step(self, target: Any, times: int = 1, **more: Any) -> None:
        """So many steps of an environment in lock-step."""
        for _ in range(times):
            self._number += 1
            self.write(target, **more)
            self.after(lambda: int(self.state["step"]) == self._number)

    def act(self, target: Any, sag: Any, gripper: Any, shown: bool) -> None:
        """As ``vector.Lockstep`` has it."""
        self.step(target, sag=sag, gripper=gripper)

    def reset(self, seed: int = -1) -> None:
        self.step(self.state["q"], reset=[True], seed=[seed])

    def after(self, condition: Callable[[], Any], do: Callable[[], None] = lambda: None) -> None:
        """Take states until one is so."""
        until = time.monotonic() + WITHIN
        number = self.message.number
        while True:
            do()
            try:
                self.message = self.link.state.after(number, 0.01)
            except shared.LinkError:
                assert not self.worker.ended(), self.worker.ended()
                assert time.monotonic() < until, self.state
                continue
            number = self.message.number
            if condition():
                return

    def close(self) -> None:
        self.worker.close()
        self._over.set()
        self._beating.join()
        self.link.close()

    def _beat(self) -> None:
        while not self._over.wait(0.05):
            self.link.beat()
