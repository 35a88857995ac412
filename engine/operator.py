"""What the operator has asked for: intents in, grants and requests out. A grant runs out by itself; nothing queues.

A hold-to-run key grants motion or force for a bounded time:

- HOLD (the terminal reports releases): until the release.
- REPEAT (only auto-repeat is seen): the first press is one short pulse; from the second repeat on the deadman is
  max(120 ms, 3 x the repeat interval measured at arming).
- STEP: every press is one short pulse; of a jog key, one step of the distance chosen.

What goes on for as long as a key is held ends ``PROOF`` seconds after the moment for which it was last proven that the
operator's end is there, whatever has arrived since: repeats and proofs may have been under way for long, and a release still is.
"""

import math
from dataclasses import dataclass, field

from engine.chosen import REPEATS_WITHIN, Chosen
from engine.control.jog import GRIP, axes_of
from engine.control.playing import PLAY
from engine.limits import Limits
from engine.messages import (
    AdjustForce,
    Arm,
    ChooseMotion,
    ClearStop,
    Confirm,
    Disarm,
    Go,
    Hold,
    Intent,
    KeyMode,
    KeyTiming,
    LowerKeys,
    MoveLine,
    Pause,
    Recover,
    SetJog,
    SetMode,
)
from engine.types import Mode, OperatorState

PROOF = 0.3  #: s, how long a held key counts after the moment for which the operator's end is proven
PULSE = 0.12  #: s, one press without repeats
DEADMAN_MIN = 0.12  #: s
FORCE_STEP = 5.0  #: N, U and M
FORCE_DEFAULT = 15.0  #: N
PRESS_RAMP = 1.0  #: N a tick while F is held
LINE_Y = (-0.40, 0.40)  #: m
LOG_TOP_Z = (0.45, 0.70)  #: m
JOG_STEPS = (0.001, 0.005, 0.02)  #: m
JOG_SPEEDS = (0.02, 0.05, 0.10)  #: m/s
KEY_MODES: tuple[KeyMode, ...] = ("STEP", "REPEAT", "HOLD")  #: each trusts the keyboard with more than the one before
HAND_AXES = ("pull", "push", "press")
RUN = "run"  #: held to let the robot go by itself, where the limits ask for that
NO_SAW = "This robot has no saw."
NO_GRIPPER = "This robot has no gripper."
_RELEASE = 2**63 - 1  #: ns, no time but the key's release ends it


@dataclass
class _Grant:
    until_ns: int
    repeats: int = 0
    held: bool = False  #: it goes on for as long as the key is held, which must be proven


