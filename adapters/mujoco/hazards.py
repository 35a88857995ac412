"""Things that go wrong in the cell, by name and start time: a free hand at the blade, a hand let go, a pinched knot, a hesitation."""

from dataclasses import dataclass
from typing import Final

DURATIONS: Final = {"hand_reaches": 3.3, "lets_go": 4.0, "knot_binds": 5.0, "hesitates": 3.0}  #: s
NAMES: Final = tuple(DURATIONS)
NEVER: Final = -1.0


@dataclass(slots=True)
class Hazards:
    """When each one starts, s of the cell's own time; NEVER where it does not."""

    hand_reaches: float = NEVER
    lets_go: float = NEVER
    knot_binds: float = NEVER
    hesitates: float = NEVER

    def start(self, name: str, at: float) -> None:
        """Let a hazard begin at a time. Raises ValueError for a name that is none."""
        if name not in DURATIONS:
            raise ValueError(f"there is no hazard {name!r}; the cell knows {', '.join(NAMES)}")
        setattr(self, name, at)

    def since(self, name: str, time: float) -> float:
        """s since it began; negative before, and where it never does."""
        at: float = getattr(self, name)
        return time - at if at >= 0.0 else -1.0

    def active(self, name: str, time: float) -> bool:
        """Whether it goes on now."""
        at: float = getattr(self, name)
        return at >= 0.0 and 0.0 <= time - at < DURATIONS[name]
