"""Processor, memory, GPU, the clocks and how the system schedules a thread that must not be late."""

import ctypes
import math
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from console.doctor.check import Result

CORES = 2
MEMORY = 3.0  #: GB available
WAKE_SLOW, WAKE_LATE = 2.0, 10.0  #: ms, p99
WAKE_FOR = 2.0  #: s
STEP_MAX = 0.05  #: s that the wall clock may move against the machine's own while the doctor looks
_STA_UNSYNC = 0x40
_NVIDIA = Path("/proc/driver/nvidia/version")


def processor() -> Result:
    from engine.bench.machine import this_machine

    here = this_machine()
    threads = os.environ.get("OMP_NUM_THREADS", "1 in the engine")
    found = f"{here.cpu}, {here.cores} cores for this process, load {here.load:.1f}, torch threads {threads}"
    if here.cores < CORES:
        return Result("warn", found, f"Give the program at least {CORES} cores: the control loop needs one beside the model.")
    if here.load > here.cores:
        return Result("warn", found, "Close other programs: more of them want to run than there are cores.")
    return Result("ok", found)


def memory() -> Result:
    from engine.bench import machine

    total, free = machine.memory("MemTotal"), machine.memory("MemAvailable")
    found = f"{free:.1f} of {total:.1f} GB available"
    if free >= MEMORY:
        return Result("ok", found)
    return Result("warn", found, f"Close other programs until {MEMORY:.0f} GB are available: a machine that swaps misses control ticks.")


def gpu(device: str, usable: Sequence[str], driver: str) -> Result:
    """``usable`` are the CUDA devices that torch can use, ``driver`` is what the kernel says of NVIDIA's; "" where there is none."""
    found = ", ".join(usable) if usable else "none that torch can use"
    if device.startswith("cuda") and not usable:
        return Result("fail", f"{found}, and --device {device} asks for one", "Choose --device cpu, or install NVIDIA's driver.")
    if usable:
        return Result("ok", found if device.startswith("cuda") else f"{found}; --device cuda would use it")
    if driver:
        return Result("warn", f"{found}; {driver}", "Install a torch built for CUDA to use it: now everything runs on the processor.")
    return Result("ok", f"{found}; none is needed: policy and pictures are computed on the processor")


def cuda_devices() -> list[str]:
    """Names of the CUDA devices that torch can use."""
    from engine.policy import benchmark

    return benchmark.cuda_devices()


def nvidia_driver() -> str:
    """NVIDIA's driver as its module names itself; "" where it is not loaded."""
    try:
        return _NVIDIA.read_text().splitlines()[0]
    except (OSError, IndexError):
        return ""


class Discipline(NamedTuple):
    """What the kernel says of the wall clock."""

    synchronised: bool
    error: float  #: s at most, by its own estimate


def wall_offset() -> float:
    """s by which the wall clock is ahead of the clock that nobody sets; NaN where there is none."""
    try:
        return time.time() - time.clock_gettime(time.CLOCK_BOOTTIME)
    except (AttributeError, OSError):
        return math.nan


def discipline() -> Discipline | None:
    """Whether something keeps the wall clock right (adjtimex(2), modes 0: only read); None where the kernel does not say."""
    fields = (ctypes.c_long * 64)()  # modes, offset, frequency, largest error in us, estimated error, status
    try:
        state = ctypes.CDLL(None).adjtimex(ctypes.byref(fields))
    except (AttributeError, OSError):
        return None
    return None if state < 0 else Discipline(not fields[5] & 0xFFFFFFFF & _STA_UNSYNC, fields[3] / 1e6)


def clock(offset_before: float, kept: Discipline | None) -> Result:
    """``offset_before`` is ``wall_offset`` when the doctor began; a wall clock that has moved since was set by somebody."""
    try:
        now, grain = time.clock_gettime(time.CLOCK_BOOTTIME), time.clock_getres(time.CLOCK_BOOTTIME) * 1e9
    except (AttributeError, OSError):
        return Result("fail", "no CLOCK_BOOTTIME", "Run the engine on Linux: it needs a clock that goes on while the machine is suspended.")
    moved = wall_offset() - offset_before
    found = f"CLOCK_BOOTTIME reads {now:.0f} s in steps of {grain:.0f} ns; the wall clock moved {moved * 1e3:+.1f} ms against it meanwhile"
    if not abs(moved) <= STEP_MAX:
        advice = "Find what sets the wall clock: motion does not go by it, but the times that sessions are shown with do."
        return Result("warn", found, advice)
    if kept is None:
        return Result("ok", f"{found}; whether it is synchronised is not readable here")
    if not kept.synchronised:
        return Result("warn", f"{found}; nothing synchronises it", "Start a time service, such as systemd-timesyncd or chrony.")
    return Result("ok", f"{found}; synchronised to {kept.error * 1e3:.0f} ms")


def scheduling() -> Result:
    """How late the system wakes a thread that is scheduled like the control loop's, and whether it may go before the others."""
    import numpy as np

    from engine.bench.probes import hurried_lateness

    refused, late = hurried_lateness(WAKE_FOR)
    p99, most = float(np.percentile(late, 99)), float(late.max())
    priority = f"SCHED_RR refused ({refused})" if refused else "SCHED_RR granted"
    return punctual(priority, p99, most, refused=bool(refused))


def punctual(priority: str, p99: float, most: float, *, refused: bool) -> Result:
    """The verdict over a thread that wakes ``p99`` and at ``most`` so many ms late."""
    found = f"{priority}; a sleeping thread wakes {p99:.2f} ms late (p99), {most:.2f} at most, over {WAKE_FOR:g} s"
    if not p99 <= WAKE_LATE or math.isnan(most):
        return Result("fail", found, "Move to a machine that is less busy: a whole control tick passes before the loop is woken.")
    if p99 > WAKE_SLOW:
        return Result("warn", found, "Close other programs, or give this one cores of its own: control ticks will be late.")
    if refused:
        advice = "Allow real-time priority 1 (`rtprio` in /etc/security/limits.conf, then log in again): on a busy machine ticks come late."
        return Result("warn", found, advice)
    return Result("ok", found)
