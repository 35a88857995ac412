"""Looks at everything the program stands on, and says what works, what does not and what to do."""

import os
import re
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

import msgspec

from console.places import SMALLEST, fits
from engine.config import Settings, runs_path

if TYPE_CHECKING:
    from engine.faults.verdict import Verdict

Status = Literal["ok", "warn", "fail"]

SOCKET_PATH_MAX = 107  #: bytes a Unix socket's path may have on Linux
CORES = 2
MEMORY = 3.0  #: GB available
COMFORTABLE = (80, 24)  #: columns, lines
STORE_FREE = 2.0  #: GB: about an hour of pictures and ticks
DISK = 20.0  #: MB/s: ten times what a recording with pictures writes
INFERENCE = 200.0  #: ms
WAKE_SLOW, WAKE_LATE = 2.0, 10.0  #: ms, p99
WAKE_FOR = 2.0  #: s


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that was looked at."""

    check: str
    status: Status
    found: str
    advice: str  #: what to do; "" where there is nothing to do


class Result(NamedTuple):
    status: Status
    found: str
    advice: str = ""


def checks(settings: Settings, tell: Callable[[str], None]) -> Iterator[Check]:
    """Every check, one after the other; ``tell`` hears which one takes a while."""
    quick: dict[str, Callable[[], Result]] = {
        "python": lambda: python(sys.version_info[:2]),
        "packages": lambda: packages(metadata.requires("sawhorse") or [], installed),
        "processor": processor,
        "memory": memory,
        "terminal": lambda: terminal(os.environ, sys.stdout.isatty(), shutil.get_terminal_size()),
        "characters": lambda: characters(sys.stdout.encoding or ""),
        "clock": clock,
        "runtime folder": lambda: runtime_folder(runs_path()),
        "store": lambda: store(settings.store),
        "disk": lambda: disk(settings.store),
        "compiler and OpenGL": not_needed,
        "ray tracer": lambda: ray_tracer(kernel_cache()),
    }
    slow: dict[str, Callable[[], Result]] = {
        "wake-up": wake_up,
        "robot model": robot_model,
        "policy files": lambda: policy_files(settings.policy),
        "inference": lambda: inference(settings),
    }
    for name, look in (quick | slow).items():
        if name in slow:
            tell(f"looking at {name}")
        yield checked(name, look)


def checked(name: str, look: Callable[[], Result]) -> Check:
    """The check's result; one that cannot even be made has failed."""
    try:
        status, found, advice = look()
    except Exception as error:  # a broken installation may raise anything, and the other checks are still wanted
        status, found = "fail", f"{type(error).__name__}: {error}"
        advice = "Install the project's dependencies again with `uv sync`, then run the doctor again."
    return Check(check=name, status=status, found=found, advice=advice)


# --- software ---


def python(version: Sequence[int]) -> Result:
    found = ".".join(str(part) for part in version)
    if tuple(version) == (3, 12):
        return Result("ok", found)
    return Result("fail", found, "Run sawhorse with Python 3.12: `uv sync` installs it.")


