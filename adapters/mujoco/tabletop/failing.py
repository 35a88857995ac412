"""When work at the table has failed, told by physics alone: contact forces, where the cube is, and the task's own progress."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from adapters.base import Happening
from adapters.mujoco.tabletop.arm import Arm
from adapters.mujoco.tabletop.disturbances import Course, Kind
from adapters.mujoco.tabletop.effects import Stranger
from adapters.mujoco.tabletop.tasks import AT_REST, IN_ZONE, LYING, WITHIN, lies_in_zone
from adapters.mujoco.tabletop.truth import SLACK, Truth, about, resting, target
from engine.control.pose import Floats
from engine.types import F32, FAILURES

#: N, by arm: contact of hand or what it holds with table or obstacle. An undisturbed run stays below half of it
HIT: Final = {"franka": 25.0, "so100": 13.0, "so101": 13.0}
HIT_WITHIN: Final = 0.1  #: s, of the low-pass that it is measured through: fingers closing on a cube rap it on the table for a tick
TOUCH: Final = 0.05  #: N, of a finger that is on the cube: a tenth of the cube's weight
CARRIED: Final = 0.010  #: m, height from which a held cube has been taken up and can be dropped
SET_DOWN: Final = 0.030  #: m, height from which it may be let go over the zone: it then stays there
LOST: Final = 0.04  #: s without two fingers on it until it is lost: contacts may flicker for a tick or two
SHUT: Final = 0.10  #: of the fingers' way, beyond ``SLACK``, that is less than any cube between them leaves
SHUT_FOR: Final = 0.10  #: s
AFTER: Final = 1.0  #: s from a drop, in which fingers that shut, or rest, tell nothing new
BESIDE: Final = 0.08  #: m, from the place to reach; farther off it has not arrived anywhere
ARRIVED: Final = 0.006  #: m, from where the tool is told to be: it is not held back
RESTING: Final = 0.012  #: m/s, of a tool that has come to rest
RESTS_FOR: Final = 0.8  #: s: a policy that corrects itself does so within one or two inferences
STEP: Final = 0.005  #: m, least progress that counts
STALLED: Final = 3.0  #: s without progress; undisturbed work never needs more than half of it


@dataclass(slots=True)
class Signs:
    """What must be remembered from tick to tick."""

    squeeze: float = 0.0  #: N, of both fingers on the cube
    hit: float = 0.0  #: N, of the strongest contact that may be a collision
    carried: bool = False  #: the cube was held over the table
    off: float = 0.0  #: s since fewer than two fingers are on it
    fell_from: float = 0.0  #: m, its height when that began
    shut: float = 0.0  #: s that the fingers have been shut on nothing, or on something else
    rests: float = 0.0  #: s that the tool has been at rest beside its goal
    mark: float = math.inf  #: m, work that was left when progress was last seen, or when cube or zone were last moved
    stalled: float = 0.0  #: s since then
    over: bool = False  #: the task is done, and nothing more can fail
    told: list[float] = field(default_factory=lambda: [0.0] * len(FAILURES))  #: 1 for each failure that has been told


@dataclass(frozen=True, slots=True)
class Effort:
    """What the robot is about."""

    may_move: bool  #: it is commanded, and neither held nor stopped
    aim: Floats  #: (3,) m, where its tool is told to be
    speed: float  #: m/s, of the tool
    zone_moves: bool  #: somebody moves the zone


def watch(
    signs: Signs, arm: Arm, task: str, truth: Truth, touches: Sequence[float], effort: Effort, kept: bool, done: bool, dt: float
) -> list[Happening]:
    """dt has passed and things stand like this; ``touches`` (len(TOUCHES),) N. Returns what has come to pass, a failure when it begins
    and each but once; a task that is done cannot fail, and one whose end only has to last (``kept``) does not stall."""
    if signs.over:
        return []
    if done:
        signs.over = True
        return [Happening("success", "", f"{task}: done")]
    drop, beside = _lost(signs, arm, task, truth, touches, dt)
    shut = "" if task == "reach" else _shut(signs, arm, truth, touches, dt)
    miss = beside or shut or _rests(signs, arm, task, truth, effort, dt)
    found = _collision(signs, arm, touches, effort, dt), drop, miss, _stall(signs, arm, task, truth, effort, kept, dt)
    told = []
    for i, text in enumerate(found):
        if text and not signs.told[i]:
            signs.told[i] = 1.0
            told.append(Happening("failure", FAILURES[i], text))
    return told


def _collision(signs: Signs, arm: Arm, touches: Sequence[float], effort: Effort, dt: float) -> str:
    """The cube counts as long as a finger is on it: alone, it may fall as hard as it likes. What is put against a hand that holds still
    does not."""
    one, other, table, post, decoy, cube_table, cube_post, *_ = touches
    of_cube = max(cube_table, cube_post) if max(one, other) > TOUCH else 0.0
    strongest = max(table, post, decoy, of_cube) if effort.may_move else 0.0
    signs.hit += (strongest - signs.hit) * min(1.0, dt / HIT_WITHIN)
    if signs.hit <= HIT[arm.name]:
        return ""
    against = "the post" if strongest in (post, cube_post) else "another block" if strongest == decoy else "the table"
    return f"{signs.hit:.0f} N against {against}"


def _lost(signs: Signs, arm: Arm, task: str, truth: Truth, touches: Sequence[float], dt: float) -> tuple[str, str]:
    """A carried cube that is held no more was dropped, or else set down beside where it belongs, or neither."""
    one, other, *_ = touches
    signs.squeeze = one + other
    height = truth.cube[2] - resting(arm)
    if min(one, other) > TOUCH:
        signs.carried = signs.carried or height > CARRIED
        signs.off = 0.0
        return "", ""
    if signs.off == 0.0:
        signs.fell_from = height
    signs.off += dt
    if not signs.carried or signs.off < LOST - 1e-9:
        return "", ""
    signs.carried = False
    away = math.dist(truth.cube[:2], truth.zone) if task == "pickplace" else math.inf
    if away <= IN_ZONE and signs.fell_from < SET_DOWN:
        return "", ""
    if signs.fell_from < LYING and truth.closed < arm.holding:
        return "", f"the cube was set down {away * 1e3:.0f} mm from the zone's middle" if task == "pickplace" else ""
    signs.shut = signs.rests = -AFTER
    return f"the cube was lost {max(0.0, signs.fell_from) * 1e3:.0f} mm over the table", ""


def _shut(signs: Signs, arm: Arm, truth: Truth, touches: Sequence[float], dt: float) -> str:
    *_, one, other = touches
    nothing, another = truth.closed > arm.holding + SLACK + SHUT, min(one, other) > TOUCH
    signs.shut = signs.shut + dt if signs.shut < 0.0 or nothing or another else 0.0
    if signs.shut < SHUT_FOR - 1e-9:
        return ""
    away = math.dist(truth.tool[:3], truth.cube)
    return "the fingers closed on another block" if another else f"the fingers closed {away * 1e3:.0f} mm from the cube"


def _rests(signs: Signs, arm: Arm, task: str, truth: Truth, effort: Effort, dt: float) -> str:
    """Beside the place to reach, or beside the cube where that is to be taken."""
    goal = target(arm, truth) if task == "reach" else about(arm, truth.cube, truth.closed)
    wanted = task != "pickplace" or not lies_in_zone(arm, truth)
    away = math.dist(truth.tool[:3], goal)
    at_rest = effort.may_move and effort.speed < RESTING and math.dist(truth.tool[:3], effort.aim) < ARRIVED
    beside = WITHIN < away < BESIDE and wanted and signs.squeeze <= 2.0 * TOUCH
    signs.rests = signs.rests + dt if signs.rests < 0.0 or (at_rest and beside) else 0.0
    return f"the tool came to rest {away * 1e3:.0f} mm beside its goal" if signs.rests >= RESTS_FOR - 1e-9 else ""


def _stall(signs: Signs, arm: Arm, task: str, truth: Truth, effort: Effort, kept: bool, dt: float) -> str:
    left = to_do(signs, arm, task, truth)
    moved = effort.zone_moves or (signs.squeeze == 0.0 and truth.speed > AT_REST)
    if kept or moved or left < signs.mark - STEP:
        signs.mark, signs.stalled = left, 0.0
    elif effort.may_move:
        signs.stalled += dt
    if signs.stalled < STALLED - 1e-9:
        return ""
    return f"no progress for {STALLED:.1f} s with {left * 1e3:.0f} mm left to do"


def to_do(signs: Signs, arm: Arm, task: str, truth: Truth) -> float:
    """m, how far the tool and the cube have yet to go: the task's measure of progress."""
    if task == "reach":
        return math.dist(truth.tool[:3], target(arm, truth))
    fetch = 0.0 if signs.squeeze > 2.0 * TOUCH else math.dist(truth.tool[:3], truth.cube)
    if task == "lift":
        return fetch + max(0.0, arm.lift - truth.cube[2] + resting(arm))
    return fetch + math.dist(truth.cube[:2], truth.zone)


