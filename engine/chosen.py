"""The motion that the operator has chosen: whether it may be played, and how far it has come.

A motion with a clearance is played only once its sentence was confirmed: for this motion, armed and at rest, ``CONFIRMED_FOR`` before
at most. Each confirmation is good for one press of the key: what was let go goes on only when it is confirmed again, as somebody may
have come near meanwhile. A repeat of the key begins nothing.
"""

from dataclasses import dataclass
from typing import Any, Final

from engine.control import playing
from engine.control.playing import Motion, Play

CONFIRMED_FOR: Final = 10.0  #: s
REPEATS_WITHIN: Final = 1.0  #: s after a press or a repeat, in which a further repeat goes on with it


@dataclass
class Chosen:
    """One of ``motions``, the first unless another is chosen."""

    motions: tuple[Motion, ...] = ()
    play: Play | None = None  #: None = not begun
    _at: int = 0
    _confirmed_ns: int = 0  #: until when it may be begun
    _pressed_ns: int = 0  #: until when a repeat goes on

    @property
    def motion(self) -> Motion | None:
        """None where the robot has no motions."""
        return self.motions[self._at] if self.motions else None

    def choose(self, step: int) -> None:
        """The motion ``step`` after the present one, from its beginning."""
        self._at = (self._at + step) % max(1, len(self.motions))
        self.reset()

    def reset(self) -> None:
        """It begins anew, from a press and a confirmation of its own."""
        self.play = None
        self._confirmed_ns = self._pressed_ns = 0

    def confirm(self, name: str, now_ns: int, *, ready: str) -> str:
        """What ``name`` asks for is so. Why that does not count, "" if it does; ``ready`` says why it is not the time for it."""
        motion = self.motion
        if motion is None or name != motion.name:
            return f"{name} is not the motion that is chosen: nothing was confirmed."
        if not motion.clearance:
            return f"{name} asks for no clearance: ↑ held plays it."
        if not ready:
            self._confirmed_ns = now_ns + round(1e9 * CONFIRMED_FOR)
        return ready

    def press(self, now_ns: int, *, repeat: bool, granted: bool) -> str:
        """Its key is down, or still is. Why it is not played, "" if it is."""
        motion = self.motion
        if motion is None:
            return "This robot has no motions."
        if repeat and not (granted or now_ns <= self._pressed_ns):
            first = "let ↑ go, confirm with Y" if motion.clearance and not now_ns < self._confirmed_ns else "let ↑ go"
            return f"To play {motion.name} {first} and press it anew."
        if not repeat:
            self._pressed_ns = 0
            if motion.clearance and not now_ns < self._confirmed_ns:
                return f"{motion.name} needs its clearance: Y confirms it, then ↑ held plays it within {CONFIRMED_FOR:.0f} s."
            self._confirmed_ns = 0
            if self.play is not None and playing.done(self.play, motion):
                self.play = None
        self._pressed_ns = now_ns + round(1e9 * REPEATS_WITHIN)
        return ""

    def released(self) -> None:
        """Its key is up: only a press goes on."""
        self._pressed_ns = 0

    def stand(self) -> None:
        """Nothing lets it go on now."""
        self.play = playing.let_go(self.play) if self.play is not None else None

    def state(self, now_ns: int) -> dict[str, Any]:
        """Its fields of an ``OperatorState``."""
        motion, play = self.motion, self.play
        if motion is None:
            return {}
        steps = len(motion.steps)
        return {
            "motion": motion.name,
            "motion_number": self._at + 1,
            "motion_count": len(self.motions),
            "motion_step": min(play.step + 1, steps) if play is not None else 0,
            "motion_steps": steps,
            "motion_share": 0.0 if play is None else 1.0 if playing.done(play, motion) else play.share,
            "clearance": motion.clearance,
            "clearance_left": max(0.0, (self._confirmed_ns - now_ns) / 1e9),
        }
