"""An emulated SO-101 in this process: six servos on a pty, and an arm behind them that moves in real time."""

import shutil
import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

from adapters.so101.emulator.arm import Servos
from adapters.so101.emulator.chain import Chain
from adapters.so101.emulator.controls import VERBS, Controls, World
from adapters.so101.emulator.free import PHYSICS_S, RESTING, START, Free
from adapters.so101.emulator.line import TICK_S, Line
from adapters.so101.emulator.servo import Servo
from adapters.so101.emulator.shared import SharedPlant
from engine.types import F64

ARMS: Final = ("free", "cube")
PLANT: Final = ".plant"  #: after the port's path: where the simulated arm's plant vector is shared


class Emulator(Controls):
    """An arm to be opened at ``port``. It runs from its making until ``close``, best as a context manager.

    ``arm``: "free" touches nothing, "cube" is so101-sim's on its table (MuJoCo). ``link`` is the path to be opened, of its own if None.
    ``seed`` sets the table. ``calibrated``: its registers are as LeRobot's calibration leaves them, else as from the box. ``holding``:
    torque is on, at ``pose`` (6,) rad or at so101-sim's start; else the arm lies limp, folded back, as its power has just come. The stops
    of its first four joints lie ``wider`` rad further out than the model's.
    Raises AdapterError where "cube" has no model, ValueError for another arm, OSError where the path is taken.
    """

    def __init__(
        self,
        arm: str = "free",
        link: str | Path | None = None,
        seed: int = 0,
        calibrated: bool = True,
        holding: bool = False,
        pose: Sequence[float] | None = None,
        wider: float = 0.0,
    ) -> None:
        if arm not in ARMS:
            raise ValueError(f"there is no emulated arm {arm}; choose one of {', '.join(ARMS)}")
        self._arm = Servos(calibrated, wider)
        self.servos: dict[int, Servo] = dict(enumerate(self._arm.all, start=1))  #: by place in the chain
        self.ticks = 0  #: of TICK_S that have passed
        self.table: Any = None  #: so101-sim's ``Tabletop``, to be asked whether the cube was lifted
        self._world = self._make(arm, seed, holding, pose)
        if holding:
            self._arm.hold(self._world.q)
        self._folder = None if link else Path(tempfile.mkdtemp(prefix="so101-"))
        path = Path(link) if link else Path(str(self._folder), "bus")
        self.port = str(path)
        self._chain = Chain(self._arm.all, seed)
        self._line = Line(path, self._chain, self._advance)
        plant = self._world.plant()
        self._shared = None if plant is None else SharedPlant(Path(self.port + PLANT), len(plant))
        self._advance()
        self._line.start()

    def _make(self, arm: str, seed: int, holding: bool, pose: Sequence[float] | None) -> World:
        if arm == "free":
            return Free(self._arm, pose or (START if holding else RESTING))
        from adapters.so101.emulator import cube

        world = cube.Cube(self._arm, seed, pose or (None if holding else cube.RESTING))
        self.table = world.table
        return world

    def _advance(self) -> None:
        self._world.advance(round(TICK_S / PHYSICS_S))
        self.ticks += 1
        if self._shared is not None and (plant := self._world.plant()) is not None:
            self._shared.write(plant)

    def plant(self) -> F64 | None:
        return None if self._shared is None else self._shared.read()

    def tell(self, verb: str, *arguments: Any, **named: Any) -> Any:
        if verb not in VERBS:
            raise ValueError(f"an emulated arm does not know {verb}; choose one of {', '.join(sorted(VERBS))}")
        return self._line.call(partial(VERBS[verb], self, *arguments, **named))

    def close(self) -> None:
        self._line.close()
        if self._shared is not None:
            self._shared.close()
            self._shared = None
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
