"""What machine the figures were measured on."""

import os
import platform
from pathlib import Path

import msgspec


class Machine(msgspec.Struct, frozen=True, kw_only=True):
    cpu: str
    cores: int  #: that this process may use
    load: float  #: processes that wanted a core, mean of the last minute: figures of a busy machine are worse
    memory_gb: float
    system: str
    python: str


def this_machine() -> Machine:
    """The one this runs on."""
    return Machine(
        cpu=processor(),
        cores=len(os.sched_getaffinity(0)),
        load=round(os.getloadavg()[0], 2),
        memory_gb=round(memory("MemTotal"), 1),
        system=f"{platform.system()} {platform.release()}",
        python=platform.python_version(),
    )


def processor() -> str:
    """The processor's name as the kernel gives it; its architecture where the kernel gives none."""
    for line in _lines(Path("/proc/cpuinfo")):
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.machine()


def memory(name: str) -> float:
    """GB of one line of /proc/meminfo, such as "MemTotal"; NaN where there is none."""
    for line in _lines(Path("/proc/meminfo")):
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024 / 1e9
    return float("nan")


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text().splitlines()
    except OSError:
        return []
