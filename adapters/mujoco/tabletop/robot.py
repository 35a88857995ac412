"""``Tabletop``: an arm at the table as a robot. Its motors follow the engine's commands; cube, fingers and table push each other."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from adapters.base import AdapterError, Happening
from adapters.mujoco import layout
from adapters.mujoco.body import Body
from adapters.mujoco.hold import REST_SPEED, REST_WITHIN
from adapters.mujoco.packing import Packing
from adapters.mujoco.reach import manipulability
from adapters.mujoco.tabletop import disturbances, effects, table, truth
from adapters.mujoco.tabletop.arm import TOOL_SITE, Arm, Motors
from adapters.mujoco.tabletop.disturbances import Disturbance
from adapters.mujoco.tabletop.failing import Effort
from adapters.mujoco.tabletop.kinematics import Kinematics
from adapters.mujoco.tabletop.setting import NOWHERE, Setting, draw
from adapters.mujoco.tabletop.tasks import Progress
from adapters.mujoco.tabletop.trouble import Memory as TroubleMemory
from adapters.mujoco.tabletop.trouble import Trouble
from adapters.mujoco.tabletop.truth import Truth
from engine.control.pose import Floats
from engine.limits import Limits
from engine.safety.cell import UNSENSED, Cell
from engine.types import F32, F64, NO_SAW, Command, Observation, Vec6, Vec7

NORMAL: Final = Limits()
COMMAND_TIMEOUT: Final = 0.05  #: s without a command, then the robot holds by itself
START_ERROR: Final = 0.002  #: m, at most, of a start


@dataclass(slots=True)
class Watch:
    """The robot's own time-out and stop."""

    age: float = 0.0  #: s since the last command
    holding: bool = True  #: by itself: time-out, its own stop, or not yet commanded
    stop: int = -1  #: category of the stop it is in, -1 = none
    stopping: float = 0.0  #: s in that stop
    braked: bool = False
    moves: bool = False  #: it is commanded to go somewhere
    aim: Floats = (0.0, 0.0, 0.0)  #: m, where


@dataclass(slots=True)
class State:
    """All that is not in the physics engine."""

    motors: Any  #: ``Motors.memory``
    watch: Watch = field(default_factory=Watch)
    trouble: TroubleMemory = field(default_factory=TroubleMemory)


