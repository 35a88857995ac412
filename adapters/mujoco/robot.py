"""``Cosaw``: the simulated cell as a robot. A torque-driven Franka under the engine's impedance law at 500 Hz, with saw, log and person."""

import math
from typing import Any, Final

import mujoco
import numpy as np

from adapters.base import AdapterError
from adapters.mujoco import layout, partner, plant, reach, saw, sensors, strokes, world
from adapters.mujoco.cutting import bite
from adapters.mujoco.plant import Cell, Plant
from adapters.mujoco.saw import Motion
from engine.control import impedance
from engine.safety.cell import UNSENSED
from engine.types import F64, Command, Energy, Observation, Spring

COMMAND_TIMEOUT: Final = 0.05  #: s without a command, then the robot brakes and holds by itself
HOLD_STIFFNESS: Final = (100.0, 600.0, 500.0, 60.0, 60.0, 60.0)  #: N/m and N m/rad of the robot's own hold; the stroke axis yields
HOLD_FORCE: Final = 25.0  #: N, cap of the own hold's spring; beyond it the reference slips (a clutch)
HOLD_TORQUE: Final = 8.0  #: N m
SLIP_SPEED: Final = 0.10  #: m/s, of the slipping reference
REST_SPEED: Final = 0.01  #: m/s
REST_WITHIN: Final = 0.3  #: s from a stop to standstill, then the brakes close (category 1)
DAMPING_RATIO: Final = 1.0
BRAKE_STIFFNESS: Final = 2000.0  #: N m/rad, of a closed brake before it slips
BRAKE_DAMPING: Final = 25.0  #: N m s/rad

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

    cell = UNSENSED

    def __init__(self, seed: int) -> None:
        self.seed = seed
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
        self._damping: F64 = np.zeros((6, 6))
        self._rest: F64 = np.zeros(7)
        self._time = 0.0
        self._seq = 0
        self._cell: Cell = plant.fresh(seed)
        self._connected = False
        self._limit = np.array(layout.JOINT_TORQUE_LIMITS)
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
            links=np.array([self._data.xpos[body] for body in self._chain]),
            grip=np.full(3, np.nan),
            holds=False,
            person=None,
            spring=self._spring(),
            energy=Energy(tank=0.0, share=1.0, partner=0.0, grant=0.0, wood=0.0, damping=0.0, stored=0.0, paid=0.0, refill=0.0),
        )

    def _spring(self) -> Spring:
        c = self._cell.control
        return Spring(
            pose_d=tuple(c.pose_d),
            stiffness=tuple(c.stiffness),
            damping=tuple(np.diag(self._damping).tolist()),
            force_max=c.force_max,
            torque_max=c.torque_max,
        )

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
        c.braked, c.own_hold = command.brakes, False
        c.pose_d, c.twist_d = list(command.pose_d), list(command.twist_d)
        c.stiffness = list(command.stiffness_d)
        c.force_max, c.torque_max, c.yielding = command.force_max, command.torque_max, command.hold

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
        for _ in range(steps):
            self._step()
        plant.move_drives(self._cell.drives, dt)

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

    def wrench(self) -> F64:
        """(6,) what the wrist's sensor reads: wood and partner on the tool, low-passed."""
        return np.array(self._cell.meter.wrench)

    def truth(self) -> Plant:
        """The plant as it stands, not a copy: for the expert and the labels, never for a layer or a policy."""
        return Plant(self._time, self._q, self._dq, self._data.qacc_warmstart, self._cell)

    def hazard(self, name: str, in_s: float) -> None:
        """Let a hazard of ``hazards.NAMES`` begin in so many seconds of the cell's own time. Raises ValueError for an unknown name."""
        self._cell.hazards.start(name, self._time + in_s)

    def place(self, line_y: float, log_top: float, tool: tuple[float, float, float]) -> None:
        """Set the cell up at rest: the line, the log, and the level saw with its tool frame at ``tool``; drops any kerf."""
        fresh = plant.fresh(self.seed)
        fresh.drives = plant.Drives(line_y, line_y, log_top, log_top)
        fresh.hand.stand_y = tool[1]
        q = reach.place_saw(self._model, self._data, tool)
        fresh.meter.height = tool[2] - log_top
        self.restore(plant.pack(Plant(0.0, q, np.zeros(7), np.zeros(7), fresh)))
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
        self._connected = True

    # --- one physics step ---

    def _look_up(self) -> None:
        """The Jacobian and the attitude of the present place."""
        mujoco.mj_jacSite(self._model, self._data, self._linear, self._angular, self._site)
        mujoco.mju_mat2Quat(self._quat, self._turn)

    def _pose(self) -> F64:
        return np.concatenate([self._place, self._quat])

    def _prepare(self) -> None:
        """What may stay constant for a tick: the damping of the impedance, and the posture."""
        c = self._cell.control
        mujoco.mj_fullM(self._model, self._mass, self._data.qM)
        inertia = impedance.task_inertia(self._jacobian, self._mass)
        self._damping = impedance.damping(inertia, np.array(c.stiffness), DAMPING_RATIO)
        if c.yielding:
            self._damping = impedance.yielding(self._damping)
        self._rest = reach.posture(float(self._place[1]), float(self._place[2]))
        self._pose_d, self._twist_d, self._stiffness = np.array(c.pose_d), np.array(c.twist_d), np.array(c.stiffness)

    def _step(self) -> None:
        cell, dt = self._cell, layout.PHYSICS_S
        c = cell.control
        dq, jacobian = self._dq, self._jacobian
        twist = jacobian @ dq
        (x, y, z), (vx, vy, vz, wx, wy, wz) = self._place.tolist(), twist.tolist()
        motion = Motion(x, y, z, vx, vy, vz, wx, wy, wz, self._turn.tolist())
        pull = self._act(motion)
        if c.braked:
            tau = self._brake()
            self._ctrl[:] = 0.0
            self._free_torque[:] = tau
        else:
            tau = impedance.torque(
                jacobian,
                dq,
                self._bias,
                self._pose(),
                twist,
                self._pose_d,
                self._twist_d,
                self._stiffness,
                self._damping,
                c.force_max,
                c.torque_max,
                self._q,
                self._rest,
            )
            np.minimum(np.maximum(tau, -self._limit, out=tau), self._limit, out=tau)
            self._ctrl[:] = tau
            self._free_torque[:] = 0.0
        cell.meter.tau = tau.tolist()
        power = float((tau - self._bias) @ dq)
        mujoco.mj_step2(self._model, self._data)
        self._time += dt
        strokes.account(cell.meter, motion.x, motion.vx, power * dt, pull * motion.vx * dt, sensors.kerf_depth(cell))
        mujoco.mj_step1(self._model, self._data)
        self._look_up()

    def _act(self, motion: Motion) -> float:
        """Let wood and partner act on the saw. Returns the partner's force along the stroke, N."""
        cell, c, dt = self._cell, self._cell.control, layout.PHYSICS_S
        pinch = 1.0 if cell.hazards.active("knot_binds", self._time) else 0.0
        wood = bite(cell.wood, cell.grain, motion.blade(), cell.drives.log_top, pinch, dt)
        hand, held = cell.hand, partner.step(cell.hand, cell.temper, motion.handle(wood.press > 0.0), cell.hazards, self._time, dt)
        pull = (hand.fx + c.hand_force, hand.fy, hand.fz - c.hand_press) if held else (0.0, 0.0, 0.0)
        force = saw.wrench(motion, wood, pull)
        cx, cy, cz = self._com.tolist()
        self._push[:] = saw.moved_to(force, (motion.x - cx, motion.y - cy, motion.z - cz))
        cell.meter.holding = held
        sensors.sense(cell.meter, wood, force, dt)
        return pull[0]

    def _brake(self) -> F64:
        """(7,) N m of the closed brakes: stiff up to their torque, then they slip."""
        c = self._cell.control
        anchor = np.array(c.brake_q)
        tau: F64 = BRAKE_STIFFNESS * (anchor - self._q) - BRAKE_DAMPING * self._dq
        beyond = np.abs(tau) > self._brake_limit
        if beyond.any():
            tau = np.clip(tau, -self._brake_limit, self._brake_limit)
            anchor[beyond] = self._q[beyond] + tau[beyond] / BRAKE_STIFFNESS
            c.brake_q = anchor.tolist()
        return tau

    # --- the robot's own stop ---

    def _hold_here(self) -> None:
        """Hold the measured pose with zero error; the stroke axis yields."""
        c = self._cell.control
        c.pose_d, c.twist_d = self._pose().tolist(), [0.0] * 6
        c.stiffness, c.force_max, c.torque_max = list(HOLD_STIFFNESS), HOLD_FORCE, HOLD_TORQUE
        c.yielding, c.own_hold, c.resting, c.stopping = True, True, False, 0.0

    def _close_brakes(self) -> None:
        c = self._cell.control
        c.braked, c.brake_q = True, self._q.tolist()

    def _settle(self) -> None:
        """Progress of the own hold: re-anchor at rest, slip when pulled beyond the cap, close the brakes where the category asks for it."""
        c = self._cell.control
        if not c.own_hold or c.braked:
            return
        speed = float(np.linalg.norm(self._linear @ self._dq))
        x = float(self._place[0])
        if not c.resting and speed < REST_SPEED:
            c.pose_d, c.resting = self._pose().tolist(), True
        beyond = abs(c.pose_d[0] - x) - HOLD_FORCE / HOLD_STIFFNESS[0]
        if beyond > 0.0:
            c.pose_d[0] += math.copysign(min(beyond, SLIP_SPEED * layout.TICK_S), x - c.pose_d[0])
        if c.own_stop == 1 and (c.resting or c.stopping >= REST_WITHIN):
            self._close_brakes()


def _clamp(value: float, low: float, high: float) -> float:
    return min(high, max(low, value))
