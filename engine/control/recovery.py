"""Freeing a saw that the wood holds: lighten the press, pull back a little, hand back to the policy. Pure; offered, never forced."""

from dataclasses import dataclass, replace

from engine.control.pose import Floats

LIGHTEN, REVERSE, RESUME = "lighten", "reverse", "resume"

LIGHT = 0.004  #: m above where the blade stuck: the spring then lifts with 2 N or so, against the saw's own bite
LIGHTEN_TIME = 0.5  #: s
BACK = 0.04  #: m, towards the robot
BACK_SPEED = 0.04  #: m/s
RESUME_TIME = 0.3  #: s that a freed blade is kept light, so that the kerf opens further before the policy presses again
GIVE_UP = 4.0  #: s


@dataclass(frozen=True, slots=True)
class Recovery:
    """How far it has come."""

    start: Floats  #: (7,) where the blade stuck, lightened
    step: str = LIGHTEN
    since: float = 0.0  #: s in this step
    total: float = 0.0  #: s
    back: float = 0.0  #: m, from ``start``

    @property
    def target(self) -> Floats:
        """(7,) where the reference is to go."""
        return (self.start[0] - self.back, *self.start[1:])


def begun(measured: Floats, reference: Floats) -> Recovery:
    """From the measured pose (7,), along the stroke and in height; across and in attitude the reference's."""
    return Recovery((measured[0], reference[1], measured[2] + LIGHT, *reference[3:]))


def followed(recovery: Recovery, *, going: bool, stuck: bool, dt: float) -> Recovery | None:
    """After dt: None once it is over, given up, or the robot may not go on; freed, it resumes from where it is."""
    if not going or recovery.total >= GIVE_UP:
        return None
    since, total = recovery.since + dt, recovery.total + dt
    if recovery.step != RESUME and not stuck:
        return replace(recovery, step=RESUME, since=0.0, total=total)
    if recovery.step == RESUME:
        return replace(recovery, since=since, total=total) if since < RESUME_TIME else None
    if recovery.step == LIGHTEN and since < LIGHTEN_TIME:
        return replace(recovery, since=since, total=total)
    if recovery.step == LIGHTEN:
        return replace(recovery, step=REVERSE, since=0.0, total=total)
    return replace(recovery, since=since, total=total, back=min(BACK, recovery.back + BACK_SPEED * dt))
