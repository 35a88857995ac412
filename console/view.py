"""What a screen shows at one moment: the engine's snapshot, what the console itself knows, and a short past for the curves."""

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from console.stroke import Meter, Stroke
from engine.limits import Limits
from engine.messages import Picture
from engine.types import Snapshot

LinkState = Literal["starting", "connected", "lost", "ended", "recorded"]

SCORE_SECONDS = 60.0
SCORE_SAMPLES = 240
SIGNAL_SAMPLES = 96
LAYER_SECONDS = 4.0  #: of the layers' scores, for their trends
LAYER_SAMPLES = 16
TREND = 0.03  #: a score that has moved by less counts as steady
LIMITS = Limits()


@dataclass
class History:
    """The recent past, kept by the console: scores four times a second, the signals of each inference, the last full stroke."""

    scores: deque[float] = field(default_factory=lambda: deque(maxlen=SCORE_SAMPLES))
    signals: deque[tuple[float, ...]] = field(default_factory=lambda: deque(maxlen=SIGNAL_SAMPLES))
    quantiles: deque[tuple[float, ...]] = field(default_factory=lambda: deque(maxlen=SIGNAL_SAMPLES))
    layers: deque[tuple[float, ...]] = field(default_factory=lambda: deque(maxlen=LAYER_SAMPLES))
    alarms: deque[float] = field(default_factory=lambda: deque(maxlen=SIGNAL_SAMPLES))  #: the greatest of each inference
    strokes: Meter = field(default_factory=Meter)
    _bucket: int = -1
    _inference: int = -1
    _t_ns: int = 0

    def observe(self, snapshot: Snapshot) -> None:
        """Take one snapshot in; one that lies before the last begins the past anew."""
        t_ns = snapshot.inputs.t_ns
        if t_ns < self._t_ns:
            self.clear()
        self._t_ns = t_ns
        self.strokes.observe(t_ns, snapshot.saw.stroke_count, snapshot.saw.partner_force, snapshot.energy)
        bucket = int(t_ns / 1e9 * SCORE_SAMPLES / SCORE_SECONDS)
        if bucket == self._bucket:
            self.scores[-1] = min(self.scores[-1], snapshot.decision.score)
        else:
            self.scores.append(snapshot.decision.score)
            self.layers.append(snapshot.decision.layer_score)
            self._bucket = bucket
        inference = snapshot.inference
        if inference is not None and inference.id != self._inference:
            self._inference = inference.id
            pairs = zip(inference.signals, inference.valid, strict=True)
            self.signals.append(tuple(value if valid else math.nan for value, valid in pairs))
            self.quantiles.append(inference.quantile)
            self.alarms.append(greatest(inference.forecast_alarm))

    def resume(self, t_ns: int, inference: int) -> None:
        """Go on from a past that was filled in from elsewhere, up to ``t_ns`` and that inference."""
        self._t_ns = t_ns
        self._bucket = int(t_ns / 1e9 * SCORE_SAMPLES / SCORE_SECONDS)
        self._inference = inference

    def clear(self) -> None:
        self.scores.clear()
        self.signals.clear()
        self.quantiles.clear()
        self.alarms.clear()
        self.layers.clear()
        self.strokes.clear()
        self._bucket = self._inference = -1
        self._t_ns = 0

    def trend(self, layer: int) -> int:
        """1 where the layer's score has risen over the last seconds, -1 where it has fallen, else 0."""
        past = [scores[layer] for scores in self.layers]
        if len(past) < 4:
            return 0
        change = _mean(past[-2:]) - _mean(past[:-2])
        return 0 if not abs(change) >= TREND else 1 if change > 0 else -1

    @property
    def stroke(self) -> Stroke | None:
        """The last full stroke that was watched from end to end."""
        return self.strokes.last

    def signal(self, index: int) -> list[float]:
        return [values[index] for values in self.signals]

    def quantile(self, index: int) -> list[float]:
        return [values[index] for values in self.quantiles]


def greatest(alarms: Sequence[float]) -> float:
    """The greatest alarm that is a number; NaN where none is."""
    return max((alarm for alarm in alarms if math.isfinite(alarm)), default=math.nan)


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """All that the widgets read. Times are the console's own, in s."""

    snapshot: Snapshot | None
    history: History
    wall: float  #: s since the epoch, now
    spinner: int = 0  #: counts frames, for what moves while something loads
    link: LinkState = "connected"
    stoppable: bool = True  #: there is a robot that a stop key would stop
    behind: float = 0.0  #: s, how old what is on the screen is
    heartbeat: int = 0
    link_slow: bool = False
    readonly: bool = False
    joint: int = 1  #: that the jog keys act on, counted from 1; 0 = they level the saw
    picture: Picture | None = None
    picture_age: float = math.nan  #: s since exposure, now
    camera: str = ""  #: the camera asked for; "" = off
    coloured: bool = True
    key_mode: str = ""  #: what the keyboard was measured to do; "" before it was measured
    repeat_interval: float = 0.0  #: s
    stop_asked: float = math.inf  #: s since this console last raised a stop
    message: str = ""  #: what the console itself has to say: a refusal, a dropped key
    ended: str = ""  #: why the engine ended
    starting: str = ""  #: what it does before its first snapshot
    armed_progress: float = 0.0  #: 0..1 of the arming gesture
    arm_presses: int = 0  #: single presses counted where no repeats come
    possible: frozenset[str] = frozenset()  #: ids of the actions that would do something now
    limits: Limits = LIMITS
