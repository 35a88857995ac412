"""``Cosaw``: the simulated cell as a robot. A torque-driven Franka under the engine's impedance law at 500 Hz, with saw, log and person."""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

import mujoco
import numpy as np

from adapters.base import AdapterError
from adapters.mujoco import drive, layout, partner, person, plant, reach, saw, sensors, sight, strokes, world
from adapters.mujoco.cutting import bite
from adapters.mujoco.hazards import Hazard, Kind
from adapters.mujoco.person import Point
from adapters.mujoco.plant import Cell, Plant
from adapters.mujoco.saw import Motion
from engine.control import impedance
from engine.control.pose import Floats
from engine.control.tank import Spring
from engine.limits import Limits
from engine.safety import cell as commissioned
from engine.types import F64, Command, Observation, Person

NORMAL: Final = Limits()
COMMAND_TIMEOUT: Final = 0.05  #: s without a command, then the robot brakes and holds by itself
HOLD_STIFFNESS: Final = (100.0, 600.0, 500.0, 60.0, 60.0, 60.0)  #: N/m and N m/rad of the robot's own hold; the stroke axis yields
HOLD_FORCE: Final = 25.0  #: N, cap of the own hold's spring; beyond it the reference slips (a clutch)
HOLD_TORQUE: Final = 8.0  #: N m
SLIP_SPEED: Final = 0.10  #: m/s, of the slipping reference
REST_SPEED: Final = 0.01  #: m/s
REST_WITHIN: Final = 0.3  #: s from a stop to standstill, then the brakes close (category 1)
BRAKE_STIFFNESS: Final = np.array((10000.0,) * 4 + (6000.0,) * 3)  #: N m/rad, of a closed brake before it slips
BRAKE_DAMPING: Final = np.array((150.0,) * 4 + (60.0,) * 3)  #: N m s/rad

START_ABOVE: Final = 0.06  #: m, tool over the log at rest