class Tabletop:
    """The table as ``adapters.base.Robot``. ``seed`` draws where things lie; everything that follows is deterministic.

    ``plant()`` and ``restore()`` carry the whole simulation; a restored table goes on bit for bit as the recorded one did.
    """

    simulated: bool = True
    cell: Cell = UNSENSED

    def __init__(self, arm: Arm, name: str, seed: int, task: str, limits: Limits = NORMAL) -> None:
        if task not in arm.tasks:
            raise AdapterError(f"the robot {name} knows no task {task}; choose one of {', '.join(arm.tasks)}")
        self.name, self.arm, self.seed, self.task = name, arm, seed, task
        self.joint_limits = arm.joint_limits
        self.joint_velocity_limits = arm.joint_velocity_limits
        self.joint_torque_limits = arm.joint_torque_limits
        self._body = Body(table.plant_model(arm), TOOL_SITE, arm.links, arm.joints)
        self._limits = limits
        self._motors: Motors = arm.motors(self._body, limits)
        self._state = State(self._motors.memory)
        self._packing = Packing(self._state)
        self._kinematics = Kinematics(arm)
        self.trouble = Trouble(arm, task, self._body)
        self._zone = NOWHERE
        self._progress = Progress(arm, task)
        self._time = 0.0
        self._seq = 0
        self._connected = False

    # --- the protocol ---

    def connect(self) -> None:
        """Set the table as the seed draws it."""
        if not self._connected:
            self.place(draw(self.arm, self.seed))

    def read(self, t_ns: int) -> Observation:
        if not self._connected:
            raise AdapterError("the simulated table is not connected; connect it first")
        self._seq += 1
        body, motors = self._body, self._motors
        return Observation(
            t_ns=t_ns,
            seq=self._seq,
            q=body.q.copy(),
            dq=body.dq.copy(),
            tau=motors.tau,
            pose=body.pose(),
            twist=body.twist(),
            wrench=motors.wrench,
            manipulability=manipulability(body.jacobian),
            saw=NO_SAW,
            plant=self.plant(),
            links=np.array(body.links()),
            grip=np.full(3, np.nan),
            holds=False,
            person=None,
            spring=motors.spring(),
            energy=motors.energy(),
            gripper=self.closed(),
        )

    def command(self, command: Command) -> None:
        w = self._state.watch
        w.age = 0.0
        if w.stop >= 0:
            if command.brakes:
                self._brake()
            return
        w.holding, w.braked = False, command.brakes
        w.moves, w.aim = not (command.hold or command.brakes), command.pose_d[:3]
        self._motors.command(command)

    def joint_twist(self, joint: int) -> Vec6:
        return tuple(self._body.jacobian[:, joint - 1].tolist())

    def tool_at(self, q: Sequence[float]) -> Vec7:
        """(7,) of the tool at joint angles (n,); the robot stays where it is."""
        return self._kinematics.pose(np.array(q))

    def stop(self, category: int) -> None:
        w = self._state.watch
        if 0 <= w.stop <= category:
            return
        if w.stop < 0:
            self._hold()
        w.stop = category
        if category == 0:
            self._brake()

    def resume(self) -> None:
        w = self._state.watch
        w.age, w.stop, w.stopping, w.braked, w.holding = 0.0, -1, 0.0, False, True
        self._motors.resume()

    def advance(self, dt: float) -> None:
        """Let dt pass, in whole physics steps."""
        w = self._state.watch
        w.age += dt
        if w.stop >= 0:
            w.stopping += dt
        if w.age > COMMAND_TIMEOUT + 1e-9 and not w.holding and not w.braked:
            self._hold()
        speed = math.hypot(*self._body.twist()[:3].tolist())
        if w.stop == 1 and (speed < REST_SPEED or w.stopping >= REST_WITHIN):
            self._brake()
        if not self._motors.move(round(dt / layout.PHYSICS_S)):
            self.stop(1)
        self._time += dt
        self._progress.watch(self.truth(), dt, self._state.trouble.course.keep)
        u, v = self.trouble.drift(self._time)
        self._zone = self._zone[0] + u * dt, self._zone[1] + v * dt
        speed = math.hypot(*self._body.twist()[:3].tolist())
        effort = Effort(w.moves and not w.holding and w.stop < 0, w.aim, speed, u != 0.0 or v != 0.0)
        self.trouble.pass_on(self.truth(), effort, self._progress.kept, self._progress.done, self._time, dt)

    def close(self) -> None:
        """Nothing to release: the arm is held by its modelled brakes when nobody steps it."""
        self._connected = False

    # --- beyond the protocol: places, the plant's state, the truth ---

    @property
    def time(self) -> float:
        """s, the table's own clock."""
        return self._time

    def tool(self) -> tuple[F64, F64]:
        """(pose (7,), twist (6,)) of the tool frame, exact."""
        return self._body.pose(), self._body.twist()

    def joints(self) -> F64:
        """(n,) rad"""
        return self._body.q.copy()

    def closed(self) -> float:
        """0 open .. 1 closed, of the fingers as they are."""
        return self.arm.closed(self._fingers())

    def truth(self) -> Truth:
        """What an expert and a label know, never a policy."""
        return truth.truth_of(self.arm, self._body.here(), self._body.qpos, self._body.qvel, self._zone)

    def task_done(self) -> bool:
        """Whether the task has been done since the table was set or restored."""
        return self._progress.done

    def done_at(self) -> float:
        """s from then until it was done; NaN where it has not been."""
        return self._progress.done_at

    # --- what goes wrong, and what comes of it ---

    def disturb(self, seed: int) -> None:
        """Draw what will go wrong from ``seed``, from the present moment on; some seeds draw nothing. It is part of ``plant``."""
        self.connect()
        self.endanger(disturbances.draw(seed, self.arm, self.task, self.truth(), self._time), disturbances.patience(seed))

    def endanger(self, found: Sequence[Disturbance], keep: float = 0.0) -> None:
        """Let at most SLOTS disturbances happen at their times of the table's clock, in the place of all others; the task's end has to
        last ``keep`` s longer than usual."""
        self.trouble.endanger(found, self._time, keep)
        self._state.trouble = self.trouble.memory

    def happened(self) -> list[Happening]:
        """What has come to pass since the last call, in order; each failure is told when it begins, and once."""
        return self.trouble.happened()

    def veil(self) -> F32:
        """(3, 8) what stands before each of CAMERAS now."""
        return effects.veiling(self._state.trouble.course, self._time)

    def delay(self) -> float:
        """s by which what the policy says arrives later than usual now."""
        return effects.lateness(self._state.trouble.course, self._time)

    def oracle(self) -> F32:
        """(12,) what only the simulator knows, as ``failing.ORACLE`` names it, each within [-1, 1]."""
        return self.trouble.oracle(self.truth(), self._time)

    # --- setting and restoring ---

    def place(self, setting: Setting) -> None:
        """Set the table, everything at rest. Raises AdapterError where the arm does not reach its start."""
        arm, body = self.arm, self._body
        q = self._kinematics.reach(setting.tool, np.array(arm.home))
        if not math.dist(self._kinematics.pose(q)[:3], setting.tool[:3]) < START_ERROR:
            raise AdapterError(f"the {arm.name} does not reach a start at {setting.tool[:3]}; choose one over the table")
        qpos = np.array([*q, *arm.placed(setting.closed), *setting.cube, *table.turned(setting.turn)])
        still = np.zeros(len(body.qvel))
        body.set(qpos, still, still, 0.0)
        self._motors = arm.motors(body, self._limits)
        self._motors.grip(1.0 if setting.closed > 0.0 else 0.0)
        self._motors.resume()
        self._take(0.0, setting.zone, State(self._motors.memory))

    def plant(self) -> F64:
        """(P,) everything needed to simulate on from here."""
        b = self._body
        numbers = [self._time, *b.qpos.tolist(), *b.qvel.tolist(), *b.warm.tolist(), *self._zone]
        return np.array(self._packing.append(numbers, self._state))

    def restore(self, vector: F64) -> None:
        """Take over a recorded plant. Raises ValueError for one of another length."""
        arm, size = self.arm, truth.head(self.arm) + self._packing.size
        if vector.shape != (size,):
            raise ValueError(f"a plant vector of shape {vector.shape} is not this table's ({size},); another version of it recorded it")
        first = truth.head(arm)
        moving = len(self._body.qvel)
        warm = vector[first - 2 - moving : first - 2]
        self._body.set(truth.places(arm, vector), truth.speeds(arm, vector), warm, float(vector[0]))
        state = self._packing.read(vector[first:].tolist())
        self._motors.memory = state.motors
        self._take(float(vector[0]), truth.zone(arm, vector), state)

    def _take(self, time: float, zone: tuple[float, float], state: State) -> None:
        self._time, self._zone, self._state = time, zone, state
        self.trouble.take(state.trouble, time)
        self._progress = Progress(self.arm, self.task)
        self._connected = True

    def _fingers(self) -> F64:
        n = self.arm.joints
        fingers: F64 = self._body.qpos[n : n + self.arm.fingers]
        return fingers

    # --- the robot's own stop ---

    def _hold(self) -> None:
        self._state.watch.holding = True
        self._motors.hold()

    def _brake(self) -> None:
        if not self._state.watch.braked:
            self._state.watch.braked = True
            self._motors.brake()
