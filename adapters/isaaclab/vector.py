"""Isaac Lab as LeRobot's evaluation takes it: ``make_env`` gives a ``gymnasium.vector.VectorEnv`` over the link, in lock-step.

The worker is a process of its own and steps all environments together. One action is ``Config.steps`` environment steps of 10 ms, at whose
end the cameras expose. An environment whose episode has ended begins its next one in the next step, whose action it ignores.
"""

import contextlib
import itertools
import logging
import os
import re
import threading
import time
import weakref
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Final

import numpy as np
import platformdirs
from gymnasium import spaces
from gymnasium.envs.registration import EnvSpec
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from adapters.base import AdapterError
from adapters.isaaclab import known, launch, shared
from adapters.isaaclab.mapping import TABLES, Numbers, Present, Table, action_range, joint_table, policy_action_to_env, state_of
from engine.control import pose as poses
from engine.tasks import INSTRUCTIONS

BEAT_S: Final = 0.05
LOOK_S: Final = 0.5  #: between two looks whether the worker lives, while its answer is awaited
PIXELS: Final = 128
SO101: Final = "so101"
SPEED: Final = 2.5  #: rad/s, of a target, as of so101-sim's servos
FARTHEST: Final = SPEED * known.STEP_S  #: rad, in one environment step
CONJUGATE: Final = np.array([1.0, -1.0, -1.0, -1.0])
LOG: Final = platformdirs.user_log_path("sawhorse") / "isaaclab.log"  #: what the worker prints
EE: Final = {"ee_pos": 3, "ee_quat": 4, "ee_pos_delta": 3, "ee_quat_delta": 4}
#: what LeRobot's configurations of environments call some of ``Config``
ALSO: Final = {"episode_length": "max_steps", "camera_names": "cameras"}
COUNT: Final = itertools.count()
MOST: Final = 64  #: environments, as of the settings
#: the least and the most of each whole number of ``Config``
WHOLE: Final = {"camera_height": (1, 2048), "camera_width": (1, 2048), "max_steps": (0, 10**9), "steps": (1, 1000), "seed": (0, 2**31 - 1)}

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Config:
    """What is run, and how."""

    task: str = "Isaac-SO-ARM101-Lift-Cube-v0"  #: of ``known.KNOWN``
    instruction: str = ""  #: that the policy is told; "" is the task's usual one
    table: Table | str = "lerobot"  #: of ``mapping.TABLES``, or one of your own: what the policy's numbers mean
    cameras: tuple[str, ...] | None = None  #: None is all of the task
    camera_height: int = PIXELS
    camera_width: int = PIXELS
    max_steps: int = 0  #: actions of an episode, at most; 0 is the task's own time
    steps: int = 5  #: environment steps of 10 ms an action
    seed: int = 0  #: of what is drawn before the first ``reset`` with a seed
    robot_name: str = known.ROBOT
    ee_link_name: str = ""  #: "" is the task's own
    ee_in_obs: bool = True
    device: str = "cpu"  #: of the worker's physics: "cpu" or "cuda:0"
    isaac_python: str = ""  #: of an Isaac Lab that is installed already; "" is the worker's own environment, made the first time
    link: str = ""  #: that a worker started by hand serves; "" starts one
    start_within: float = 300.0  #: s
    step_within: float = 60.0  #: s

    def __post_init__(self) -> None:
        """Raises AdapterError for a value that its setting cannot have."""
        for one in fields(self):
            value, name = getattr(self, one.name), one.name
            if name in WHOLE:
                least, most = WHOLE[name]
                fits, wanted = type(value) is int and least <= value <= most, f"a whole number from {least} to {most}"
            elif one.type is float:
                fits, wanted = type(value) in (int, float) and value > 0.0, "a number of s over 0"
            elif one.type is bool:
                fits, wanted = isinstance(value, bool), "True or False"
            elif name == "table":
                fits, wanted = isinstance(value, Table | str), "a Table or the name of one"
            elif name == "cameras":
                fits = value is None or (isinstance(value, tuple) and all(isinstance(camera, str) for camera in value))
                wanted = "the names of cameras"
            elif name == "device":
                fits, wanted = isinstance(value, str) and re.fullmatch(r"cpu|cuda(:\d+)?", value) is not None, "'cpu' or such as 'cuda:0'"
            else:
                fits, wanted = isinstance(value, str), "a text"
            if not fits:
                raise AdapterError(f"Of Isaac Lab the setting {name} cannot be {value!r}: give {wanted}.")


