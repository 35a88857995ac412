"""What the prefix heads are asked to read off the pictures, and the order of the labels they learn from."""

from dataclasses import dataclass

from engine.types import Zone


@dataclass(frozen=True)
class Reading:
    """One quantity regressed from the pictures: value = centre + scale * output."""

    name: str
    centre: float
    scale: float  #: in the quantity's unit; errors are counted in it while training


READINGS: tuple[Reading, ...] = (
    Reading("line_y", 0.0, 0.03),  #: m, the projected line in base axes
    Reading("line_dy", 0.0, 0.01),  #: m, line less tool
    Reading("log_top", 0.575, 0.02),  #: m
    Reading("surface_dz", 0.0, 0.01),  #: m, wood under the blade less tool
    Reading("depth", 0.0, 0.01),  #: m, of the kerf
    Reading("hand_distance", 0.3, 0.05),  #: m, partner's free hand to the blade
)
ZONES = tuple(zone.name.lower() for zone in Zone)
LABELS: tuple[str, ...] = (*(reading.name for reading in READINGS), "zone", "stuck")
