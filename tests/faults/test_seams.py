"""What arrives from cameras and policies is held against what was promised before anything acts on it."""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec
import numpy as np
import pytest

from adapters.mujoco import cosaw
from engine.clock import SimulatedClock
from engine.loops.camera import CameraLoop
from engine.loops.heartbeats import Heartbeats
from engine.loops.inference import InferenceLoop
from engine.mailbox import Latest
from engine.policy.scripted import Scripted
from engine.types import F32, Frames, Inference, Observation, Reason

PX = 16


class Rig:
    """Gives the pictures that a test puts in."""

    names = ("front", "top")

    def __init__(self) -> None:
        noise = np.random.default_rng(1)
        self.images = {name: noise.integers(0, 255, (PX, PX, 3), np.uint8) for name in self.names}
        self.raises = False

    def open(self) -> None: ...

    def capture(self, observation: Observation, seq: int, t_ns: int) -> Frames:
        if self.raises:
            raise OSError("no such device")
        return Frames(seq=seq, t_ns=t_ns, exposed_ns=observation.t_ns, observation=observation, images=self.images)

    def geometry(self) -> Mapping[str, Any]:
        return {name: {"width": PX, "height": PX} for name in self.names}

    def close(self) -> None: ...


@pytest.fixture(scope="module")
def observation() -> Observation:
    robot, _ = cosaw.build(1, 64)
    robot.connect()
    return robot.read(1_000_000_000)


class Cameras:
    def __init__(self, observation: Observation) -> None:
        self.rig = Rig()
        self.faults: list[str] = []
        self.recorded: list[Frames] = []
        self.box: Latest[tuple[Frames, Reason]] = Latest()
        self.observations: Latest[Observation] = Latest()
        self.observation = observation
        clock, fault = SimulatedClock(), self.faults.append
        self.loop = CameraLoop(
            self.rig, self.observations, self.box, clock, Heartbeats(), self.recorded.append, fault, 8.0, pause=lambda s: None
        )

    def expose(self) -> Reason | None:
        """What was handed on; None if nothing was."""
        before = self.box.get()
        self.observations.put(self.observation)
        self.loop.once()
        after = self.box.get()
        return after[1] if after is not None and after is not before else None


@pytest.fixture
def cameras(observation: Observation) -> Cameras:
    return Cameras(observation)


WRONG: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "size": lambda images: images | {"top": images["top"][::2]},
    "dtype": lambda images: images | {"top": images["top"].astype(np.float32)},
    "grey": lambda images: images | {"top": images["top"][:, :, 0]},
    "missing": lambda images: {"front": images["front"]},
    "unknown": lambda images: images | {"wrist": images["top"]},
    "none": lambda images: {},
}


@pytest.mark.parametrize("how", WRONG)
def test_a_wrong_exposure_is_told_and_neither_recorded_nor_shown_to_the_policy(cameras: Cameras, how: str) -> None:
    assert cameras.expose() == Reason.OK
    sound = cameras.rig.images
    cameras.rig.images = WRONG[how](sound)
    assert [cameras.expose(), cameras.expose()] == [Reason.CAMERA_WRONG] * 2
    assert len(cameras.faults) == 1, "the same trouble is told once"
    assert len(cameras.recorded) == 1
    newest = cameras.box.get()
    assert newest is not None
    assert newest[0].images == {}
    cameras.rig.images = sound
    assert cameras.expose() == Reason.OK


def test_a_camera_that_raises_is_told_once_and_tried_again(cameras: Cameras) -> None:
    assert cameras.expose() == Reason.OK
    cameras.rig.raises = True
    assert [cameras.expose(), cameras.expose()] == [None, None]
    assert cameras.faults == ["camera: OSError: no such device"]
    cameras.rig.raises = False
    assert cameras.expose() == Reason.OK


class Policies:
    def __init__(self, observation: Observation) -> None:
        self.frames = Frames(seq=1, t_ns=2, exposed_ns=observation.t_ns, observation=observation, images={})
        self.faults: list[str] = []
        self.box: Latest[Inference] = Latest()
        self.clock = SimulatedClock()
        self.loop = InferenceLoop(
            lambda tell: Scripted(),
            "saw",
            Latest(),
            self.box,
            self.clock,
            Heartbeats(),
            lambda inference: None,
            lambda info: None,
            self.faults.append,
        )
        self.loop.prepare()

    def answer(self, change: Callable[[Inference], Inference] = lambda inference: inference) -> Inference | None:
        """What was handed on; None if nothing was."""
        before = self.box.get()
        self.loop.deliver(change(self.loop.infer(self.frames, self.clock.now_ns)))
        after = self.box.get()
        return after if after is not before else None


@pytest.fixture
def policies(observation: Observation) -> Policies:
    return Policies(observation)


def chunks(change: Callable[[F32], Any]) -> Callable[[Inference], Inference]:
    return lambda inference: msgspec.structs.replace(inference, chunks=change(inference.chunks))


CHUNKS: dict[str, Callable[[Inference], Inference]] = {
    "double": chunks(lambda c: c.astype(np.float64)),
    "integer": chunks(lambda c: c.astype(np.int64)),
    "object": chunks(lambda c: c.astype(object)),
    "horizon": chunks(lambda c: c[:, :, :3]),
    "no horizon": chunks(lambda c: c[:, :, :0]),
    "three axes": chunks(lambda c: c[0]),
    "fewer actions": chunks(lambda c: c[..., :5]),
    "no action": chunks(lambda c: c[..., :0]),
    "no step": lambda inference: msgspec.structs.replace(inference, step_s=0.0),
    "NaN step": lambda inference: msgspec.structs.replace(inference, step_s=float("nan")),
    "pose": lambda inference: msgspec.structs.replace(inference, base_pose=np.zeros(6)),
    "signals": lambda inference: msgspec.structs.replace(inference, signals=np.zeros(17)),
}


@pytest.mark.parametrize("how", CHUNKS)
def test_what_is_no_chunk_is_told_and_never_followed(policies: Policies, how: str) -> None:
    assert policies.answer() is not None
    assert policies.answer(CHUNKS[how]) is None
    assert policies.loop.fault == Reason.CHUNK_WRONG
    assert len(policies.faults) == 1
    assert policies.answer() is not None
    assert policies.loop.fault == Reason.OK


def test_five_joints_without_a_gripper_are_a_chunk(policies: Policies) -> None:
    found = policies.answer(chunks(lambda c: c[..., :5]))
    assert found is not None
    assert found.chunks.shape[3] == 5
    assert policies.loop.fault == Reason.OK


def test_a_policy_s_word_that_its_chunk_is_finite_is_not_believed(policies: Policies) -> None:
    spoilt = policies.answer(chunks(lambda c: np.where(np.arange(c.shape[3]) == 1, np.float32(np.nan), c)))
    assert spoilt is not None
    assert not spoilt.finite


def test_an_old_answer_is_not_taken_for_a_new_one(policies: Policies) -> None:
    first = policies.answer()
    assert first is not None
    assert policies.answer(lambda inference: first) is None
    assert policies.answer(lambda inference: msgspec.structs.replace(inference, exposed_ns=1)) is None
    assert policies.loop.fault == Reason.OK, "it ages into a stale chunk; it is none of a wrong shape"
