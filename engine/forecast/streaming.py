"""The forecast one inference at a time, without torch: the same network in numpy, with its memory of the inferences before.

Weights of M members lie along a leading axis; a step takes any number of sequences side by side, so that whole data sets go the same way.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.forecast import labels
from engine.forecast.features import AGE_MAX, CHANNELS, PER_SIGNAL, channels, median
from engine.signals.nominal import Nominal
from engine.types import F32, F64, HORIZONS, SIGNALS, Inference

TAPS, WIDTH, HIDDEN = 5, 32, 64  #: of the convolution, its channels, the memory's units
RECENT = 5  #: inferences that "because" takes as nominal
GAP_MAX = 2.0  #: s between two exposures, after which the past counts no more
NS = 1e-9  #: s in a nanosecond
AT = [horizon - 1 for horizon in HORIZONS]


@dataclass(frozen=True)
class Weights:
    """Of M members; K = TAPS, C = CHANNELS, W = WIDTH, H = HIDDEN."""

    conv: F32  #: (M, K C, W), the oldest tap first
    conv_bias: F32  #: (M, 1, W)
    into: F32  #: (M, W, 3 H): reset, update, new
    into_bias: F32  #: (M, 1, 3 H)
    again: F32  #: (M, H, 3 H)
    again_bias: F32  #: (M, 1, 3 H)
    out: F32  #: (M, H, STEPS (CAUSES + 1))
    out_bias: F32  #: (M, 1, STEPS (CAUSES + 1))

    @property
    def members(self) -> int:
        return len(self.conv)


def stacked(members: Sequence[Mapping[str, F32]]) -> Weights:
    """The weights of networks by torch's names."""

    def each(name: str) -> F32:
        return np.stack([np.asarray(member[name], np.float32) for member in members])

    def turned(name: str) -> F32:
        return np.ascontiguousarray(each(name).swapaxes(1, 2))

    kernel = each("conv.weight").transpose(0, 3, 2, 1)  # (M, K, C, W)
    return Weights(
        conv=np.ascontiguousarray(kernel.reshape(len(members), -1, kernel.shape[-1])),
        conv_bias=each("conv.bias")[:, None],
        into=turned("gru.weight_ih_l0"),
        into_bias=each("gru.bias_ih_l0")[:, None],
        again=turned("gru.weight_hh_l0"),
        again_bias=each("gru.bias_hh_l0")[:, None],
        out=turned("out.weight"),
        out_bias=each("out.bias")[:, None],
    )


def advanced(weights: Weights, memory: F32, wide: F32) -> F32:
    """(M, B, H) the memory after one inference, from that before it and the convolution (M, B, W) (Cho et al. 2014, as torch has it)."""
    h = HIDDEN
    seen = wide @ weights.into + weights.into_bias
    held = memory @ weights.again + weights.again_bias
    gates = _sigmoid(seen[..., : 2 * h] + held[..., : 2 * h])
    new = np.tanh(seen[..., 2 * h :] + gates[..., :h] * held[..., 2 * h :])
    update = gates[..., h:]
    after: F32 = (1.0 - update) * new + update * memory
    return after


def logits(weights: Weights, memory: F32) -> F32:
    """(M, B, STEPS, CAUSES + 1) of memories (M, B, H)."""
    flat = memory @ weights.out + weights.out_bias
    return flat.reshape(*flat.shape[:2], labels.STEPS, labels.CAUSES + 1)


def likely(weights: Weights, memory: F32, temperature: float) -> F64:
    """(B, CAUSES, STEPS) cumulative incidence of memories (M, B, H), from the members' mean hazards."""
    return labels.incidence(labels.mean_hazards(logits(weights, memory), temperature))


def over(weights: Weights, sequences: F32) -> F32:
    """(M, B, T, STEPS, CAUSES + 1) logits along sequences (B, T, CHANNELS)."""
    count, length = sequences.shape[:2]
    padded = np.concatenate((np.zeros((count, TAPS - 1, CHANNELS), np.float32), sequences), axis=1)
    memory: F32 = np.zeros((weights.members, count, HIDDEN), np.float32)
    found = np.empty((weights.members, count, length, labels.STEPS, labels.CAUSES + 1), np.float32)
    for step in range(length):
        window = padded[:, step : step + TAPS].reshape(count, -1)
        memory = advanced(weights, memory, np.maximum(window @ weights.conv + weights.conv_bias, 0.0))
        found[:, :, step] = logits(weights, memory)
    return found


class Foreseen(NamedTuple):
    """What a forecast says at one inference."""

    probability: F64  #: (CAUSES, len(HORIZONS))
    alarm: F64  #: (CAUSES,) as ``Inputs.forecast_alarm``
    because: F64  #: (18,) as ``Inference.forecast_because``; NaN where it was not asked for


