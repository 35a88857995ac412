"""``SO101``: the real arm as a robot. Stiffness, force and touch are approximate, as ``compliance`` says.

It has no brakes: whatever happens its servos hold, and taking their power away is refused unless the arm rests on something.
"""

import math
import time
from collections.abc import Callable, Sequence
from typing import Final

import numpy as np

from adapters.base import AdapterError
from adapters.mujoco.reach import manipulability
from adapters.mujoco.tabletop import servos
from adapters.mujoco.tabletop.kinematics import Kinematics
from adapters.mujoco.tabletop.so101 import SO101 as ARM
from adapters.so101.bus import Bus
from adapters.so101.calibration import Calibration
from adapters.so101.driver import Driver, Seen, Trip
from adapters.so101.following import PERIOD
from adapters.so101.steering import Told
from engine.clock import Clock, RealClock
from engine.control.pose import floats
from engine.safety import score
from engine.safety.cell import UNSENSED, Cell
from engine.so101_settings import POSES
from engine.types import F64, NO_ENERGY, NO_SAW, Command, Observation, Spring, Vec6, Vec7

LETS_GO_S: Final = 2.0  #: s that the servos have to let go
FOLDED: Final = tuple(map(math.radians, POSES["rest"][:5]))  #: rad, in which the arm holds itself up
REFUSED: Final = "Power off: the arm has no brakes and would fall, so its servos hold. Support it before its power goes."


class SO101:
    """The arm as ``adapters.base.Robot``, on a ``bus`` at a ``port`` with a ``calibration``.

    ``ahead`` is LeRobot's ``max_relative_target`` in rad: of the gripper, its degrees count as hundredths of the way. ``dry_actions``
    above 0 makes a dry run, which reads and never writes, and shows so many actions. ``plant`` gives the state (P,) of a simulation that
    plays the arm, for cameras that draw it. ``ended`` is called when the robot is closed.
    """

    name: str = "so101"
    simulated: bool = False
    cell: Cell = UNSENSED
    joint_limits = ARM.joint_limits
    joint_velocity_limits = ARM.joint_velocity_limits
    joint_torque_limits = ARM.joint_torque_limits

    def __init__(
        self,
        bus: Bus,
        port: str,
        calibration: Calibration,
        *,
        ahead: float = math.radians(10.0),
        dry_actions: int = 0,
        plant: Callable[[], F64 | None] | None = None,
        ended: Callable[[], None] = lambda: None,
        clock: Clock | None = None,
    ) -> None:
        self.port = port
        self._clock = clock or RealClock()
        self._driver = Driver(bus, port, calibration, ahead, dry_actions, self._clock)
        self._plant, self._ended = plant, ended
        self._kinematics = Kinematics(ARM)
        self._followed: Command | None = None  #: the last command since it stopped
        self._braking = False

    # --- the protocol ---

    def connect(self) -> None:
        """Find the six servos and hold the arm where it is; in a dry run only look. Raises AdapterError."""
        self._driver.connect()

    def read(self, t_ns: int) -> Observation:
        """The newest reading, stamped when it was asked for. Raises AdapterError while the servos cannot be spoken with."""
        driver = self._driver
        if driver.lost:
            raise AdapterError(driver.lost)
        seen = driver.seen
        if seen is None or not driver.runs:
            raise AdapterError("The arm is not connected; connect it first.")
        reading, figure = seen.reading, seen.figure
        plant = self._plant() if self._plant is not None else None
        return Observation(
            t_ns=reading.t_ns,
            seq=seen.seq,
            q=np.array(reading.q),
            dq=np.array(reading.dq),
            tau=servos.TORQUE * np.array(reading.load[:5]),
            pose=figure.pose,
            twist=figure.twist,
            wrench=seen.wrench,
            manipulability=manipulability(figure.jacobian),
            saw=NO_SAW,
            plant=np.zeros(0) if plant is None else plant,
            links=figure.links,
            grip=np.full(3, np.nan),
            holds=False,
            person=None,
            spring=self._spring(seen),
            energy=NO_ENERGY,
            gripper=reading.gripper,
            fault=seen.fault,
            fault_part=seen.part,
        )

    def command(self, command: Command) -> None:
        """Follow this until the next one; ``brakes`` only holds, and the first of them says so."""
        followed = self._driver.told(Told(self._clock.now_ns(), command))
        self._followed = command if followed else None
        if command.brakes and not self._braking:
            self._driver.tell("refused", REFUSED)
        self._braking = command.brakes

    def tool_at(self, q: Sequence[float]) -> Vec7:
        return self._kinematics.pose(np.array(q))

    def joint_twist(self, joint: int) -> Vec6:
        seen = self._driver.seen
        return (0.0,) * 6 if seen is None else floats(seen.figure.jacobian[:, joint - 1])

    def stop(self, category: int) -> None:
        """Brake and hold; of category 0 too, without power the arm would fall."""
        if self._driver.stop(category) and category == 0:
            self._driver.tell("refused", REFUSED)

    def resume(self) -> None:
        self._followed = None
        self._driver.resume()

    def advance(self, dt: float) -> None:
        """Time passes for it by itself."""

    def close(self) -> None:
        """Stop, leave the servos holding, and let go of the port."""
        self._driver.close()
        self._ended()

    # --- beyond the protocol ---

    @property
    def tell(self) -> Callable[[str, str], None]:
        """Takes what the arm has to say, an event's kind and its sentence; called by any thread."""
        return self._driver.tell

    @tell.setter
    def tell(self, tell: Callable[[str, str], None]) -> None:
        self._driver.tell = tell

    @property
    def dry(self) -> tuple[str, ...]:
        """The first actions of a dry run, in LeRobot's units."""
        return self._driver.dry

    @property
    def trips(self) -> tuple[Trip, ...]:
        """The newest periods on the bus, a minute of them at most."""
        return tuple(self._driver.trips)

    def release(self) -> bool:
        """Take the torque off, which nothing else does; False where the arm does not stand folded as in ``FOLDED``, and would fall.

        Raises AdapterError where it did not go off.
        """
        driver = self._driver
        if not driver.let_go(FOLDED):
            return False
        until = time.monotonic() + LETS_GO_S
        while not driver.limp and driver.orders.let_go and not driver.lost and time.monotonic() < until:
            time.sleep(PERIOD)
        if not driver.limp:
            raise AdapterError(f"The arm's torque did not go off: {driver.lost or 'it was stopped'}")
        return True

    def _spring(self, seen: Seen) -> Spring:
        """The pose it steers to, or stands at; stiffness and limits as last commanded, which servos only come near to."""
        command, reading = self._followed, seen.reading
        return Spring(
            pose_d=floats(seen.figure.pose) if command is None or seen.holding else command.pose_d,
            stiffness=score.SOFTEST if command is None else command.stiffness_d,
            damping=(0.0,) * 6,
            force_max=0.0 if command is None else command.force_max,
            torque_max=0.0 if command is None else command.torque_max,
            target=seen.target,
            volts=reading.volts,
            celsius=reading.celsius,
            supply=reading.supply,
            trip=seen.trip,
        )