def installed(name: str) -> str:
    """The version of an installed package; "" if it is not there."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return ""


def packages(required: Sequence[str], version: Callable[[str], str]) -> Result:
    """Every requirement must be there, and those pinned to one version must be that one."""
    found, wrong = [], []
    for requirement in required:
        name = re.split(r"[\[<>=!~; ]", requirement, maxsplit=1)[0]
        pinned = re.search(r"==([^,;]+)", requirement)
        have = version(name)
        found.append(f"{name} {have or 'missing'}")
        if not have or (pinned and pinned[1].strip() != have.split("+")[0]):
            wrong.append(f"{name}{f' {pinned[1].strip()}' if pinned else ''}")
    if wrong:
        return Result("fail", ", ".join(found), f"Install {', '.join(wrong)} with `uv sync`.")
    return Result("ok", ", ".join(found))


def not_needed() -> Result:
    compiler = next((name for name in ("cc", "gcc", "clang") if shutil.which(name)), "no compiler")
    return Result("ok", f"neither is needed: pictures are ray traced by kernels that Warp compiles itself; {compiler} here")


# --- machine ---


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


def clock() -> Result:
    try:
        now = time.clock_gettime(time.CLOCK_BOOTTIME)
    except (AttributeError, OSError):
        return Result("fail", "no CLOCK_BOOTTIME", "Run the engine on Linux: it needs a clock that goes on while the machine is suspended.")
    return Result("ok", f"CLOCK_BOOTTIME reads {now:.0f} s, in steps of {time.clock_getres(time.CLOCK_BOOTTIME) * 1e9:.0f} ns")


def wake_up() -> Result:
    import numpy as np

    from engine.bench.probes import lateness

    late = lateness(WAKE_FOR)
    p99 = float(np.percentile(late, 99))
    found = f"a sleeping thread wakes {p99:.2f} ms late (p99), {late.max():.2f} at most, over {WAKE_FOR:.0f} s"
    if p99 > WAKE_LATE:
        return Result("fail", found, "Move to a machine that is less busy: a whole control tick passes before the loop is woken.")
    if p99 > WAKE_SLOW:
        return Result("warn", found, "Close other programs, or give this one cores of its own: control ticks will be late.")
    return Result("ok", found)


# --- terminal ---


def terminal(environment: Mapping[str, str], tty: bool, size: tuple[int, int]) -> Result:
    """``size``: columns, lines."""
    if not tty:
        return Result("ok", "the output is not a terminal", "Run the doctor in the terminal you will work in, to have that looked at.")
    term = environment.get("TERM", "")
    colours = "no colour" if environment.get("NO_COLOR") else environment.get("COLORTERM") or "256 colours or fewer"
    through = [name for name, variable in (("tmux", "TMUX"), ("SSH", "SSH_CONNECTION")) if environment.get(variable)]
    found = f"{size[0]}×{size[1]}, TERM {term or 'not set'}, {colours}{f', through {" and ".join(through)}' if through else ''}"
    if not fits(*size):
        return Result("fail", found, f"Make the terminal at least {SMALLEST[0]}×{SMALLEST[1]}: below that it shows the stop state only.")
    if term in ("", "dumb"):
        return Result("fail", found, "Set TERM to what your terminal is, such as xterm-256color: without it no screen can be drawn.")
    if size[0] < COMFORTABLE[0] or size[1] < COMFORTABLE[1]:
        return Result("warn", found, f"Make the terminal {COMFORTABLE[0]}×{COMFORTABLE[1]} or larger to see every limit.")
    if "TMUX" in environment:
        return Result("warn", found, "Run outside tmux to have key releases reported: inside, holds end by the rate of key repeats.")
    return Result("ok", found)


def characters(encoding: str) -> Result:
    if encoding.lower().replace("-", "") == "utf8":
        return Result("ok", encoding)
    return Result("warn", encoding or "unknown", "Set LANG to a UTF-8 locale, or `ascii = true` under [console] in the configuration.")


# --- folders ---


def runtime_folder(folder: Path) -> Result:
    """Where engines keep their sockets, whose paths the system keeps short."""
    socket = folder / "0000" / "engine.sock"
    length = len(os.fsencode(socket))
    found = f"{folder}, socket paths of {length} bytes"
    if length > SOCKET_PATH_MAX:
        return Result("fail", found, f"Set XDG_RUNTIME_DIR to a shorter folder: a socket's path may have {SOCKET_PATH_MAX} bytes.")
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        return Result("fail", f"{found}: {error.strerror}", "Set XDG_RUNTIME_DIR to a folder of yours that can be written.")
    if not os.access(folder, os.W_OK | os.X_OK):
        return Result("fail", f"{found}: not writable", "Set XDG_RUNTIME_DIR to a folder of yours that can be written.")
    return Result("ok", found)


def store(folder: Path) -> Result:
    from engine.session.layout import SessionError
    from engine.session.recorder import check_store

    try:
        check_store(folder)
    except SessionError as error:
        return Result("fail", str(error), "Choose a folder that can be written with --store, or make room in this one.")
    free = shutil.disk_usage(folder).free / 1e9
    found = f"{folder}, {free:.1f} GB free"
    if free < STORE_FREE:
        return Result("warn", found, "Remove old sessions with `sawhorse sessions rm`, or choose another folder with --store.")
    return Result("ok", found)


def disk(folder: Path) -> Result:
    from engine.bench.probes import disk_speed

    try:
        speed = disk_speed(folder)
    except OSError as error:
        return Result("fail", f"{folder}: {error.strerror}", "Choose a folder that can be written with --store.")
    found = f"{speed:.0f} MB/s to {folder}"
    if speed < DISK:
        return Result("warn", found, "Choose a faster disk with --store: a recording that falls behind stops the robot.")
    return Result("ok", found)


# --- cell and policy ---


def robot_model() -> Result:
    from adapters.base import AdapterError
    from adapters.mujoco.scene import Scene

    try:
        model = Scene().model
    except AdapterError as error:
        return Result("fail", str(error), "Install gym-hil with `uv sync`: it ships the Franka's meshes.")
    return Result("ok", f"the cell's scene: {model.ngeom} geoms, {model.nmesh} of them from meshes")


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


def policy_files(name: str) -> Result:
    if name == "scripted":
        return Result("warn", "scripted, a placeholder", "Choose a trained policy with --policy compact.")
    from engine.policy import checkpoint, loading

    folder = loading.COMPACT if name == "compact" else Path(name)
    if not (folder / checkpoint.MANIFEST).exists():
        return Result(
            "warn", f"{folder} has no {checkpoint.MANIFEST}", "Nothing says what its files should be: trust it as far as its source."
        )
    try:
        manifest = checkpoint.read_json(folder / checkpoint.MANIFEST)
        checkpoint.check_files(folder, manifest)
    except loading.PolicyError as error:
        return Result("fail", str(error), "Restore the file from the repository, or train the policy again with `sawhorse train policy`.")
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6
    return Result("ok", f"{name}: {len(manifest['files'])} files, {size:.1f} MB, hashes match, {manifest['members']} members")


def inference(settings: Settings) -> Result:
    if settings.policy == "scripted":
        return Result("warn", "the scripted policy infers nothing", "Choose a trained policy with --policy compact.")
    import numpy as np

    from engine.bench.ensemble import exposures
    from engine.policy import benchmark, loading

    cuda = benchmark.cuda_devices()
    try:
        spent = benchmark.inference_ms(settings.policy, settings.device, settings.instruction, exposures(settings)[0])
    except loading.PolicyError as error:
        return Result("fail", str(error), "Choose another policy or device: `sawhorse config show` says where these came from.")
    p50 = float(np.median(spent))
    found = f"{settings.policy} on {settings.device}: {p50:.0f} ms p50; CUDA devices: {', '.join(cuda) or 'none'}"
    if p50 > INFERENCE:
        return Result(
            "warn", found, f"Close other programs, or choose a faster --device: a fresh inference should take {INFERENCE:.0f} ms."
        )
    return Result("ok", found)


# --- faults ---


def faults(settings: Settings, only: str, tell: Callable[[str], None]) -> list["Verdict"]:
    """Try every fault whose name contains ``only`` on the simulated robot. Raises AdapterError, PolicyError, SessionError, OSError."""
    import logging

    from engine.faults.matrix import FAULTS, matrix
    from engine.faults.workshop import Workshop

    logging.getLogger().addHandler(logging.NullHandler())  # what engines log of their faults belongs to nobody here
    chosen = [fault for fault in FAULTS if only in fault.name]
    with Workshop(settings, tell) as workshop:
        return list(matrix(chosen, workshop))


def fault_lines(found: Sequence["Verdict"]) -> list[str]:
    """The matrix as text: one line a fault."""
    width = max(len(one.fault) for one in found)
    shown = [f"{'':4} {'fault':{width}}  category  ticks  limit  speed     rest    lost  reason"]
    for one in found:
        category = "none" if one.stop_category is None else str(one.stop_category)
        ticks = "-" if one.ticks_to_stop is None else str(one.ticks_to_stop)
        limit = "-" if one.limit_ticks is None else str(one.limit_ticks)
        speed = "-" if one.stop_speed is None else f"{one.stop_speed:.2f} m/s"
        rest = "-" if one.rest_s is None else f"{one.rest_s:.2f} s"
        head = f"{'ok' if one.ok else 'FAIL':4} {one.fault:{width}}"
        shown.append(f"{head}  {category:8}  {ticks:>5}  {limit:>5}  {speed:8}  {rest:6}  {one.rows_lost:4}  {one.reason}".rstrip())
        if one.note:
            shown.append(f"{'':4} {'':{width}}  → {one.note}")
    return shown


# --- what is shown ---


def lines(found: Sequence[Check]) -> list[str]:
    """The checks as text, each with its advice below it."""
    width = max(len(one.check) for one in found)
    shown = []
    for one in found:
        shown.append(f"{one.status:5} {one.check:{width}}  {one.found}")
        if one.advice:
            shown.append(f"{'':5} {'':{width}}  → {one.advice}")
    return shown
