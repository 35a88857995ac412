"""so101-sim, in lock-step, where Isaac Lab would be: ``sim_side.py NAME``. Its servos have the targets that the link brings."""

import sys
import threading
import time

import numpy as np

from adapters.isaaclab import shared
from adapters.mujoco.tabletop import servos
from adapters.mujoco.tabletop.entry import build
from adapters.mujoco.tabletop.robot import Tabletop
from adapters.mujoco.tabletop.setting import draw

WITHIN = 60.0
STEP_S = 0.01


class Told(servos.Servos):
    """Go where they are told, not where a pose is."""

    told = np.zeros(5)
    closed = 0.0

    def move(self, steps: int) -> bool:
        way = servos.SPEED * STEP_S
        self.memory.jaw += min(way, max(-way, servos.jaw_at(self.closed) - self.memory.jaw))
        self._body.ctrl[:5], self._body.ctrl[5] = self.told, self.memory.jaw
        self._body.run(steps)
        return True


def begin(robot: Tabletop, seed: int) -> Told:
    robot.place(draw(robot.arm, seed))
    motors = Told(robot._body, robot._kinematics)
    motors.memory, motors.told, motors.closed = robot._motors.memory, robot.joints(), robot.closed()
    robot._motors = motors
    robot._state.watch.holding = False
    return motors


def beat(link: shared.Link) -> None:
    while True:
        link.beat()
        time.sleep(0.05)


def main(name: str) -> None:
    link = shared.attach(name, WITHIN)
    threading.Thread(target=beat, args=(link,), daemon=True).start()
    robot, rig = build("so101-sim", "so101", 0, 128, "lift")
    assert isinstance(robot, Tabletop)
    rig.open()
    motors = begin(robot, 0)

    def show(step: int) -> None:
        if step % link.handshake["camera_every"] == 0:
            images = rig.capture(robot.read(1), step, 1).images
            link.frames.write(exposed_ns=0, step=step, **{name: image[None] for name, image in images.items()})
        pose, _ = robot.tool()
        cube = np.array([[*robot.truth().cube[:3], 1.0, 0.0, 0.0, 0.0]])
        joints = {
            "q": robot.joints()[None],
            "dq": robot._body.dq[None].copy(),
            "tau": motors.tau[None],
            "gripper": np.array([robot.closed()]),
        }
        places = {"pose": pose[None], "delta": np.zeros((1, 7)), "object": cube, "object_twist": np.zeros((1, 6))}
        ends = {"success": np.array([robot.task_done()]), "episode": np.zeros(1, dtype=int)}
        link.state.write(step=step, time=robot.time, reward=np.ones(1), **joints, **places, **ends)

    show(0)
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
            motors = begin(robot, int(values["seed"][0]))
        else:
            motors.told = values["target"][0]
            motors.closed = float(np.nan_to_num(values["gripper"], nan=motors.closed)[0])
            robot._state.watch.age = 0.0
            robot.advance(STEP_S)
        show(int(values["step"]))


if __name__ == "__main__":
    main(*sys.argv[1:])
