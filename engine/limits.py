"""Every number the arbiter and the controller use, with its bounds, in SI units."""

from dataclasses import dataclass
from typing import Annotated, Literal

from annotated_types import Interval

# coordinates of the tool, m: within the arm's reach of 0.855 m and its pedestal, never through its column, the floor or a table at its feet
Along = Annotated[float, Interval(ge=0.05, le=1.0)]
Across = Annotated[float, Interval(ge=-1.0, le=1.0)]
Up = Annotated[float, Interval(ge=0.0, le=1.3)]

Remedy = Literal["none", "slow", "retry", "ask", "stop"]  #: names of ``engine.types.Intervention``


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Every number the arbiter and the controller use; a configuration may change them within these bounds."""

    observation_age_max: Annotated[float, Interval(ge=0.005, le=0.1)] = 0.05  #: s
    frame_age_max: Annotated[float, Interval(ge=0.05, le=1.0)] = 0.5  #: s
    inference_age_max: Annotated[float, Interval(ge=0.05, le=2.0)] = 0.7  #: s since exposure
    console_age_max: Annotated[float, Interval(ge=0.1, le=5.0)] = 1.0  #: s
    clock_step_max: Annotated[float, Interval(ge=0.02, le=1.0)] = 0.1  #: s between two ticks
    joint_margin: Annotated[float, Interval(ge=0.01, le=0.5)] = 0.10  #: rad, where slowing begins
    joint_velocity_share: Annotated[float, Interval(ge=0.05, le=1.0)] = 0.8  #: of the datasheet's limit
    joint_torque_share: Annotated[float, Interval(ge=0.05, le=1.0)] = 0.9
    workspace_min: tuple[Along, Across, Up] = (0.20, -0.50, 0.30)  #: m, tool frame
    workspace_max: tuple[Along, Across, Up] = (0.78, 0.50, 0.95)  #: m
    workspace_margin: Annotated[float, Interval(ge=0.005, le=0.2)] = 0.03  #: m
    tilt_max: Annotated[float, Interval(ge=0.02, le=7.0)] = 0.12  #: rad, of a jogged tool against level; a saw's partner bears 0.3 at most
    #: m/s along the stroke at which a robot that stands gives way to a partner's hand; ``rest_speed`` or less: no axis does
    stroke_yield: Annotated[float, Interval(ge=0.001, le=0.1)] = 0.10  #: m/s
    manipulability_min: Annotated[float, Interval(ge=0.001, le=0.2)] = 0.02
    speed_max: Annotated[float, Interval(ge=0.01, le=1.0)] = 0.5  #: m/s, of the tool
    speed_unsensed: Annotated[float, Interval(ge=0.01, le=0.25)] = 0.25  #: m/s while no sensor follows the person (ISO 10218-1)
    acceleration_max: Annotated[float, Interval(ge=0.1, le=10.0)] = 3.0  #: m/s^2
    force_max: Annotated[float, Interval(ge=1.0, le=140.0)] = 60.0  #: N at a normalised force of 0.9; hand, quasi-static 140 N
    torque_max: Annotated[float, Interval(ge=0.1, le=20.0)] = 8.0  #: N m
    slow_below: Annotated[float, Interval(gt=0.5, lt=1.0)] = 0.75
    continue_above: Annotated[float, Interval(gt=0.5, lt=1.0)] = 0.80
    stop_below: Annotated[float, Interval(ge=0.2, lt=0.75)] = 0.50
    arm_ramp: Annotated[float, Interval(ge=0.1, le=5.0)] = 1.0  #: s from armed to full stiffness and speed
    hold_to_run: bool = False  #: it goes by itself only while the operator holds the go key
    rest_within: Annotated[float, Interval(ge=0.05, le=1.0)] = 0.3  #: s from a stop to standstill
    rest_speed: Annotated[float, Interval(ge=0.001, le=0.05)] = 0.01  #: m/s
    hand_force_max: Annotated[float, Interval(ge=1.0, le=50.0)] = 50.0  #: N, keyboard partner
    watchdog_control: Annotated[float, Interval(ge=0.02, le=0.5)] = 0.05  #: s
    watchdog_camera: Annotated[float, Interval(ge=0.1, le=5.0)] = 1.0  #: s
    watchdog_inference: Annotated[float, Interval(ge=0.1, le=5.0)] = 1.5  #: s
    watchdog_recorder: Annotated[float, Interval(ge=0.1, le=10.0)] = 3.0  #: s
    watchdog_server: Annotated[float, Interval(ge=0.1, le=10.0)] = 2.0  #: s
    watchdog_self: Annotated[float, Interval(ge=0.05, le=5.0)] = 0.5  #: s, of the watchdog's own thread
    # separation (ISO/TS 15066, 5.5.4)
    reaction_floor: Annotated[float, Interval(ge=0.02, le=1.0)] = 0.10  #: s, least sensor age that counts in T_r, as commissioned
    reaction_control: Annotated[float, Interval(ge=0.005, le=0.2)] = 0.02  #: s, from a reading to the command it leads to
    reaction_window: Annotated[float, Interval(ge=0.2, le=10.0)] = 2.0  #: s over which the sensor's greatest age counts
    person_age_max: Annotated[float, Interval(ge=0.02, le=0.5)] = 0.30  #: s, of any part that binds
    braking: Annotated[float, Interval(ge=0.2, le=10.0)] = 1.4  #: m/s^2, deceleration that the stopping distance was measured with
    intrusion: Annotated[float, Interval(ge=0.001, le=0.5)] = 0.03  #: m, C
    person_error: Annotated[float, Interval(ge=0.001, le=0.2)] = 0.03  #: m, Z_d
    robot_error: Annotated[float, Interval(ge=0.001, le=0.1)] = 0.01  #: m, Z_r
    person_speed: Annotated[float, Interval(ge=0.2, le=3.0)] = 1.6  #: m/s where it is not measured
    hand_speed: Annotated[float, Interval(ge=0.5, le=4.0)] = 2.0  #: m/s of a free hand that is near
    hand_near: Annotated[float, Interval(ge=0.1, le=2.0)] = 0.5  #: m
    body_speed_min: Annotated[float, Interval(ge=0.1, le=2.0)] = 0.5  #: m/s, least v_h of head and torso, whose speed is measured
    person_acceleration: Annotated[float, Interval(ge=0.1, le=20.0)] = 3.0  #: m/s^2, what a measured speed may gain while it grows old
    # contact
    crush_gap: Annotated[float, Interval(ge=0.05, le=0.5)] = 0.12  #: m, handle to cradle
    # forecast
    on_collision: Remedy = "slow"  #: what is done about a collision that is foreseen
    on_drop: Remedy = "slow"
    on_miss: Remedy = "retry"
    on_timeout: Remedy = "ask"
    forecast_persistence: Annotated[float, Interval(ge=0.01, le=2.0)] = 0.25  #: s that an alarm must last
    forecast_release: Annotated[float, Interval(ge=0.1, le=1.0)] = 0.7  #: of the alarm's threshold, below which it is over
    forecast_cooldown: Annotated[float, Interval(ge=0.1, le=30.0)] = 2.0  #: s after a retry or an answer until the next is tried or asked
    #: which learned judgement may limit the robot; a simulated study may try each alone, every other run is judged by all
    judged_by: Literal["all", "none", "published", "uncertainty", "forecast"] = "all"
    # energy tank
    tank_min: Annotated[float, Interval(ge=0.05, le=5.0)] = 0.5  #: J
    tank_max: Annotated[float, Interval(ge=0.1, le=50.0)] = 12.0  #: J
    tank_power: Annotated[float, Interval(ge=0.5, le=200.0)] = 20.0  #: W, most that the tank pays
    tank_refill: Annotated[float, Interval(ge=0.01, le=1.0)] = 0.9  #: share of damping that refills it
    task_power: Annotated[float, Interval(ge=0.1, le=60.0)] = 8.0  #: W, granted while sawing

    def __post_init__(self) -> None:
        """Raises ValueError where numbers that are each within their bounds contradict each other."""
        if not self.stop_below > 0.1:
            raise ValueError(f"stop_below must be more than 0.1, the score of a stop, not {self.stop_below}.")
        if not self.stop_below < self.slow_below <= self.continue_above:
            raise ValueError(
                f"stop_below < slow_below <= continue_above must hold, not {self.stop_below}, {self.slow_below}, {self.continue_above}"
            )
        if not self.tank_min < self.tank_max:
            raise ValueError(f"tank_min < tank_max must hold, not {self.tank_min}, {self.tank_max}")
        if not self.rest_speed < self.speed_unsensed:
            raise ValueError(f"rest_speed < speed_unsensed must hold, not {self.rest_speed}, {self.speed_unsensed}")
        if not self.reaction_control <= self.reaction_floor:
            raise ValueError(f"reaction_control <= reaction_floor must hold, not {self.reaction_control}, {self.reaction_floor}")
        if not self.body_speed_min <= self.person_speed <= self.hand_speed:
            raise ValueError(
                f"body_speed_min <= person_speed <= hand_speed must hold, not {self.body_speed_min}, {self.person_speed}, {self.hand_speed}"
            )
        for axis, low, high in zip("xyz", self.workspace_min, self.workspace_max, strict=True):
            if not high - low > 2.0 * self.workspace_margin:
                raise ValueError(
                    f"workspace_min must be less than workspace_max by over twice workspace_margin along {axis}, not {low} and {high}"
                )

    @property
    def yields(self) -> bool:
        """Whether a robot that stands gives way along the stroke, to somebody who holds the other end of its tool."""
        return self.stroke_yield > self.rest_speed
