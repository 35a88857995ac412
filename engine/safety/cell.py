"""What was measured and agreed when a cell was commissioned: its shape, its person's sensor, and the table of body regions."""

import math
from dataclasses import dataclass

from engine.types import LINKS, PARTS


@dataclass(frozen=True, slots=True, kw_only=True)
class Region:
    """One region of the body: ISO/TS 15066:2016, tables A.2 (permitted forces and pressures) and A.3 (stiffness and mass)."""

    name: str
    force: float  #: N, quasi-static
    pressure: float  #: Pa, quasi-static, the lowest of the region's points
    transient: float  #: how many times the quasi-static values a transient contact may reach; 0 = no contact permitted
    stiffness: float  #: N/m
    mass: float  #: kg, effective


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """The robot's shape as separation and contact measure it, all lengths in m; ``UNSENSED`` where nothing is known of a person."""

    person_sensor: bool  #: a sensor follows the person
    part_radii: tuple[float, ...]  #: of the capsule of each of PARTS
    link_radii: tuple[float, ...]  #: of the capsules between LINKS
    blade_back: float  #: from the tool frame to the blade's near end, along the tool's x
    blade_ahead: float
    blade_height: float  #: from the tooth line up
    handle_ahead: float  #: from the tool frame to the person's handle
    handle_radius: float
    cradle_front: float  #: base frame, x of the cradle's face towards the person
    moving_mass: float  #: kg, of the robot's moving parts
    payload: float  #: kg, of the tool
    grip_area: float  #: m^2, over which the handle presses into the hand
    regions: tuple[Region, ...]  #: of the body; none where there is no table

    def __post_init__(self) -> None:
        """Raises ValueError where the number of parts or links is another."""
        if len(self.part_radii) != len(PARTS) or len(self.link_radii) != len(LINKS) - 1:
            raise ValueError(f"give {len(PARTS)} part_radii and {len(LINKS) - 1} link_radii, not {self.part_radii} and {self.link_radii}.")

    @property
    def blade_reach(self) -> float:
        """m, from the tool frame to the blade's farthest point."""
        far = max(self.blade_back, self.blade_ahead)
        return math.sqrt(far * far + self.blade_height * self.blade_height)


UNSENSED = Cell(
    person_sensor=False,
    part_radii=(0.0,) * len(PARTS),
    link_radii=(0.0,) * (len(LINKS) - 1),
    blade_back=0.0,
    blade_ahead=0.0,
    blade_height=0.0,
    handle_ahead=0.0,
    handle_radius=0.0,
    cradle_front=0.0,
    moving_mass=0.0,
    payload=0.0,
    grip_area=0.0,
    regions=(),
)
