"""The end effector's state beside what an Isaac Lab environment observes: where a link of the robot is, and how it moved in a step."""

from typing import Any

import gymnasium
import torch
from isaaclab.utils.math import quat_inv, quat_mul, quat_unique

from adapters.isaaclab import known

KEYS = ("ee_pos", "ee_quat", "ee_pos_delta", "ee_quat_delta")
WXYZ = (3, 0, 1, 2)


class IsaacEEWrapper(gymnasium.Wrapper[Any, Any, Any, Any]):
    """Adds ``info["ee_state"]``, and with ``add_ee_to_obs`` the observation group "ee".

    The link is a body of the articulation ``robot_name``; the URDF's names of the SO-101's links are known too. Poses are in the base
    frame of each environment, quaternions w, x, y, z. Raises ValueError where there is no such robot or link, with those there are.
    """

    def __init__(self, env: Any, robot_name: str = known.ROBOT, ee_link_name: str = known.LINK, add_ee_to_obs: bool = True) -> None:
        super().__init__(env)
        scene: Any = env.unwrapped.scene
        if robot_name not in scene.articulations:
            raise ValueError(f"The environment has no robot {robot_name!r}; it has {', '.join(scene.articulations)}.")
        self.robot = scene[robot_name]
        names = self.robot.body_names
        body = known.BODIES.get(ee_link_name, ee_link_name)
        if body not in names:
            raise ValueError(f"The robot {robot_name!r} has no link {ee_link_name!r}; it has {', '.join(names)}.")
        self._body, self._add, self._scene = names.index(body), add_ee_to_obs, scene
        self.look()

    def get_ee_state(self) -> dict[str, torch.Tensor]:
        """``ee_pos`` (E, 3) m, ``ee_quat`` (E, 4), and ``ee_pos_delta``, ``ee_quat_delta``: from the step before to the last one."""
        return dict(self._state)

    def look(self) -> None:
        """Begin where the link is now: it has not moved."""
        self._state = self._now(None)

    def reset(self, **given: Any) -> tuple[Any, dict[str, Any]]:
        observed, info = self.env.reset(**given)
        self.look()
        return self._seen(observed), self._told(info)

    def step(self, action: Any) -> tuple[Any, Any, Any, Any, dict[str, Any]]:
        result: Any = self.env.step(action)
        observed, reward, terminated, truncated, info = result
        before = self._state
        self._state = self._now(before)
        over = terminated | truncated
        if over.any():
            begun = self._now(None)
            for key in KEYS[2:]:
                self._state[key] = torch.where(over[:, None], begun[key], self._state[key])
        return self._seen(observed), reward, terminated, truncated, self._told(info)

    def _seen(self, observed: Any) -> Any:
        return {**observed, "ee": torch.cat([self._state[key] for key in KEYS], dim=-1)} if self._add else observed

    def _told(self, info: dict[str, Any]) -> dict[str, Any]:
        return {**info, "ee_state": self.get_ee_state()}

    def _now(self, before: dict[str, torch.Tensor] | None) -> dict[str, torch.Tensor]:
        """The state; an episode's first has not moved."""
        place = self.robot.data.body_pos_w.torch[:, self._body] - self._scene.env_origins
        turn = self.robot.data.body_quat_w.torch[:, self._body].clone()
        if before is None:
            moved, turned = torch.zeros_like(place), torch.zeros_like(turn)
            turned[:, 3] = 1.0
        else:
            moved = place - before["ee_pos"]
            turned = quat_unique(quat_mul(turn, quat_inv(before["ee_quat"][:, [1, 2, 3, 0]])))
        return dict(zip(KEYS, (place, turn[:, WXYZ], moved, turned[:, WXYZ]), strict=True))
