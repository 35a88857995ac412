"""What the prefix heads are asked to read off the pictures, and the order of the labels they learn from."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from engine.types import Zone


@dataclass(frozen=True)
class Reading:
    """One quantity regressed from the pictures: value = centre + scale * output."""

    name: str
    centre: float
    scale: float  #: in the quantity's unit; errors are counted in it while training


@dataclass(frozen=True)
class Sights:
    """All that one checkpoint's heads are asked for. A label that is not known is NaN and teaches nothing."""

    readings: tuple[Reading, ...]
    zones: tuple[str, ...] = ()  #: one of which it is; the label ``zone`` is its number
    flags: tuple[str, ...] = ()  #: each 0 or 1

    @property
    def labels(self) -> tuple[str, ...]:
        """The names of a row of labels, in order: readings in SI units, ``zone`` where there are zones, flags."""
        return (*(reading.name for reading in self.readings), *(("zone",) if self.zones else ()), *self.flags)

    def described(self) -> dict[str, Any]:
        """As JSON holds it; ``from_description`` reads it back."""
        return {
            "readings": [[reading.name, reading.centre, reading.scale] for reading in self.readings],
            "zones": list(self.zones),
            "flags": list(self.flags),
        }

    @classmethod
    def from_description(cls, found: Mapping[str, Any]) -> "Sights":
        """What ``described`` wrote. Raises ValueError for anything else."""
        try:
            readings = tuple(Reading(str(name), float(centre), float(scale)) for name, centre, scale in found["readings"])
            sights = cls(readings, tuple(map(str, found["zones"])), tuple(map(str, found["flags"])))
        except (KeyError, TypeError) as error:
            raise ValueError(f"expected readings, zones and flags ({error})") from error
        if not all(reading.scale > 0.0 for reading in readings) or len(set(sights.labels)) < len(sights.labels):
            raise ValueError("expected readings of a positive scale and names that differ")
        return sights


COSAW = Sights(
    readings=(
        Reading("line_y", 0.0, 0.03),  #: m, the projected line in base axes
        Reading("line_dy", 0.0, 0.01),  #: m, line less tool
        Reading("log_top", 0.575, 0.02),  #: m
        Reading("surface_dz", 0.0, 0.01),  #: m, wood under the blade less tool
        Reading("depth", 0.0, 0.01),  #: m, of the kerf
        Reading("hand_distance", 0.3, 0.05),  #: m, partner's free hand to the blade; unknown where nobody is there
    ),
    zones=tuple(zone.name.lower() for zone in sorted(Zone) if zone >= 0),
    flags=("stuck", "human"),  #: the saw is stuck; a person is in the picture
)
