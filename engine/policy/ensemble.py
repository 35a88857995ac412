"""The ensemble at work: every call is a fresh pass of all members from pictures, state and instruction."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
import torch
from torch import Tensor

from engine.policy import building, memory
from engine.policy.errors import PolicyError
from engine.policy.heads import Heads
from engine.policy.mapping import Mapping
from engine.policy.members import Answer, Members
from engine.policy.smoothing import Sight
from engine.policy.statistics import Statistics
from engine.policy.telling import Measures, Said, Teller
from engine.signals import perturbation
from engine.types import F32, F64, Frames, Inference, PolicyInfo

log = logging.getLogger(__name__)

WARM_UP_PASSES = 5


@dataclass(frozen=True)
class Prediction:
    """What one pass says of N observations. E members, B noise samples, K perturbations, H horizon, A action."""

    chunks: F32  #: (N, E, B, H, A) in SI units, components in the order of ``mapping.canonical``
    velocity: F32  #: (N, E, B, H, A) at the first flow step, normalised, components in the policy's own order
    features: F64  #: (N, F)
    readings: Tensor | None  #: (N, O) outputs of the heads
    perturbed: F32 | None = None  #: (N, K, E, H, A) as ``chunks``, at the first noise sample, from perturbed pictures

    def said(self, row: int, perturb: tuple[int, ...]) -> Said:
        """Of one observation; ``perturb`` are the perturbations that were asked for."""
        passes = {} if self.perturbed is None else dict(zip(perturb, self.perturbed[row], strict=True))
        return Said(self.chunks[row], self.velocity[row], self.features[row], passes)


class Ensemble:
    """Members asked as one. Made by ``engine.policy.loading.load`` and by training; one thread calls it."""

    def __init__(
        self,
        config: Any,
        members: Members,
        heads: Heads | None,
        statistics: Statistics,
        processors: tuple[Any, Any],
        info: PolicyInfo,
        mapping: Mapping,
        instruction: str = "",
        joint_limits: tuple[tuple[float, float], ...] | None = None,
        perturbed: int = 0,
        policy: Callable[[int], Any] | None = None,
        sight: Sight | None = None,
    ) -> None:
        self.info = info
        self.instruction = instruction  #: the one it was trained on
        self.statistics = statistics
        self.mapping = mapping
        self.step_s = mapping.step_s
        self.perturbed = perturbed  #: how many of the perturbations each inference runs
        self.device = torch.device(info.device)
        self.members, self.heads, self.sight = members, heads, sight
        self.sizes = building.picture_sizes(config)
        self.cameras = list(self.sizes)  #: the policy's own names, in its order
        self._config, self._policy = config, policy
        self._before, self._after = processors
        self._noise = statistics.noise.to(self.device)
        zero = np.zeros((1, config.action_feature.shape[0]), dtype=np.float32)
        self.scale: F64 = (self._finished(zero + 1.0) - self._finished(zero))[0].astype(np.float64)
        self._bank: dict[tuple[int, ...], Tensor] = {}
        self._recorded: tuple[tuple[Any, ...], Callable[..., Answer]] | None = None
        self.measures = Measures(statistics.nominal, statistics.familiarity, mapping, self.scale, joint_limits, info.members)
        self._teller = Teller(self.measures)

    def member(self, number: int) -> Any:
        """One member as LeRobot's own policy, read anew from its files. Raises PolicyError."""
        if self._policy is None:
            raise PolicyError(f"{self.info.name} has no files to read its members from")
        return self._policy(number).to(self.device)

    def prepare(self, images: dict[str, Tensor], states: Tensor, instruction: str) -> dict[str, Any]:
        """LeRobot's pre-processing of N observations: uint8 RGB (N, h, w, 3) by camera and states (N, S) to a batch its policies take.

        Raises PolicyError naming both shapes if a camera is missing or of another size.
        """
        observation: dict[str, Any] = {}
        for name, (channels, height, width) in self.sizes.items():
            found = images.get(name)
            if found is None or found.dtype != torch.uint8 or tuple(found.shape[1:]) != (height, width, channels):
                shapes = {camera: tuple(image.shape[1:]) for camera, image in images.items()}
                raise PolicyError(f"the policy needs camera '{name}' as uint8 ({height}, {width}, {channels}); the pictures are {shapes}")
            observation[f"observation.images.{name}"] = found.to(self.device).permute(0, 3, 1, 2).to(torch.float32) / 255.0
        expected = self._config.robot_state_feature.shape
        if tuple(states.shape[1:]) != tuple(expected):
            raise PolicyError(f"the policy needs a state of shape {tuple(expected)}; the robot's is {tuple(states.shape[1:])}")
        observation["observation.state"] = states
        observation["task"] = [instruction] * len(states)
        return self._before(observation)  # type: ignore[no-any-return]

    def restore(self, actions: Tensor) -> Tensor:
        """LeRobot's post-processing: normalised actions (..., A) to the action's own units, on the CPU."""
        return self._after(actions)  # type: ignore[no-any-return]

    def _finished(self, actions: Any) -> F32:
        """Normalised actions (..., A) in SI units."""
        return self.mapping.actions_of(self.restore(torch.as_tensor(actions)).numpy())

    @torch.inference_mode()
    def predict(
        self, images: dict[str, Tensor], states: Tensor, instruction: str, perturb: tuple[int, ...] = (), recorded: bool = False
    ) -> Prediction:
        """One pass over N observations at once, and over each of them as the perturbations ``perturb`` show it. Raises PolicyError.

        ``recorded`` records the pass for inputs of these shapes, or runs what was recorded for them last.
        """
        batch = self.prepare(images, states, instruction)
        mask = batch["observation.language.attention_mask"][0]
        tokens = batch["observation.language.tokens"][0][mask]
        pictures = self._stacked([batch[f"observation.images.{name}"] for name in self.cameras])
        state = batch["observation.state"].to(torch.float32)
        n, samples, shown = len(states), len(self._noise), len(perturb)
        if perturb:
            noise = self._perturbations(tuple(pictures.shape[1:]))
            pictures = torch.cat((pictures, *(perturbation.perturbed(pictures, noise, number) for number in perturb)))
            state = state.repeat(1 + shown, 1)
        which = tuple(i for i in range(n) for _ in range(samples)) + tuple(range(n, n * (1 + shown)))
        streams = torch.cat((self._noise.repeat(n, 1, 1), self._noise[:1].expand(n * shown, -1, -1)))
        answer = self._asked(pictures, tokens, state, streams, which, recorded)
        chunks = self._finished(answer.actions)
        pooled, readings = (part[:n].cpu() for part in answer.also)
        clean = (len(chunks), n, samples, *chunks.shape[2:])
        disturbed = chunks[:, n * samples :].reshape(len(chunks), shown, n, *chunks.shape[2:])
        return Prediction(
            chunks=np.ascontiguousarray(chunks[:, : n * samples].reshape(clean).swapaxes(0, 1)),
            velocity=np.ascontiguousarray(answer.velocity[:, : n * samples].cpu().numpy().reshape(clean).swapaxes(0, 1)),
            features=pooled.double().numpy(),
            readings=readings if readings.shape[1] else None,
            perturbed=np.ascontiguousarray(disturbed.transpose(2, 1, 0, 3, 4)) if perturb else None,
        )

    def _stacked(self, pictures: list[Tensor]) -> Tensor:
        """(N, C, 3, h, w), all as large as the first."""
        from engine.policy.prefix import fitted, picture_size

        if len({picture.shape for picture in pictures}) > 1:
            size = picture_size(self._config)
            pictures = [fitted(picture, size) for picture in pictures]
        return torch.stack(pictures, dim=1)

    def _perturbations(self, shape: tuple[int, ...]) -> Tensor:
        """The noise of every perturbation for pictures of ``shape``, kept."""
        if shape not in self._bank:
            self._bank = {shape: torch.from_numpy(perturbation.bank(shape)).to(self.device)}
        return self._bank[shape]

    def _asked(self, pictures: Tensor, tokens: Tensor, state: Tensor, noise: Tensor, which: tuple[int, ...], recorded: bool) -> Answer:
        """The members' answer, by the pass as it was recorded for inputs of these shapes, or is now, if wanted."""
        if not recorded:
            return self.members(pictures, tokens, state, noise, which, self._also)  # type: ignore[no-any-return]
        key = (tuple(pictures.shape), len(tokens), which)
        if self._recorded is None or self._recorded[0] != key:
            self._recorded = None  # what was recorded gives back its memory before the new one takes its own
            self._recorded = (key, self.members.recorded(pictures, tokens, state, noise, which, self._also, self._unrecorded))
        return self._recorded[1](pictures, tokens, state, noise)

    def _unrecorded(self, why: str) -> None:
        """The pass runs step by step, which is slower: the screen says so."""
        log.warning("%s", why)
        self.info = msgspec.structs.replace(self.info, path=f"{self.members.path}, unrecorded")

    def _also(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Features averaged over each camera's tokens (N, F), and the outputs of the heads (N, O), none without heads."""
        pooled = features.reshape(features.shape[0], len(self.cameras), -1, features.shape[-1]).mean(dim=2).flatten(1).to(torch.float32)
        return pooled, pooled[:, :0] if self.heads is None else self.heads(features.to(torch.float32))

    def warm_up(self, progress: Callable[[str], None], instruction: str | None = None) -> None:
        """Record the pass for an instruction (the trained one by default) and run it until its time has settled. Raises PolicyError.

        An instruction of another length is recorded at its first inference, which then takes as long as this.
        """
        images = {name: torch.zeros(1, height, width, 3, dtype=torch.uint8) for name, (_, height, width) in self.sizes.items()}
        state = torch.zeros(1, self.mapping.state_size)
        perturb = perturbation.turn(self.perturbed, 0)
        with memory.kept_within(self.members, self.device):
            for number in range(WARM_UP_PASSES):
                progress(f"warming up, pass {number + 1} of {WARM_UP_PASSES}")
                words = self.instruction if instruction is None else instruction
                chunks = self.predict(images, state, words, perturb, recorded=True).chunks
                if not np.isfinite(chunks).all():
                    raise PolicyError(f"{self.info.name} answers black pictures with actions that are not finite")
        progress(memory.in_use(self.members, self.device))

    def infer(self, frames: Frames, instruction: str, id: int, previous: Inference | None, now_ns: Callable[[], int]) -> Inference:
        """A fresh pass over one exposure, with its signals. Raises PolicyError if pictures or state do not fit the policy."""
        start = now_ns()
        seen = frames.observation
        shown = self.mapping.pictures_of(frames.images, self.sizes)
        images = {name: torch.from_numpy(image)[None] for name, image in shown.items()}
        perturb = perturbation.turn(self.perturbed, id)
        prediction = self.predict(images, torch.from_numpy(self.mapping.state_of(seen))[None], instruction, perturb, recorded=True)

        def heads(anew: bool) -> dict[str, float]:
            return self._told(prediction, frames.exposed_ns, anew)

        return self._teller.inference(prediction.said(0, perturb), frames, instruction, id, previous, (start, now_ns()), now_ns, heads)

    def _told(self, prediction: Prediction, exposed_ns: int, anew: bool) -> dict[str, float]:
        """What the heads read off the first observation's pictures, by name."""
        if prediction.readings is None or self.heads is None:
            return {}
        row = prediction.readings[0]
        return self.heads.read(row) if self.sight is None else self.sight.look(row, exposed_ns, anew)
