"""Every number the arbiter and the controller use, with its bounds, in SI units."""

from dataclasses import dataclass
from typing import Annotated

from annotated_types import Interval


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Every number the arbiter and the controller use; a configuration may change them within these bounds."""

    observation_age_max: Annotated[float, Interval(gt=0, le=0.1)] = 0.05  #: s
    frame_age_max: Annotated[float, Interval(gt=0, le=1.0)] = 0.5  #: s
    inference_age_max: Annotated[float, Interval(gt=0, le=2.0)] = 0.7  #: s since exposure
    console_age_max: Annotated[float, Interval(gt=0, le=5.0)] = 1.0  #: s
    clock_step_max: Annotated[float, Interval(gt=0, le=1.0)] = 0.1  #: s between two ticks
    joint_margin: Annotated[float, Interval(gt=0, le=0.5)] = 0.10  #: rad, where slowing begins
    joint_velocity_share: Annotated[float, Interval(gt=0, le=1.0)] = 0.8  #: of the datasheet's limit
    joint_torque_share: Annotated[float, Interval(gt=0, le=1.0)] = 0.9
    workspace_min: tuple[float, float, float] = (0.20, -0.50, 0.30)  #: m, tool frame
    workspace_max: tuple[float, float, float] = (0.78, 0.50, 0.95)
    workspace_margin: Annotated[float, Interval(gt=0, le=0.2)] = 0.03  #: m
    manipulability_min: Annotated[float, Interval(gt=0, le=0.2)] = 0.02
    speed_max: Annotated[float, Interval(gt=0, le=1.0)] = 0.5  #: m/s, of the tool
    speed_unsensed: Annotated[float, Interval(gt=0, le=0.25)] = 0.25  #: m/s while no sensor watches the person (ISO 10218-1, reduced speed)
    acceleration_max: Annotated[float, Interval(gt=0, le=10.0)] = 3.0  #: m/s^2
    force_max: Annotated[float, Interval(gt=0, le=140.0)] = 60.0  #: N at a normalised force of 0.9; hand, quasi-static 140 N
    torque_max: Annotated[float, Interval(gt=0, le=20.0)] = 8.0  #: N m
    slow_below: Annotated[float, Interval(gt=0.5, lt=1.0)] = 0.75
    continue_above: Annotated[float, Interval(gt=0.5, lt=1.0)] = 0.80
    stop_below: Annotated[float, Interval(ge=0.1, lt=0.75)] = 0.50
    arm_ramp: Annotated[float, Interval(gt=0, le=5.0)] = 1.0  #: s from armed to full stiffness and speed
    rest_within: Annotated[float, Interval(gt=0, le=1.0)] = 0.3  #: s from a stop to standstill
    rest_speed: Annotated[float, Interval(gt=0, le=0.05)] = 0.01  #: m/s
    hand_force_max: Annotated[float, Interval(gt=0, le=50.0)] = 50.0  #: N, keyboard partner
    watchdog_control: Annotated[float, Interval(gt=0, le=0.5)] = 0.05  #: s
    watchdog_camera: Annotated[float, Interval(gt=0, le=5.0)] = 1.0
    watchdog_inference: Annotated[float, Interval(gt=0, le=5.0)] = 1.5
    watchdog_recorder: Annotated[float, Interval(gt=0, le=10.0)] = 3.0

    def __post_init__(self) -> None:
        """Raises ValueError where numbers that are each within their bounds contradict each other."""
        if not self.stop_below < self.slow_below <= self.continue_above:
            raise ValueError(
                f"stop_below < slow_below <= continue_above must hold, not {self.stop_below}, {self.slow_below}, {self.continue_above}."
            )
        for axis, low, high in zip("xyz", self.workspace_min, self.workspace_max, strict=True):
            if not low < high:
                raise ValueError(f"workspace_min must be less than workspace_max along {axis}, not {low} and {high}.")
