"""``Isaac``: an arm in an Isaac Lab environment as a robot, at the other end of shared memory.

Its servos follow so101-sim's own law: the arm's MuJoCo model is put where Isaac's joints are and never stepped, and tells where the tool
is, what carries the weight and what the servos are told. So a command means the same in both simulators.
"""

import math
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from adapters.base import AdapterError
from adapters.isaaclab import known, launch, shared
from adapters.mujoco import layout
from adapters.mujoco.body import Body
from adapters.mujoco.reach import manipulability
from adapters.mujoco.tabletop import truth
from adapters.mujoco.tabletop.arm import TOOL_SITE, Motors
from adapters.mujoco.tabletop.arms import arm as named
from adapters.mujoco.tabletop.kinematics import Kinematics
from adapters.mujoco.tabletop.robot import Tabletop
from engine.control import pose as poses
from engine.control.pose import floats
from engine.limits import Limits
from engine.safety.cell import UNSENSED, Cell
from engine.types import F64, NO_ENERGY, NO_SAW, Command, Observation, Vec6, Vec7

NAME: Final = "isaaclab"
BEAT_S: Final = 0.05  #: s between two heartbeats
LATE_S: Final = 0.1  #: s without a new state, after which it is asked whether the worker lives
SILENT_S: Final = 0.5  #: s, after which it counts as gone
START_S: Final = 300.0  #: s that a worker may take to its first step, once it runs
STEPS: Final = round(known.STEP_S / layout.PHYSICS_S)  #: that so101-sim would simulate in a tick
REMEMBERED: Final = 200  #: observations, for the pictures that show them
STALE: Final = round(Limits().inference_age_max / known.STEP_S)  #: steps of a new episode, in which what is commanded may be of the old one
SLOW: Final = 0.8  #: of real time
WATCHED_S: Final = 2.0  #: s, over which that is told
CONJUGATE: Final = np.array([1.0, -1.0, -1.0, -1.0])


class Still(Body):
    """An arm that is where it is put: it can be asked everything, and nothing moves it."""

    def run(self, steps: int) -> None:
        """No time passes."""

    def put(self, q: F64, dq: F64, fingers: Sequence[float], tau: F64) -> None:
        """At joints (n,) rad that turn at (n,) rad/s under torques (n,) N m; what these, weight and damping do not explain is outer."""
        self.q[:], self.dq[:] = q, dq
        self.qpos[len(q) :] = fingers
        self.look()
        self.outer[:] = self.bias + self.friction * self.dq - tau


@dataclass(frozen=True)
class Course:
    """When a run has an end: after so many episodes, each over when the task is done everywhere or after so many environment steps."""

    episodes: int = 0  #: 0 = it goes on
    max_steps: int = 0  #: of an episode, and of the run where ``episodes`` is 0; 0 = as long as the task has


