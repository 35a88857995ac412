"""A worker in lock-step without Isaac Lab: ``vector_side.py NAME [WHAT]``. Its arms are where they are told to be; pictures count steps.

``WHAT``: nothing; "without gripper"; "endless", where nothing is ever done or lost; "dies" in step 15; "hangs" there; "refuses" to start;
"listens" for three heartbeats before it starts.
It prints every command as a line of JSON.
"""

import json
import sys
import threading
import time
from typing import Any

import numpy as np

from adapters.isaaclab import known, shared

WITHIN = 60.0
HOME = np.array(known.HOME)
FAULT = 15  #: number of the step of "dies" and "hangs"
DONE = 0.5  #: rad, of the first joint, beyond which the task is done
LOST = -0.5  #: rad, below which the cube has fallen off


def pose(q: Any) -> Any:
    """(E, 7): the first two joints are its place in m; it is turned about z as far as the third."""
    half = 0.5 * q[:, 2]
    zero = np.zeros(len(q))
    return np.stack([q[:, 0], q[:, 1], zero, np.cos(half), zero, zero, np.sin(half)], axis=1)


class Arms:
    def __init__(self, link: shared.Link, what: str) -> None:
        self.link, self.endless, self.grips = link, what == "endless", what != "without gripper"
        count = link.handshake["environments"]
        self.home = np.resize(HOME, len(link.handshake["joints"]))
        self.q, self.gripper = np.tile(self.home, (count, 1)), np.full(count, 0.0 if self.grips else np.nan)
        self.cube = np.zeros((count, 7))
        self.episode = np.zeros(count, dtype=int)
        self.done = np.zeros(count, dtype=bool)

    def begin(self, which: Any, seeds: Any) -> None:
        """The cube lies as far ahead, in m, as the seed says."""
        self.q[which] = self.home
        self.gripper[which] = 0.0 if self.grips else np.nan
        self.episode[which] += 1
        self.done[which] = False
        self.cube[which] = 0.0
        self.cube[which, 0] = seeds[which]

    def act(self, values: Any) -> None:
        self.q = values["target"] - values["sag"]
        if self.grips:
            self.gripper = np.where(np.isnan(values["gripper"]), self.gripper, values["gripper"])
        if self.endless:
            return
        self.done |= self.q[:, 0] > DONE
        self.cube[self.q[:, 0] < LOST, 2] = -1.0

    def show(self, step: int) -> None:
        link, count = self.link, len(self.q)
        every = link.handshake["camera_every"]
        if every and step % every == 0:
            stamp = np.uint8(step % 251)
            pictures = {
                name: np.stack([np.full((*size, 3), stamp + one, np.uint8) for one in range(count)])
                for name, size in link.handshake["cameras"].items()
            }
            link.frames.write(exposed_ns=0, step=step, **pictures)
        zeros = np.zeros_like(self.q)
        moved = {"delta": np.zeros((count, 7)), "object_twist": np.zeros((count, 6))}
        joints = {"q": self.q, "dq": zeros, "tau": zeros, "gripper": self.gripper, "pose": pose(self.q), "object": self.cube}
        ends = {"success": self.done, "episode": self.episode}
        link.state.write(step=step, time=0.01 * step, reward=np.ones(count), **joints, **moved, **ends)


def main(name: str, what: str = "") -> None:
    link = shared.attach(name, WITHIN)
    threading.Thread(target=beat, args=(link,), daemon=True).start()
    print(json.dumps(link.handshake), flush=True)
    if what == "refuses":
        link.say({"error": "the moon is full"})
        sys.stdin.read()
        return
    while what == "listens" and link._words[shared.Word.ADAPTER_BEATS] < 3:
        time.sleep(0.01)
    arms = Arms(link, what)
    arms.show(0)
    link.say({"ready": True})
    number = 0
    while True:
        try:
            command = link.command.after(number, 0.5)
        except shared.LinkError:
            if link.silence(shared.clock_ns()) > WITHIN:
                return
            continue
        number, values = command.number, command.values
        if values["reset"].any():
            arms.begin(values["reset"], values["seed"])
        else:
            arms.act(values)
        faulty = int(values["step"]) >= FAULT
        if faulty and what == "dies":
            link.say({"error": "the servos melted"})
            sys.stdin.read()
            return
        if faulty and what == "hangs":
            sys.stdin.read()
            return
        print(json.dumps({key: value.tolist() for key, value in values.items()}), flush=True)
        arms.show(int(values["step"]))


def beat(link: shared.Link) -> None:
    while True:
        link.beat()
        time.sleep(0.05)


if __name__ == "__main__":
    main(*sys.argv[1:])
