"""What is worked with: servos, cameras, the simulated cell, the policy and its forecast."""

import os
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from console.doctor.check import Result
from console.doctor.software import installed
from engine.config import Settings

INFERENCE = 200.0  #: ms


def reachable(path: Path) -> bool:
    """Whether this user may read and write a device."""
    return os.access(path, os.R_OK | os.W_OK)


def group_of(path: Path) -> str:
    """The group that a device belongs to."""
    try:
        return path.group()
    except (OSError, KeyError):
        return "its group"


def serial_ports() -> list[tuple[Path, str]]:
    """Serial ports that come by USB, as servo buses do, each with what it calls itself."""
    from serial.tools import list_ports

    found = [(Path(port.device), port.description or "") for port in list_ports.comports()]
    return sorted((path, name) for path, name in found if path.name.startswith(("ttyACM", "ttyUSB")))


def video_nodes(devices: Path = Path("/dev"), names: Path = Path("/sys/class/video4linux")) -> Iterator[tuple[Path, str]]:
    """Video devices, each with what it calls itself."""
    for path in sorted(devices.glob("video[0-9]*")):
        try:
            yield path, (names / path.name / "name").read_text().strip()
        except OSError:
            yield path, ""


def servo_ports(ports: Sequence[tuple[Path, str]], may_use: Callable[[Path], bool] = reachable) -> Result:
    if not ports:
        return Result("ok", "none; the simulated cell needs none")
    return _devices(ports, may_use)


def cameras(nodes: Sequence[tuple[Path, str]], may_use: Callable[[Path], bool] = reachable) -> Result:
    if not nodes:
        return Result("ok", "none; the simulated cell draws its own pictures")
    return _devices(nodes, may_use)


def _devices(devices: Sequence[tuple[Path, str]], may_use: Callable[[Path], bool]) -> Result:
    barred = [path for path, _ in devices if not may_use(path)]
    found = ", ".join(f"{path}{f' ({name})' if name else ''}{' not permitted' if path in barred else ''}" for path, name in devices)
    if not barred:
        return Result("ok", found)
    groups = " and ".join(sorted({group_of(path) for path in barred}))
    return Result("warn", found, f"Let yourself use it: `sudo usermod -aG {groups} $USER`, then log in again.")


def robot_model(robot: str) -> Result:
    from adapters.base import AdapterError
    from adapters.mujoco.scene import CellStage
    from adapters.mujoco.tabletop.stage import TableStage
    from engine.tasks import KINDS

    try:
        arm = KINDS[robot].arm
        model = (TableStage(arm) if arm else CellStage()).model
    except AdapterError as error:
        return Result("fail", str(error), "Install the project's dependencies with `uv sync`: they ship the arms' meshes.")
    return Result("ok", f"the scene of {robot}: {model.ngeom} geoms, {model.nmesh} of them from meshes")


def kernel_cache() -> Path:
    """Where Warp keeps the kernels it has compiled."""
    import platformdirs

    base = os.environ.get("WARP_CACHE_PATH")
    version = installed("warp-lang")
    return Path(base) / version if base else Path(platformdirs.user_cache_dir("warp", "NVIDIA", version))


def ray_tracer(cache: Path) -> Result:
    if cache.is_dir() and any("render_megakernel" in path.name for path in cache.iterdir()):
        return Result("ok", f"kernels are in {cache}")
    return Result(
        "warn", f"no kernels in {cache} yet", "Start sawhorse once and wait: the first run compiles them, which takes about a minute."
    )


def policy_files(name: str, robot: str) -> Result:
    if name == "scripted":
        return Result("warn", "scripted, a placeholder", "Choose a trained policy with --policy compact.")
    from engine.policy import checkpoint, hub
    from engine.policy.errors import PolicyError

    folder = checkpoint.shipped(robot) if name == "compact" else Path(name).expanduser()
    if not folder.is_dir() and hub.is_id(name):
        return Result("warn", f"{name} is on the hub", "It is fetched when it is first loaded, and kept.")
    if not (folder / checkpoint.MANIFEST).exists():
        return Result(
            "warn", f"{folder} has no {checkpoint.MANIFEST}", "Nothing says what its files should be: trust it as far as its source."
        )
    try:
        manifest = checkpoint.read_manifest(folder)
        checkpoint.check_files(folder, manifest)
    except PolicyError as error:
        return Result("fail", str(error), "Restore the file from the repository, or train the policy again with `sawhorse train policy`.")
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6
    return Result("ok", f"{name}: {len(manifest.files)} files, {size:.1f} MB, hashes match, {manifest.members} members")


def forecast(settings: Settings) -> Result:
    """Whether failures are foreseen, and something is done about them, with the policy and task at hand."""
    path, name = settings.forecast.path, settings.policy
    if path == "none":
        return Result("ok", "none is wanted")
    from engine.forecast import card
    from engine.forecast.errors import ForecastError
    from engine.policy import checkpoint
    from engine.safety.forecast import IN_FORCE

    folder = checkpoint.shipped(settings.robot) if name == "compact" else Path(name).expanduser()
    try:
        found = card.load(card.SHIPPED if path == "shipped" else Path(path))
    except ForecastError as error:
        return Result("warn", str(error), "Choose another with forecast.path, or go on without one: nothing is foreseen then.")
    why = found.for_policy(checkpoint.folder_hash(folder) if folder.is_dir() else "")
    if why:
        return Result("warn", f"none for {name}: {why}", "Collect episodes with it, then `sawhorse train forecast`, or go on without.")
    task = f"{settings.robot}/{settings.task}"
    if found.state(task) != IN_FORCE:
        return Result("ok", f"{path}; unproven on {task}: it is shown, and nothing is done about it")
    return Result("ok", f"{path}; proven on {task}: it may slow the robot, have it try again, ask or stop")


def inference(settings: Settings) -> Result:
    if settings.policy == "scripted":
        return Result("warn", "the scripted policy infers nothing", "Choose a trained policy with --policy compact.")
    import numpy as np

    from adapters.base import AdapterError
    from engine.host import open_robot, policy_loader
    from engine.policy import benchmark
    from engine.policy.ensemble import Ensemble
    from engine.policy.errors import PolicyError

    try:
        robot, rig = open_robot(settings)
        try:
            robot.connect()
            reading = robot.read(time.monotonic_ns())
        finally:
            robot.close()
    except AdapterError as error:
        return Result("fail", str(error), "An inference begins with a reading of the robot: see to that first.")
    try:
        ensemble = policy_loader(settings, robot, rig)(lambda text: None)
        assert isinstance(ensemble, Ensemble)
        spent = benchmark.inference_ms(ensemble, settings.instruction, reading, settings.camera.pixels)
    except PolicyError as error:
        return Result("fail", str(error), "Choose another policy or device: `sawhorse config show` says where these came from.")
    p50 = float(np.median(spent))
    found = f"{settings.policy} on {settings.device}: {p50:.0f} ms p50, {spent.max():.0f} at most of {len(spent)}"
    if p50 > INFERENCE:
        return Result(
            "warn", found, f"Close other programs, or choose a faster --device: a fresh inference should take {INFERENCE:.0f} ms."
        )
    return Result("ok", found)