@dataclass
class Operator:
    """The engine's one view of the operator. Used by the control thread only."""

    limits: Limits
    robot: str
    joints: int = 7
    line_y: float = 0.0  #: m
    log_top_z: float = 0.55  #: m
    arm_requests: int = 0
    disarm_requests: int = 0
    go_requests: int = 0
    pause_requests: int = 0
    clear_requests: int = 0
    clear_number: int = 0
    recover_requests: int = 0
    recovering: str = ""  #: the step of freeing a stuck saw that is under way
    mode: Mode = Mode.CUT
    measured: KeyMode = "REPEAT"  #: what the keyboard was found to do
    trusted: KeyMode = "HOLD"  #: with what the operator trusts it at most
    repeat_interval: float = 0.04  #: s
    force_set: float = FORCE_DEFAULT  #: N
    press: float = 0.0  #: N
    jog_step: float = JOG_STEPS[1]
    jog_speed: float = JOG_SPEEDS[1]
    chosen: Chosen = field(default_factory=Chosen)  #: of the robot's motions
    pushed: bool = False  #: keys pull and push it, though it has no saw
    refused: str = ""
    _grants: dict[str, _Grant] = field(default_factory=dict)
    _repeats_ns: int = 0  #: until when a repeat of the go key goes on
    _last_seq: int = -1
    _proven_ns: int = 0

    def apply(
        self,
        intent: Intent,
        now_ns: int,
        *,
        at_rest: bool,
        in_kerf: bool,
        armed: bool,
        going: bool = False,
        stuck: bool = False,
        saw: bool = True,
        gripper: bool = False,
    ) -> None:
        """Take one intent, stamped ``now_ns`` on receipt. What is refused leaves a sentence in ``refused``.

        ``saw`` and ``gripper``: what the robot has.
        """
        if not isinstance(intent, Hold):
            self.refused = ""
        match intent:
            case AdjustForce() if not (saw or self.pushed):
                self.refused = NO_SAW
            case MoveLine() | Recover() if not saw:
                self.refused = NO_SAW
            case Arm(robot=robot):
                if robot == self.robot:
                    self.arm_requests += 1
                else:
                    self.refused = f"This engine drives {self.robot}, not {robot}."
            case Disarm():
                self.disarm_requests += 1
            case Go():
                self.go_requests += 1
            case Pause():
                self.pause_requests += 1
            case ClearStop(number=number):
                self.clear_requests += 1
                self.clear_number = number
            case Hold():
                self._hold(intent, now_ns, armed=armed, saw=saw, gripper=gripper)
            case AdjustForce(delta=delta):
                self._adjust_force(delta)
            case MoveLine(dy=dy, dz=dz):
                self._move_line(dy, dz, in_kerf=in_kerf)
            case SetMode(mode=mode):
                if mode not in tuple(Mode):
                    self.refused = "There is no such mode."
                elif mode == Mode.MOTION and self.chosen.motion is None:
                    self.refused = "This robot has no motions."
                elif at_rest and not self._grants:
                    self.mode = Mode(mode)
                    self.chosen.reset()
                else:
                    self.refused = "The mode changes only at rest."
            case Recover():
                self._recover(going=armed and going, stuck=stuck)
            case SetJog(step=step, speed=speed):
                self.jog_step = _within(step, JOG_STEPS, self.jog_step)
                self.jog_speed = _within(speed, JOG_SPEEDS, self.jog_speed)
            case ChooseMotion(step=step):
                self._grants.pop(PLAY, None)
                self.chosen.choose(step)
            case Confirm(motion=motion):
                self.refused = self.chosen.confirm(motion, now_ns, ready=self._unready(armed=armed, at_rest=at_rest))
            case KeyTiming(key_mode=key_mode, repeat_interval=interval):
                self.measured = key_mode
                if math.isfinite(interval) and interval > 0:
                    self.repeat_interval = min(interval, 0.25)
            case LowerKeys(key_mode=key_mode):
                self._lower_keys(key_mode)

    @property
    def key_mode(self) -> KeyMode:
        """The mode in force: as measured, or lower."""
        return min(self.measured, self.trusted, key=KEY_MODES.index)

    @property
    def deadman(self) -> float:
        """s from the last repeat of a held key to the end of what it grants."""
        return max(DEADMAN_MIN, 3 * self.repeat_interval)

    def _hold(self, hold: Hold, now_ns: int, *, armed: bool, saw: bool, gripper: bool) -> None:
        if hold.seq <= self._last_seq:
            return
        self._last_seq = hold.seq
        if not hold.down:
            self._grants.pop(hold.axis, None)
            if hold.axis == PLAY:
                self.chosen.released()
            elif hold.axis == RUN:
                self._repeats_ns = 0
            return
        if hold.axis in HAND_AXES and not (saw or (self.pushed and hold.axis != "press")):
            self.refused = NO_SAW
            return
        if hold.axis in GRIP and not gripper:
            self.refused = NO_GRIPPER
            return
        if hold.axis == RUN:
            self.refused = ""
            if not (armed and self.mode is Mode.CUT):
                self.refused = "Arm first: it goes only then." if not armed else "Only CUT goes by itself: Tab changes the mode."
                self._grants.pop(RUN, None)
                self._repeats_ns = 0
                return
            if hold.repeat and not (RUN in self._grants or now_ns <= self._repeats_ns):
                self.refused = "Let G go and press it anew: a key that was held before begins nothing."
                return
            self._repeats_ns = now_ns + round(1e9 * REPEATS_WITHIN)
            self.go_requests += RUN not in self._grants
        elif hold.axis not in HAND_AXES:
            self.refused = ""
            if not armed:
                self.refused = "Arm before jogging."
                return
            if self.mode is Mode.CUT:
                self.refused = "Tab changes to a jog mode first."
                return
            if hold.axis not in axes_of(self.mode, self.joints, gripper):
                self.refused = "That axis is not jogged in this mode."
                return
            if hold.axis == PLAY:
                self.refused = self.chosen.press(now_ns, repeat=hold.repeat, granted=PLAY in self._grants)
                if self.refused:
                    return
            if self.mode is Mode.JOG_JOINT and hold.axis not in GRIP:
                self._let_go_of_other_joints(hold.axis)
        grant = self._grants.setdefault(hold.axis, _Grant(now_ns))
        if hold.repeat:
            grant.repeats += 1
        grant.held = self.key_mode == "HOLD" or (self.key_mode == "REPEAT" and hold.repeat)
        if self.key_mode == "HOLD":
            grant.until_ns = _RELEASE
        elif self.key_mode == "REPEAT" and grant.repeats >= 2:
            grant.until_ns = now_ns + round(1e9 * self.deadman)
        else:
            step = PULSE if hold.axis in (*HAND_AXES, RUN) else self.jog_step / self.jog_speed
            grant.until_ns = now_ns + round(1e9 * step)

    def _unready(self, *, armed: bool, at_rest: bool) -> str:
        """Why nothing can be confirmed now; "" if it can."""
        if self.mode is not Mode.MOTION:
            return "Tab changes to MOTION first."
        if not armed:
            return "Arm first: a clearance is confirmed just before the motion."
        return "" if at_rest and PLAY not in self._grants else "A clearance is confirmed only at rest."

    def _let_go_of_other_joints(self, axis: str) -> None:
        """One joint moves at a time: the newest."""
        for other in self.jog_axes:
            if other not in (axis, *GRIP):
                del self._grants[other]

    def _lower_keys(self, wanted: KeyMode) -> None:
        before, self.trusted = self.key_mode, wanted
        if self.key_mode != before:
            self.revoke()  # what was granted was granted on other terms
        elif self.key_mode != wanted:
            self.refused = f"The keyboard was measured to do {self.measured}, and is trusted with no more."

    def _end_ns(self, grant: _Grant) -> int:
        """When a grant ends if nothing more is heard."""
        return min(grant.until_ns, self._proven_ns + round(1e9 * PROOF)) if grant.held else grant.until_ns

    def _adjust_force(self, delta: float) -> None:
        if delta == 0 or not math.isfinite(delta):
            self.force_set = FORCE_DEFAULT
        else:
            self.force_set = min(max(self.force_set + delta, 0.0), self.limits.hand_force_max)

    def _move_line(self, dy: float, dz: float, *, in_kerf: bool) -> None:
        if in_kerf:
            self.refused = "The blade is in the kerf: the cut line is locked."
        elif math.isfinite(dy) and math.isfinite(dz):
            self.line_y = round(min(max(self.line_y + dy, LINE_Y[0]), LINE_Y[1]), 4)
            self.log_top_z = round(min(max(self.log_top_z + dz, LOG_TOP_Z[0]), LOG_TOP_Z[1]), 4)

    def _recover(self, *, going: bool, stuck: bool) -> None:
        if not stuck:
            self.refused = "The saw is not stuck: there is nothing to free."
        elif not going:
            self.refused = "Freeing the saw moves the robot: arm it and let it go first."
        elif self.recovering:
            self.refused = "The saw is being freed already."
        else:
            self.recover_requests += 1

    def released(self) -> None:
        """The console is gone: nothing it granted goes on, and the next one counts its keys anew and has a keyboard of its own."""
        self.revoke()
        self.trusted = "HOLD"
        self._last_seq = -1

    def revoke(self) -> None:
        """End every grant now: a stop, a lost console, a change of control."""
        self._grants.clear()
        self.chosen.reset()
        self.press = 0.0

    def tick(self, now_ns: int, proven_ns: int) -> None:
        """Let grants run out and the press force follow its key; once a control tick. At ``proven_ns`` the operator's end was there."""
        self._proven_ns = proven_ns
        for axis in [axis for axis, grant in self._grants.items() if self._end_ns(grant) <= now_ns]:
            del self._grants[axis]
        if PLAY not in self._grants:
            self.chosen.stand()
        pressing = "press" in self._grants
        self.press = min(self.press + PRESS_RAMP, self.limits.hand_force_max) if pressing else 0.0

    @property
    def hand_force(self) -> float:
        """N along x on the partner's handle: + pulls away from the robot."""
        return self.force_set * (("pull" in self._grants) - ("push" in self._grants))

    @property
    def jog_axes(self) -> tuple[str, ...]:
        """The jog axes granted now."""
        return tuple(axis for axis in self._grants if axis not in (*HAND_AXES, RUN))

    @property
    def running(self) -> bool:
        """Whether the go key is held."""
        return RUN in self._grants

    def state(self, now_ns: int) -> OperatorState:
        end_ns = max(map(self._end_ns, self._grants.values()), default=now_ns)
        return OperatorState(
            mode=self.mode,
            key_mode=self.key_mode,
            grant_left=max(0.0, (end_ns - now_ns) / 1e9),
            grant_axis="+".join(self._grants),
            hand_force_set=self.force_set,
            hand_force=self.hand_force,
            hand_press=self.press,
            cut_line_y=self.line_y,
            log_top_z=self.log_top_z,
            jog_step=self.jog_step,
            jog_speed=self.jog_speed,
            recovering=self.recovering,
            refused=self.refused,
            **self.chosen.state(now_ns),
        )


def _within(value: float | None, choices: tuple[float, ...], otherwise: float) -> float:
    """``value`` no smaller and no larger than the choices; ``otherwise`` where it is missing or no number."""
    if value is None or not math.isfinite(value):
        return otherwise
    return min(max(value, choices[0]), choices[-1])
