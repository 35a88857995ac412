"""Layer 4, speed and separation: the tool may be as fast as still lets it stand before the person reaches it.

In form ISO/TS 15066:2016, 5.5.4.2.3. The protective distance for a robot at v_r and a part of the person at v_h is

    S_p = v_h (T_r + T_s) + v_r T_r + S_s + C + Z_d + Z_r,   T_s = v_r / a,   S_s = v_r T_s / 2

with T_r the reaction time, T_s and S_s the time and the way of stopping at the deceleration a, C the intrusion before anything
is seen, Z_d and Z_r what sensor and robot may be wrong by. Solved for v_r it gives the speed that the distance permits.

- The person is what a sensor says, never what a simulator knows. Distances go from surface to surface, from each of PARTS
  to the links and the blade. The arm that holds the handle is left out, whole, while it holds: contact answers for it.
- T_r of a part: the greatest age its position has had within ``reaction_window`` (exposure included, and never less than
  ``reaction_floor``), plus ``reaction_control``. A model's latency does not enter: the position comes from the sensor.
- v_h: head and torso as measured, plus what they may have gained since, at least ``body_speed_min``; ``person_speed`` where
  that is not measured. An arm ``person_speed``, ``hand_speed`` within ``hand_near``. More where more is, or was last, measured.
- The robot's speed is the tool's and what its turning adds at the blade's farthest point; the elbow's own motion is not counted.
- Score: 1 where ISO 10218-1's reduced speed (``speed_unsensed``) or more is permitted, from there straight down to 0.5 at no
  speed, and 0.1, a stop, where none is permitted or the robot has been faster than permitted for as long as a stop may take;
  time in which it was not takes off a quarter of itself.
- No sensor: "not sensed", and the reduced speed holds. A sensor that says nothing, or nothing that can be trusted, stops.
"""

import math
from dataclasses import dataclass

from engine.limits import Limits
from engine.safety import capsules, unconfigured
from engine.safety.cell import Cell
from engine.safety.layer import FUTURE, NAN, Layer, age, clip, finite, graded, stopping
from engine.safety.sighting import Sighting, shaped
from engine.safety.validity import Seen
from engine.types import LINKS, PARTS, Inputs, Reason

BODY = (0, 1)  #: indices into PARTS whose speed is measured: head and torso
FREE = 4  #: the parts before this one always bind; the rest, the handle's arm, while the handle is not held
OVER = 0.05  #: m/s by which the robot may be faster than permitted: noise, and a partner's pull
LEAK = 4  #: times as long must it be slow enough again as it was too fast, until that is forgotten

HANDLE_HAND = 5  #: index into PARTS
ON_HANDLE = 0.2  #: m, from the handle to the sensed end of the hand that holds it: its size, the sensor's error, and the stroke meanwhile
ROOM = 20.0  #: m, farther away nothing of a cell is: a place in another unit

BUCKETS = 8  #: of the reaction window
_NONE = (0.0,) * len(PARTS)


@dataclass(frozen=True, slots=True)
class Ages:
    """The greatest age of each of PARTS over the reaction window, in buckets of time; s."""

    bucket: int = -1  #: number of the open bucket since the clock's start
    open: tuple[float, ...] = _NONE
    closed: tuple[tuple[float, ...], ...] = ()
    past: tuple[float, ...] = _NONE  #: the greatest of the closed ones

    def greatest(self) -> tuple[float, ...]:
        """(6,) s."""
        return tuple(map(max, self.open, self.past))


@dataclass(frozen=True, slots=True)
class Verdict:
    """The layer, and the part of the person that limits most."""

    layer: Layer
    separation: float = NAN  #: m
    needed: float = NAN  #: m, at the speed that the other layers permit, and the turning there is
    part: int = -1  #: index into PARTS
    reaction: float = NAN  #: s, T_r
    fast_ns: int = 0  #: ns for which the robot has been faster than permitted, less a quarter of the time since


@dataclass(frozen=True, slots=True)
class _Part:
    """One part of the person that binds."""

    index: int
    separation: float
    needed: float
    permitted: float
    reaction: float


def needed(speed: float, approach: float, reaction: float, braking: float, allowance: float) -> float:
    """m: S_p of ISO/TS 15066:2016, 5.5.4.2.3, for a robot at ``speed`` and a person at ``approach``, m/s.

    ``reaction`` T_r in s, ``braking`` a in m/s^2, ``allowance`` C + Z_d + Z_r in m.
    """
    stopping_time = speed / braking
    return approach * (reaction + stopping_time) + speed * reaction + 0.5 * speed * stopping_time + allowance


