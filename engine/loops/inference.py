"""The inference thread: loads the policy, warms it up, then one fresh pass of the whole ensemble for each new exposure."""

import math
from collections.abc import Callable
from typing import Protocol

import msgspec
import numpy as np

from engine.clock import Clock
from engine.loops.foresight import PATIENCE, Foresight, Foreteller, no_foresight
from engine.loops.heartbeats import Heartbeats
from engine.mailbox import Latest
from engine.types import SIGNALS, Frames, Inference, ModelState, PolicyInfo, Reason


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
        on_fault: Callable[[str], None],
        foresight: Callable[[PolicyInfo], Foresight] = no_foresight,
    ) -> None:
        self._foresight = foresight
        self._foreteller: Foreteller | None = None
        self._load = load
        self._instruction = instruction
        self._frames = frames
        self._inferences = inferences
        self._clock = clock
        self._beats = beats
        self._record = record
        self._ready = ready
        self._on_fault = on_fault
        self._told: dict[str, str] = {}  # the trouble of each part that was told last
        self._seen = 0
        self._count = 0
        self._previous: Inference | None = None
        self._policy: Policy | None = None
        self._asked_ns = 0  # exposure that the newest inference was asked about
        self._shape: tuple[int, ...] = ()  # of the first chunk; every other must be alike
        self.fault = Reason.OK  #: CHUNK_WRONG while the policy answers with what is no chunk
        self.state = ModelState.LOADING
        self.note = "starting"
        self.info: PolicyInfo | None = None
        self.latencies_ms: list[float] = []

    def once(self) -> None:
        if self._policy is None:
            self.prepare()
            return
        newest, self._seen = self._frames.wait_newer(self._seen, 0.2)
        if newest is None or newest[1] == Reason.CAMERA_WRONG:
            self._beats.inference = self._clock.now_ns()
            return
        self.deliver(self.infer(newest[0], self._clock.now_ns), PATIENCE)

    def prepare(self) -> None:
        """Load and warm up the policy, and what forecasts for it; ``note`` says what is under way. Raises PolicyError."""
        policy = self._load(self._tell)
        policy.warm_up(self._tell, self._instruction)
        self._policy = policy
        try:
            foresight = self._foresight(policy.info)
        except Exception as error:  # without a forecast the policy works all the same
            foresight = Foresight(note=f"{type(error).__name__}: {error}")
        self._foreteller = Foreteller(foresight.foresee) if foresight.foresee is not None else None
        self.info = msgspec.structs.replace(policy.info, forecast=foresight.state, forecast_note=foresight.note)
        self.note = ""
        self._ready(self.info)
        self._beats.inference = self._clock.now_ns()
        self.state = ModelState.READY

    def infer(self, frames: Frames, now_ns: Callable[[], int]) -> Inference:
        """One fresh pass of the whole ensemble, stamped by ``now_ns``."""
        assert self._policy is not None
        inference = self._policy.infer(frames, self._instruction, self._count + 1, self._previous, now_ns)
        self._count += 1
        self._asked_ns = frames.exposed_ns
        return inference

    def deliver(self, inference: Inference, patience: float = math.inf) -> None:
        """Check the inference, forecast within ``patience`` s, and hand it to who waits for it.

        What is no chunk, or not of the newest exposure, is not handed on.
        """
        self._beats.inference = self._clock.now_ns()
        wrong = self.wrong(inference)
        self.fault = Reason.CHUNK_WRONG if wrong else Reason.OK
        stale = inference.id != self._count or inference.exposed_ns != self._asked_ns
        self._tell_fault("inference", wrong or ("an old chunk came again" if stale else ""))
        if wrong or stale:
            return
        self._previous, self._shape = inference, inference.chunks.shape
        finite = inference.finite and bool(np.isfinite(inference.chunks).all() and np.isfinite(inference.base_pose).all())
        inference = self._foretold(inference, patience)
        inference = msgspec.structs.replace(inference, end_ns=self._clock.now_ns(), finite=finite)
        self.latencies_ms.append((inference.end_ns - inference.start_ns) / 1e6)
        self._inferences.put(inference)
        self._record(inference)

    def _foretold(self, inference: Inference, patience: float) -> Inference:
        """The inference with its forecast, or without where that fails: what comes of a missing one is the arbiter's to decide."""
        if self._foreteller is None:
            return inference
        begun, trouble = self._clock.now_ns(), ""
        try:
            inference = self._foreteller.foretold(inference, patience)
        except Exception as error:  # nothing that goes wrong with a forecast may keep the policy's answer back
            trouble = str(error) if isinstance(error, TimeoutError) else f"{type(error).__name__}: {error}"
        self._tell_fault("forecast", trouble)
        spent = (self._clock.now_ns() - begun) * 1e-6
        return msgspec.structs.replace(inference, stage_ms=inference.stage_ms | {"forecast": spent})

    def wrong(self, inference: Inference) -> str:
        """How an inference differs from what the robot can follow and the session can hold; "" if it does not."""
        chunks = inference.chunks
        if chunks.dtype != np.float32:
            return f"the chunk is {chunks.dtype} instead of float32"
        if chunks.ndim != 4 or 0 in chunks.shape or (self._shape and chunks.shape != self._shape):
            wanted = self._shape or ("members", "samples", "horizon", "actions")
            return f"the chunk has the shape {chunks.shape} instead of {wanted}"
        if not 0.0 < inference.step_s < 1e3:
            return f"the chunk's step is {inference.step_s} s"
        figures = (inference.signals, inference.valid, inference.signal_ns, inference.ratio, inference.quantile)
        if inference.base_pose.shape != (7,) or any(figure.shape != (len(SIGNALS),) for figure in figures):
            return "the inference's pose or signals have another shape than the session's"
        return ""

    def failed(self, why: str) -> None:
        self.note = why
        self.state = ModelState.FAILED

    def _tell(self, note: str) -> None:
        self.note = note

    def _tell_fault(self, part: str, text: str) -> None:
        """Every trouble of a part once, until it is over or another."""
        if text and text != self._told.get(part):
            self._on_fault(f"{part}: {text}")
        self._told[part] = text
