"""``Cosaw``: the simulated cell as a robot. A torque-driven Franka under the engine's impedance law at 500 Hz, with saw, log and person."""

import math
from collections.abc import Sequence
from typing import Final

import numpy as np

from adapters.base import AdapterError, Happening
from adapters.mujoco import drive, failing, hold, layout, partner, person, plant, reach, saw, sensors, sight, strokes, upsets, world
from adapters.mujoco.body import Body
from adapters.mujoco.cutting import bite
from adapters.mujoco.hazards import Hazard, Kind
from adapters.mujoco.person import Point
from adapters.mujoco.plant import Cell, Plant
from adapters.mujoco.saw import Motion
from adapters.mujoco.witness import seen
from engine.control import impedance
from engine.control.tank import Spring
from engine.limits import Limits
from engine.safety import cell as commissioned
from engine.types import F32, F64, Command, Observation, Person, Vec6, Vec7

NORMAL: Final = Limits()
COMMAND_TIMEOUT: Final = 0.05  #: s without a command, then the robot brakes and holds by itself
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
        self._arm = Body(world.plant_model(), world.TOOL_SITE, world.LINKS)
        self._rest: F64 = np.zeros(7)
        self._posture: F64 | None = None  # comes anew with every command, so the plant need not carry it
        self._time = 0.0
        self._seq = 0
        self._told: Person | None = None
        self._strain: upsets.Strain | None = None  # of this tick
        self._happened: list[Happening] = []
        self._cell: Cell = plant.fresh(seed)
        self._connected = False
        self._limits = limits
        self._drive = drive.Drive(limits, self._arm.friction)

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
        pose, twist = self._arm.pose(), self._arm.twist()
        meter = self._cell.meter
        return Observation(
            t_ns=t_ns,
            seq=self._seq,
            q=self._arm.q.copy(),
            dq=self._arm.dq.copy(),
            tau=np.array(meter.tau),
            pose=pose,
            twist=twist,
            wrench=np.array(meter.wrench),
            manipulability=reach.manipulability(self._arm.jacobian),
            saw=sensors.saw_state(self._cell, self._time, pose, twist),
            plant=self.plant(),
            links=np.array(self._arm.links()),
            grip=np.array(self._cell.sight.grip),
            holds=sight.holds(self._cell.sight),
            person=self._sighted(t_ns),
            spring=self._drive.spring(self._cell.control),
            energy=drive.energy(self._cell.control, self._arm.kinetic()),
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
        self._posture = np.array(command.posture) if all(map(math.isfinite, command.posture)) else None
        drives = self._cell.drives
        drifted = self._cell.upsets.size(upsets.Kind.LINE_MOVES, self._time)
        drives.line_y_d = _clamp(command.line_y_d + drifted, *layout.LINE_Y)
        drives.log_top_d = _clamp(command.log_top_d, *layout.LOG_TOP)
        if command.brakes and not c.braked:
            self._close_brakes()
        if c.own_stop >= 0:
            return
        c.braked, c.own_hold, c.yielding = command.brakes, False, command.hold
        c.goal = Spring(command.pose_d, command.stiffness_d, command.force_max, command.torque_max)
        c.twist_d, c.task_power = command.twist_d, command.task_power

    def tool_at(self, q: Sequence[float]) -> Vec7:
        return tuple(reach.tool(np.array(q), np.zeros(7))[0].tolist())

    def joint_twist(self, joint: int) -> Vec6:
        return tuple(self._arm.jacobian[:, joint - 1].tolist())

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
        if hold.settle(c, self._arm.here(), self._arm.twist()[:3].tolist()):
            self._close_brakes()
        self._prepare()
        self._strain = upsets.strain(self._cell.upsets, self._time)
        weight, carried = self._arm.potential(), 0.0
        for left in range(steps, 0, -1):
            carried += self._step(1.0 / left)
        raised = self._arm.potential() - weight
        if c.braked:
            c.account.fallen += raised
        else:
            c.account.damping -= carried - raised
        plant.move_drives(self._cell.drives, dt)
        cell = self._cell
        body = person.body(cell, self._time, self.grip())
        sight.watch(cell.sight, cell.hazards, body, self._arm.links(), cell.drives.log_top, self._time)
        self._happened += [Happening("disturbance", *upsets.told(upset)) for upset in cell.upsets.begun(self._time)]
        self._happened += failing.look(cell.watch, seen(cell, self._arm), dt)

    def close(self) -> None:
        """Nothing to release: the arm is held by its modelled brakes when nobody steps it."""
        self._connected = False

    # --- what goes wrong, and what comes of it ---

    def disturb(self, seed: int) -> None:
        """Draw upsets from now on, in the place of any drawn before."""
        self._cell.upsets.take(upsets.draw(seed, self._time), self._cell.hazards)

    def happened(self) -> list[Happening]:
        told, self._happened = self._happened, []
        return told

    def veil(self) -> F32:
        return upsets.before_lenses(self._cell.upsets, self._time)

    def delay(self) -> float:
        return self._cell.upsets.size(upsets.Kind.LATE, self._time)

    def oracle(self) -> F32:
        cell, now = self._cell, self._time
        to_go, worst = upsets.still_to_move(cell.upsets, now), upsets.worst(cell.upsets, now)
        return failing.foreseen(cell.watch, seen(cell, self._arm), to_go, worst)

    # --- beyond the protocol: seeds, hazards, the plant's state ---

    @property
    def time(self) -> float:
        """s, the cell's own clock."""
        return self._time

    def tool(self) -> tuple[F64, F64]:
        """(pose (7,), twist (6,)) of the tool frame, exact."""
        return self._arm.pose(), self._arm.twist()

    def attitude(self) -> list[float]:
        """(9,) rotation matrix of the tool frame, row by row."""
        turn: list[float] = self._arm.turn.tolist()
        return turn

    def grip(self) -> Point:
        """(3,) m: the middle of the far handle."""
        (x, y, z), t = self._arm.place.tolist(), self._arm.turn.tolist()
        a, b = layout.HANDLE_AHEAD, layout.HANDLE_UP
        return x + t[0] * a + t[2] * b, y + t[3] * a + t[5] * b, z + t[6] * a + t[8] * b

    def wrench(self) -> F64:
        """(6,) what the wrist's sensor reads: wood and partner on the tool, low-passed."""
        return np.array(self._cell.meter.wrench)

    def truth(self) -> Plant:
        """The plant as it stands, not a copy: for the expert and the labels, never for a layer or a policy."""
        return Plant(self._time, self._arm.q, self._arm.dq, self._arm.warm, self._cell)

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
        q = reach.place_saw(tool)
        fresh.meter.height = tool[2] - log_top
        fresh.control.account.tank = self._limits.tank_min
        self.restore(plant.pack(Plant(0.0, q, np.zeros(7), np.zeros(7), fresh)))
        sight.begin(self._cell.sight, self.seed, person.body(self._cell, 0.0, self.grip()))
        self._hold_here()
        self._connected = True

    def plant(self) -> F64:
        """(P,) everything needed to simulate on from here."""
        return plant.pack(self.truth())

    def restore(self, vector: F64) -> None:
        """Take over a recorded plant. Raises ValueError for one of another length."""
        held = plant.unpack(vector)
        self._arm.set(held.q, held.dq, held.warm, held.time)
        self._time, self._cell = held.time, held.cell
        self._told, self._strain, self._happened = None, None, []
        self._posture = None
        self._connected = True

    # --- one physics step ---

    def _prepare(self) -> None:
        """What may stay constant for a tick: the damping of the impedance, and the posture."""
        c, arm = self._cell.control, self._arm
        arm.weigh()
        if c.braked:
            drive.let_go(c, arm.here())
        self._drive.design(c, arm.jacobian, impedance.task_inertia(arm.jacobian, arm.mass))
        rest = reach.posture(float(arm.place[1]), float(arm.place[2])) if self._posture is None else self._posture
        self._rest = self._drive.posture(rest, arm.q)

    def _step(self, part: float) -> float:
        """One physics step, in which the spring goes ``part`` of what is left of its way. Returns J spent on carrying the weight."""
        cell, arm, dt = self._cell, self._arm, layout.PHYSICS_S
        c, account = cell.control, cell.control.account
        twist = arm.twist()
        (x, y, z), (vx, vy, vz, wx, wy, wz) = arm.place.tolist(), twist.tolist()
        motion = Motion(x, y, z, vx, vy, vz, wx, wy, wz, arm.turn.tolist())
        pull, force = self._act(motion)
        if not c.braked and not self._drive.move(c, arm.here(), part):
            self.stop(1)
        before = arm.dq.copy()
        if c.braked:
            tau = hold.brake_torque(c, arm.mass, arm.q, arm.dq)
            arm.step(0.0, tau)
        else:
            tau = self._drive.torque(c, arm.jacobian, twist, arm.dq, arm.bias, arm.q, self._rest)
            arm.step(tau, 0.0)
        self._time += dt
        cell.meter.tau = applied = tau.tolist()
        shift = (arm.twist() * dt).tolist()
        joints = arm.dq.tolist()
        carried = 0.0 if c.braked else drive.work(arm.bias.tolist(), joints) * dt
        worked = drive.work(applied, joints) * dt - carried
        jolt = arm.dq - before
        account.damping += 0.5 * float(jolt @ arm.mass @ jolt)
        hand = _work(pull, motion.grip(), shift)
        account.partner += hand
        account.wood += hand - drive.work(force, shift)
        strokes.account(cell.meter, x, vx, worked, hand, sensors.kerf_depth(cell))
        arm.look()
        if not self._drive.settle(c, worked, shift, arm.here(), joints):
            self.stop(1)
        return carried

    def _act(self, motion: Motion) -> tuple[saw.Triple, tuple[float, ...]]:
        """Let wood and partner act on the saw. Returns the partner's force (3,) on the handle, N, and both as a wrench (6,) on the tool."""
        cell, c, dt = self._cell, self._cell.control, layout.PHYSICS_S
        strain = self._strain
        pinch, dull = (0.0, 0.0) if strain is None else (strain.pinch, strain.dull)
        if cell.hazards.active(Kind.KNOT_BINDS, self._time) is not None:
            pinch = 1.0
        wood = bite(cell.wood, cell.grain, motion.blade(), cell.drives.log_top, pinch, dt, dull)
        hand, held = cell.hand, person.holds(cell, self._time)
        partner.step(hand, cell.temper, motion.handle(wood.press > 0.0), cell.hazards, held, self._time, dt, strain)
        pull = (hand.fx + c.hand_force, hand.fy, hand.fz - c.hand_press) if held else (0.0, 0.0, 0.0)
        force = saw.wrench(motion, wood, pull)
        cx, cy, cz = self._arm.com.tolist()
        self._arm.push(saw.moved_to(force, (motion.x - cx, motion.y - cy, motion.z - cz)))
        cell.meter.holding = held
        sight.feel(cell.sight, pull, held, dt)
        sensors.sense(cell.meter, wood, force, dt)
        return pull, force

    # --- the robot's own stop ---

    def _hold_here(self) -> None:
        hold.begin(self._cell.control, self._arm.here())

    def _close_brakes(self) -> None:
        hold.close_brakes(self._cell.control, self._arm.q, self._cell.meter.tau)


def _clamp(value: float, low: float, high: float) -> float:
    return min(high, max(low, value))


def _work(force: saw.Triple, arm: saw.Triple, shift: list[float]) -> float:
    """J, of a force (3,) at ``arm`` (3,) from the tool frame, which moves by ``shift`` (6,) m and rad."""
    (fx, fy, fz), (rx, ry, rz), (dx, dy, dz, tx, ty, tz) = force, arm, shift
    return fx * (dx + ty * rz - tz * ry) + fy * (dy + tz * rx - tx * rz) + fz * (dz + tx * ry - ty * rx)