def permitted_speed(separation: float, approach: float, reaction: float, braking: float, allowance: float) -> float:
    """m/s: the speed for which ``needed`` is ``separation``; 0 where there is none, or where a value is NaN.

    v = sqrt(v_h^2 + (a T_r)^2 - 2 a (C + Z_d + Z_r - S)) - a T_r - v_h, with the difference of two near numbers multiplied
    out: sqrt(d) - b = (d - b^2) / (sqrt(d) + b), where b = v_h + a T_r and d - b^2 = 2 a (S - C - Z_d - Z_r - v_h T_r).
    """
    gained = 2.0 * braking * (separation - allowance - approach * reaction)
    if not gained > 0.0:
        return 0.0
    both = approach + braking * reaction
    speed = gained / (math.sqrt(both * both + gained) + both)
    return speed if speed < math.inf else 0.0


def aged(before: Ages, t_ns: int, exposed_ns: tuple[int, ...], limits: Limits) -> Ages:
    """The window with this tick in it. A part never seen has no age yet; more than ``person_age_max`` stops and counts as that."""
    bucket = t_ns // int(limits.reaction_window * 1e9 / BUCKETS)
    now = tuple(clip((t_ns - exposed) / 1e9, 0.0, limits.person_age_max) if exposed > 0 else 0.0 for exposed in exposed_ns)
    if bucket == before.bucket:
        return Ages(bucket, tuple(map(max, before.open, now)), before.closed, before.past)
    closed = (*before.closed, before.open)[-BUCKETS:]
    return Ages(bucket, now, closed, tuple(map(max, *closed)) if len(closed) > 1 else closed[0])


def approach(part: int, measured: float, told: float, old: float, separation: float, limits: Limits) -> float:
    """m/s: v_h of a part whose speed was ``measured`` ``old`` s ago (NaN = it was not), and when last it was, ``told``.

    To lose a measurement never makes a part slower.
    """
    least = limits.person_speed
    if part in BODY:
        if measured >= 0.0:
            least = limits.body_speed_min
    elif not separation >= limits.hand_near:
        least = limits.hand_speed
    grown = told + limits.person_acceleration * (old if old > 0.0 else 0.0)
    return grown if grown > least else least


