"""What the operator has asked for: intents in, grants and requests out. A grant runs out by itself; nothing queues.

A hold-to-run key grants motion or force for a bounded time after each byte that proves it is still held:

- HOLD (the terminal reports releases): until the release, or ``PROOF`` seconds after the last byte from the terminal.
- REPEAT (only auto-repeat is seen): the first press is one short pulse; from the second repeat on the deadman is
  max(120 ms, 3 x the repeat interval measured at arming).
- STEP: every press is one short pulse; of a jog key, one step of the distance chosen.
"""

import math
from dataclasses import dataclass, field

from engine.limits import Limits
from engine.messages import (
    AdjustForce,
    Alive,
    Arm,
    ClearStop,
    Disarm,
    Go,
    Hold,
    Intent,
    KeyTiming,
    MoveLine,
    Pause,
    Recover,
    SetJog,
    SetMode,
)
from engine.types import Mode, OperatorState

PROOF = 0.5  #: s, how long a held key counts after the terminal's last sign of life
PULSE = 0.12  #: s, one press without repeats
DEADMAN_MIN = 0.12  #: s
FORCE_STEP = 5.0  #: N, U and M
FORCE_DEFAULT = 15.0  #: N
PRESS_RAMP = 1.0  #: N a tick while F is held
LINE_Y = (-0.40, 0.40)  #: m
LOG_TOP_Z = (0.45, 0.70)  #: m
JOG_STEPS = (0.001, 0.005, 0.02)  #: m
JOG_SPEEDS = (0.02, 0.05, 0.10)  #: m/s
HAND_AXES = ("pull", "push", "press")


@dataclass
class _Grant:
    until_ns: int
    repeats: int = 0


@dataclass
class Operator:
    """The engine's one view of the operator. Used by the control thread only."""

    limits: Limits
    robot: str
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
    key_mode: str = "REPEAT"
    repeat_interval: float = 0.04  #: s
    force_set: float = FORCE_DEFAULT  #: N
    press: float = 0.0  #: N
    jog_step: float = JOG_STEPS[1]
    jog_speed: float = JOG_SPEEDS[1]
    refused: str = ""
    _grants: dict[str, _Grant] = field(default_factory=dict)
    _last_seq: int = -1

    def apply(
        self, intent: Intent, now_ns: int, *, at_rest: bool, in_kerf: bool, armed: bool, going: bool = False, stuck: bool = False
    ) -> None:
        """Take one intent, stamped ``now_ns`` on receipt. What is refused leaves a sentence in ``refused``."""
        if not isinstance(intent, Hold | Alive):
            self.refused = ""
        match intent:
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
                self._hold(intent, now_ns, armed=armed)
            case Alive():
                self._prove(now_ns)
            case AdjustForce(delta=delta):
                self._adjust_force(delta)
            case MoveLine(dy=dy, dz=dz):
                self._move_line(dy, dz, in_kerf=in_kerf)
            case SetMode(mode=mode):
                if mode not in (Mode.CUT, Mode.JOG_XYZ):
                    self.refused = "This robot jogs in CUT and JOG XYZ only."
                elif at_rest and not self._grants:
                    self.mode = Mode(mode)
                else:
                    self.refused = "The mode changes only at rest."
            case Recover():
                self._recover(going=armed and going, stuck=stuck)
            case SetJog(step=step, speed=speed):
                self.jog_step = _within(step, JOG_STEPS, self.jog_step)
                self.jog_speed = _within(speed, JOG_SPEEDS, self.jog_speed)
            case KeyTiming(key_mode=key_mode, repeat_interval=interval):
                self.key_mode = key_mode
                if math.isfinite(interval) and interval > 0:
                    self.repeat_interval = min(interval, 0.25)

    @property
    def deadman(self) -> float:
        """s from the last repeat of a held key to the end of what it grants."""
        return max(DEADMAN_MIN, 3 * self.repeat_interval)

    def _hold(self, hold: Hold, now_ns: int, *, armed: bool) -> None:
        if hold.seq <= self._last_seq:
            return
        self._last_seq = hold.seq
        if not hold.down:
            self._grants.pop(hold.axis, None)
            return
        if hold.axis not in HAND_AXES:
            self.refused = ""
            if not armed:
                self.refused = "Arm before jogging."
                return
            if self.mode is Mode.CUT:
                self.refused = "Tab changes to a jog mode first."
                return
        grant = self._grants.setdefault(hold.axis, _Grant(now_ns))
        if hold.repeat:
            grant.repeats += 1
        self._grants[hold.axis] = grant
        grant.until_ns = now_ns + round(1e9 * self._grant_length(hold.axis, grant.repeats))

    def _grant_length(self, axis: str, repeats: int) -> float:
        """s that a press grants: held, repeating, or one step (for a jog, as long as one step of its distance takes)."""
        if self.key_mode == "HOLD":
            return PROOF
        if self.key_mode == "REPEAT" and repeats >= 2:
            return self.deadman
        return PULSE if axis in HAND_AXES else self.jog_step / self.jog_speed

    def _prove(self, now_ns: int) -> None:
        if self.key_mode == "HOLD":
            for grant in self._grants.values():
                grant.until_ns = now_ns + round(1e9 * PROOF)

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
        """The console is gone: nothing it granted goes on, and the next one counts its keys anew."""
        self.revoke()
        self._last_seq = -1

    def revoke(self) -> None:
        """End every grant now: a stop, a lost console, a change of control."""
        self._grants.clear()
        self.press = 0.0

    def tick(self, now_ns: int) -> None:
        """Let grants run out and the press force follow its key; once a control tick."""
        for axis in [axis for axis, grant in self._grants.items() if grant.until_ns <= now_ns]:
            del self._grants[axis]
        pressing = "press" in self._grants
        self.press = min(self.press + PRESS_RAMP, self.limits.hand_force_max) if pressing else 0.0

    @property
    def hand_force(self) -> float:
        """N along x on the partner's handle: + pulls away from the robot."""
        return self.force_set * (("pull" in self._grants) - ("push" in self._grants))

    @property
    def jog_axes(self) -> tuple[str, ...]:
        """The jog axes granted now."""
        return tuple(axis for axis in self._grants if axis not in HAND_AXES)

    def state(self, now_ns: int) -> OperatorState:
        newest = max(self._grants.items(), key=lambda item: item[1].until_ns, default=None)
        return OperatorState(
            mode=self.mode,
            key_mode=self.key_mode,
            grant_left=max(0.0, (newest[1].until_ns - now_ns) / 1e9) if newest else 0.0,
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
        )


def _within(value: float | None, choices: tuple[float, ...], otherwise: float) -> float:
    """``value`` no smaller and no larger than the choices; ``otherwise`` where it is missing or no number."""
    if value is None or not math.isfinite(value):
        return otherwise
    return min(max(value, choices[0]), choices[-1])
