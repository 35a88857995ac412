"""From commands to goals: followed within bounds, held without a jerk, told apart from a hit."""

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import msgspec
import numpy as np
import pytest

from adapters.mujoco.tabletop import servos
from adapters.mujoco.tabletop.kinematics import Kinematics
from adapters.mujoco.tabletop.so101 import SO101
from adapters.so101 import compliance, steering
from adapters.so101.emulator.arm import Servos
from adapters.so101.emulator.cube import Cube
from adapters.so101.emulator.free import PHYSICS_S
from adapters.so101.emulator.servo import STEP as STEP_OF
from adapters.so101.figure import Model
from adapters.so101.following import PERIOD
from adapters.so101.motors import Reading
from adapters.so101.steering import LEAST, SILENCE_NS, STEP, Steering, Told
from engine.config import Settings
from engine.control import playing
from engine.control.pose import Floats
from engine.motions import motions
from engine.so101_settings import So101Settings
from engine.types import Command

POSES = {motion.name: motion for motion in motions(Settings(robot="so101"))}
AHEAD = math.radians(10.0)
WIDE = ((-3.0, 3.0),) * 5
FOLDED = (0.0, -1.7279, 1.6581, 1.309, 0.0)  #: rad, nearer to two stops than any motion goes by itself
COMMAND = Command(
    command_tick=1,
    pose_d=(0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0),
    twist_d=(0.0,) * 6,
    stiffness_d=(800.0,) * 6,
    force_max=20.0,
    torque_max=3.0,
    hold=False,
    brakes=False,
    hand_force=0.0,
    hand_press=0.0,
    line_y_d=0.0,
    log_top_d=0.0,
    posture=(math.nan,) * 5,
)


@dataclass
class Arm:
    """Ideal servos that follow their goals with lag and sag, unless they are ``blocked``; ``goals`` are those of all periods."""

    q: Floats = SO101.home
    gripper: float = 0.3
    blocked: tuple[int, ...] = ()
    ranges: tuple[tuple[float, float], ...] = WIDE
    goals: list[Floats] = field(default_factory=list)
    told: Told | None = None
    t_ns: int = 0

    def __post_init__(self) -> None:
        self.model = Model()
        self.steering = Steering(self.ranges, AHEAD)
        self.steering.begin(self.reading(), self.held())

    def sag(self) -> list[float]:
        weight = self.model.figure(self.q, (0.0,) * 5, self.gripper).weight
        return [w / (servos.KP * self.steering.softness.gain / compliance.FULL) for w in weight]

    def held(self) -> Floats:
        return (*(at + more for at, more in zip(self.q, self.sag(), strict=True)), self.gripper)

    def reading(self, dq: Floats = (0.0,) * 5) -> Reading:
        weight = self.model.figure(self.q, dq, self.gripper).weight
        load = (*(w / servos.TORQUE for w in weight), 0.0)
        six = (0.0,) * 6
        return Reading(self.t_ns, self.q, dq, load, self.gripper, (7.4,) * 6, (30.0,) * 6, (0,) * 6, six, (False,) * 6)

    def tell(self, pose: Floats, **more: object) -> None:
        self.told = Told(self.t_ns, msgspec.structs.replace(COMMAND, pose_d=pose, **more))

    def run(self, periods: int, pose: Callable[[int], Floats] | None = None, **more: object) -> None:
        """So many periods, each with a command where a pose is given."""
        dq = (0.0,) * 5
        for k in range(periods):
            self.t_ns += round(PERIOD * 1e9)
            if pose is not None:
                self.tell(pose(k), **more)
            reading = self.reading(dq)
            self.steering.step(reading, self.model.figure(self.q, dq, self.gripper), self.told, self.t_ns)
            goals = self.steering.motion.at
            self.goals.append(goals)
            before = self.q
            self.follow(goals)
            dq = tuple((a - b) / PERIOD for a, b in zip(self.q, before, strict=True))

    def follow(self, goals: Floats) -> None:
        """One period of the servos."""
        free = [to - less for to, less in zip(goals[:5], self.sag(), strict=True)]
        after = compliance.expected(self.q, free, self.steering.softness.gain, PERIOD)
        self.q = tuple(b if joint in self.blocked else a for joint, (a, b) in enumerate(zip(after, self.q, strict=True)))
        self.gripper += 0.3 * (goals[5] - self.gripper)

    def pose(self) -> Floats:
        return tuple(self.model.figure(self.q, (0.0,) * 5, self.gripper).pose.tolist())


