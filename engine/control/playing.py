"""Playing a motion while its key is held: joints and gripper along it, from where the arm is, and no further than the arm follows. Pure.

A motion is joint places, one after another. On the way to each every joint starts and ends at rest with the least jerk for its time
(Flash and Hogan 1985): after the share u of the time it has gone 10 u^3 - 15 u^4 + 6 u^5 of its way. That takes as long as the step asks
for at least; it is slower wherever the tool would be faster than permitted, and waits where the joints lag behind.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final, NamedTuple

from engine.control.motion import LEVER
from engine.control.pose import Floats, error, length
from engine.types import Vec7

PLAY: Final = "play"  #: the axis that plays a motion for as long as it is held
PEAK: Final = 1.875  #: of the mean speed, the greatest on such a way
GENTLE: Final = 1.0  #: rad/s, the greatest speed where no time is asked for; the gripper's whole travel counts as a rad
DRAWN: Final = 0.1  #: rad/s at which a joint may be brought back to the way that it was moved off, however slow that way is
RISE: Final = 0.2  #: s from standing to the way's own speed, where it is held again
LAGS: Final = 0.08  #: rad from a joint to its target, beyond which it is played slower
WAITS: Final = 0.15  #: rad, from which on it waits
CREEPS: Final = 0.1  #: of the way's speed, the least at which it is played before
LATEST: Final = 0.999  #: of a way's time, at which what is left of it may begin anew
ROUNDS: Final = 6  #: tries to find how far it may go in a tick


class Step(NamedTuple):
    """One place of a motion."""

    q: Floats  #: (n,) rad
    gripper: float  #: 0 open .. 1 closed; NaN where there is none
    seconds: float  #: that the way from the step before takes, at least; 0 = as long as is gentle


@dataclass(frozen=True, slots=True)
class Motion:
    """What may be played, by name. ``clearance`` is what the operator has to confirm before; "" for nothing."""

    name: str
    steps: tuple[Step, ...]
    clearance: str = ""


@dataclass(frozen=True, slots=True)
class Play:
    """How far a motion has come."""

    step: int  #: counted from 0; as many as there are steps: it is done
    start: Floats  #: (n + 1,) joints and gripper from which it goes to the step
    seconds: float  #: that the whole way to the step takes at least
    fastest: float  #: rad/s, of any joint
    begun: float = 0.0  #: 0..1 of ``seconds``, at which it left ``start``
    spent: float = 0.0  #: 0..1 of ``seconds``
    rate: float = 1.0  #: 0..1, how fast time passes for it
    held: bool = True  #: its key has been held since ``start``
    behind: int = 0  #: the joint, from 1, for which it waits; 0 = none

    @property
    def share(self) -> float:
        """0..1 of the whole way to the step."""
        return _gone(self.spent)


def done(play: Play, motion: Motion) -> bool:
    """Whether it has come to its end."""
    return play.step >= len(motion.steps)


def let_go(play: Play) -> Play:
    """The key is up: what is left of the way begins anew, from where the arm is when it is held again."""
    return replace(play, held=False, behind=0) if play.held else play


def target(play: Play, motion: Motion) -> Floats:
    """(n + 1,) where joints and gripper shall be now."""
    if done(play, motion):
        return _place(motion.steps[-1])
    first = _gone(play.begun)
    share = (play.share - first) / (1.0 - first)
    return tuple(a + share * (b - a) for a, b in zip(play.start, _place(motion.steps[play.step]), strict=True))


def played(
    play: Play | None,
    motion: Motion,
    *,
    q: Sequence[float],
    gripper: float,
    tool_at: Callable[[Floats], Vec7],
    speed: float,
    dt: float,
) -> Play | None:
    """``dt`` s later. None and a play that was let go begin at joints ``q`` (n,) rad and ``gripper``, 0 open .. 1 closed, as it is told.

    ``tool_at`` gives the tool's pose at joints (n,); ``speed`` m/s is the most that any point of it may do, |v| + LEVER |w|.
    Joints that are not finite, or not as many as the motion's, and a speed that is no positive number: nothing goes on.
    """
    here = (*q, gripper)
    if len(here) != len(motion.steps[0].q) + 1 or not all(map(math.isfinite, here[:-1])):
        return play
    if play is None:
        play = _toward(motion, 0, here)
    elif not (play.held or done(play, motion)):
        begun = min(play.spent, LATEST)
        play = replace(play, start=here, begun=begun, spent=begun, rate=0.0, held=True)
    if done(play, motion) or not (speed > 0.0 and math.isfinite(speed)):
        return play
    lag = [abs(to - now) for to, now in zip(target(play, motion)[:-1], q, strict=True)]
    most = max(lag)
    if most >= WAITS:
        return replace(play, rate=0.0, behind=lag.index(most) + 1)
    rate = min(play.rate + dt / RISE, 1.0, max(CREEPS, (WAITS - most) / (WAITS - LAGS)))
    spent = min(1.0, play.spent + rate * dt / play.seconds) if play.seconds > 0.0 else 1.0
    spent = _permitted(play, motion, spent, tool_at, speed * dt, play.fastest * dt)
    if spent >= 1.0:
        return _toward(motion, play.step + 1, _place(motion.steps[play.step]))
    return replace(play, spent=spent, rate=rate, behind=0)


def _permitted(play: Play, motion: Motion, spent: float, tool_at: Callable[[Floats], Vec7], far: float, wide: float) -> float:
    """``spent``, or what of it leads the tool's fastest point no further than ``far`` m and no joint further than ``wide`` rad."""
    here = target(play, motion)[:-1]
    tool = tool_at(here)
    for _ in range(ROUNDS):
        there = target(replace(play, spent=spent), motion)[:-1]
        apart = error(tool_at(there), tool)
        excess = max((length(apart[:3]) + LEVER * length(apart[3:])) / far, _way(here, there) / wide)
        if excess <= 1.0:
            return spent
        spent = play.spent + (spent - play.spent) / excess
    return spent if math.isfinite(spent) else play.spent


def _toward(motion: Motion, step: int, start: Floats) -> Play:
    """The whole way to a step. Of the first one it is not known how far it is, so it may take longer than it asks for."""
    if step >= len(motion.steps):
        return Play(step, start, 0.0, 0.0)
    asked, end = motion.steps[step].seconds, _place(motion.steps[step])
    gentle = PEAK * _way(start, end) / GENTLE
    seconds = asked if step > 0 and asked > 0.0 else max(asked, gentle)
    way = _way(start[:-1], end[:-1])
    return Play(step, start, seconds, max(DRAWN, PEAK * way / seconds if way > 0.0 else 0.0))


def _gone(spent: float) -> float:
    """0..1 of a way after the share ``spent`` of its time."""
    return spent**3 * (10.0 + spent * (6.0 * spent - 15.0))


def _place(step: Step) -> Floats:
    return (*step.q, step.gripper)


def _way(start: Floats, end: Floats) -> float:
    """rad, of what has farthest to go; what is no number goes nowhere."""
    return max((abs(b - a) for a, b in zip(start, end, strict=True) if math.isfinite(b - a)), default=0.0)