class Cosaw:
    """The cell as ``adapters.base.Robot``. ``seed`` draws the log and the person; everything that follows is deterministic.

    ``plant()`` and ``restore()`` carry the whole simulation; a restored cell goes on bit for bit as the recorded one did.
    """

    name: str = "cosaw"
    simulated: bool = True
    joint_limits: tuple[tuple[float, float], ...] = layout.JOINT_LIMITS
    joint_velocity_limits: tuple[float, ...] = layout.JOINT_VELOCITY_LIMITS
    joint_torque_limits: tuple[float, ...] = layout.JOINT_TORQUE_LIMITS

    def __init__(self, seed: int, cell: commissioned.Cell | None = None, limits: Limits = NORMAL) -> None:
        self.seed = seed
        self.cell = layout.cell() if cell is None else cell
        self._model: Any = world.plant_model()
        self._data: Any = mujoco.MjData(self._model)
        self._site: int = self._model.site(world.TOOL_SITE).id
        body: int = self._model.body(world.SAW_BODY).id
        d = self._data
        self._place, self._turn = d.site_xpos[self._site], d.site_xmat[self._site]
        self._com = d.xipos[body]
        self._chain = [int(self._model.body(name).id) for name in ("link2", "link4", "link6", "attachment")]
        self._push = d.xfrc_applied[body]
        self._q, self._dq, self._bias = d.qpos, d.qvel, d.qfrc_bias
        self._ctrl, self._free_torque = d.ctrl, d.qfrc_applied
        self._jacobian = np.zeros((6, 7))
        self._linear, self._angular = self._jacobian[:3], self._jacobian[3:]
        self._mass = np.zeros((7, 7))
        self._quat = np.empty(4)
        self._rest: F64 = np.zeros(7)
        self._time = 0.0
        self._seq = 0
        self._told: Person | None = None
        self._cell: Cell = plant.fresh(seed)
        self._connected = False
        self._limits = limits
        self._drive = drive.Drive(limits, self._model.dof_damping.copy())
        self._brake_limit = np.array(layout.BRAKE_TORQUE)

    # --- the protocol ---

    def connect(self) -> None:
        """Put the arm at rest over the log, where the projected line is."""
        if not self._connected:
            self.place(self._cell.drives.line_y, self._cell.drives.log_top, (layout.STROKE_X, 0.0, self._cell.drives.log_top + START_ABOVE))
            self._connected = True

    def read(self, t_ns: int) -> Observation:
        if not self._connected:
            raise AdapterError("the simulated cell is not connected; connect it first")
        self._seq += 1
        pose, twist = self._pose(), self._jacobian @ self._dq
        meter = self._cell.meter
        return Observation(
            t_ns=t_ns,
            seq=self._seq,
            q=self._q.copy(),
            dq=self._dq.copy(),
            tau=np.array(meter.tau),
            pose=pose,
            twist=twist,
            wrench=np.array(meter.wrench),
            manipulability=reach.manipulability(self._jacobian),
            saw=sensors.saw_state(self._cell, self._time, pose, twist),
            plant=self.plant(),
            links=np.array(self._links()),
            grip=np.array(self._cell.sight.grip),
            holds=sight.holds(self._cell.sight),
            person=self._sighted(t_ns),
            spring=self._drive.spring(self._cell.control),
            energy=drive.energy(self._cell.control, self._kinetic()),
        )

    def _sighted(self, t_ns: int) -> Person | None:
        """What the sensor has told of the person; None where there is no sensor."""
        if self.cell.person_sensor:
            self._told = sight.person(self._cell.sight, self._time, t_ns, self._told)
        return self._told

    def command(self, command: Command) -> None:
        c = self._cell.control
        c.age = 0.0
        c.hand_force, c.hand_press = command.hand_force, command.hand_press
        drives = self._cell.drives
        drives.line_y_d = _clamp(command.line_y_d, *layout.LINE_Y)
        drives.log_top_d = _clamp(command.log_top_d, *layout.LOG_TOP)
        if command.brakes and not c.braked:
            self._close_brakes()
        if c.own_stop >= 0:
            return
        c.braked, c.own_hold, c.yielding = command.brakes, False, command.hold
        c.goal = Spring(command.pose_d, command.stiffness_d, command.force_max, command.torque_max)
        c.twist_d, c.task_power = command.twist_d, command.task_power

    def stop(self, category: int) -> None:
        c = self._cell.control
        if 0 <= c.own_stop <= category:
            return
        if c.own_stop < 0:
            self._hold_here()
        c.own_stop = category
        if category == 0:
            self._close_brakes()

    def resume(self) -> None:
        c = self._cell.control
        c.own_stop, c.stopping, c.braked = -1, 0.0, False
        c.age = 0.0
        self._hold_here()
        drive.set_level(c, self._limits.tank_min)

    def advance(self, dt: float) -> None:
        """Let dt pass, in whole physics steps."""
        steps = round(dt / layout.PHYSICS_S)
        c = self._cell.control
        c.age += dt
        if c.own_stop >= 0:
            c.stopping += dt
        if c.age > COMMAND_TIMEOUT + 1e-9:
            c.hand_force = c.hand_press = 0.0
            if not c.own_hold and not c.braked:
                self._hold_here()
        self._settle()
        self._prepare()
        weight, carried = self._weight(), 0.0
        for left in range(steps, 0, -1):
            carried += self._step(1.0 / left)
        raised = self._weight() - weight
        if c.braked:
            c.account.fallen += raised
        else:
            c.account.damping -= carried - raised
        plant.move_drives(self._cell.drives, dt)
        cell = self._cell
        body = person.body(cell, self._time, self.grip())
        sight.watch(cell.sight, cell.hazards, body, self._links(), cell.drives.log_top, self._time)

    def close(self) -> None:
        """Nothing to release: the arm is held by its modelled brakes when nobody steps it."""
        self._connected = False

    # --- beyond the protocol: seeds, hazards, the plant's state ---

    @property
    def time(self) -> float:
        """s, the cell's own clock."""
        return self._time

    def tool(self) -> tuple[F64, F64]:
        """(pose (7,), twist (6,)) of the tool frame, exact."""
        return self._pose(), self._jacobian @ self._dq

    def attitude(self) -> list[float]:
        """(9,) rotation matrix of the tool frame, row by row."""
        turn: list[float] = self._turn.tolist()
        return turn

    def grip(self) -> Point:
        """(3,) m: the middle of the far handle."""
        (x, y, z), t = self._place.tolist(), self._turn.tolist()
        a, b = layout.HANDLE_AHEAD, layout.HANDLE_UP
        return x + t[0] * a + t[2] * b, y + t[3] * a + t[5] * b, z + t[6] * a + t[8] * b

    def wrench(self) -> F64:
        """(6,) what the wrist's sensor reads: wood and partner on the tool, low-passed."""
        return np.array(self._cell.meter.wrench)

    def truth(self) -> Plant:
        """The plant as it stands, not a copy: for the expert and the labels, never for a layer or a policy."""
        return Plant(self._time, self._q, self._dq, self._data.qacc_warmstart, self._cell)

    def hazard(self, name: str, in_s: float) -> None:
        """Let a hazard of ``hazards.NAMES`` begin in so many seconds of the cell's own time. Raises ValueError for an unknown name."""
        self._cell.hazards.start(name, self._time + in_s)

    def endanger(self, hazards: Sequence[Hazard]) -> None:
        """Let hazards happen at their times of the cell's own clock; of more than ``hazards.SLOTS`` the first are forgotten."""
        for hazard in hazards:
            self._cell.hazards.add(hazard)

    def place(self, line_y: float, log_top: float, tool: tuple[float, float, float]) -> None:
        """Set the cell up at rest: the line, the log, and the level saw with its tool frame at ``tool``; drops any kerf."""
        fresh = plant.fresh(self.seed)
        fresh.drives = plant.Drives(line_y, line_y, log_top, log_top)
        fresh.hand.stand_y = tool[1]
        q = reach.place_saw(self._model, self._data, tool)
        fresh.meter.height = tool[2] - log_top
        fresh.control.account.tank = self._limits.tank_min
        self.restore(plant.pack(Plant(0.0, q, np.zeros(7), np.zeros(7), fresh)))
        sight.begin(self._cell.sight, self.seed, person.body(self._cell, 0.0, self.grip()))
        self._hold_here()
        self._connected = True

    def plant(self) -> F64:
        """(P,) everything needed to simulate on from here."""
        return plant.pack(Plant(self._time, self._q, self._dq, self._data.qacc_warmstart, self._cell))

    def restore(self, vector: F64) -> None:
        """Take over a recorded plant. Raises ValueError for one of another length."""
        held = plant.unpack(vector)
        mujoco.mj_resetData(self._model, self._data)
        self._q[:], self._dq[:] = held.q, held.dq
        self._data.qacc_warmstart[:] = held.warm
        self._data.time = held.time
        self._time, self._cell = held.time, held.cell
        mujoco.mj_step1(self._model, self._data)
        self._look_up()
        self._told = None
        self._connected = True

    def _links(self) -> list[Point]:
        """(4, 3) m, LINKS."""
        return [tuple(self._data.xpos[body].tolist()) for body in self._chain]

    # --- one physics step ---

    def _look_up(self) -> None:
        """The Jacobian and the attitude of the present place."""
        mujoco.mj_jacSite(self._model, self._data, self._linear, self._angular, self._site)
        mujoco.mju_mat2Quat(self._quat, self._turn)

    def _pose(self) -> F64:
        return np.concatenate([self._place, self._quat])

    def _here(self) -> Floats:
        """(7,) the measured pose."""
        return (*self._place.tolist(), *self._quat.tolist())

    def _kinetic(self) -> float:
        """J, of the arm and its saw."""
        mujoco.mj_fullM(self._model, self._mass, self._data.qM)
        return 0.5 * float(self._dq @ self._mass @ self._dq)

    def _weight(self) -> float:
        """J, potential of the arm and its saw in gravity."""
        mujoco.mj_energyPos(self._model, self._data)
        return float(self._data.energy[0])

    def _prepare(self) -> None:
        """What may stay constant for a tick: the damping of the impedance, and the posture."""
        c = self._cell.control
        mujoco.mj_fullM(self._model, self._mass, self._data.qM)
        if c.braked:
            drive.let_go(c, self._here())
        self._drive.design(c, self._jacobian, impedance.task_inertia(self._jacobian, self._mass))
        self._rest = reach.posture(float(self._place[1]), float(self._place[2]))

    def _step(self, part: float) -> float:
        """One physics step, in which the spring goes ``part`` of what is left of its way. Returns J spent on carrying the weight."""
        cell, dt = self._cell, layout.PHYSICS_S
        c, account = cell.control, cell.control.account
        dq, bias, jacobian = self._dq, self._bias, self._jacobian
        twist = jacobian @ dq
        (x, y, z), (vx, vy, vz, wx, wy, wz) = self._place.tolist(), twist.tolist()
        motion = Motion(x, y, z, vx, vy, vz, wx, wy, wz, self._turn.tolist())
        pull, force = self._act(motion)
        if not c.braked and not self._drive.move(c, self._here(), part):
            self.stop(1)
        if c.braked:
            tau = self._brake()
            self._ctrl[:] = 0.0
            self._free_torque[:] = tau
        else:
            tau = self._drive.torque(c, jacobian, twist, dq, bias, self._q, self._rest)
            self._ctrl[:] = tau
            self._free_torque[:] = 0.0
        cell.meter.tau = applied = tau.tolist()
        before = dq.copy()
        mujoco.mj_step2(self._model, self._data)
        self._time += dt
        shift = ((jacobian @ dq) * dt).tolist()
        joints = dq.tolist()
        carried = 0.0 if c.braked else drive.work(bias.tolist(), joints) * dt
        worked = drive.work(applied, joints) * dt - carried
        jolt = dq - before
        account.damping += 0.5 * float(jolt @ self._mass @ jolt)
        hand = _work(pull, motion.grip(), shift)
        account.partner += hand
        account.wood += hand - drive.work(force, shift)
        strokes.account(cell.meter, x, vx, worked, hand, sensors.kerf_depth(cell))
        mujoco.mj_step1(self._model, self._data)
        self._look_up()
        if not self._drive.settle(c, worked, shift, self._here(), joints):
            self.stop(1)
        return carried

    def _act(self, motion: Motion) -> tuple[saw.Triple, tuple[float, ...]]:
        """Let wood and partner act on the saw. Returns the partner's force (3,) on the handle, N, and both as a wrench (6,) on the tool."""
        cell, c, dt = self._cell, self._cell.control, layout.PHYSICS_S
        pinch = 0.0 if cell.hazards.active(Kind.KNOT_BINDS, self._time) is None else 1.0
        wood = bite(cell.wood, cell.grain, motion.blade(), cell.drives.log_top, pinch, dt)
        hand, held = cell.hand, person.holds(cell, self._time)
        partner.step(hand, cell.temper, motion.handle(wood.press > 0.0), cell.hazards, held, self._time, dt)
        pull = (hand.fx + c.hand_force, hand.fy, hand.fz - c.hand_press) if held else (0.0, 0.0, 0.0)
        force = saw.wrench(motion, wood, pull)
        cx, cy, cz = self._com.tolist()
        self._push[:] = saw.moved_to(force, (motion.x - cx, motion.y - cy, motion.z - cz))
        cell.meter.holding = held
        sight.feel(cell.sight, pull, held, dt)
        sensors.sense(cell.meter, wood, force, dt)
        return pull, force

    def _brake(self) -> F64:
        """(7,) N m of the closed brakes: stiff up to their torque, then they slip. Implicit, for they are too stiff for a step."""
        c, dt = self._cell.control, layout.PHYSICS_S
        anchor = np.array(c.brake_q)
        resisting = BRAKE_DAMPING + dt * BRAKE_STIFFNESS
        wanted = BRAKE_STIFFNESS * (anchor - self._q) - resisting * self._dq
        tau: F64 = self._mass @ np.linalg.solve(self._mass + np.diag(dt * resisting), wanted)
        beyond = np.abs(tau) > self._brake_limit
        if beyond.any():
            tau = np.clip(tau, -self._brake_limit, self._brake_limit)
            anchor[beyond] = self._q[beyond] + tau[beyond] / BRAKE_STIFFNESS[beyond]
            c.brake_q = anchor.tolist()
        return tau

    # --- the robot's own stop ---

    def _hold_here(self) -> None:
        """Hold the measured pose with zero error; the stroke axis yields."""
        c = self._cell.control
        c.goal = Spring(self._here(), HOLD_STIFFNESS, HOLD_FORCE, HOLD_TORQUE)
        c.twist_d, c.task_power = drive.STILL, 0.0
        drive.anchor(c, c.goal)
        c.yielding, c.own_hold, c.resting, c.stopping = True, True, False, 0.0

    def _close_brakes(self) -> None:
        c = self._cell.control
        carried = np.clip(np.array(self._cell.meter.tau), -self._brake_limit, self._brake_limit)
        c.braked, c.brake_q = True, (self._q + carried / BRAKE_STIFFNESS).tolist()  # they close on the load, not on a free arm

    def _settle(self) -> None:
        """Progress of the own hold: re-anchor at rest, slip when pulled beyond the cap, close the brakes where the category asks for it."""
        c = self._cell.control
        if not c.own_hold or c.braked:
            return
        speed = float(np.linalg.norm(self._linear @ self._dq))
        x = float(self._place[0])
        if not c.resting and speed < REST_SPEED:
            c.goal, c.resting = replace(c.goal, pose=self._here()), True
        away = c.goal.pose[0] - x
        beyond = abs(away) - HOLD_FORCE / HOLD_STIFFNESS[0]
        if beyond > 0.0:
            slip = math.copysign(min(beyond, SLIP_SPEED * layout.TICK_S), -away)
            c.goal = replace(c.goal, pose=(c.goal.pose[0] + slip, *c.goal.pose[1:]))
        if c.own_stop == 1 and (c.resting or c.stopping >= REST_WITHIN):
            self._close_brakes()


def _clamp(value: float, low: float, high: float) -> float:
    return min(high, max(low, value))


def _work(force: saw.Triple, arm: saw.Triple, shift: list[float]) -> float:
    """J, of a force (3,) at ``arm`` (3,) from the tool frame, which moves by ``shift`` (6,) m and rad."""
    (fx, fy, fz), (rx, ry, rz), (dx, dy, dz, tx, ty, tz) = force, arm, shift
    return fx * (dx + ty * rz - tz * ry) + fy * (dy + tz * rx - tx * rz) + fz * (dz + tx * ry - ty * rx)
