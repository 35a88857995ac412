"""Layer 5, contact: what the hand and arm on the handle may bear, and what must not close on them.

The robot touches the person on purpose in one place, the handle, and this layer answers for the arm that holds it. All else of
the person is kept apart by separation. Nothing here permits a blade to touch anyone, and nothing permits contact with the
skull or the face: their transient multiplier is 0, and so is the speed that follows from it (ISO/TS 15066:2016, A.3.2).

- Quasi-static, the grip: the force between hand and handle stays within the hand's limit (table A.2), and the spring is never
  given more than the weakest region of the arm may bear.
- Transient, the handle running into a hand, a forearm or an upper arm (annex A.3): two masses and a spring between them give
  F = sqrt(mu k) v, hence v <= min(F_lim, p_lim A) / sqrt(mu k), with 1/mu = 1/m_h + 1/m_r and m_r = M/2 + m_L, the robot's moving
  mass and its payload.
- Crush: between handle and cradle a hand keeps ``crush_gap``, the way of stopping taken off. Jogging may open it again, never close it.
"""

import math
from dataclasses import dataclass

from engine.limits import Limits
from engine.safety import capsules
from engine.safety.cell import Cell, Region
from engine.safety.layer import NAN, SCORE_MAX, SCORE_MIN, Layer, age, clip, finite, graded, scale_of, stopping
from engine.safety.limits import CRAWL_SCORE
from engine.types import Inputs, Mode, Reason

HAND = "hand"
ARM = (HAND, "forearm", "upper arm")  #: the regions of the arm on the handle
SLOWING = 0.2  #: share of a permitted force or speed over which slowing happens
CLOSING = 0.03  #: m before ``crush_gap`` over which slowing happens


@dataclass(frozen=True, slots=True)
class Bearable:
    """What the arm on the handle may bear, worked out once from a cell's body table."""

    grip: float  #: N, quasi-static, hand
    force: float  #: N, quasi-static, the weakest region of the arm
    speed: float  #: m/s of the handle, transient, the weakest region of the arm


def robot_mass(cell: Cell) -> float:
    """kg: m_r = M/2 + m_L, ISO/TS 15066:2016, A.3."""
    return 0.5 * cell.moving_mass + cell.payload


def reduced_mass(body: float, robot: float) -> float:
    """kg: mu of two masses that meet."""
    return 1.0 / (1.0 / body + 1.0 / robot)


def quasi_static(region: Region, area: float) -> float:
    """N that a region may be pressed with over ``area`` m^2: its force, or its pressure where that is reached before."""
    return min(region.force, region.pressure * area)


def transient_speed(region: Region, area: float, robot: float) -> float:
    """m/s at which ``robot`` kg may run into a region over ``area`` m^2; 0 where contact is not permitted."""
    permitted = region.transient * quasi_static(region, area)
    return permitted / math.sqrt(reduced_mass(region.mass, robot) * region.stiffness)


def bearable(cell: Cell) -> Bearable | None:
    """None where the cell's table lacks a region of the arm."""
    regions = {region.name: region for region in cell.regions}
    if not all(name in regions for name in ARM):
        return None
    arm = tuple(regions[name] for name in ARM)
    return Bearable(
        grip=quasi_static(regions[HAND], cell.grip_area),
        force=min(quasi_static(region, cell.grip_area) for region in arm),
        speed=min(transient_speed(region, cell.grip_area, robot_mass(cell)) for region in arm),
    )


def handle_speed(inputs: Inputs, ahead: capsules.Point, cell: Cell) -> float:
    """m/s of the person's handle, which lies along the tool's x axis ``ahead``: v + w x r."""
    x, y, z = ahead
    reach = cell.handle_ahead
    vx, vy, vz, wx, wy, wz = inputs.twist
    vx, vy, vz = vx + reach * (wy * z - wz * y), vy + reach * (wz * x - wx * z), vz + reach * (wx * y - wy * x)
    return math.sqrt(vx * vx + vy * vy + vz * vz)


def crush_gap(inputs: Inputs, ahead: capsules.Point, cell: Cell) -> float:
    """m between the handle and the cradle's face; ``ahead`` as for ``handle_speed``."""
    return inputs.pose[0] + cell.handle_ahead * ahead[0] - cell.handle_radius - cell.cradle_front


def _closing_way(speed: float, limits: Limits) -> float:
    """m that the gap still loses if the tool, at ``speed`` m/s away from the person, stops now: v T + v^2 / 2a."""
    closing = -speed if speed < 0.0 else 0.0
    return closing * (limits.reaction_control + 0.5 * closing / limits.braking)


def layer(inputs: Inputs, limits: Limits, cell: Cell, may: Bearable) -> Layer:
    """The worst of grip (margin in N), handle speed (m/s) and crush gap (m)."""
    old = age(inputs.t_ns, inputs.obs_t_ns)
    if not (len(inputs.pose) == 7 and len(inputs.twist) == 6):
        return stopping(Reason.OBSERVATION_NOT_FINITE, NAN, old)
    gripped = len(inputs.grip) == 3 and finite(inputs.grip)
    if not gripped and (inputs.holds or any(value == value for value in inputs.grip)):
        return stopping(Reason.GRIP_NOT_FINITE, NAN, old)
    grip = 0.0
    if gripped:
        x, y, z = inputs.grip
        grip = math.sqrt(x * x + y * y + z * z)
    ahead, _ = capsules.axes(inputs.pose)
    gap = crush_gap(inputs, ahead, cell) - _closing_way(inputs.twist[0], limits) - limits.crush_gap
    found = (
        (Reason.GRIP_FORCE, graded((may.grip - grip) / (SLOWING * may.grip)), may.grip - grip),
        (Reason.CONTACT_SPEED, *_speed(handle_speed(inputs, ahead, cell), may.speed)),
        (Reason.CRUSH, _closing(gap, inputs, limits), gap),
    )
    reason, worst, margin = min(found, key=lambda one: one[1])
    return Layer(
        score=worst,
        scale=min(scale_of(worst), clip(may.speed / limits.speed_max, 0.0, 1.0)),
        force=may.force,
        reason=reason if worst < SCORE_MAX else Reason.OK,
        margin=margin,
        age=old,
    )


def _speed(speed: float, permitted: float) -> tuple[float, float]:
    """(score, margin in m/s) of a handle's speed; nothing is permitted where that is 0."""
    if not permitted > 0.0:
        return SCORE_MIN, -speed
    return graded((permitted - speed) / (SLOWING * permitted)), permitted - speed


def _closing(gap: float, inputs: Inputs, limits: Limits) -> float:
    """Score of a gap beyond the least one, m; an operator may jog it open again, slowly, and stops where it closes further."""
    score = graded(gap / CLOSING)
    opening = inputs.mode != Mode.CUT and inputs.twist[0] >= -limits.rest_speed
    return CRAWL_SCORE if opening and gap == gap and not score >= CRAWL_SCORE else score
