"""Isaac Lab's entry: the robot in its environment and its cameras, as the settings have them."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import platformdirs

from adapters.base import CameraRig
from adapters.isaaclab import known
from adapters.isaaclab.rig import IsaacRig
from adapters.isaaclab.robot import Course, Isaac

if TYPE_CHECKING:
    from engine.config import Settings


def build(settings: "Settings") -> tuple[Isaac, CameraRig]:
    """(the robot, not yet connected, and its cameras). Raises AdapterError where the arm's model is not installed."""
    given, task = settings.isaaclab, known.KNOWN[settings.task]
    agreed = handshake(settings)
    robot = Isaac(
        given.link or str(os.getpid()),
        agreed,
        Path(platformdirs.user_log_dir("sawhorse")) / "isaaclab.log",
        isaac_python=given.isaac_python,
        by_hand=bool(given.link),
        course=Course(given.episodes, given.max_steps),
    )
    return robot, IsaacRig(robot, task.cameras, settings.camera.pixels, agreed["camera_every"])


def handshake(settings: "Settings") -> dict[str, Any]:
    """What the worker is asked for."""
    given, task, px = settings.isaaclab, known.KNOWN[settings.task], settings.camera.pixels
    return {
        "task": settings.task,
        "environments": given.num_envs,
        "joints": list(task.joints),
        "cameras": {name: [px, px] for name in task.cameras},
        "views": dict(task.views),
        "seed": settings.seed,
        "pace": "clock",
        "camera_every": given.camera_every or max(1, round(1.0 / (settings.camera.hz * known.STEP_S))),
        "robot_name": given.robot_name,
        "ee_link_name": given.ee_link_name,
        "ee_in_obs": given.ee_in_obs,
        "device": "cuda:0" if settings.device == "cuda" else settings.device,
    }
