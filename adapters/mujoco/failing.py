"""When co-sawing has failed or succeeded, told from physics alone: forces, blade, kerf and progress. Nothing that decides reads it.

- collision: the handle wrenches the hand, crushes it at the cradle, or the blade is forced against the kerf's wall;
- drop: the saw is lost: nobody has held its far end for a stroke, its blade has left the kerf against the robot's press, or it is tilted;
- miss: it cuts beside the line; timeout: it gets no nearer to the line and no deeper, while it may move.

Each is told when it begins, and again only after it was over.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from adapters.base import Happening
from engine.types import F32, FAILURES

GRIP_FORCE: Final = 70.0  #: N between handle and hand: half of the quasi-static 140 N of ISO/TS 15066, thrice what sawing needs
CRUSH_GAP: Final = 0.10  #: m from handle to cradle: the least gap for a fist (ISO 13854:2017, table 1); sawing keeps 0.18
JAM_FORCE: Final = 30.0  #: N, sideways, of the kerf's wall on the blade: a blade as thin bends; sawing knows 6
FREE_TIME: Final = 2.5  #: s, a stroke, for which nobody holds the far end of a saw that was let go as it moved
OUT: Final = 0.005  #: m over the log's top at which a blade is out of its kerf: teeth and set are shorter
OUT_TIME: Final = 0.2  #: s that it is out while its reference is still in the log: lifted on purpose, the reference leads or follows sooner
KERF_LEAST: Final = 0.002  #: m, a kerf from which a blade can jump; a shallower one does not guide it yet
TILT: Final = 0.15  #: rad, of the blade in its own plane; sawing knows 0.03
SCRATCH: Final = 0.0005  #: m cut there: less is a scratch that the plane takes
STALL_TIME: Final = 3.0  #: s: more than a stroke, and thrice what hard wood takes for the least progress
DEEPER: Final = 0.0004  #: m that counts as progress of the cut; sawing takes 0.8 s for it in the hardest wood
NEARER: Final = 0.005  #: m that counts as progress of the approach
OVER: Final = 0.6  #: share of a collision's bound below which it is over
SUCCESS_DEPTH: Final = 0.010  #: m
SUCCESS_LATERAL: Final = 0.010  #: m, from the line


@dataclass(slots=True)
class Watch:
    """What has to be remembered, in the plant's vector."""

    free: float = 0.0  #: s that the far end has been free, let go as the saw moved
    guided: float = 0.0  #: m, depth of the kerf that the blade is in and could jump from
    out: float = 0.0  #: s that it has been out of it against its reference
    aside: float = 0.0  #: m cut beside the line since it last cut at the line
    cut: float = 0.0  #: m, of all kerfs together
    stalled: float = 0.0  #: s without progress while it might move
    deepest: float = 0.0  #: m, cut at the line at the last progress
    nearest: float = 1e3  #: m, to go at the last progress
    collided: bool = False
    dropped: bool = False
    missed: bool = False
    stuck: bool = False  #: a timeout has been told
    done: bool = False


@dataclass(frozen=True, slots=True)
class Seen:
    """The truth after a tick."""

    may_move: bool  #: not in a stop, not told to hold
    held: bool  #: a hand is on the far handle
    grip: float  #: N, between them
    gap: float  #: m, handle to cradle
    jam: float  #: N, of the kerf's wall
    out: float  #: m, the teeth over the log's top; negative in it
    wanted: float  #: m, the spring's reference over the log's top
    tilt: float  #: rad
    off: float  #: m, the blade from the line
    kerf_off: float  #: m, the kerf it is at from the line; 0 where it is at none
    in_kerf: bool
    depth: float  #: m, of the kerf it is at
    cut: float  #: m, of all kerfs together
    deepest: float  #: m, as ``deepest`` says
    height: float  #: m, over the kerf's bottom or the log
    stuck: bool
    bind: float  #: 0..1


def deepest(kerf_y: Sequence[float], kerf_depth: Sequence[float], line: float) -> float:
    """m, of the deepest kerf within SUCCESS_LATERAL of the line; 0 where there is none."""
    return max((depth for y, depth in zip(kerf_y, kerf_depth, strict=True) if abs(y - line) <= SUCCESS_LATERAL), default=0.0)


def look(watch: Watch, seen: Seen, dt: float) -> list[Happening]:
    """What has begun in a tick of dt; ``watch`` is updated in place."""
    told = [_collision(watch, seen), _drop(watch, seen, dt), _miss(watch, seen), _timeout(watch, seen, dt), _success(watch, seen)]
    return [happening for happening in told if happening is not None]


def _failure(what: str, text: str) -> Happening:
    assert what in FAILURES
    return Happening("failure", what, text)


