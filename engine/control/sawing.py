"""How stiff the robot is along the stroke while two saw: firm where it pulls, nearly limp where its partner does.

A two-man saw cuts on the pull. The partner pulls towards +x, the robot towards -x, so the direction of the stroke says whose
turn it is. Everything here is pure; the caller keeps the heading and the stiffness from tick to tick.
"""

from engine.types import Zone

#: N/m along the stroke that sawing wants in each zone while the robot pulls
STIFFNESS = {Zone.AIR: 500.0, Zone.SOFT: 500.0, Zone.KNOT: 600.0, Zone.CRACKED: 600.0}
LIMP = 250.0  #: N/m while the partner pulls: what ``RAMP`` can just reach from 500 in half a stroke of 2.6 s
RAMP = 200.0  #: N/m/s, up and down
TURN_SPEED = 0.03  #: m/s the other way that turn the heading; slower motion leaves it, so that a saw at rest does not chatter


def heading(before: int, speed: float) -> int:
    """+1 while the partner pulls, -1 while the robot does, 0 before the first stroke; ``speed`` is the saw's along x, m/s.

    A speed that is no number turns nothing.
    """
    if speed > TURN_SPEED:
        return 1
    if speed < -TURN_SPEED:
        return -1
    return before


def stroke_stiffness(zone: int, heading: int, permitted: float) -> float:
    """N/m wanted along the stroke in a zone on this heading, never above what the score permits; without a saw just that."""
    if zone == Zone.NONE:
        return permitted
    wanted = STIFFNESS[Zone(zone)]
    if heading > 0 and zone != Zone.AIR:
        wanted = min(wanted, LIMP)
    return min(wanted, permitted)


def ramped(present: float, wanted: float, permitted: float, dt: float) -> float:
    """N/m a time dt (s) after ``present``: towards ``wanted`` at ``RAMP``, and under what is permitted at once."""
    step = RAMP * dt
    return min(max(present - step, min(present + step, wanted)), permitted)