def assess(inputs: Inputs, before: Seen, sight: Sighting, ages: Ages, wanted: float, fast_ns: int, limits: Limits, cell: Cell) -> Verdict:
    """The verdict on a tick.

    ``sight`` and ``ages`` with this tick in them; ``wanted`` m/s that the other layers permit; ``fast_ns`` the last verdict's.
    """
    if not cell.person_sensor:
        return Verdict(unconfigured.reduced_speed(limits, Reason.NOT_SENSED))
    if not shaped(inputs):
        return Verdict(stopping(Reason.PERSON_NOT_FINITE))
    binding = range(FREE if _holding(inputs, limits, cell) else len(PARTS))
    fault = _fault(inputs, before, sight, binding, limits)
    if fault is not None:
        return fault
    oldest = (inputs.t_ns - min(sight.exposed_ns[: len(binding)])) / 1e9
    x, y, z, a, b, c = inputs.twist
    turning = math.sqrt(a * a + b * b + c * c) * cell.blade_reach
    worst = _worst(inputs, sight, ages.greatest(), binding, wanted + turning, limits, cell)
    margin = worst.separation - worst.needed
    elapsed = max(0, inputs.t_ns - before.t_ns) if before.t_ns > 0 else 0
    most = int(limits.rest_within * 1e9)
    if not math.sqrt(x * x + y * y + z * z) + turning <= worst.permitted + OVER:
        fast_ns = min(fast_ns + elapsed, most + 1)
    else:
        fast_ns = max(fast_ns - elapsed // LEAK, 0)
    if fast_ns > most:
        layer = stopping(Reason.SEPARATION, margin, oldest)
    else:
        score = graded(worst.permitted / limits.speed_unsensed)
        limiting = not (worst.permitted >= wanted + turning and score >= 1.0)
        layer = Layer(
            score=score,
            scale=clip((worst.permitted - turning) / limits.speed_max, 0.0, 1.0),
            reason=Reason.SEPARATION if limiting else Reason.OK,
            margin=margin,
            age=oldest,
        )
    return Verdict(layer, worst.separation, worst.needed, worst.index, worst.reaction, fast_ns)


def _holding(inputs: Inputs, limits: Limits, cell: Cell) -> bool:
    """Whether the hand is on the handle: its grip is felt there, and where the sensor sees that hand now, it sees it near the handle."""
    if not (inputs.holds and len(inputs.pose) == 7):
        return False
    if not age(inputs.t_ns, inputs.person_exposed_ns[HANDLE_HAND]) <= limits.person_age_max:
        return True
    (ax, ay, az), _ = capsules.axes(inputs.pose)
    reach = cell.handle_ahead
    x, y, z = inputs.person_place[6 * HANDLE_HAND + 3 : 6 * HANDLE_HAND + 6]
    dx, dy, dz = x - inputs.pose[0] - reach * ax, y - inputs.pose[1] - reach * ay, z - inputs.pose[2] - reach * az
    return math.sqrt(dx * dx + dy * dy + dz * dz) <= ON_HANDLE


def _fault(inputs: Inputs, before: Seen, sight: Sighting, binding: range, limits: Limits) -> Verdict | None:
    """The stop where what the sensor says cannot be used; None where it can. Margins in s."""
    exposed, latest = inputs.person_exposed_ns, inputs.t_ns + int(FUTURE * 1e9)
    if not (inputs.person_seq > 0 and inputs.person_t_ns > 0):
        return Verdict(stopping(Reason.PERSON_NONE))
    if inputs.person_seq < before.person_seq or not before.person_t_ns <= inputs.person_t_ns <= latest:
        return Verdict(stopping(Reason.PERSON_REORDERED))
    for part, (then, earlier) in enumerate(zip(exposed, before.person_exposed_ns, strict=True)):
        if not earlier <= then <= latest:
            return Verdict(stopping(Reason.PERSON_REORDERED, NAN, age(inputs.t_ns, then)), part=part)
        if then > 0 and not _located(inputs, part):
            return Verdict(stopping(Reason.PERSON_NOT_FINITE, NAN, age(inputs.t_ns, then)), part=part)
    shaped = len(inputs.links) == 3 * len(LINKS) and len(inputs.pose) == 7 and len(inputs.twist) == 6
    if not (shaped and finite(inputs.links)):
        return Verdict(stopping(Reason.OBSERVATION_NOT_FINITE, NAN, age(inputs.t_ns, inputs.obs_t_ns)))
    for part in binding:
        if exposed[part] > 0 and sight.exposed_ns[part] == 0:
            return Verdict(stopping(Reason.PERSON_JUMPED, NAN, age(inputs.t_ns, exposed[part])), part=part)
        old = age(inputs.t_ns, sight.exposed_ns[part])
        if not old <= limits.person_age_max:
            unseen = exposed[part] == 0
            return Verdict(stopping(Reason.PERSON_NONE if unseen else Reason.PERSON_STALE, limits.person_age_max - old, old), part=part)
    return None


def _located(inputs: Inputs, part: int) -> bool:
    """Whether a part has a place, and a speed or none."""
    speed = inputs.person_speed[part]
    return all(-ROOM < value < ROOM for value in inputs.person_place[6 * part : 6 * part + 6]) and (speed != speed or 0.0 <= speed < 1e6)


def _worst(inputs: Inputs, sight: Sighting, ages: tuple[float, ...], binding: range, wanted: float, limits: Limits, cell: Cell) -> _Part:
    """The part that permits least speed; among equals the one that lacks most distance."""
    shapes = capsules.robot(inputs, cell)
    allowance = limits.intrusion + limits.person_error + limits.robot_error
    found: _Part | None = None
    for part in binding:
        axis = capsules.segment(*inputs.person_place[6 * part : 6 * part + 6])
        gap = capsules.clearance(axis, shapes) - cell.part_radii[part]
        old = (inputs.t_ns - sight.exposed_ns[part]) / 1e9
        reaction = max(limits.reaction_floor, ages[part], old) + limits.reaction_control
        v_h = approach(part, inputs.person_speed[part], sight.speed[part], old, gap, limits)
        this = _Part(
            part,
            gap,
            needed(wanted, v_h, reaction, limits.braking, allowance),
            permitted_speed(gap, v_h, reaction, limits.braking, allowance),
            reaction,
        )
        if found is None or _limits_more(this, found):
            found = this
    assert found is not None
    return found


def _limits_more(one: _Part, other: _Part) -> bool:
    if one.permitted != other.permitted:
        return one.permitted < other.permitted
    return not one.separation - one.needed >= other.separation - other.needed
