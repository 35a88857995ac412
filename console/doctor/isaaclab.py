"""What Isaac Lab stands on: a Python that has it or uv that makes one, shared memory, and where its physics can run."""

import platform
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

from adapters.base import AdapterError
from adapters.isaaclab import launch, shared
from console.doctor import machine
from console.doctor.check import Check, Result, checked
from engine.config import Settings
from engine.isaaclab_settings import IsaacLabSettings
from engine.tasks import KINDS

ROOM = 64.0  #: MB of shared memory for ten pictures of each camera
DISK = 10.0  #: GB that the installation takes, its downloads included


def checks(settings: Settings, tell: Callable[[str], None]) -> Iterator[Check]:
    """Every check of Isaac Lab, one after the other; nothing is installed or started."""
    tell("looking at Isaac Lab")
    yield checked("Isaac Lab", lambda: worker(settings.isaaclab))
    yield checked("shared memory", lambda: room(shutil.disk_usage(shared.FOLDER).free / 1e6))
    yield checked("Isaac Lab's GPU", lambda: gpu(settings.device, machine.nvidia_driver()))


def beside(settings: Settings) -> Settings:
    """The same with the simulated arm in the place of Isaac Lab's, so that an inference can be timed without installing or starting it."""
    twin = KINDS[settings.robot].twin
    return settings.model_copy(update={"robot": twin, "task": KINDS[twin].tasks[0]})


def worker(given: IsaacLabSettings, system: tuple[str, str] | None = None) -> Result:
    """Whether the worker's Python is there; ``system`` is (system, processor), by default this one's."""
    here = system or (platform.system(), platform.machine())
    if here != ("Linux", "x86_64"):
        return Result("fail", f"{here[0]} on {here[1]}", "Use a machine with Linux on x86-64 for Isaac Lab.")
    if given.link:
        command = launch.command_by_hand(given.link)
        return Result("ok", f"whoever serves the link {given.link!r} brings it, such as `{command}`")
    try:
        if given.isaac_python:
            return Result("ok", f"{launch.interpreter(given.isaac_python)} is there; whether it has Isaac Lab is seen at the start")
        tool = " ".join(launch.uv())
        if launch.prepared():
            return Result("ok", f"installed in an environment of its own, by {tool}")
        folder = launch.cache()
    except AdapterError as error:
        found, _, advice = str(error).partition(": ")
        return Result("fail", found, advice[0].upper() + advice[1:])
    free = free_gb(folder)
    if free < DISK:
        return Result(
            "fail", f"not installed, and {free:.1f} GB are free for {folder}", f"Free {DISK:g} GB there, then `{launch.INSTALL}`."
        )
    return Result(
        "warn",
        f"not installed yet; {tool} is there to do it",
        f"`{launch.INSTALL}` installs it, about 5 GB; else the first start does.",
    )


def free_gb(folder: Path) -> float:
    """GB free where a folder is, or will be."""
    there = next(place for place in (folder, *folder.parents) if place.is_dir())
    return shutil.disk_usage(there).free / 1e9


def room(free: float) -> Result:
    """Whether the pictures have room in ``free`` MB of shared memory."""
    found = f"{free:.0f} MB free in {shared.FOLDER}"
    if free >= ROOM:
        return Result("ok", found)
    return Result("fail", found, f"Free {ROOM:.0f} MB there; a container needs more of it, such as `docker run --shm-size=1g`.")


def gpu(device: str, driver: str) -> Result:
    """Where the physics of ``device`` can run; ``driver`` is what the kernel says of NVIDIA's, "" where there is none."""
    if device.startswith("cuda"):
        if driver:
            return Result("ok", driver)
        return Result("fail", f"no NVIDIA driver, and --device {device} asks for one", "Choose --device cpu, or install NVIDIA's driver.")
    return Result("ok", f"{driver or 'none'}; the physics run on the processor")
