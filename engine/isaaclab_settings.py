"""The settings of Isaac Lab: its environments, the link to the worker that steps them, and when a run of episodes ends."""

import re
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator

_LINK = re.compile(r"([A-Za-z0-9._][A-Za-z0-9._-]{0,99})?")


def _name(text: str) -> str:
    if not text.isidentifier():
        raise ValueError("use letters, digits and _, a letter first")
    return text


Name = Annotated[str, AfterValidator(_name)]


class IsaacLabSettings(BaseModel):
    """The section ``isaaclab``; it says nothing to other robots."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)

    num_envs: int = Field(1, ge=1, le=64, description="environments: the first is shown, all follow its commands and are counted")
    camera_every: int = Field(0, ge=0, le=1000, description="environment steps of 10 ms between two exposures; 0: as camera.hz has it")
    link: str = Field("", description="name of the shared memory, for a worker started by hand; nothing: a worker is started for each run")
    isaac_python: str = Field("", max_length=4096, description="interpreter that has Isaac Lab; nothing: uv makes one")
    robot_name: Name = Field("robot", description="of the arm in the environment's scene")
    ee_link_name: Name = Field("gripper_link", description="of the arm's link that is its end effector, and that keys push")
    ee_in_obs: bool = Field(True, description="the end effector's state is part of what the environment observes")
    max_steps: int = Field(
        0, ge=0, le=10**9, description="environment steps of an episode, or of a run without episodes; 0: the task's own"
    )
    episodes: int = Field(0, ge=0, le=10**9, description="of all environments together, after which a run ends; 0: it goes on")

    @field_validator("link")
    @classmethod
    def _a_link_s_name(cls, link: str) -> str:
        if not _LINK.fullmatch(link):
            raise ValueError("use letters, digits, ., - and _, 100 at most, no - first")
        return link
