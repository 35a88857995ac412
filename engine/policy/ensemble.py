"""The ensemble at work: every call is a fresh pass of all members from pictures, state and instruction."""

import copy
import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from engine import signals
from engine.policy import heads as prefix_heads
from engine.policy.errors import PolicyError
from engine.policy.experts import StackedExperts
from engine.policy.prefix import Prefix
from engine.policy.statistics import Statistics
from engine.signals import Evidence, Pass
from engine.types import F32, F64, U8, Frames, Inference, Observation, PolicyInfo

WARM_UP_PASSES = 5


@dataclass(frozen=True)
class Prediction:
    """What one pass says of N observations. E members, B noise samples, H horizon, A action."""

    chunks: F32  #: (N, E, B, H, A) in the action's units
    velocity: F32  #: (N, E, B, H, A) at the first flow step, normalised
    features: F64 | None  #: (N, F)
    readings: Tensor | None  #: (N, O) outputs of the heads


class _Pass(nn.Module):
    """Pictures to chunks in one graph."""

    def __init__(self, prefix: Prefix, experts: StackedExperts, heads: prefix_heads.Heads | None) -> None:
        super().__init__()
        self.prefix, self.experts, self.heads = prefix, experts, heads

    def forward(self, images: Tensor, tokens: Tensor, state: Tensor, noise: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        keys, values, features = self.prefix(images, tokens, state)
        actions, velocity = self.experts(keys, values, noise)
        pooled = features.reshape(images.shape[0], images.shape[1], -1, features.shape[-1]).mean(dim=2).flatten(1)
        readings = pooled[:, :0] if self.heads is None else self.heads(features)
        return actions, velocity, pooled, readings


class Ensemble:
    """Members that share one prefix. Made by ``engine.policy.loading.load`` and by training; one thread calls it."""

    def __init__(
        self,
        policy: Any,
        experts: StackedExperts,
        heads: prefix_heads.Heads | None,
        statistics: Statistics,
        processors: tuple[Any, Any],
        info: PolicyInfo,
        step_s: float,
        instruction: str = "",
        joint_limits: tuple[tuple[float, float], ...] | None = None,
    ) -> None:
        self.info = info
        self.instruction = instruction  #: the one it was trained on
        self.statistics = statistics
        self.step_s = step_s
        self.joint_limits = joint_limits
        self.device = torch.device(info.device)
        self.experts = experts
        self._policy = policy
        self._before, self._after = processors
        self._pass = _Pass(Prefix(policy), experts, heads).to(self.device).eval()
        self._noise = statistics.noise.to(self.device)
        self.cameras = [name.removeprefix("observation.images.") for name in policy.config.image_features]
        self._sizes = {name.removeprefix("observation.images."): feature.shape for name, feature in policy.config.image_features.items()}
        zero = torch.zeros(1, policy.config.action_feature.shape[0])
        self.scale: F64 = (self.restore(zero + 1.0) - self.restore(zero))[0].double().numpy()
        self._graphs: dict[int, Callable[..., tuple[Tensor, Tensor, Tensor, Tensor]]] = {}
        self._last_features: tuple[int, F64] | None = None

    def member(self, number: int) -> Any:
        """A copy of one member as LeRobot's own policy."""
        policy = copy.deepcopy(self._policy)
        policy.load_state_dict(self.experts.member_state(number), strict=False)
        return policy

    def prepare(self, images: dict[str, Tensor], states: Tensor, instruction: str) -> dict[str, Any]:
        """LeRobot's pre-processing of N observations: uint8 RGB (N, h, w, 3) by camera and states (N, S) to a batch its policies take.

        Raises PolicyError naming both shapes if a camera is missing or of another size.
        """
        observation: dict[str, Any] = {}
        for name in self.cameras:
            channels, height, width = self._sizes[name]
            found = images.get(name)
            if found is None or found.dtype != torch.uint8 or tuple(found.shape[1:]) != (height, width, channels):
                shapes = {camera: tuple(image.shape[1:]) for camera, image in images.items()}
                raise PolicyError(f"the policy needs camera '{name}' as uint8 ({height}, {width}, {channels}); the pictures are {shapes}")
            observation[f"observation.images.{name}"] = found.to(self.device).permute(0, 3, 1, 2).to(torch.float32) / 255.0
        expected = self._policy.config.robot_state_feature.shape
        if tuple(states.shape[1:]) != tuple(expected):
            raise PolicyError(f"the policy needs a state of shape {tuple(expected)}; the robot's is {tuple(states.shape[1:])}")
        observation["observation.state"] = states
        observation["task"] = [instruction] * len(states)
        return self._before(observation)  # type: ignore[no-any-return]

    def restore(self, actions: Tensor) -> Tensor:
        """LeRobot's post-processing: normalised actions (..., A) to the action's own units, on the CPU."""
        return self._after(actions)  # type: ignore[no-any-return]

    @torch.inference_mode()
    def predict(self, images: dict[str, Tensor], states: Tensor, instruction: str) -> Prediction:
        """One pass over N observations at once. Raises PolicyError."""
        batch = self.prepare(images, states, instruction)
        mask = batch["observation.language.attention_mask"][0]
        tokens = batch["observation.language.tokens"][0][mask]
        pictures = torch.stack([batch[f"observation.images.{name}"] for name in self.cameras], dim=1)
        inputs = (pictures, tokens, batch["observation.state"].to(torch.float32), self._noise)
        actions, velocity, pooled, readings = self._graph(inputs)(*inputs) if len(states) == 1 else self._pass(*inputs)
        return Prediction(
            chunks=self.restore(actions).transpose(0, 1).contiguous().numpy(),
            velocity=velocity.cpu().transpose(0, 1).contiguous().numpy(),
            features=pooled.cpu().double().numpy(),
            readings=readings.cpu() if readings.shape[1] else None,
        )

    def _graph(self, inputs: tuple[Tensor, ...]) -> Callable[..., tuple[Tensor, Tensor, Tensor, Tensor]]:
        """The pass as one recorded graph, which runs without holding the interpreter; one for each length of instruction."""
        length = len(inputs[1])
        if length not in self._graphs:
            with torch.no_grad(), warnings.catch_warnings():
                warnings.simplefilter("ignore")  # the shapes and step times that the tracer warns of are fixed for this graph
                traced = torch.jit.trace(self._pass, inputs, check_trace=False)  # type: ignore[no-untyped-call]
                self._graphs[length] = torch.jit.freeze(traced)
        return self._graphs[length]

    def warm_up(self, progress: Callable[[str], None], instruction: str | None = None) -> None:
        """Record the graph for an instruction (the trained one by default) and run it until its time has settled.

        An instruction of another length records its own graph at its first inference, which then takes about a second.
        """
        images = {name: torch.zeros(1, size[1], size[2], size[0], dtype=torch.uint8) for name, size in self._sizes.items()}
        state = torch.zeros(1, *self._policy.config.robot_state_feature.shape)
        for number in range(WARM_UP_PASSES):
            progress(f"warming up, pass {number + 1} of {WARM_UP_PASSES}")
            self.predict(images, state, self.instruction if instruction is None else instruction)

    def infer(self, frames: Frames, instruction: str, id: int, previous: Inference | None, now_ns: Callable[[], int]) -> Inference:
        """A fresh pass over one exposure, with its signals. Raises PolicyError if pictures or state do not fit the policy."""
        start = now_ns()
        images = {name: torch.from_numpy(_shrunk(image, self._sizes.get(name)))[None] for name, image in frames.images.items()}
        prediction = self.predict(images, torch.from_numpy(policy_state(frames.observation))[None], instruction)
        modelled = now_ns()
        evidence = self.evidence(prediction, frames.exposed_ns, frames.observation, previous)
        values, valid = signals.compute(evidence, self.statistics.familiarity)
        features = evidence.now.features
        self._last_features = None if features is None else (id, features)
        nominal, unknown = self.statistics.nominal, np.full(len(values), np.nan)
        end = now_ns()
        return Inference(
            id=id,
            exposed_ns=frames.exposed_ns,
            start_ns=start,
            end_ns=end,
            base_pose=frames.observation.pose,
            chunks=prediction.chunks[0],
            step_s=self.step_s,
            signals=values,
            valid=valid,
            ratio=unknown if nominal is None else nominal.ratio(values, valid),
            quantile=unknown if nominal is None else nominal.quantile(values, valid),
            heads={} if prediction.readings is None else prefix_heads.read(prediction.readings[0]),
            stage_ms={"model": (modelled - start) * 1e-6, "signals": (end - modelled) * 1e-6},
            members=self.info.members,
            finite=bool(np.isfinite(prediction.chunks).all()),
        )

    def evidence(self, prediction: Prediction, exposed_ns: int, observation: Observation, previous: Inference | None) -> Evidence:
        """What the signals of the first observation of ``prediction`` are computed from."""
        before = None
        if previous is not None:
            kept = self._last_features
            features = kept[1] if kept is not None and kept[0] == previous.id else None
            before = Pass(previous.chunks, previous.exposed_ns, previous.base_pose, previous.step_s, self.scale, None, features)
        features = None if prediction.features is None else prediction.features[0]
        now = Pass(prediction.chunks[0], exposed_ns, observation.pose, self.step_s, self.scale, prediction.velocity[0], features)
        epistemic = float(previous.signals[0]) if previous is not None and previous.valid[0] else math.nan
        return Evidence(now, before, epistemic, observation.q, self.joint_limits)


def policy_state(observation: Observation) -> F32:
    """(9,) tool position in m, tool linear velocity in m/s, external force in N."""
    return np.concatenate((observation.pose[:3], observation.twist[:3], observation.wrench[:3])).astype(np.float32)


def _shrunk(image: U8, size: tuple[int, int, int] | None) -> U8:
    """A picture a whole number of times too large, averaged down to the policy's size; any other is returned as it is."""
    if size is None or image.shape[:2] == size[1:] or image.shape[0] % size[1] or image.shape[0] // size[1] != image.shape[1] / size[2]:
        return np.ascontiguousarray(image)
    block = image.shape[0] // size[1]
    parts = image.reshape(size[1], block, size[2], block, -1).astype(np.uint16)
    return np.asarray(np.rint(parts.mean(axis=(1, 3))), dtype=np.uint8)