def configured(given: Any) -> Config:
    """From nothing, a mapping, or an object with some of ``Config``'s fields such as LeRobot's ``EnvConfig``. Raises AdapterError."""
    names = {one.name: one.name for one in fields(Config)} | ALSO
    if given is None:
        return Config()
    if isinstance(given, Config):
        return given
    if isinstance(given, Mapping):
        if unknown := sorted(given.keys() - names.keys(), key=str):
            raise AdapterError(f"Of Isaac Lab there is no setting {unknown[0]!r}; there are {', '.join(sorted(names))}.")
        found = given
    else:
        found = {name: getattr(given, name) for name in names if hasattr(given, name)}
        if not found:
            raise AdapterError(f"Isaac Lab cannot be configured by {given!r}: give a dict, or an object with settings as attributes.")
    chosen = {names[name]: value for name, value in found.items() if value is not None}
    cameras = chosen.get("cameras")
    if isinstance(cameras, str):
        chosen["cameras"] = tuple(name.strip() for name in cameras.split(",") if name.strip())
    elif isinstance(cameras, list):
        chosen["cameras"] = tuple(cameras)
    return Config(**chosen)


def make_env(n_envs: int = 1, use_async_envs: bool = False, cfg: Any = None) -> "IsaacVectorEnv":
    """``n_envs`` environments of Isaac Lab; blocks until they step, the first time for minutes. Raises AdapterError.

    ``use_async_envs`` changes nothing: they step together, in the worker's process, beside this one. ``cfg`` as ``configured`` takes it.
    """
    if not (type(n_envs) is int and 1 <= n_envs <= MOST):
        raise AdapterError(f"There cannot be {n_envs!r} environments: give a whole number from 1 to {MOST}.")
    return IsaacVectorEnv(n_envs, configured(cfg))