class Stream:
    """One run, or what is left of it since ``forget``; one thread calls it, in the order of the exposures."""

    def __init__(self, weights: Weights, nominal: Nominal, temperature: float, thresholds: F64) -> None:
        self._weights, self._nominal, self._temperature = weights, nominal, temperature
        self._thresholds = thresholds  #: (CAUSES,) of the probability at the last horizon; infinite = never an alarm
        known = np.isfinite(nominal.p95)
        #: (CHANNELS,) of an inference whose every signal is nominal
        self.usual = channels(median(nominal), known, np.where(known, 0.0, AGE_MAX), 0.0, nominal)
        taps = weights.conv.reshape(weights.members, TAPS, CHANNELS, WIDTH)
        self._taps = np.ascontiguousarray(taps.swapaxes(1, 2)).reshape(weights.members, CHANNELS, TAPS * WIDTH)
        self.forget()

    def forget(self) -> None:
        """Begin anew: what was kept is of another run."""
        members = self._weights.members
        # of the last inferences: its part in each convolution that it enters, what of that would change with a signal nominal, what it left
        self._seen: F32 = np.zeros((RECENT + TAPS - 1, members, TAPS, WIDTH), np.float32)
        self._instead: F32 = np.zeros((RECENT, members, len(SIGNALS), TAPS, WIDTH), np.float32)
        self._memory: F32 = np.zeros((RECENT + 1, members, 1, HIDDEN), np.float32)
        self._looks = 0
        self._exposed_ns = 0

    def look(self, inference: Inference, because: bool = True) -> Foreseen:
        """What is likely after this inference. Reads its signals, their validity and exposures, and its own exposure."""
        since = (inference.exposed_ns - self._exposed_ns) * NS
        if self._exposed_ns and not 0.0 < since <= GAP_MAX:
            self.forget()
        since = since if self._exposed_ns else 0.0
        self._exposed_ns = inference.exposed_ns
        age = ages(inference.signal_ns, inference.exposed_ns)
        return self._found(channels(inference.signals, inference.valid, age, since, self._nominal), because)

    def _found(self, row: F32, because: bool) -> Foreseen:
        w, members = self._weights, self._weights.members
        self._seen = np.roll(self._seen, -1, axis=0)
        self._seen[-1] = (row @ self._taps).reshape(members, TAPS, WIDTH)
        change = (self.usual - row)[:-1].reshape(len(SIGNALS), 1, PER_SIGNAL)
        parts = self._taps[:, :-1].reshape(members, len(SIGNALS), PER_SIGNAL, TAPS * WIDTH)
        self._instead = np.roll(self._instead, -1, axis=0)
        self._instead[-1] = (change @ parts).reshape(members, len(SIGNALS), TAPS, WIDTH)
        wide = self._seen[range(-TAPS, 0), :, range(TAPS)].sum(axis=0)[:, None] + w.conv_bias
        self._memory = np.roll(self._memory, -1, axis=0)
        self._memory[-1] = advanced(w, self._memory[-2], np.maximum(wide, 0.0))
        self._looks += 1
        found = likely(w, self._memory[-1], self._temperature)[0]
        chances = found[:, AT]
        reasons = self._reasons(found[:, -1]) if because else np.full(len(SIGNALS), np.nan)
        return Foreseen(chances, chances[:, -1] / self._thresholds, reasons)

    def _reasons(self, chances: F64) -> F64:
        """(18,) by how much less likely the likeliest failure would be if a signal's last RECENT inferences had been nominal."""
        w = self._weights
        back = min(RECENT, self._looks)
        memory = np.repeat(self._memory[-1 - back], len(SIGNALS), axis=1)
        for at in range(-back, 0):
            wide = np.repeat(w.conv_bias, len(SIGNALS), axis=1)
            for tap in range(TAPS):
                row = at - (TAPS - 1 - tap)
                wide += self._seen[row, :, None, tap]
                if row >= -back:
                    wide += self._instead[row, :, :, tap]
            memory = advanced(w, memory, np.maximum(wide, 0.0))
        worst = int(np.argmax(chances))
        return np.asarray(chances[worst] - likely(w, memory, self._temperature)[:, worst, -1])


def ages(signal_ns: NDArray[np.int64], exposed_ns: NDArray[np.int64] | int) -> F64:
    """s from the exposure that each signal was last computed from to this one, at most AGE_MAX; of one never computed AGE_MAX."""
    age = np.where(signal_ns > 0, (exposed_ns - signal_ns) * NS, AGE_MAX)
    return np.clip(age, 0.0, AGE_MAX)


def _sigmoid(x: F32) -> F32:
    return 0.5 * np.tanh(0.5 * x) + 0.5  # type: ignore[no-any-return]
