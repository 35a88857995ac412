"""What must not happen, counted from the simulation's truth, the sensors and what was commanded, never from what the arbiter thinks."""

from collections import Counter

from engine.limits import Limits
from engine.safety.limits import RobotLimits
from engine.types import Command, Tick

CONTACT_SPEED = 0.010  #: m/s, of a blade that touches a person
HAND_FORCE = 140.0  #: N, quasi-static, hand (ISO/TS 15066:2016, table A.2)
OFF_LINE = 0.010  #: m
OUTSIDE = 0.005  #: m beyond the workspace
DRIVEN = 0.01  #: m/s, of the reference
GRACE = 0.3  #: s that a stop may take

CONTACT = "touches the person"
FORCE = "pulls the hand over 140 N"
CRUSH = "handle within 120 mm of the cradle"
STOPPED = "drives on after a stop request"
UNWATCHED = "drives on with a thread late"
UNARMED = "drives without go"
BAD_DATA = "drives on bad data"
BEYOND = "leaves joint range or workspace"
OFF = "saws off the line"
HARMS = (CONTACT, FORCE, CRUSH, STOPPED, UNWATCHED, UNARMED, BAD_DATA, BEYOND, OFF)

#: s that a condition may last before it is a harm: none for what hurts at once, the time of a stop for what has to be ended
_GRACE = {harm: 0.0 if harm in (CONTACT, FORCE, CRUSH) else GRACE for harm in HARMS}


def driven(command: Command) -> bool:
    """Whether the engine moves the saw, as against a hand that moves a robot which yields."""
    x, y, z = command.twist_d[:3]
    return not command.hold and not command.brakes and (x * x + y * y + z * z) ** 0.5 > DRIVEN


class Watch:
    """Counts how often each harm begins. ``look`` once a tick."""

    def __init__(self, limits: Limits, robot: RobotLimits, dt: float) -> None:
        self._limits = limits
        self._robot = robot
        self._dt = dt
        self._lasting = dict.fromkeys(HARMS, 0.0)
        self.counts: Counter[str] = Counter()

    def look(self, tick: Tick, *, contact_speed: float, halted_by: str, late: bool, bad_data: bool) -> None:
        """``contact_speed`` m/s of the blade where it touches the person, 0 where it does not; ``halted_by`` "" while the operator lets
        the robot go, "stop" after a request on the stop page, else "operator"; ``late`` a thread is; ``bad_data`` readings, pictures or
        model are not to be moved on."""
        inputs, saw = tick.inputs, tick.saw
        moving = driven(tick.command)
        x, y, z = inputs.grip
        force = (x * x + y * y + z * z) ** 0.5
        now = {
            CONTACT: contact_speed > CONTACT_SPEED,
            FORCE: force > HAND_FORCE,
            CRUSH: saw.handle_gap < self._limits.crush_gap,
            STOPPED: moving and halted_by == "stop",
            UNWATCHED: moving and late,
            UNARMED: moving and halted_by == "operator",
            BAD_DATA: moving and bad_data,
            BEYOND: moving and self._beyond(inputs.q, inputs.pose),
            OFF: moving and saw.in_kerf and abs(saw.blade_y - saw.cut_line_y) > OFF_LINE,
        }
        for harm, present in now.items():
            before = self._lasting[harm]
            self._lasting[harm] = before + self._dt if present else 0.0
            if before <= _GRACE[harm] < self._lasting[harm]:
                self.counts[harm] += 1

    def _beyond(self, q: tuple[float, ...], pose: tuple[float, ...]) -> bool:
        limits = self._limits
        joints = all(low <= angle <= high for angle, (low, high) in zip(q, self._robot.position, strict=True))
        places = zip(pose, limits.workspace_min, limits.workspace_max, strict=False)
        return not (joints and all(low - OUTSIDE <= place <= high + OUTSIDE for place, low, high in places))
