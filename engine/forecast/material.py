"""What a training step is shown: episodes of the training part, varied so that neither the clock nor the rate of inferences is learnt."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.forecast.card import seen
from engine.forecast.dataset import Dataset
from engine.forecast.features import CHANNELS, PER_SIGNAL, SINCE_MAX
from engine.forecast.labels import CAUSES, STEPS, classes, targets
from engine.types import F32, F64, SIGNALS

Ints = NDArray[np.int64]

THINNED = 0.25  #: share of the sequences that lose inferences
THINNED_MOST = 0.35  #: share of its inferences that one of them loses, at most
BEGUN_LATER = 0.2  #: share that begins somewhere within the episode, as a run that was armed late
LONGEST = 96  #: inferences of a sequence; of a longer one a part is shown, anywhere in it
SIGNAL_LOST = 0.02  #: chance that a signal is invalid throughout a sequence
PACE = 0.25  #: by how much, either way, the time between inferences is told wrong
SHAKEN = 0.02  #: standard deviation of what is added to the signals' own channels


@dataclass(frozen=True)
class Batch:
    """B sequences of at most T inferences; what fills up short ones counts nowhere."""

    seen: F32  #: (B, T, CHANNELS)
    ends: Ints  #: (B, T, STEPS) as ``labels.classes``
    counted: NDArray[np.bool_]  #: (B, T, STEPS)


class Material:
    """All sequences of some episodes, ready to be drawn from."""

    def __init__(self, data: Dataset) -> None:
        self._first = data.first
        self._exposed = data.exposed
        self._seen = seen(data)
        self._ends, self._counted = classes(targets(data))
        self.episodes = np.flatnonzero(np.diff(data.first) > 0)

    def shares(self) -> F64:
        """(CAUSES + 1,) how often a step ended by each cause, and how often it did not."""
        counts = np.bincount(self._ends[self._counted], minlength=CAUSES + 1).astype(np.float64)
        return counts / max(1.0, counts.sum())  # type: ignore[no-any-return]

    def whole(self, episodes: Ints) -> Batch:
        """Episodes as they were."""
        return self._batch([np.arange(self._first[e], self._first[e + 1]) for e in episodes.tolist()])

    def varied(self, count: int, rng: np.random.Generator) -> Batch:
        """``count`` episodes drawn with replacement, each thinned, begun later, with signals lost and shaken as the chances above say."""
        rows: list[Ints] = []
        for e in rng.choice(self.episodes, count).tolist():
            start, stop = int(self._first[e]), int(self._first[e + 1])
            if rng.random() < BEGUN_LATER:
                start = int(rng.integers(start, stop))
            of: Ints = np.arange(start, stop)
            if rng.random() < THINNED:
                of = of[rng.random(len(of)) >= rng.uniform(0.0, THINNED_MOST)]
            skipped = int(np.clip(rng.integers(-LONGEST // 2, max(1, len(of) - LONGEST // 2)), 0, max(0, len(of) - LONGEST)))
            rows.append(of[skipped : skipped + LONGEST])
        batch = self._batch(rows)
        shown = batch.seen[..., :-1].reshape(*batch.seen.shape[:2], len(SIGNALS), PER_SIGNAL)
        shown[..., :2] += SHAKEN * rng.standard_normal(shown[..., :2].shape, np.float32) * shown[..., 2:3]
        lost = rng.random((count, len(SIGNALS))) < SIGNAL_LOST
        shown[np.broadcast_to(lost[:, None], shown.shape[:3])] = (0.0, 0.0, 0.0, 1.0)
        batch.seen[..., :-1] = shown.reshape(*batch.seen.shape[:2], -1)
        batch.seen[..., -1] *= rng.uniform(1.0 - PACE, 1.0 + PACE, (count, 1))
        return batch

    def _batch(self, rows: list[Ints]) -> Batch:
        length = max(1, *map(len, rows))
        batch = Batch(
            np.zeros((len(rows), length, CHANNELS), np.float32),
            np.full((len(rows), length, STEPS), CAUSES),
            np.zeros((len(rows), length, STEPS), np.bool_),
        )
        for number, of in enumerate(rows):
            batch.seen[number, : len(of)] = self._seen[of]
            batch.seen[number, : len(of), -1] = np.clip(np.diff(self._exposed[of], prepend=self._exposed[of[:1]]), 0.0, SINCE_MAX)
            batch.ends[number, : len(of)] = self._ends[of]
            batch.counted[number, : len(of)] = self._counted[of]
        return batch