class IsaacVectorEnv(VectorEnv[dict[str, Any], NDArray[Any], NDArray[Any]]):
    """``n_envs`` environments of one worker, which ``close`` ends, as does the end of the program.

    Observed: "pixels" {camera: (n, H, W, 3) uint8}, "agent_pos" (n, S) in the table's units, and with ``ee_in_obs`` "ee_pos" (n, 3) m,
    "ee_quat" (n, 4) w x y z, "ee_pos_delta", "ee_quat_delta": the link's pose in its environment, and how it moved in the last action.
    An episode ends when the task is done or its cube has fallen off, which terminates it, or after ``_max_episode_steps`` actions.
    """

    def __init__(self, n_envs: int, config: Config) -> None:
        """Raises AdapterError where the configuration is wrong, or the worker does not start."""
        task = _task(config)
        self.num_envs, self.joints, self.table = n_envs, task.joints, _table(config.table, task)
        self.task, self.task_description = config.task, config.instruction or task.instruction or INSTRUCTIONS[task.does]
        self._config = config
        self._max_episode_steps = config.max_steps or round(task.seconds / (config.steps * known.STEP_S))
        self._tool = Tool(n_envs) if self.table.moves_tool else None
        self.metadata = {
            "autoreset_mode": AutoresetMode.NEXT_STEP,
            "render_modes": ["rgb_array"],
            "render_fps": max(1, round(1.0 / (config.steps * known.STEP_S))),
        }
        self.render_mode, self.spec = "rgb_array", EnvSpec(id=config.task)
        cameras = task.cameras if config.cameras is None else config.cameras
        self._set_spaces(cameras)
        self._link = Lockstep(n_envs, config, self.joints, cameras)
        self._end = weakref.finalize(self, self._link.close)
        self._over = np.ones(n_envs, dtype=bool)
        self._lasted = np.zeros(n_envs, dtype=int)
        self._acted = 0
        self._target = self._link.present.joints
        self._delta = self._moved(None)

    def reset(
        self, *, seed: int | Sequence[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Begin an episode everywhere. ``seed``: one for each environment, or the first one's, from which the others count on."""
        counted = [seed + number for number in range(self.num_envs)] if isinstance(seed, int) else seed
        seeds = [-1 if one is None else one for one in counted or [None] * self.num_envs]
        if len(seeds) != self.num_envs:
            raise AdapterError(f"There are {len(seeds)} seeds for {self.num_envs} environments: give one for each.")
        self._begin(np.ones(self.num_envs, dtype=bool), np.array(seeds), shown=True)
        self._acted = 0
        self._over[:] = False
        self._delta = self._moved(None)
        return self._observed(), self._told(np.zeros(self.num_envs, dtype=bool))

    def step(self, actions: NDArray[Any]) -> tuple[dict[str, Any], NDArray[Any], NDArray[Any], NDArray[Any], dict[str, Any]]:
        """One action (n, A) everywhere, in the table's units. Raises MappingError where it does not fit, AdapterError on a late answer."""
        link, begins, before = self._link, self._over, self._link.state["pose"]
        if self._tool is not None and self._acted % self.table.horizon == 0:
            self._tool.begin(link.present.joints)
        reach = None if self._tool is None else self._tool.reach
        goal, gripper = policy_action_to_env(actions, self.table, present=link.present, joints=self.joints, reach=reach)
        self._acted += 1
        if begins.any():
            self._begin(begins, np.full(self.num_envs, -1), shown=bool(begins.all()))
            goal, gripper = np.where(begins[:, None], self._target, goal), np.where(begins, np.nan, gripper)
        reward = np.zeros(self.num_envs)
        for left in range(0 if begins.all() else self._config.steps, 0, -1):
            self._target = self._target + np.clip((goal - self._target) / left, -FARTHEST, FARTHEST)
            sag = np.zeros_like(self._target) if self._tool is None else self._tool.sag(link.state)
            link.act(self._target + sag, sag, gripper, shown=left == 1)
            reward += np.where(begins, 0.0, link.state["reward"])
        self._lasted += ~begins
        self._delta = self._moved(before, begins)
        success = link.state["success"] & ~begins
        terminated = (success | (link.state["object"][:, 2] < known.LOST)) & ~begins
        truncated = (self._lasted >= self._max_episode_steps) & ~terminated & ~begins
        self._over = terminated | truncated
        return self._observed(), reward, terminated, truncated, self._told(success)

    def render(self) -> tuple[NDArray[np.uint8], ...] | None:
        """(H, W, 3) of each environment by its first camera; None where there is no camera."""
        return next((tuple(pictures) for pictures in self._link.pictures.values()), None)

    def get_ee_state(self) -> dict[str, NDArray[np.float32]]:
        """``ee_pos`` (n, 3) m, ``ee_quat`` (n, 4) w x y z, and how both changed in the last action; in a new episode they did not."""
        pose = self._link.state["pose"]
        parts = (pose[:, :3], pose[:, 3:], self._delta[:, :3], self._delta[:, 3:])
        return {name: part.astype(np.float32) for name, part in zip(EE, parts, strict=True)}

    def call(self, name: str, *given: Any, **named: Any) -> tuple[Any, ...]:
        """An attribute, or what a method returns, for each environment, as LeRobot asks its own vector environments."""
        found = getattr(self, name)
        value = found(*given, **named) if callable(found) else found
        return value if isinstance(value, tuple) else (value,) * self.num_envs

    def get_attr(self, name: str) -> tuple[Any, ...]:
        """An attribute for each environment."""
        return (getattr(self, name),) * self.num_envs

    def close_extras(self, **_: Any) -> None:
        """End the worker and let the link go."""
        self._end()

    def _begin(self, which: NDArray[np.bool_], seeds: NDArray[np.int64], shown: bool) -> None:
        """A new episode where ``which`` (E,) says so, and the arms' targets where they are; the others stay. Seed -1 goes on drawing."""
        self._link.begin(which, seeds, shown)
        joints = self._link.present.joints
        self._target = np.where(which[:, None], joints, self._target)
        self._lasted[which] = 0
        if self._tool is not None:
            self._tool.begin(joints, which)

    def _moved(self, before: Numbers | None, begins: NDArray[np.bool_] | None = None) -> Numbers:
        """(E, 7) m and a quaternion w, x, y, z about base axes, from the poses ``before`` to the present ones; none where one begins."""
        delta = np.tile([0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0], (self.num_envs, 1))
        if before is not None:
            for one in np.flatnonzero(~begins if begins is not None else np.ones(self.num_envs, dtype=bool)):
                was, now = before[one], self._link.state["pose"][one]
                turn = poses.normalised(poses.product(now[3:], was[3:] * CONJUGATE))
                delta[one] = *(now[:3] - was[:3]), *turn
        return delta

    def _observed(self) -> dict[str, Any]:
        seen = {"pixels": self._link.pictures, "agent_pos": state_of(self.table, self._link.present, self.joints)}
        return seen | (self.get_ee_state() if self._config.ee_in_obs else {})

    def _told(self, success: NDArray[np.bool_]) -> dict[str, Any]:
        told: dict[str, Any] = {"ee_state": self.get_ee_state(), "is_success": success}
        if self._over.any():
            told["final_info"], told["_final_info"] = {"is_success": success, "_is_success": self._over}, self._over
        return told

    def _set_spaces(self, cameras: Sequence[str]) -> None:
        size = (self._config.camera_height, self._config.camera_width, 3)
        numbers = {"agent_pos": len(self.table.state)} | (EE if self._config.ee_in_obs else {})
        self.single_observation_space = spaces.Dict(
            {
                "pixels": spaces.Dict({name: spaces.Box(0, 255, size, np.uint8) for name in cameras}),
                **{name: spaces.Box(-np.inf, np.inf, (count,), np.float32) for name, count in numbers.items()},
            }
        )
        low, high = action_range(self.table)
        self.single_action_space = spaces.Box(low, high, dtype=np.float32)
        self.observation_space = batch_space(self.single_observation_space, self.num_envs)
        self.action_space = batch_space(self.single_action_space, self.num_envs)


class Lockstep:
    """The console's side of a link whose worker makes a step, or begins episodes, where it is told to."""

    def __init__(
        self,
        environments: int,
        config: Config,
        joints: tuple[str, ...],
        cameras: tuple[str, ...],
        tell: Callable[[str], None] = log.info,
        **also: Any,
    ) -> None:
        """Blocks until the worker steps; ``tell`` hears of it. ``also`` is what else the handshake has. Raises AdapterError."""
        size = (config.camera_height, config.camera_width)
        handshake = {
            "environments": environments,
            "joints": joints,
            "cameras": dict.fromkeys(cameras, size),
            "task": config.task,
            "seed": config.seed,
            "pace": shared.LOCKSTEP,
            "camera_every": config.steps if cameras else 0,
            "robot_name": config.robot_name,
            "ee_link_name": config.ee_link_name or known.KNOWN[config.task].link,
            "ee_in_obs": config.ee_in_obs,
            "device": config.device,
            **also,
        }
        LOG.parent.mkdir(parents=True, exist_ok=True)
        name = config.link or f"vector-{os.getpid()}-{next(COUNT)}"
        self._cameras, self._every, self._within = cameras, config.steps, config.step_within
        self.pictures: dict[str, NDArray[np.uint8]] = {}  #: of each camera (E, H, W, 3), of the last exposure
        self._step, self._stack, self._closed = 0, contextlib.ExitStack(), False
        try:
            self._link = _created(name, handshake)
            self._stack.callback(self._link.close)
            self._stack.callback(_beating(self._link))
            self._worker = launch.Worker(self._link, name, LOG, tell, isaac_python=config.isaac_python, by_hand=bool(config.link))
            self._stack.callback(self._worker.close)
            self._worker.start(within=config.start_within)
            self._link.clear(self._link.stops)
            self._seen = self._awaited(0)  # the worker shows one before it says that it is ready
        except BaseException:
            self.close()
            raise

    @property
    def state(self) -> dict[str, NDArray[Any]]:
        """The newest, as ``shared.RINGS`` has it."""
        return self._seen.values

    @property
    def present(self) -> Present:
        return Present(self.state["q"], self.state["gripper"])

    def begin(self, which: NDArray[np.bool_], seeds: NDArray[np.int64], shown: bool) -> None:
        """New episodes where ``which`` (E,) says so, and nothing elsewhere. Raises AdapterError."""
        joints = self.state["q"]
        self._command(shown, reset=which, seed=seeds, target=joints, sag=np.zeros_like(joints), gripper=np.full(len(joints), np.nan))

    def act(self, target: Numbers, sag: Numbers, gripper: Numbers, shown: bool) -> None:
        """One environment step towards ``target`` (E, J) rad, of which ``sag`` carries the arm's weight. Raises AdapterError."""
        none = {"reset": np.zeros(len(target), dtype=bool), "seed": np.full(len(target), -1)}
        self._command(shown, **none, target=target, sag=sag, gripper=gripper)

    def close(self) -> None:
        """End the worker and let the link go. Idempotent."""
        self._closed = True
        self._stack.close()

    def _command(self, shown: bool, **values: Any) -> None:
        """Have it done; the worker exposes where a step's number is a multiple of ``camera_every``."""
        count = len(values["target"])
        self._step = (self._step // self._every + 1) * self._every if shown else self._step + 1
        still = {"body": np.zeros(count, dtype=int), "force": np.zeros((count, 3))}
        if self._closed:
            raise AdapterError("The Isaac Lab environments are closed: make new ones.")
        self._link.command.write(step=self._step, **values, **still)
        while int(self._seen.values["step"]) != self._step:
            self._seen = self._awaited(self._seen.number)
        if shown and self._cameras:
            frame = self._link.frames.newest(shared.clock_ns())
            if frame is None or int(frame.values["step"]) != self._step:
                raise AdapterError(f"Isaac Lab showed no pictures of step {self._step}: see its log, {LOG}.")
            self.pictures = {name: frame.values[name].copy() for name in self._cameras}

    def _awaited(self, number: int) -> shared.Message:
        """The first state after message ``number``. Raises AdapterError, and closes, where the worker has ended or takes too long."""
        until = time.monotonic() + self._within
        while True:
            try:
                return self._link.state.after(number, LOOK_S)
            except shared.LinkError:
                why = self._worker.ended()
                if not why and time.monotonic() > until:
                    why = f"Isaac Lab has not answered for {self._within:g} s: see its log, {LOG}."
            if why:
                self.close()
                raise AdapterError(why)


class Tool:
    """The SO-101's arms as their tools see them, as so101-sim's servos move them."""

    def __init__(self, environments: int) -> None:
        from adapters.mujoco.tabletop import so101
        from adapters.mujoco.tabletop.kinematics import Kinematics
        from adapters.so101.figure import Model

        self._kinematics, self._model = Kinematics(so101.SO101), Model()
        self._base: list[poses.Floats] = [(0.0,) * 7] * environments
        self._guess: Numbers = np.zeros((environments, len(known.JOINTS)))

    def begin(self, joints: Numbers, which: NDArray[np.bool_] | None = None) -> None:
        """From now on displacements count from where the tools are at joints (E, 5) rad; of those only that ``which`` (E,) names."""
        for one in range(len(joints)) if which is None else np.flatnonzero(which):
            self._base[one] = self._kinematics.pose(joints[one])
            self._guess[one] = joints[one]

    def reach(self, displacements: Numbers) -> Numbers:
        """(E, 5) rad that displace the tools by (E, 6), m and rotation vectors in rad, as nearly as may be."""
        for one, (base, way) in enumerate(zip(self._base, displacements, strict=True)):
            self._guess[one] = self._kinematics.reach(poses.moved(base, way), self._guess[one])
        return self._guess.copy()

    def sag(self, state: Mapping[str, NDArray[Any]]) -> Numbers:
        """(E, 5) rad, by which the servos' targets must be beyond the joints for them to carry the arms."""
        rows = zip(state["q"], state["dq"], state["gripper"], strict=True)
        return np.array([self._model.figure(q, dq, float(gripper)).weight for q, dq, gripper in rows]) / known.STIFFNESS


def _task(config: Config) -> known.Known:
    """Raises AdapterError."""
    task = known.KNOWN.get(config.task)
    if task is None:
        raise AdapterError(f"Isaac Lab has no task {config.task!r} of this program; there are {', '.join(known.KNOWN)}.")
    if unknown := [name for name in config.cameras or () if name not in task.cameras]:
        raise AdapterError(f"The task {config.task} has no camera {unknown[0]!r}; it has {', '.join(task.cameras)}.")
    return task


def _table(given: Table | str, task: known.Known) -> Table:
    """Raises AdapterError, and MappingError where it is another arm's."""
    if isinstance(given, str) and given not in TABLES:
        raise AdapterError(f"There is no table {given!r} of what a policy's numbers mean; there are {', '.join(TABLES)}.")
    if given == "radians" and task.joints != known.JOINTS:
        return joint_table(given, dict.fromkeys(task.joints, (-np.inf, np.inf)), "rad", "closed" if task.jaw else "")
    table = TABLES[given] if isinstance(given, str) else given
    if table.moves_tool and task.arm != SO101:
        raise AdapterError(f"The table {table.name!r} moves the tool, as is known of the {SO101} alone: choose another table or task.")
    table.check(task.joints)
    return table


def _created(name: str, handshake: shared.Handshake) -> shared.Link:
    """Raises AdapterError."""
    try:
        return shared.create(name, handshake)
    except shared.LinkError as error:
        raise AdapterError(str(error)) from None


def _beating(link: shared.Link) -> Callable[[], None]:
    """Show the worker from now on that this side lives; what is returned ends that."""
    over = threading.Event()

    def run() -> None:
        while not over.wait(BEAT_S):
            link.beat()

    thread = threading.Thread(target=run, name="isaaclab-heartbeat", daemon=True)
    thread.start()

    def end() -> None:
        over.set()
        thread.join()

    return end