def _collision(watch: Watch, seen: Seen) -> Happening | None:
    grip, close = seen.grip if seen.held else 0.0, seen.held and seen.gap < CRUSH_GAP
    if watch.collided:
        watch.collided = close or grip > OVER * GRIP_FORCE or seen.jam > OVER * JAM_FORCE
        return None
    watch.collided = close or grip > GRIP_FORCE or seen.jam > JAM_FORCE
    if not watch.collided:
        return None
    if close:
        return _failure("collision", f"the hand is {1000 * seen.gap:.0f} mm from the cradle, needs {1000 * CRUSH_GAP:.0f} mm")
    if grip > GRIP_FORCE:
        return _failure("collision", f"the handle wrenches the hand with {grip:.0f} N, more than {GRIP_FORCE:.0f} N")
    return _failure("collision", f"the blade is forced against the kerf's wall with {seen.jam:.0f} N, more than {JAM_FORCE:.0f} N")


def _drop(watch: Watch, seen: Seen, dt: float) -> Happening | None:
    counts = not seen.held and (watch.free > 0.0 or seen.may_move)  # what a saw that stands loses is no loss; a stop gives nothing back
    watch.free = watch.free + dt if counts else 0.0
    if seen.in_kerf and seen.depth >= KERF_LEAST:
        watch.guided, watch.out = seen.depth, 0.0
    elif watch.guided and seen.out > OUT:
        watch.out += dt
        if seen.wanted > 0.0:
            watch.guided = 0.0
    jumped = watch.guided > 0.0 and watch.out >= OUT_TIME
    lost, tilted = watch.free >= FREE_TIME, abs(seen.tilt) > TILT
    if watch.dropped:
        watch.dropped = not (seen.held and seen.in_kerf) or tilted
        return None
    watch.dropped = jumped or lost or tilted
    if not watch.dropped:
        return None
    if jumped:
        return _failure("drop", f"the blade has jumped out of a kerf of {1000 * watch.guided:.1f} mm")
    if tilted:
        return _failure("drop", f"the blade is tilted by {abs(seen.tilt):.2f} rad, more than {TILT:.2f} rad")
    return _failure("drop", f"nobody has held the far end for {watch.free:.1f} s")


def _miss(watch: Watch, seen: Seen) -> Happening | None:
    grown, watch.cut = max(0.0, seen.cut - watch.cut), seen.cut
    beside = abs(seen.kerf_off) > SUCCESS_LATERAL
    if seen.in_kerf and not beside:
        watch.aside, watch.missed = 0.0, False
    if beside:
        watch.aside += grown
    if watch.missed or watch.aside < SCRATCH:
        return None
    watch.missed = True
    return _failure("miss", f"it cuts {1000 * abs(seen.kerf_off):.0f} mm beside the line")


def _timeout(watch: Watch, seen: Seen, dt: float) -> Happening | None:
    to_go = abs(seen.off) + max(0.0, seen.height)
    if seen.deepest >= watch.deepest + DEEPER or to_go <= watch.nearest - NEARER or watch.nearest >= 1e3:
        watch.stalled, watch.deepest, watch.nearest, watch.stuck = 0.0, seen.deepest, to_go, False
        return None
    watch.deepest = min(watch.deepest, seen.deepest)  # the line has moved away from what was cut
    watch.nearest = max(watch.nearest, to_go)
    watch.stalled += dt if seen.may_move else 0.0
    if watch.stuck or watch.done or watch.stalled < STALL_TIME:
        return None
    watch.stuck = True
    return _failure("timeout", f"no progress for {watch.stalled:.1f} s at {1000 * seen.deepest:.1f} mm, {1000 * to_go:.0f} mm to go")


def _success(watch: Watch, seen: Seen) -> Happening | None:
    if watch.done or seen.stuck or seen.deepest < SUCCESS_DEPTH:
        return None
    watch.done = True
    return Happening("success", "", f"cut {1000 * seen.deepest:.1f} mm deep within {1000 * SUCCESS_LATERAL:.0f} mm of the line")


ORACLE: Final = (
    "depth",
    "off the line",
    "line still to move",
    "bind",
    "grip",
    "crush",
    "jam",
    "free end",
    "out of the kerf",
    "cut aside",
    "stall",
    "worst upset",
)  #: what ``foreseen`` tells


def foreseen(watch: Watch, seen: Seen, line_to_go: float, upset: float) -> F32:
    """(12,) of ORACLE, each a share of what makes a failure (depth: of success), kept within [-1, 1].

    ``line_to_go`` m that the line is still to move; ``upset`` 0..1, the greatest of those under way or still to come within 2 s.
    """
    shares = (
        seen.deepest / SUCCESS_DEPTH,
        abs(seen.off) / (2.0 * SUCCESS_LATERAL),
        line_to_go / (2.0 * SUCCESS_LATERAL),
        seen.bind,
        seen.grip / GRIP_FORCE,
        CRUSH_GAP / max(CRUSH_GAP, seen.gap),
        seen.jam / JAM_FORCE,
        watch.free / FREE_TIME,
        seen.out / OUT,
        watch.aside / SCRATCH,
        watch.stalled / STALL_TIME,
        upset,
    )
    return np.clip(np.array(shares, np.float32), -1.0, 1.0)
