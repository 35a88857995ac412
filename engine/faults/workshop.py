"""Where faults are tried: a folder of its own, and the parts that take long to make, made once and lent to every run."""

import re
import shutil
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any, Self, get_args, get_type_hints

from adapters.base import CameraRig
from engine.config import Settings
from engine.host import open_robot, policy_loader
from engine.limits import Limits
from engine.loops.inference import Policy

Tell = Callable[[str], None]

_PATIENCE = re.compile(r"\w+_age_max|watchdog_\w+|clock_step_max")
#: the widest that is allowed: a busy machine shall not stop the robot for another reason than the fault that is tried
PATIENT: dict[str, Any] = {
    name: get_args(hint)[1].le for name, hint in get_type_hints(Limits, include_extras=True).items() if _PATIENCE.fullmatch(name)
}


class Workshop:
    """Use as a context: what is still running or lying about at its end is ended and removed, whatever ended it.

    ``settings`` say limits, seed, policy; their store is not touched.
    """

    settings: Settings  #: of the fault that is being tried

    def __init__(self, settings: Settings, tell: Tell) -> None:
        self.tell = tell
        self.folder = Path(tempfile.mkdtemp(prefix="saw-"))  # short: sockets lie in it, and their paths must be
        self._given = settings.model_copy(update={"store": self.folder / "sessions", "record": True, "demo": False})
        self.settings = self._given
        self.ending = ExitStack()  #: what must be ended after a run, however it ended
        self._folders = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        try:
            self.ending.close()
        finally:
            shutil.rmtree(self.folder, ignore_errors=True)

    def keep(self, limits: tuple[str, ...]) -> None:
        """From now on: these limits as they were given, and room for the other ages."""
        patient = {name: value for name, value in PATIENT.items() if name not in limits}
        self.settings = self._given.model_copy(update={"limits": replace(self._given.limits, **patient)})

    def place(self) -> Path:
        """A new folder for one run, readable by this user only."""
        self._folders += 1
        path = self.folder / str(self._folders)
        path.mkdir(mode=0o700)
        return path

    @cached_property
    def rig(self) -> CameraRig:
        """The cell's cameras, open. Raises AdapterError."""
        _, rig = open_robot(self.settings)
        self.tell("compiling the cameras' kernels")
        rig.open()
        return rig

    @cached_property
    def policy(self) -> Policy:
        """The policy that the settings name, warm. Raises PolicyError."""
        policy = policy_loader(self.settings, *open_robot(self.settings))(self.tell)
        policy.warm_up(self.tell, self.settings.instruction)
        return policy
