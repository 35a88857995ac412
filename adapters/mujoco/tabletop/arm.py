"""What the table-top world asks of an arm: its model, where things lie in its reach, and the motors that move it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

from adapters.mujoco.body import Body
from adapters.mujoco.person import Point
from adapters.mujoco.stage import View
from engine.limits import Limits
from engine.types import F64, Command, Energy, Spring

TOOL_SITE: Final = "tool"
CAMERAS: Final = ("front", "side", "top")


@dataclass(frozen=True, slots=True)
class Area:
    """A rectangle on the table, m."""

    x: tuple[float, float]
    y: tuple[float, float]


class Motors(Protocol):
    """How one arm follows commands. ``Tabletop`` decides when it holds and brakes."""

    memory: Any
    """All that lasts from one tick to the next, for the plant vector: a dataclass of numbers, of lists and tuples of floats, and of
    dataclasses again. ``Tabletop`` replaces it when a plant is restored."""

    @property
    def tau(self) -> F64:
        """(n,) N m, applied last."""

    @property
    def wrench(self) -> F64:
        """(6,) N and N m, of the world on the tool."""

    def command(self, command: Command) -> None:
        """Follow this until the next one. ``gripper_d`` NaN leaves the fingers as they are."""

    def hold(self) -> None:
        """Hold the measured pose with zero error, by the robot's own means; the fingers go on as they were told."""

    def brake(self) -> None:
        """Stand on the brakes, or as firmly as the arm can. Holds until ``resume``, or a command without ``brakes``."""

    def resume(self) -> None:
        """Let the brakes go and hold the measured pose."""

    def grip(self, closed: float) -> None:
        """The fingers are told to be, and are taken to have been told for long, 0 open .. 1 closed."""

    def move(self, steps: int) -> bool:
        """Let so many physics steps pass. False: something was not sound and the robot must stop."""

    def spring(self) -> Spring:
        """What is in effect, as the engine reads it."""

    def energy(self) -> Energy:
        """The account, or ``NO_ENERGY`` where the arm keeps none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Arm:
    """An arm with a gripper on the edge of the table, x ahead. In its model its joints come first, then its fingers."""

    name: str
    spec: Callable[[bool], Any]
    """MjSpec of the arm with its base at the origin, without a floor: drawn (visual geoms in group 2, named "<paint>:<what>"), or to be
    stepped (inertias, finger pads that collide with contype = conaffinity = 1, actuators in the order of the joints). It has a site
    "tool" between the finger tips; its z axis is up and its x axis ahead while the gripper points straight down."""
    motors: Callable[[Body, Limits], Motors]
    tasks: tuple[str, ...]  #: of "pickplace", "lift" and "reach"; the first where none is named
    joints: int  #: n
    fingers: int
    home: tuple[float, ...]  #: (n,) rad, the gripper pointing down over the table
    joint_limits: tuple[tuple[float, float], ...]  #: rad
    joint_velocity_limits: tuple[float, ...]  #: rad/s
    joint_torque_limits: tuple[float, ...]  #: N m
    links: tuple[str, str, str, str]  #: bodies that stand for the points of LINKS
    guard: tuple[Point, Point]  #: m, half sizes and place in its body's frame of the box that the hand is to what stands in its way
    closed: Callable[[F64], float]  #: 0 open .. 1 closed of the fingers' places (fingers,)
    placed: Callable[[float], tuple[float, ...]]  #: and back
    aside: Callable[[float], float]
    """m along the tool's y axis, from the tool to the middle between the finger tips when they are closed so far; 0 about a cube."""
    facing: Callable[[float, float], float]  #: rad about z, how the gripper points down at a place (x, y)
    upright: float  #: 0..1, how much the gripper's attitude counts against its place where the arm cannot have both
    table: float  #: m, height of the table's top
    cube_half: float  #: m
    cube_mass: float  #: kg
    cube_turn: float  #: rad, at most, of the cube against ``facing``
    holding: float  #: 0..1, how far the fingers are closed on the cube
    film: float  #: 1/s, the solver's ``impratio`` at which a held cube slides out, for each s that it shall take
    cubes: Area  #: where the cube's middle is drawn
    zones: Area | None  #: where the zone's middle is drawn; None where there is no zone
    starts: tuple[Point, Point]  #: m, lowest and highest corner of where the tool starts
    lift: float  #: m, how far up a cube counts as lifted
    rise: float  #: m, how far up the expert takes it
    views: Mapping[str, View]  #: of CAMERAS
