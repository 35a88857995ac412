"""Looks at everything the program stands on, and says what works, what does not and what to do."""

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from functools import cache
from importlib import metadata

from console.doctor import cell, folders, machine, software, terminal
from console.doctor.check import Check, Result, checked, lines
from console.presence import multiplexer, terminal_holder
from engine import so101_settings
from engine.config import Settings, runs_path

__all__ = ["Check", "Result", "checked", "checks", "lines"]

_SLOW = ("terminal", "scheduling", "robot model", "policy files", "inference")


def checks(settings: Settings, tell: Callable[[str], None], *, hold: bool = False, with_terminal: bool = True) -> Iterator[Check]:
    """Every check, one after the other; ``tell`` hears which one takes a while. ``hold``: have a key held to measure the keyboard.

    ``with_terminal`` is False where a screen has it, which looks at it itself.
    """
    environment = os.environ
    between = multiplexer(environment, terminal_holder())
    offset = machine.wall_offset()
    answers = cache(lambda: terminal.asked_here(tell if hold else None))
    seen = terminal.looks(environment, terminal.to_terminal(), shutil.get_terminal_size(), answers, between, tried=hold)
    looks: dict[str, Callable[[], Result]] = {
        "python": lambda: software.python(sys.version_info[:2]),
        "packages": lambda: software.packages(metadata.requires("sawhorse") or [], software.installed),
        "processor": machine.processor,
        "memory": machine.memory,
        **(seen if with_terminal else {}),
        "runtime folder": lambda: folders.runtime_folder(runs_path()),
        "store": lambda: folders.store(settings.store),
        "disk": lambda: folders.disk(settings.store),
    }
    devices: dict[str, Callable[[], Result]] = {
        "servo ports": lambda: cell.servo_ports(cell.serial_ports()),
        "cameras": lambda: cell.cameras(list(cell.video_nodes())),
    }
    more: dict[str, Callable[[], Result]] = {
        "OpenGL": lambda: software.opengl(environment),
        "ray tracer": lambda: cell.ray_tracer(cell.kernel_cache()),
        "scheduling": machine.scheduling,
        "clock": lambda: machine.clock(offset, machine.discipline()),
        "robot model": lambda: cell.robot_model(settings.robot),
        "policy files": lambda: cell.policy_files(settings.policy, settings.robot),
        "forecast": lambda: cell.forecast(settings),
        "GPU": lambda: machine.gpu(settings.device, machine.cuda_devices(), machine.nvidia_driver()),
    }
    if settings.robot == "isaaclab":
        from console.doctor import isaaclab

        yield from _told(looks, tell)
        yield from isaaclab.checks(settings, tell)
        yield from _told({**more, "inference": lambda: cell.inference(isaaclab.beside(settings))}, tell)
        return
    if settings.robot != so101_settings.ROBOT:
        yield from _told({**looks, **devices, **more, "inference": lambda: cell.inference(settings)}, tell)
        return
    from console.doctor import so101

    yield from _told(looks, tell)
    yield from so101.checks(settings, tell, running=not with_terminal)
    yield from _told(more | ({"inference": lambda: cell.inference(so101.untouched(settings))} if with_terminal else {}), tell)


def _told(looks: dict[str, Callable[[], Result]], tell: Callable[[str], None]) -> Iterator[Check]:
    for name, look in looks.items():
        if name in _SLOW:
            tell(f"looking at {name}")
        yield checked(name, look)