class Isaac:
    """The arm as ``adapters.base.Robot``: the first of as many environments as the ``handshake`` has, which all follow the same targets.

    ``by_hand``: somebody else starts the worker that serves the link ``link``; else this starts one, with ``isaac_python`` where that is
    given, whose words go to the file ``log``.
    """

    name: str = NAME
    simulated: bool = True
    cell: Cell = UNSENSED

    def __init__(
        self,
        link: str,
        handshake: Mapping[str, Any],
        log: Path,
        *,
        isaac_python: str = "",
        by_hand: bool = False,
        course: Course = Course(),
    ) -> None:
        """Raises AdapterError where the arm's model is not installed."""
        self.environments: int = handshake["environments"]
        #: takes an event's kind and its sentence; called by any thread
        self.tell: Callable[[str, str], None] = lambda kind, text: None
        self.over: Callable[[], bool] = lambda: False  #: whether the run shall end, which breaks a long start off
        self.finish: Callable[[str], None] = lambda why: None  #: called once where the ``course`` is done
        task = known.KNOWN[handshake["task"]]
        self._name, self._python, self._by_hand, self._log, self._course = link, isaac_python, by_hand, log, course
        arm = self._arm = named(task.arm)
        self.joint_limits = arm.joint_limits
        self.joint_velocity_limits = arm.joint_velocity_limits
        self.joint_torque_limits = arm.joint_torque_limits
        table = Tabletop(arm, NAME, handshake["seed"], task.does)
        table.connect()
        self._template = table.plant()
        start = beginning(table)
        self._patience = course.max_steps or round(task.seconds / known.STEP_S)
        self._body = Still(arm.spec(False).compile(), TOOL_SITE, arm.links, arm.joints)
        self._body.put(np.array(start["joints"]), np.zeros(arm.joints), arm.placed(start["gripper"]), np.zeros(arm.joints))
        self._handshake = {**handshake, "start": {**start, "sag": (self._body.bias / known.STIFFNESS).tolist()}}
        self._kinematics = Kinematics(arm)
        self._servos: Motors = arm.motors(self._body, Limits())
        self._link: shared.Link | None = None
        self._worker: launch.Worker | None = None
        self._beating: threading.Thread | None = None
        self._closing = threading.Event()
        self._hand = 0  #: the body that is pushed
        self._message: shared.Message | None = None
        self._observation: Observation | None = None
        self._seen: deque[tuple[int, Observation]] = deque(maxlen=REMEMBERED)
        self._done = np.zeros(self.environments, bool)
        self._episode = 0  #: of the first environment
        self._going = False  #: it was armed, and the course is not done
        self._step, self._spent, self._waits = 0, 0, 0  #: environment step; of them in this episode while not stopped; till then it stands
        self._pace: tuple[int, float] | None = None  #: ns and s, simulated, since when it is watched how fast Isaac Lab is
        self._slow = False
        self._count, self._successes = 0, 0  #: of episodes that are over, in all environments
        self._awaited = 0  #: the episode that shall begin, if it has not yet

    # --- the protocol ---

    def connect(self) -> None:
        """Open the link and wait until the worker steps, which may take minutes; ``tell`` hears of it. Raises AdapterError, OSError."""
        if self._link is not None:
            return
        try:
            link = self._link = shared.create(self._name, self._handshake)
        except shared.LinkError as error:
            raise AdapterError(str(error)) from error
        try:
            self._start(link)
        except BaseException:
            self.close()
            raise

    def read(self, t_ns: int) -> Observation:
        """The newest state, stamped when this side first saw it. Raises AdapterError where the worker is gone or silent."""
        link = self._linked()
        message = link.state.newest(t_ns)
        silent = math.inf if message is None else message.age(t_ns)
        if silent > LATE_S and self._worker is not None and (why := self._worker.ended()):
            raise AdapterError(why)
        if message is None or silent > SILENT_S:  # a worker that is ready has shown one
            then = "end it and start it anew" if self._by_hand else f"quit and begin another run; {self._log} tells what it did last"
            raise AdapterError(f"The Isaac Lab worker (process {link.peer}) has shown nothing new for more than {SILENT_S} s: {then}.")
        if self._observation is None or message is not self._message:
            self._take(message)
        assert self._observation is not None
        return self._observation

    def command(self, command: Command) -> None:
        """Follow it; in a stop only stand, and nobody's key pushes then."""
        link = self._linked()
        stopped = link.stopped
        if stopped:
            self._servos.hold()
        elif self._step >= self._waits:
            self._servos.command(command)
        if not self._servos.move(STEPS):
            self.stop(1)
            return
        told, count, body = self._body.ctrl, self.environments, self._body
        force = 0.0 if stopped else command.hand_force
        link.command.write(
            step=0,
            reset=np.full(count, not stopped and self._episode < self._awaited),
            seed=np.full(count, -1),
            target=np.tile(told[: self._arm.joints], (count, 1)),
            sag=np.tile(body.bias / known.STIFFNESS, (count, 1)),
            gripper=np.full(count, self._arm.closed(told[self._arm.joints :])),
            body=np.full(count, self._hand),
            force=np.tile((force, 0.0, 0.0), (count, 1)),
        )

    def tool_at(self, q: Sequence[float]) -> Vec7:
        return self._kinematics.pose(np.array(q))

    def joint_twist(self, joint: int) -> Vec6:
        return floats(self._body.jacobian[:, joint - 1])

    def stop(self, category: int) -> None:
        """Brake, which the worker does in its next physics step whatever it does otherwise."""
        if self._link is not None:
            self._link.stop()

    def resume(self) -> None:
        """Hold where it stands; a stop that comes meanwhile stays."""
        link = self._linked()
        number = link.stops
        self._servos.resume()
        self._going = True
        link.clear(number)

    def advance(self, dt: float) -> None:
        """Time passes there by itself."""

    def close(self) -> None:
        """Stop, end a worker that this has started, and let go of the link."""
        link = self._link
        if link is None:
            return
        link.stop()
        if self._worker is not None:
            self._worker.close()
        self._closing.set()
        if self._beating is not None:
            self._beating.join()
        link.close()
        self._link = None

    # --- beyond the protocol ---

    def task_done(self) -> bool:
        """Whether the task has been done in the first environment since the run began."""
        return bool(self._done[0])

    def exposure(self, after: int, within: float) -> tuple[shared.Message, Observation]:
        """The newest pictures as soon as their number is above ``after``, and what was observed when they were taken.

        For the camera thread. Raises AdapterError where none come within so many s.
        """
        try:
            found = self._linked().frames.after(after, within)
        except shared.LinkError as error:
            late = f"Isaac Lab's cameras have shown nothing new for {within:g} s; lower camera.hz if it is too slow."
            raise AdapterError((self._worker.ended() if self._worker is not None else "") or late) from error
        step, seen = int(found.values["step"]), list(self._seen)
        if not seen:
            raise AdapterError("Isaac Lab's cameras show what the robot has not told yet.")
        return found, next((then for number, then in reversed(seen) if number <= step), seen[0][1])

    def _linked(self) -> shared.Link:
        link = self._link
        if link is None:
            raise AdapterError("The link to Isaac Lab is not open; connect it first.")
        return link

    def _start(self, link: shared.Link) -> None:
        self._closing = threading.Event()
        self._worker = launch.Worker(
            link, self._name, self._log, lambda text: self.tell("system", text), isaac_python=self._python, by_hand=self._by_hand
        )
        self._beating = threading.Thread(target=self._beat, args=(link, self._worker, self._closing), name="isaaclab-beat", daemon=True)
        self._beating.start()
        bodies, pushed = self._worker.start(within=START_S)["bodies"], self._handshake["ee_link_name"]
        if pushed not in bodies:
            raise AdapterError(f"The robot in Isaac Lab has no link {pushed!r}; choose one of {', '.join(bodies)}.")
        self._hand = bodies.index(pushed)

    def _beat(self, link: shared.Link, worker: launch.Worker, closing: threading.Event) -> None:
        """Show the worker that this side lives; break its start off where the run shall end."""
        while not closing.wait(BEAT_S):
            link.beat()
            if self._observation is None and self.over():
                worker.close()

    def _take(self, message: shared.Message) -> None:
        """Make an observation of a new state, and see what has come about in all environments."""
        values, body = message.values, self._body
        q, dq, tau = values["q"][0], values["dq"][0], values["tau"][0]
        gripper = float(values["gripper"][0])
        body.put(q, dq, self._arm.placed(gripper), tau)
        episode = int(values["episode"][0])
        if self._observation is None or episode != self._episode:  # the arm is somewhere else at once
            self._servos.grip(gripper)
            self._servos.resume()
            self._spent, self._waits = 0, 0 if self._observation is None else int(values["step"]) + STALE
            self._pace = None
        self._episode, self._message = episode, message
        self._observation = Observation(
            t_ns=message.seen_ns,
            seq=message.number,
            q=q,
            dq=dq,
            tau=tau,
            pose=body.pose(),
            twist=body.twist(),
            wrench=self._servos.wrench,
            manipulability=manipulability(body.jacobian),
            saw=NO_SAW,
            plant=self._plant(values),
            links=np.array(body.links()),
            grip=np.full(3, np.nan),
            holds=False,
            person=None,
            spring=self._servos.spring(),
            energy=NO_ENERGY,
            gripper=gripper,
        )
        self._seen.append((int(values["step"]), self._observation))
        passed, self._step = int(values["step"]) - self._step, int(values["step"])
        self._follow(passed, values["success"])
        self._watch(message.seen_ns, float(values["time"]))

    def _plant(self, values: Mapping[str, Any]) -> F64:
        """(P,) so101-sim's vector of the first environment: its time, joints and cube; the rest as the seed set so101-sim's table."""
        arm, plant = self._arm, self._template.copy()
        plant[0] = values["time"]
        truth.places(arm, plant)[:] = [*values["q"][0], *arm.placed(float(values["gripper"][0])), *values["object"][0]]
        linear, angular = np.split(values["object_twist"][0], 2)
        turn = values["object"][0, 3:] * CONJUGATE  # a free body's spin is about its own axes
        truth.speeds(arm, plant)[:] = [*values["dq"][0], 0.0, *linear, *poses.turned(floats(turn), floats(angular))]
        return plant

    # --- how the task goes in all environments ---

    def _follow(self, passed: int, success: Any) -> None:
        """Count what is done after so many further steps; where the run has a course see each episode to its end, without time in stops."""
        before = int(self._done.sum())
        self._done |= success
        now = int(self._done.sum())
        if now > before:
            self.tell(
                "success", "the task is done" if self.environments == 1 else f"{now} of {self.environments} environments have done it"
            )
        course = self._course
        begins = self._episode < self._awaited
        if not self._going or begins or self._linked().stopped or not (course.episodes or course.max_steps):
            return
        self._spent += passed
        if course.episodes == 0:
            if self._spent >= course.max_steps:
                self._end(f"{self._spent} environment steps are over")
        elif success.all() or self._spent >= self._patience:
            self._count += self.environments
            self._successes += int(success.sum())
            if self._count >= course.episodes:
                self._end(f"{self._count} episodes are over, {self._successes} of them done")
            else:
                self._awaited = self._episode + 1

    def _watch(self, seen_ns: int, time: float) -> None:
        """Tell where Isaac Lab is slower than it should be, and when it no longer is."""
        since_ns, begun = self._pace = self._pace or (seen_ns, time)
        spent = (seen_ns - since_ns) / 1e9
        if spent < WATCHED_S:
            return
        share, self._pace = (time - begun) / spent, (seen_ns, time)
        if (share < SLOW) != self._slow:
            self._slow = share < SLOW
            slow = f"Isaac Lab runs at {share:.2f} of real time: fewer environments or exposures, smaller pictures or a faster machine help"
            self.tell("system", slow if self._slow else "Isaac Lab keeps up with real time again")

    def _end(self, why: str) -> None:
        self._going = False
        self.finish(why)


def beginning(table: Tabletop) -> dict[str, Any]:
    """How the first environment begins, for the handshake: as the table stands."""
    arm = table.arm
    return {
        "joints": table.joints().tolist(),
        "gripper": table.closed(),
        "cube": truth.places(arm, table.plant())[arm.joints + arm.fingers :].tolist(),
    }
