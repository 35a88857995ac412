"""The real console on a recorded second of telemetry, for tests: ``pty_child.py STOP_PAGE NOTES [still] [armed] [strict] [noisy]``.

NOTES takes a line for every intent that the app sends; ``still`` shows one snapshot over and over, ``armed`` one of an armed robot;
``strict`` drops late keys as in life, which otherwise may be as late as a loaded machine makes them; ``noisy`` pictures are others
each second.
"""

import random
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from engine import unix_signals

unix_signals.block()

import msgspec  # noqa: E402
import scenes  # noqa: E402

from console.app import Options, Sawhorse  # noqa: E402
from console.screens.live import LiveScreen  # noqa: E402
from console.start import shown  # noqa: E402
from engine.messages import Ended, Intent, Picture, WatchPicture  # noqa: E402
from engine.stop import StopPage  # noqa: E402
from engine.types import Snapshot  # noqa: E402


class ScriptedLink:
    """Ten frames a second, by the clock; a picture a second."""

    name = "console-1"

    def __init__(self, notes: Path, frames: list[Snapshot]) -> None:
        self._frames = frames
        self._notes = notes.open("a", buffering=1)
        self._begun = time.monotonic()
        self._wish: WatchPicture | None = None
        self.state = "connected"
        self.ended: Ended | None = None
        self.starting = ""

    @property
    def received(self) -> int:
        return int((time.monotonic() - self._begun) * 10) + 1

    def newest(self) -> Snapshot | None:
        return self._frames[self.received % len(self._frames)]

    def newest_at(self) -> float:
        return self._begun + (self.received - 1) / 10

    def picture(self) -> tuple[Picture, float] | None:
        if self._wish is None or not self._wish.camera:
            return None
        drawn = scenes.picture(self._wish.width, self._wish.camera)
        if "noisy" in sys.argv:
            drawn = msgspec.structs.replace(drawn, rgb=random.Random(int(time.monotonic())).randbytes(len(drawn.rgb)))
        return drawn, time.monotonic()

    def refusals(self) -> list[str]:
        return []

    def send(self, intent: Intent) -> bool:
        if isinstance(intent, WatchPicture):
            self._wish = intent
        self._notes.write(f"{time.monotonic():.6f} {intent!r}\n")
        return True

    def alive(self, now: float, age: float) -> None:
        self._notes.write(f"{now:.6f} {age:.6f} Alive\n")


if __name__ == "__main__":
    options = Options(key_age_max=0.3 if "strict" in sys.argv else 5.0, keymap={"stop": "f12"})
    with StopPage(Path(sys.argv[1])) as page:
        moments = {"still": scenes.disarmed, "armed": scenes.running}
        chosen = [moments[word]() for word in sys.argv[3:] if word in moments]
        link = ScriptedLink(Path(sys.argv[2]), chosen or list(scenes.sequence(100)))
        sys.exit(shown(Sawhorse(LiveScreen, link=link, stop_page=page, options=options)))
