"""What was measured and agreed when a cell was commissioned: its shape, its person's sensor, and the table of body regions."""

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

    person_sensor: bool = False  #: a sensor follows the person
    part_radii: tuple[float, ...] = (0.11, 0.17, 0.06, 0.06, 0.06, 0.06)  #: of the capsule of each of PARTS
    link_radii: tuple[float, ...] = (0.09, 0.08, 0.07)  #: of the capsules between LINKS
    blade_back: float = 0.25  #: from the tool frame to the blade's near end, along the tool's x
    blade_ahead: float = 0.34
    blade_height: float = 0.075  #: from the tooth line up
    handle_ahead: float = 0.36  #: from the tool frame to the person's handle
    handle_radius: float = 0.016
    cradle_front: float = 0.71  #: base frame, x of the cradle's face towards the person
    moving_mass: float = 12.0  #: kg, of the robot's moving parts
    payload: float = 1.3  #: kg, of the tool
    grip_area: float = 0.001  #: m^2, over which the handle presses into the hand
    regions: tuple[Region, ...] = ()

    def __post_init__(self) -> None:
        """Raises ValueError where the number of parts or links is another."""
        if len(self.part_radii) != len(PARTS) or len(self.link_radii) != len(LINKS) - 1:
            raise ValueError(f"give {len(PARTS)} part_radii and {len(LINKS) - 1} link_radii, not {self.part_radii} and {self.link_radii}.")


UNSENSED = Cell()
