"""What can be seen of an emulated arm and done to it while it runs: registers, faults of servos and wire, hands on the arm."""

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Sequence
from functools import wraps
from pathlib import Path
from typing import Any, Protocol, Self

from adapters.so101.emulator.arm import Servos, calibration, save
from adapters.so101.emulator.chain import Chain, Write
from adapters.so101.emulator.line import Line
from adapters.so101.emulator.servo import Servo
from engine.types import F64


class World(Protocol):
    """What moves as the servos push it."""

    @property
    def q(self) -> Sequence[float]:
        """(6,) rad"""

    def advance(self, steps: int) -> None:
        """Let so many physics steps pass."""

    def place(self, joint: int, q: float) -> None:
        """A hand puts a joint, 0..5, at an angle in rad."""

    def plant(self) -> F64 | None:
        """All of a simulation, where there is one."""


VERBS: dict[str, Callable[..., Any]] = {}


def verb[**P, R](do: Callable[P, R]) -> Callable[P, R]:
    """A method that is carried out between two packets, in whichever process the emulator is."""
    name = VERBS.setdefault(do.__name__, do).__name__

    @wraps(do)
    def tell(*arguments: P.args, **named: P.kwargs) -> R:
        controls: Any = arguments[0]
        result: R = controls.tell(name, *arguments[1:], **named)
        return result

    return tell


class Controls(ABC):
    """The same for an arm in this process and for one in another. Servos are named by their place in the chain, 1..6, whatever id they
    answer to. Whatever is done has taken effect when the call returns; ValueError for a place or a value that does not exist."""

    port: str  #: to open; gone while it is unplugged
    _arm: Servos
    _chain: Chain
    _line: Line
    _world: World

    @abstractmethod
    def tell(self, verb: str, *arguments: Any, **named: Any) -> Any:
        """Carry out one of VERBS. Raises ValueError where it is not one."""

    @abstractmethod
    def plant(self) -> F64 | None:
        """(P,) of so101-sim as it is now, for cameras to draw; None of a free arm."""

    @abstractmethod
    def close(self) -> None:
        """End it. Idempotent."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # --- servos ---

    @verb
    def get(self, place: int, name: str) -> int:
        """What a register holds, by LeRobot's name, its sign decoded."""
        return self._servo(place).get(name)

    @verb
    def set(self, place: int, name: str, value: int) -> None:
        """Put a value into a register, past the bus, as if it had always been there."""
        self._servo(place).set(name, value)

    @verb
    def silent(self, place: int, on: bool = True) -> None:
        """Its data wire is off: it hears nothing, says nothing, and goes on as it was told last."""
        self._servo(place)
        (self._chain.silent.add if on else self._chain.silent.discard)(place)

    @verb
    def wrong_id(self, place: int, new: int) -> None:
        """It has another id, 0..253."""
        self._servo(place).set("ID", new)

    @verb
    def overload(self, place: int, on: bool = True) -> None:
        """Its overload protection has tripped, until Torque_Enable is written."""
        self._servo(place).trip(on)

    @verb
    def temperature(self, place: int, celsius: float | None) -> None:
        """It is so hot, degrees C; None: as its work makes it."""
        self._servo(place).heat = celsius

    @verb
    def voltage(self, place: int, volts: float | None) -> None:
        """It gets so much, V; None: what the arm's supply gives."""
        self._servo(place).supply = volts

    @verb
    def writes(self, name: str = "") -> list[Write]:
        """The newest writes that came over the bus, oldest first, to the register of a name or to all."""
        return [write for write in self._chain.writes if name in ("", write.name)]

    # --- the wire ---

    @verb
    def corrupt(self, share: float) -> None:
        """This share, 0..1, of the replies comes with a flipped bit in data or checksum."""
        self._chain.corrupt = share

    @verb
    def half_packet(self, count: int = 1) -> None:
        """The next ``count`` replies break off half-way."""
        self._chain.halves = count

    @verb
    def delay(self, seconds: float, count: int | None = None) -> None:
        """The next ``count`` replies come so much later; without a count all of them, until it is 0."""
        self._chain.lag = seconds if count is None else 0.0
        self._chain.late = deque([seconds] * (count or 0))

    @verb
    def unplug(self) -> None:
        """Pull the cable to the computer; the servos keep their power and hold."""
        self._line.unplug()

    @verb
    def replug(self) -> None:
        """And put it back."""
        self._line.replug()

    # --- the arm ---

    @verb
    def joints(self) -> list[float]:
        """(6,) rad, where the joints truly are, the jaw as in MuJoCo's model."""
        return list(self._world.q)

    @verb
    def place(self, place: int, q: float | None) -> None:
        """A hand puts a joint at an angle, rad, and holds it there until it lets go, None."""
        self._servo(place)
        if q is None:
            self._arm.hands.pop(place - 1, None)
        else:
            self._world.place(place - 1, q)
            self._arm.hands[place - 1] = q

    @verb
    def push(self, place: int, torque: float) -> None:
        """Something outside puts so much on a joint, N m, until it is 0."""
        self._servo(place)
        self._arm.pushes[place - 1] = torque

    @verb
    def power_cycle(self) -> None:
        """Its power goes off and comes back: all limp, and what the EPROM did not keep is lost."""
        for servo in self._arm.all:
            servo.power_up()

    @verb
    def clear(self) -> None:
        """No fault any more; ids and registers stay as they are."""
        self._chain.silent.clear()
        self._chain.late.clear()
        self._chain.corrupt, self._chain.halves, self._chain.lag = 0.0, 0, 0.0
        self._arm.pushes[:] = [0.0] * len(self._arm.all)
        self._arm.hands.clear()
        for servo in self._arm.all:
            servo.supply = servo.heat = None
            servo.trip(False)
        self._line.replug()

    @verb
    def save_calibration(self, folder: str | Path, id: str) -> str:
        """Write what the registers say as LeRobot's calibration file of a robot ``id``; its path."""
        return str(save(calibration(self._arm.all), Path(folder), id))

    def _servo(self, place: int) -> Servo:
        if not 1 <= place <= len(self._arm.all):
            raise ValueError(f"there is no servo {place}; choose one of 1 to {len(self._arm.all)}")
        return self._arm.all[place - 1]
