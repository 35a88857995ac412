"""Steps an environment for the console at the other end of a link: by the clock, or in lock-step, until either side ends."""

import contextlib
import importlib.util
import os
import signal
import threading
import time
import traceback
from collections.abc import Iterator
from typing import Any, Final

from adapters.isaaclab import known, shared

BEAT_S: Final = 0.05
LONELY_S: Final = 3.0  #: s without a heartbeat of the console, after which it has died
TIMEOUT_S: Final = 0.05  #: s without a command, after which the arm holds
BEHIND_S: Final = 0.1  #: s, more of which is not caught up with
PATIENCE_S: Final = 0.5  #: s, of one wait for a command in lock-step
COULD_NOT: Final = 3


class Ended(Exception):
    """The console has ended, or somebody told the worker to end."""


class Life:
    """Shows the console that this side lives and notices when the console does not, while anything else takes its time."""

    def __init__(self, link: shared.Link) -> None:
        self._link, self._over = link, threading.Event()
        self.ending = False
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)
        self._thread.start()

    def check(self) -> None:
        """Raises Ended."""
        if self.ending:
            raise Ended

    def close(self) -> None:
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        asked = 0
        while not self._over.wait(BEAT_S):
            self._link.beat()
            if self.ending or self._link.silence(shared.clock_ns()) > LONELY_S:
                self.ending = True
                asked += 1
            if asked * BEAT_S > 2.0 * LONELY_S:
                os._exit(COULD_NOT)  # what takes so long cannot be interrupted, and nobody is there for it any more


def serve(name: str, wait: float) -> int:
    """Wait for the console that opens the link ``name``, and step what it asks for. Returns the exit code."""
    try:
        link = shared.attach(name, wait)
    except shared.LinkError as error:
        print(error)
        return COULD_NOT
    life = Life(link)
    for one in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(one, lambda *_: setattr(life, "ending", True))
    try:
        task = known.KNOWN.get(link.handshake["task"])
        if task is None:
            raise ValueError(f"There is no task {link.handshake['task']!r}; there are {', '.join(known.KNOWN)}.")
        link.match({"joints": list(task.joints)})
        link.say({"phase": "importing Isaac Lab", "share": 0.1})
        with app(), contextlib.closing(Stepping(link, life)) as stepping:
            stepping.run()
        return 0
    except Ended:
        return 0
    except Exception as error:
        traceback.print_exc()
        with contextlib.suppress(shared.LinkError):
            link.say({"error": f"{type(error).__name__}: {error}"[:1000]})
        return COULD_NOT
    finally:
        life.close()
        link.close()


@contextlib.contextmanager
def app() -> Iterator[None]:
    """Isaac Sim, where it is installed, without a screen and with its cameras."""
    if importlib.util.find_spec("isaacsim") is None:
        yield
        return
    from isaaclab.app import AppLauncher

    launcher = AppLauncher(headless=True, enable_cameras=True)
    try:
        yield
    finally:
        launcher.app.close()


