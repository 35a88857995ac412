"""An engine in real time on a robot of Isaac Lab's kind, and its operator."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from adapters.isaaclab import entry
from engine.config import Settings
from engine.engine import Engine
from engine.messages import Arm, Hold, KeyTiming
from engine.policy.scripted import Scripted
from engine.stop import StopPage

LOOK_S = 0.02
#: what a busy machine may be late with
PATIENT = {"observation_age_max": 0.1, "frame_age_max": 1.0, "inference_age_max": 2.0, "clock_step_max": 1.0}
PATIENT |= dict.fromkeys(("watchdog_camera", "watchdog_inference", "watchdog_self"), 5.0)


class Operated:
    """Started, with the scripted policy; whatever it waits for it awaits ``within`` s at most."""

    def __init__(self, folder: Path, given: Settings, within: float) -> None:
        robot, rig = entry.build(given)
        self.robot, self.told, self._within = robot, list[str](), within
        robot.tell = lambda kind, text: self.told.append(text)
        self.page = StopPage(folder / "stop", create=True)
        self.engine = Engine(
            given,
            run="test",
            robot=robot,
            rig=rig,
            load_policy=lambda progress: Scripted("isaaclab", given.task),
            page=self.page,
            recorder=None,
            console_required=False,
        )
        self.engine.start()
        self._key = 0

    def wait(self, condition: Callable[[], Any], do: Callable[[], None] = lambda: None) -> None:
        until = time.monotonic() + self._within
        while not condition():
            assert time.monotonic() < until, (self.engine.binding_sentence(), self.told, self.engine.stops)
            do()
            time.sleep(LOOK_S)

    def arm(self) -> None:
        self.engine.heard(0.0)
        if not self.engine.armed():
            self.engine.post(KeyTiming(key_mode="HOLD", repeat_interval=0.0))
            self.engine.post(Arm(robot="isaaclab"))

    def key(self, axis: str, down: bool) -> None:
        self._key += 1
        self.engine.post(Hold(axis=axis, down=down, repeat=False, seq=self._key))
