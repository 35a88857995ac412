"""One ensemble asked for many runs at once, each of which gets the answer it would get alone."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from engine.policy import loading
from engine.policy.course import Course
from engine.policy.ensemble import Ensemble, Prediction
from engine.policy.mapping import Offered
from engine.policy.telling import Asked
from engine.signals import perturbation
from engine.types import F32

TOGETHER = {
    "cpu": 1,
    "cuda": 64,
}  #: observations in a pass, by kind of device: always so many, lest a run's answer depend on its neighbours


class Crowd:
    """The policy of a course's robot on a device, for so many places. Raises PolicyError."""

    def __init__(self, course: Course, policy: str, device: str, places: int, offered: Offered, progress: Callable[[str], None]) -> None:
        kind = torch.device(device).type
        options = loading.Options(dtype="float32", perturbed=1)  # the same numbers on every device
        self.ensemble: Ensemble = loading.load(policy, device, progress, course.joint_limits(), course.robot, options, offered)
        self._cameras = offered.cameras
        self._together, self._recorded = TOGETHER[kind], kind == "cpu"
        sight = self.ensemble.sight
        self._looking = None if sight is None else sight.looking(places)
        torch.backends.cudnn.allow_tf32 = False

    def shapes(self, instruction: str) -> Mapping[str, tuple[tuple[int, ...], str]]:
        """Of what ``answer`` says of one run, by name."""
        ensemble = self.ensemble
        images = {name: torch.zeros(1, h, w, c, dtype=torch.uint8) for name, (c, h, w) in ensemble.sizes.items()}
        state = torch.zeros(1, ensemble.mapping.state_size)
        found = ensemble.predict(images, state, instruction, (0,), self._recorded)
        return {name: (array.shape[1:], str(array.dtype)) for name, array in _rows(found).items()}

    def answer(self, asked: Sequence[Asked], pictures: Tensor, states: F32, board: Any) -> list[dict[str, float]]:
        """Put what the ensemble says of each into the rows of ``board`` that are its places'; what the heads tell is returned.

        ``pictures`` (N, C, px, px, 3), ``states`` (N, S). Those that are not wanted are not asked about and told nothing.
        """
        told: list[dict[str, float]] = [{} for _ in asked]
        groups: dict[tuple[str, tuple[int, ...]], list[int]] = {}
        for row, one in enumerate(asked):
            if one.wanted:
                groups.setdefault((one.instruction, perturbation.turn(1, one.id)), []).append(row)
        for (instruction, perturb), rows in groups.items():
            for first in range(0, len(rows), self._together):
                some = rows[first : first + self._together]
                for row, said in zip(some, self._pass(some, asked, pictures, states, instruction, perturb, board), strict=True):
                    told[row] = said
        return told

    def _pass(
        self, rows: list[int], asked: Sequence[Asked], pictures: Tensor, states: F32, instruction: str, perturb: tuple[int, ...], board: Any
    ) -> list[dict[str, float]]:
        filled = rows + rows[:1] * (self._together - len(rows))
        shown = self._shown(pictures[filled])
        found = self.ensemble.predict(shown, torch.from_numpy(states[filled]), instruction, perturb, self._recorded)
        places = [asked[row].place for row in rows]
        for name, array in _rows(found).items():
            board[name][places] = array[: len(rows)]
        heads, sight = self.ensemble.heads, self.ensemble.sight
        if heads is None or found.readings is None:
            return [{}] * len(rows)
        readings = found.readings[: len(rows)]
        if sight is None or self._looking is None:
            return heads.reads(readings)
        looking = self._looking.of(places)
        told = sight.looks(readings, [asked[row].exposed_ns for row in rows], [asked[row].anew for row in rows], looking)
        self._looking.put(places, looking)
        return told

    def _shown(self, pictures: Tensor) -> dict[str, Tensor]:
        """By the policy's names."""
        ensemble = self.ensemble
        return {name: pictures[:, self._cameras.index(ensemble.mapping.cameras[name])] for name in ensemble.cameras}


def _rows(found: Prediction) -> dict[str, Any]:
    """What ``engine.policy.telling.Said`` is made of, (N, ...) each."""
    return {"chunks": found.chunks, "velocity": found.velocity, "features": found.features, "perturbed": found.perturbed}