class Stepping:
    """One environment and what the link says of it."""

    def __init__(self, link: shared.Link, life: Life) -> None:
        """Builds it, which takes from seconds to a minute. Raises ValueError where there is no such robot or link."""
        import torch

        torch.set_num_threads(1)
        from adapters.isaaclab.worker import scene, tasks
        from adapters.isaaclab.worker.ee import IsaacEEWrapper

        self._torch, self._link, self._life = torch, link, life
        asked = link.handshake
        task = self._task = known.KNOWN[asked["task"]]
        cfg = tasks.cfg(asked["task"])
        cfg.set_environments(asked["environments"], asked["device"], asked.get("decimation", 0))
        cfg.seed = asked["seed"]
        for name, (height, width) in asked["cameras"].items():
            setattr(cfg.scene, name, scene.camera(name, asked.get("views", task.views)[name], height, width))
        self._lockstep = asked["pace"] == shared.LOCKSTEP
        cfg.terminations = tasks.NeverCfg()
        self._cameras = tuple(asked["cameras"])
        self._every = int(asked["camera_every"])
        if self._every and not self._lockstep:
            self._every = max(self._every, len(self._cameras))
        self._exposed: tuple[int, int] = (0, 0)
        self._pictures: dict[str, Any] = {}
        life.check()
        link.say({"phase": "building the environment; the first time its kernels are compiled, which takes a minute", "share": 0.3})
        self.env = tasks.TableEnv(cfg)
        self.wrapped = IsaacEEWrapper(self.env, asked["robot_name"], asked["ee_link_name"], asked["ee_in_obs"])
        self._steps = 0
        self._action = torch.zeros(self.env.num_envs, len(task.joints) + bool(task.jaw), device=self.env.device)
        self._place = [self.wrapped.robot.body_names.index(name) for name in task.bodies.values()]
        self._joints = [self.wrapped.robot.joint_names.index(name) for name in (*task.model_joints, task.jaw) if name]
        self._pressed: bytes | None = b""  #: what is pressed; None where that is not known
        self.wrapped.reset(seed=asked["seed"])
        self._begin(asked.get("start"))
        self._stand(slice(None))

    def run(self) -> None:
        """Step until the console ends. Raises Ended."""
        link = self._link
        if self._every:
            link.say({"phase": "opening the cameras", "share": 0.8})
            for name in self._cameras:
                self._picture(name)
        self._show(None)
        link.say({"ready": True, "share": 1.0, "bodies": list(self._task.bodies)})
        self._by_command() if self._lockstep else self._by_clock()

    def close(self) -> None:
        self.env.close()

    # --- by the clock ---

    def _by_clock(self) -> None:
        """Ten milliseconds pass in ten, or in more where the machine is too slow; of a delay ``BEHIND_S`` is made up."""
        env, link = self.env, self._link
        fresh = False  # not so while a new episode is asked for: targets are then those of the old place

        def held() -> bool:
            return link.stopped or not fresh

        env.held = held
        due = time.monotonic()
        asked = False
        while True:
            self._life.check()
            now = shared.clock_ns()
            command = link.command.newest(now)
            before, asked = asked, command is not None and bool(command.values["reset"].any()) and not link.stopped
            fresh = command is not None and command.age(now) <= TIMEOUT_S and not asked
            if command is not None and asked and not before:
                self._reset(command.values)
            elif held():
                self._press(None)
            elif command is not None:
                self._take(command.values)
            result = self.wrapped.step(self._action)
            self._steps += 1
            self._show(result)
            self._expose_one()
            due = max(due + known.STEP_S, time.monotonic() - BEHIND_S)
            time.sleep(max(0.0, due - time.monotonic()))

    # --- in lock-step ---

    def _by_command(self) -> None:
        number = 0
        self.env.held = lambda: self._link.stopped
        while True:
            self._life.check()
            try:
                command = self._link.command.after(number, PATIENCE_S)
            except shared.LinkError:
                continue
            number, values = command.number, command.values
            if values["reset"].any():
                self._reset(values)
                result = None
            else:
                self._take(values)
                result = self.wrapped.step(self._action)
            self._steps = int(values["step"])
            if self._every and self._steps % self._every == 0:
                self._expose()
            self._show(result)

    def _reset(self, values: dict[str, Any]) -> None:
        """Begin new episodes where the command says so; the other environments stand still meanwhile."""
        which = values["reset"].nonzero()[0]
        for environment in which.tolist():
            if values["seed"][environment] >= 0:
                self.env.sow(environment, int(values["seed"][environment]))
        self.wrapped.reset(env_ids=self._torch.tensor(which.astype("int32"), device=self.env.device))
        self._stand(which)

    def _stand(self, which: Any) -> None:
        """An episode has begun there: the targets are where the joints are, and nothing presses."""
        self._action[which] = self.wrapped.robot.data.joint_pos.torch[which][:, self._joints]
        self._pressed = None

    # --- both ways ---

    def _begin(self, start: dict[str, Any] | None) -> None:
        """Set the first environment as the console has drawn it: joints (5,) rad, gripper 0..1, cube (7,) m and w, x, y, z.

        ``sag`` (5,) rad carries the arm's weight there, until a command tells it anew.
        """
        if start is None:
            return
        from adapters.isaaclab.worker import tasks

        env, torch = self.env, self._torch
        first = torch.zeros(1, dtype=torch.int32, device=env.device)
        q = torch.tensor([[*start["joints"], jaw(start["gripper"])]], dtype=torch.float32, device=env.device)
        robot = self.wrapped.robot
        robot.write_joint_position_to_sim_index(position=q, joint_ids=self._joints, env_ids=first)
        robot.write_joint_velocity_to_sim_index(velocity=torch.zeros_like(q), joint_ids=self._joints, env_ids=first)
        sag = torch.zeros_like(self._action)
        sag[0, : len(start.get("sag", ()))] = torch.tensor(start.get("sag", ()))
        self.env.sag = sag
        x, y, z, qw, qx, qy, qz = start["cube"]
        pose = torch.tensor([[x, y, z, qx, qy, qz, qw]], device=env.device)
        pose[:, :3] += env.scene.env_origins[:1]
        tasks.put(env, first, pose)
        env.sim.forward()
        self.wrapped.look()

    def _take(self, values: dict[str, Any]) -> None:
        """The command's targets, and the force that presses on the arm."""
        torch, device = self._torch, self.env.device
        arm = len(self._task.joints)
        self._action[:, :arm] = torch.tensor(values["target"], dtype=torch.float32, device=device)
        if self._task.jaw:
            gripper = torch.tensor(values["gripper"], dtype=torch.float32, device=device)
            self._action[:, -1] = torch.where(gripper.isnan(), self._action[:, -1], jaw(gripper))
        sag = torch.zeros_like(self._action)
        sag[:, :arm] = torch.tensor(values["sag"], dtype=torch.float32, device=device)
        self.env.sag = sag
        self._press((values["body"], values["force"]))

    def _press(self, forces: tuple[Any, Any] | None) -> None:
        """Bodies (E,), by their place in what was said, and forces (E, 3) N, world axes, that press there from now on, or none."""
        wanted = b"" if forces is None or not forces[1].any() else forces[0].tobytes() + forces[1].tobytes()
        if wanted == self._pressed:
            return
        self._pressed = wanted
        robot, torch = self.wrapped.robot, self._torch
        pushes = torch.zeros(self.env.num_envs, len(self._place), 3, device=self.env.device)
        for environment, (which, newtons) in enumerate(zip(*(one.tolist() for one in forces), strict=True) if wanted and forces else ()):
            pushes[environment, which] = torch.tensor(newtons)
        robot.permanent_wrench_composer.set_forces_and_torques_index(
            forces=pushes, torques=torch.zeros_like(pushes), body_ids=self._place, is_global=True
        )

    def _expose(self) -> None:
        """Every camera at once, of every environment."""
        pictures = {name: self._picture(name) for name in self._cameras}
        self._link.frames.write(exposed_ns=shared.clock_ns(), step=self._steps, **pictures)

    def _expose_one(self) -> None:
        """By the clock a picture costs as much as a step or more, so no step draws two: an exposure's cameras follow each other."""
        number = self._steps % self._every if self._every else len(self._cameras)
        if number == 0:
            self._exposed, self._pictures = (shared.clock_ns(), self._steps), {}
        if number < len(self._cameras) and len(self._pictures) == number:
            name = self._cameras[number]
            self._pictures[name] = self._picture(name)[0]
            if len(self._pictures) == len(self._cameras):
                exposed_ns, step = self._exposed
                self._link.frames.write(exposed_ns=exposed_ns, step=step, **self._pictures)

    def _picture(self, camera: str) -> Any:
        """(E, H, W, 3) uint8"""
        return self.env.scene[camera].data.output["rgb"].torch[..., :3].cpu().numpy()

    def _show(self, result: Any) -> None:
        """The state after a step; ``result`` is what the step returned, None of a reset."""
        torch, env, robot = self._torch, self.env, self.wrapped.robot
        if result is not None:
            env.watch()
        count = env.num_envs
        data, ee = robot.data, self.wrapped.get_ee_state()
        arm = self._joints[: len(self._task.joints)]
        gripper = closed(data.joint_pos.torch[:, self._joints[-1]]) if self._task.jaw else torch.full((count,), torch.nan)
        thing, moves = env.cfg.thing(env)

        def doubles(found: Any) -> Any:
            return found.detach().to("cpu", torch.float64).numpy()

        self._link.state.write(
            step=self._steps,
            time=float(env.common_step_counter * env.step_dt),
            q=doubles(data.joint_pos.torch[:, arm]),
            dq=doubles(data.joint_vel.torch[:, arm]),
            tau=doubles(data.applied_torque.torch[:, arm]),
            gripper=doubles(gripper),
            pose=doubles(torch.cat([ee["ee_pos"], ee["ee_quat"]], dim=-1)),
            delta=doubles(torch.cat([ee["ee_pos_delta"], ee["ee_quat_delta"]], dim=-1)),
            object=doubles(thing),
            object_twist=doubles(moves),
            reward=doubles(result[1] if result is not None else torch.zeros(count)),
            success=env.done.cpu().numpy(),
            episode=env.episodes.cpu().numpy(),
        )


def jaw(closed: Any) -> Any:
    """rad of the jaw's closedness, 0 open .. 1 closed; numbers or arrays."""
    return known.JAW_OPEN + (known.JAW_CLOSED - known.JAW_OPEN) * closed


def closed(jaw: Any) -> Any:
    """And back."""
    return (known.JAW_OPEN - jaw) / (known.JAW_OPEN - known.JAW_CLOSED)