class OnTable(Arm):
    """The emulated servos on so101-sim's arm at its table, without a bus and without a clock."""

    def __init__(self) -> None:
        self.servos = Servos(calibrated=True)
        self.world = Cube(self.servos, 3, None)
        self.servos.hold(self.world.q)
        for servo in self.servos.all:
            servo.set("P_Coefficient", compliance.FULL)
        self.zero = [servo.position() - at / STEP_OF for servo, at in zip(self.servos.all, self.world.q, strict=True)]
        super().__init__(tuple(self.world.q[:5]), servos.closedness(self.world.q[5]))

    def reading(self, dq: Floats = (0.0,) * 5) -> Reading:
        return replace(super().reading(dq), load=tuple(servo.duty for servo in self.servos.all))

    def follow(self, goals: Floats) -> None:
        for servo, zero, goal in zip(self.servos.all, self.zero, (*goals[:5], servos.jaw_at(goals[5])), strict=True):
            servo.write(42, round(zero + goal / STEP_OF).to_bytes(2, "little"))
        self.wait(PERIOD)

    def wait(self, seconds: float) -> None:
        self.world.advance(round(seconds / PHYSICS_S))
        *q, jaw = self.world.q
        self.q, self.gripper = tuple(q), servos.closedness(jaw)

    def let_go(self) -> None:
        for servo in self.servos.all:
            servo.write(40, bytes(1))


def raised(pose: Floats, dz: float) -> Floats:
    return (*pose[:2], pose[2] + dz, *pose[3:])


def test_it_goes_where_the_tool_is_wanted_and_no_step_is_longer_than_it_may_be() -> None:
    arm = Arm()
    start = arm.pose()
    arm.run(150, lambda k: raised(start, min(0.05, 0.001 * k)), gripper_d=1.0)
    assert arm.pose()[:3] == pytest.approx(raised(start, 0.05)[:3], abs=0.002)
    assert arm.gripper == pytest.approx(1.0, abs=0.02)
    ways = [abs(b - a) for one, two in zip(arm.goals, arm.goals[1:], strict=False) for a, b in zip(one[:5], two[:5], strict=True)]
    assert max(ways) <= STEP + 1e-9
    assert arm.steering.hit == -1


def test_it_begins_from_what_the_servos_hold_and_stands() -> None:
    arm = Arm()
    before = arm.held()
    arm.run(50)
    assert arm.steering.holding
    assert max(abs(a - b) for goals in arm.goals for a, b in zip(goals, before, strict=True)) < 1e-6


def test_without_a_new_command_it_brakes_and_holds_where_it_came_to_rest() -> None:
    arm = Arm()
    start = arm.pose()
    arm.run(30, lambda k: raised(start, 0.002 * k), gripper_d=0.8)
    assert not arm.steering.holding
    last, gripper = arm.goals[-1], arm.steering.motion.at[5]
    silent = round(SILENCE_NS / 1e9 / PERIOD)
    arm.run(silent)
    assert not arm.steering.holding
    arm.run(60)
    assert arm.steering.holding
    assert max(map(abs, arm.steering.motion.speed)) < 0.01
    assert arm.steering.target == pytest.approx(arm.q, abs=1e-3)
    assert max(abs(a - b) for a, b in zip(last[:5], arm.goals[-1][:5], strict=True)) < 0.15
    assert arm.goals[-1][5] >= gripper  # what it squeezes it keeps


@pytest.mark.parametrize(("pose", "brakes"), [((math.nan,) * 7, False), (None, True)])
def test_what_is_no_pose_and_a_brake_both_hold(pose: Floats | None, brakes: bool) -> None:
    arm = Arm()
    start = arm.pose()
    arm.run(10, lambda k: raised(start, 0.001 * k))
    at = arm.q
    arm.run(60, lambda k: pose or raised(start, 0.1), brakes=brakes)
    assert arm.steering.holding
    assert all(map(math.isfinite, arm.goals[-1]))
    assert arm.q == pytest.approx(at, abs=0.05)


def test_after_a_hold_it_goes_on_from_where_it_stands() -> None:
    arm = Arm()
    start = arm.pose()
    arm.run(20, lambda k: raised(start, 0.002 * k))
    arm.run(60)
    here = arm.pose()
    arm.run(40, lambda k: here)
    assert not arm.steering.holding
    assert arm.pose()[:3] == pytest.approx(here[:3], abs=0.001)


def test_joints_that_are_named_are_kept_where_the_tool_leaves_a_choice() -> None:
    arm = Arm(q=FOLDED)
    folded = arm.pose()
    arm.run(200, lambda k: folded)
    assert arm.q == pytest.approx(FOLDED, abs=0.005)  # nothing draws them off their stops
    away = Arm()
    away.run(400, lambda k: folded, posture=FOLDED)
    assert away.q == pytest.approx(FOLDED, abs=0.01)


