"""A link and a clock that tests hold in their hands."""

from dataclasses import dataclass, field

from scenes import WALL, picture

from console.view import LinkState
from engine.messages import Ended, Intent, Picture, WatchPicture
from engine.types import Snapshot


@dataclass
class Clock:
    """A monotonic and a wall clock that stand still until they are told to move."""

    t: float = 1000.0

    def now(self) -> float:
        return self.t

    def wall(self) -> float:
        return WALL + self.t - 1000.0


@dataclass
class FakeLink:
    """Gives what a test puts in and keeps what the app says."""

    clock: Clock
    snapshot: Snapshot | None = None
    name: str = "console-1"
    state: LinkState = "connected"
    ended: Ended | None = None
    starting: str = ""
    received: int = 0
    at: float = 0.0
    said: list[Intent] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    living: int = 0
    ages: list[float] = field(default_factory=list)
    _picture: Picture | None = None
    _picture_at: float = 0.0

    def show(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        self.received += 1
        self.at = self.clock.t

    def newest(self) -> Snapshot | None:
        return self.snapshot

    def newest_at(self) -> float:
        return self.at

    def picture(self) -> tuple[Picture, float] | None:
        return (self._picture, self._picture_at) if self._picture is not None else None

    def refusals(self) -> list[str]:
        taken, self.refused = self.refused, []
        return taken

    def send(self, intent: Intent) -> bool:
        self.said.append(intent)
        if isinstance(intent, WatchPicture) and intent.camera:
            self._picture = picture(intent.width, intent.camera)
            self._picture_at = self.clock.t
        return True

    def alive(self, now: float, age: float) -> None:
        self.living += 1
        self.ages.append(age)