#: what ``oracle`` tells, in its order
ORACLE: Final = (
    "work left",
    "tool to cube",
    "held",
    "cube slips",
    "oil",
    "weight",
    "post is away",
    "decoy is away",
    "joints bind",
    "sight lost",
    "late",
    "stalled",
)


def oracle(signs: Signs, course: Course, arm: Arm, task: str, truth: Truth, slip: float, strangers: Sequence[Stranger], time: float) -> F32:
    """(12,) as ORACLE names them, each within [-1, 1]; ``slip`` m/s of the cube on the fingers that hold it, or else on the table;
    ``strangers`` are decoy and post."""

    def much(kind: Kind) -> float:
        strength, one = course.strongest(kind, time)
        return strength * one.size

    decoy, post = strangers
    oil, one = course.strongest(Kind.SLICK, time)
    told = (
        to_do(signs, arm, task, truth) / 0.3,
        math.dist(truth.tool[:3], truth.cube) / 0.3,
        float(signs.squeeze > 2.0 * TOUCH),
        slip / 0.05,
        oil / (1.0 + one.size),
        much(Kind.HEAVY) / 6.0,
        1.0 if post.absent else math.dist(truth.tool[:2], (post.x, post.y)) / 0.3,
        1.0 if decoy.absent else math.dist(truth.tool[:2], (decoy.x, decoy.y)) / 0.3,
        much(Kind.HINDERED),
        max(much(Kind.OCCLUDED), much(Kind.DIMMED)),
        much(Kind.DELAYED) / 0.4,
        signs.stalled / STALLED,
    )
    return np.clip(np.array(told, np.float32), -1.0, 1.0)
