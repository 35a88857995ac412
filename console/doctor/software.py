"""Python, the packages, and the OpenGL that nothing here needs."""

import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from importlib import metadata

from console.doctor.check import Result

GL_WITHIN = 10.0  #: s
# In a process of its own: a broken driver may end the one that loads it.
_TRY_EGL = """
import ctypes
egl = ctypes.CDLL("libEGL.so.1")
egl.eglGetDisplay.restype, egl.eglGetDisplay.argtypes = ctypes.c_void_p, [ctypes.c_void_p]
egl.eglInitialize.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p]
major, minor = ctypes.c_int(), ctypes.c_int()
assert egl.eglInitialize(egl.eglGetDisplay(None), ctypes.byref(major), ctypes.byref(minor)), "no display"
print(f"{major.value}.{minor.value}")
"""


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


def opengl(environment: Mapping[str, str]) -> Result:
    """Whether OpenGL could draw without a window here: looked at, and never a fault."""
    compiler = next((name for name in ("cc", "gcc", "clang") if shutil.which(name)), "no compiler")
    surfaceless = {**environment, "EGL_PLATFORM": environment.get("EGL_PLATFORM", "surfaceless")}
    try:
        tried = subprocess.run([sys.executable, "-c", _TRY_EGL], capture_output=True, text=True, timeout=GL_WITHIN, env=surfaceless)
        version = tried.stdout.strip() if tried.returncode == 0 else ""
    except (OSError, subprocess.TimeoutExpired):
        version = ""
    could = f"EGL {version} could draw without a window" if version else "no EGL that can draw without a window"
    return Result("ok", f"{could}, {compiler}; neither is needed: pictures are ray traced by kernels that Warp compiles itself")
