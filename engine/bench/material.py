"""Real rows to record: ticks, exposures and inferences of the cell, made in lock-step by the engine itself."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from engine.bench.figure import Tell
from engine.clock import SimulatedClock
from engine.config import Settings
from engine.engine import Engine
from engine.host import open_robot
from engine.loops.control import DT
from engine.messages import Arm, Go
from engine.policy.scripted import Scripted
from engine.session.schema import Header, header
from engine.stop import StopPage
from engine.types import Frames, Inference, Tick

ASK_EVERY = 20  #: ticks between two wishes of the scripted operator
PIXELS = 256  #: the size that the recording's bar names


class Material(NamedTuple):
    header: Header
    ticks: list[Tick]
    exposures: list[Frames]
    inferences: list[Inference]


class Listening(Scripted):
    """The scripted policy, which keeps what it saw and said."""

    def __init__(self, robot: str, task: str) -> None:
        super().__init__(robot, task)
        self.exposures: list[Frames] = []
        self.inferences: list[Inference] = []

    def infer(self, frames: Frames, instruction: str, id: int, previous: Inference | None, now_ns: Callable[[], int]) -> Inference:
        inference = super().infer(frames, instruction, id, previous, now_ns)
        self.exposures.append(frames)
        self.inferences.append(inference)
        return inference


def gather(settings: Settings, count: int, folder: Path, tell: Tell, pixels: int = PIXELS) -> Material:
    """``count`` ticks of sawing by the scripted policy. ``folder`` takes the stop page. Raises AdapterError."""
    chosen = settings.model_copy(update={"record": False, "camera": settings.camera.model_copy(update={"pixels": pixels})})
    robot, rig = open_robot(chosen)
    listening = Listening(chosen.robot, chosen.task)
    rows: list[Tick] = []
    with StopPage(folder / "stop", create=True) as page:
        engine = Engine(
            chosen,
            run="bench",
            robot=robot,
            rig=rig,
            load_policy=lambda progress: listening,
            page=page,
            recorder=None,
            console_required=False,
            clock=SimulatedClock(),
        )

        def script(tick: int) -> None:
            if (last := engine.control.last) is None:
                return
            if tick:
                rows.append(last)
            if tick % ASK_EVERY == 0:
                engine.post(Go() if last.decision.armed else Arm(robot=chosen.robot))
            if tick % 500 == 0 and tick:
                tell(f"{tick * DT:.0f} of {count * DT:.0f} s of sawing in lock-step")

        engine.prepare_lockstep()
        engine.lockstep(count + 1, script=script)
        engine.close("the material is complete")
    return Material(header(chosen, robot, rig), rows, listening.exposures, listening.inferences)
