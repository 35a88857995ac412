"""The inference thread: loads the policy, warms it up, then one fresh pass of the whole ensemble for each new exposure."""

from collections.abc import Callable
from typing import Protocol

import msgspec

from engine.clock import Clock
from engine.loops.heartbeats import Heartbeats
from engine.mailbox import Latest
from engine.types import Frames, Inference, ModelState, PolicyInfo, Reason


class Policy(Protocol):
    info: PolicyInfo

    def warm_up(self, progress: Callable[[str], None], instruction: str | None = None) -> None: ...

    def infer(self, frames: Frames, instruction: str, id: int, previous: Inference | None, now_ns: Callable[[], int]) -> Inference:
        """One fresh pass. Blocks; may raise."""
        ...


class InferenceLoop:
    def __init__(
        self,
        load: Callable[[Callable[[str], None]], Policy],
        instruction: str,
        frames: Latest[tuple[Frames, Reason]],
        inferences: Latest[Inference],
        clock: Clock,
        beats: Heartbeats,
        record: Callable[[Inference], None],
        ready: Callable[[PolicyInfo], None],
    ) -> None:
        self._load = load
        self._instruction = instruction
        self._frames = frames
        self._inferences = inferences
        self._clock = clock
        self._beats = beats
        self._record = record
        self._ready = ready
        self._seen = 0
        self._count = 0
        self._previous: Inference | None = None
        self._policy: Policy | None = None
        self.state = ModelState.LOADING
        self.note = "starting"
        self.info: PolicyInfo | None = None
        self.latencies_ms: list[float] = []

    def once(self) -> None:
        if self._policy is None:
            self.prepare()
            return
        newest, self._seen = self._frames.wait_newer(self._seen, 0.2)
        if newest is None:
            self._beats.inference = self._clock.now_ns()
            return
        self.deliver(self.infer(newest[0], self._clock.now_ns))

    def prepare(self) -> None:
        """Load and warm up the policy; ``note`` says what is under way. Raises PolicyError."""
        policy = self._load(self._tell)
        policy.warm_up(self._tell, self._instruction)
        self._policy = policy
        self.info = policy.info
        self.note = ""
        self._ready(policy.info)
        self._beats.inference = self._clock.now_ns()
        self.state = ModelState.READY

    def infer(self, frames: Frames, now_ns: Callable[[], int]) -> Inference:
        """One fresh pass of the whole ensemble, stamped by ``now_ns``."""
        assert self._policy is not None
        inference = self._policy.infer(frames, self._instruction, self._count + 1, self._previous, now_ns)
        self._count += 1
        self._previous = inference
        return inference

    def deliver(self, inference: Inference) -> None:
        """Hand the inference to who waits for it."""
        now = self._beats.inference = self._clock.now_ns()
        inference = msgspec.structs.replace(inference, end_ns=now)
        self.latencies_ms.append((inference.end_ns - inference.start_ns) / 1e6)
        self._inferences.put(inference)
        self._record(inference)

    def failed(self, why: str) -> None:
        self.note = why
        self.state = ModelState.FAILED

    def _tell(self, note: str) -> None:
        self.note = note