def test_goals_keep_within_the_calibrated_range() -> None:
    arm = Arm(ranges=((-0.1, 0.1), *WIDE[1:]))
    start = arm.pose()
    arm.run(100, lambda k: (start[0], start[1] + 0.1, *start[2:]))
    assert min(goals[0] for goals in arm.goals) == pytest.approx(-0.1)


def test_an_arm_that_is_held_up_is_told_apart_and_no_goal_runs_ahead() -> None:
    arm = Arm()
    start = arm.pose()
    arm.blocked = (0,)
    arm.run(60, lambda k: (start[0], start[1] + 0.002 * k, *start[2:]))
    assert arm.steering.hit == 0
    assert "shoulder_pan is" in arm.steering.hit_text
    assert max(abs(goals[0] - arm.q[0]) for goals in arm.goals) <= LEAST * AHEAD + 1e-9
    reading = arm.reading()
    arm.steering.stand(reading)
    assert arm.steering.hit == -1
    assert arm.steering.target == reading.q


def test_an_arm_that_lies_beyond_its_range_is_held_there() -> None:
    arm = Arm()
    beyond = SO101.joint_limits[1][0] - 0.07
    arm.q = (arm.q[0], beyond, *arm.q[2:])
    arm.steering.begin(arm.reading(), (*arm.q, 0.5))
    arm.run(50)
    assert max(abs(goals[1] - beyond) for goals in arm.goals) < 0.02


def test_a_goal_that_was_never_held_is_not_gone_to() -> None:
    arm = Arm()
    arm.steering.begin(arm.reading(), (*(at + 1.0 for at in arm.q), 0.5))
    assert arm.steering.motion.at[:5] == pytest.approx(arm.q)


def test_a_soft_arm_is_told_more_of_its_weight_and_stands_as_high() -> None:
    arm = Arm()
    start = arm.pose()
    arm.run(300, lambda k: start, stiffness_d=(200.0,) * 6)
    assert arm.steering.softness.gain == compliance.LEAST
    assert arm.pose()[2] == pytest.approx(start[2], abs=0.001)
    assert arm.goals[-1][1] - arm.q[1] == pytest.approx(compliance.FULL / compliance.LEAST * (arm.goals[0][1] - SO101.home[1]), rel=0.1)


def test_the_bounds_are_the_narrower_of_the_arm_s_and_the_calibration_s() -> None:
    found = steering.bounds(((-1.0, 9.0), *WIDE[1:]))
    assert (found.low[0], found.high[0]) == (-1.0, SO101.joint_limits[0][1])
    assert (found.low[5], found.high[5]) == (0.0, 1.0)


def play(arm: Arm, motion: playing.Motion) -> None:
    """As the engine plays it, to its end, and a little longer."""
    model, play, settling = Kinematics(SO101), None, 60

    def tool_at(q: Floats) -> Floats:
        return model.pose(np.array(q))

    for _ in range(5000):
        play = playing.played(play, motion, q=arm.q, gripper=arm.gripper, tool_at=tool_at, speed=0.1, dt=PERIOD)
        assert play is not None
        *joints, grip = playing.target(play, motion)
        pose = tool_at(tuple(joints))
        arm.run(1, lambda _, pose=pose: pose, posture=tuple(joints), gripper_d=grip)  # type: ignore[misc]
        assert arm.steering.hit == -1, arm.steering.hit_text
        settling -= playing.done(play, motion)
        if settling == 0:
            return


def test_the_shipped_rest_pose_is_reached_touching_nothing_and_without_power_nothing_falls() -> None:
    arm, rest = OnTable(), So101Settings().target("rest")
    play(arm, POSES["rest"])
    assert arm.q == pytest.approx(rest.q, abs=math.radians(0.5))
    held, tool = arm.model.figure(arm.q, (0.0,) * 5, arm.gripper).links, arm.pose()
    arm.let_go()
    arm.wait(3.0)
    fallen = arm.model.figure(arm.q, (0.0,) * 5, arm.gripper).links
    assert np.abs(fallen - held).max() < 0.004
    assert math.dist(arm.pose()[:3], tool[:3]) < 0.004


def test_a_named_pose_is_reached_that_is_nearer_to_its_stop_than_the_arm_goes_by_itself() -> None:
    """The folded rest pose, and back."""
    arm = Arm()
    for name in ("rest", "home"):
        play(arm, POSES[name])
        assert arm.q == pytest.approx(POSES[name].steps[-1].q, abs=math.radians(1.0))
    swift = max(max(abs(b - a) for a, b in zip(one[:5], two[:5], strict=True)) for one, two in itertools.pairwise(arm.goals))
    assert swift < 2.0 * playing.GENTLE * PERIOD
