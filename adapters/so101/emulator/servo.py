"""An STS3215 behind its registers: how it steers its motor towards the goal, what it senses, and how it protects itself.

The motor's voltage follows the error of position times P, bounded by the torque limits; the torque follows the voltage, and what turns
slows itself (the plants' damping). It feeds no weight forward, so a loaded joint stands off its goal. Only the operating mode 0 is
emulated, and no integral term. A write to Goal_Position switches torque on, and the goal is kept within the position limits while
its register shows what was written (so observed in huggingface/lerobot#3585); torque switched on by itself holds the joint where it is.
"""

import math
from typing import Final

from adapters.so101.emulator.registers import Registers

STEPS: Final = 4096  #: of a turn
STEP: Final = 2.0 * math.pi / STEPS  #: rad
MIDDLE: Final = 2047  #: where LeRobot's calibration puts the middle of a joint's range
KP: Final = 17.8  #: N m/rad, at LeRobot's usual P coefficient
KP_AT: Final = 16
TORQUE: Final = 3.35  #: N m, stalled at the rated voltage
FREE_SPEED: Final = 4.7  #: rad/s
VOLTS: Final = 7.4
STALL_AMPERES: Final = 2.4
IDLE_AMPERES: Final = 0.03
AMPERES: Final = 0.0065  #: of one in Present_Current
AMBIENT: Final = 28.0  #: degrees C
HEATING: Final = 60.0  #: degrees C over ambient, stalled for long
WARMING: Final = 240.0  #: s
STANDING: Final = 0.02  #: rad/s, below which it does not count as moving
VOLTAGE, TEMPERATURE, CURRENT, OVERLOAD = 1, 4, 8, 32  #: bits of Status, of Unloading_Condition and of a reply's error


def _byte(value: float) -> int:
    return min(255, max(0, round(value)))


class Servo:
    """One servo. ``zero`` is the encoder's step, 0..4095, where its joint is at 0 rad; ``q`` rad and ``dq`` rad/s are the joint's, true."""

    def __init__(self, id: int, zero: float) -> None:
        self.registers = Registers(id)
        self.zero = zero
        self.q = self.dq = 0.0
        self.duty = 0.0  #: -1..1 of the supply on the motor
        self.amperes = IDLE_AMPERES
        self.volts = VOLTS
        self.celsius = self._warmth = AMBIENT + 4.0
        self.supply: float | None = None  #: V, in place of the arm's
        self.heat: float | None = None  #: degrees C, in place of its own
        self.tripped = False  #: an overload that was set from outside
        self._status = 0
        self._over = self._pressed = 0.0  #: s with too much current, and with too much load
        self._goal = self._aim = 0.0  #: steps; what it shall reach, and what it steers to on the way
        self._speed = 0.0  #: steps/s, of that
        self._on = False
        self._learn()

    # --- registers ---

    def get(self, name: str) -> int:
        """What a register holds, by LeRobot's name, its sign decoded. Raises KeyError."""
        self.sense()
        return self.registers.get(name)

    def set(self, name: str, value: int) -> None:
        """Put a value into a register as if it had always been there. Raises KeyError, ValueError."""
        self.registers.set(name, value)
        self._learn()

    @property
    def id(self) -> int:
        return self.registers.bytes[5]

    def read(self, address: int, size: int) -> bytes:
        """``size`` bytes from an address on."""
        self.sense()
        return self.registers.read(address, size)

    def write(self, address: int, data: bytes) -> list[tuple[str, int]]:
        """Take over what came from outside; (register, value) of what it was."""
        r, was_on = self.registers, self._on
        names = r.write(address, data)
        written = [(name, r.get(name)) for name in names]
        if "Torque_Enable" in names:
            self._status &= ~OVERLOAD
            self.tripped, self._pressed = False, 0.0
        if "Goal_Position" in names:
            r.set("Torque_Enable", 1)
        self._learn()
        if self._on and not was_on:
            self._goal = self._aim = self.position()
            self._speed = 0.0
        if "Goal_Position" in names:
            low, high = r.get("Min_Position_Limit"), r.get("Max_Position_Limit")
            goal = float(r.get("Goal_Position"))
            self._goal = min(high, max(low, goal)) if high > low else goal
            if self._status & OVERLOAD and (self._goal - self.position()) * self.duty < 0.0:
                self._status &= ~OVERLOAD  # it is asked to go back
        return written

    def power_up(self) -> None:
        """As after the power was off: limp, its settings as last kept."""
        self.registers.power_up()
        self._status, self.tripped, self._over, self._pressed, self.duty = 0, False, 0.0, 0.0, 0.0
        self._learn()

    def trip(self, on: bool) -> None:
        """Let its overload protection have tripped until Torque_Enable is written, or not."""
        self.tripped = on
        self._status = self._status | OVERLOAD if on else self._status & ~OVERLOAD

    def _learn(self) -> None:
        """What the control loop needs, from the registers."""
        r = self.registers
        self._on = r.get("Torque_Enable") == 1
        self._gain = KP / TORQUE * STEP * r.get("P_Coefficient") / KP_AT  # duty for each step of error
        self._limit = min(r.get("Torque_Limit"), r.get("Max_Torque_Limit")) / 1000.0
        self._protective = r.get("Protective_Torque") / 100.0
        self._overload = r.get("Overload_Torque") / 100.0
        self._least = r.get("Minimum_Startup_Force") / 1000.0
        self._dead = max(r.get("CW_Dead_Zone"), r.get("CCW_Dead_Zone"))
        self._offset = r.get("Homing_Offset")
        self._unloading = r.get("Unloading_Condition")
        fastest = FREE_SPEED / STEP
        self._fastest = min(abs(r.get("Goal_Velocity")) or fastest, fastest)
        hardest = [100.0 * a for a in (r.get("Acceleration"), r.get("Maximum_Acceleration")) if a]
        self._hardest = min(hardest, default=math.inf)

    # --- what it senses ---

    def _actual(self) -> float:
        """0..4096, of the encoder."""
        return (self.zero + self.q / STEP) % STEPS

    def position(self) -> float:
        """Steps, as Present_Position before it is rounded."""
        return (self._actual() - self._offset) % STEPS

    @property
    def error(self) -> int:
        """The bits of Status, which every reply carries."""
        return self._status

    def sense(self) -> None:
        """Bring the present registers up to date."""
        r = self.registers
        r.set("Present_Position", round(self.position()) % STEPS)
        r.set("Present_Velocity", round(self.dq / STEP))
        r.set("Present_Load", round(1000.0 * self.duty))
        r.set("Present_Voltage", _byte(10.0 * self.volts))
        r.set("Present_Temperature", _byte(self.celsius))
        r.set("Present_Current", round(self.amperes / AMPERES))
        r.set("Status", self._status)
        r.set("Moving", int(abs(self.dq) > STANDING or (self._on and self._aim != self._goal)))

    # --- its control loop ---

    def drive(self, q: float, dq: float, supply: float, dt: float) -> float:
        """N m on the joint for the next ``dt`` s, at joint angle q rad and speed dq rad/s, under a supply in V."""
        self.q, self.dq = q, dq
        self.volts = supply if self.supply is None else self.supply
        self._watch(dt)
        position = self.position()
        if not self._on or self._status & self._unloading & (VOLTAGE | TEMPERATURE | CURRENT):
            self._aim, self._speed, self.duty = position, 0.0, 0.0
            if not self._on:
                self._goal = position
        else:
            self._advance(dt)
            error = self._aim - position
            duty = 0.0 if abs(error) <= self._dead else self._gain * error
            if duty and abs(duty) < self._least:
                duty = math.copysign(self._least, duty)
            limit = min(self._limit, self._protective) if self._status & self._unloading & OVERLOAD else self._limit
            self.duty = min(limit, max(-limit, duty))
        return TORQUE * self.duty * self.volts / VOLTS

    def _advance(self, dt: float) -> None:
        """Let what it steers to go on towards the goal, as fast as it may."""
        way = self._goal - self._aim
        speed = math.copysign(min(self._fastest, math.sqrt(2.0 * self._hardest * abs(way))), way) if way else 0.0
        change = self._hardest * dt
        self._speed = min(self._speed + change, max(self._speed - change, speed))
        if abs(self._speed * dt) >= abs(way) and self._speed * way >= 0.0:
            self._aim, self._speed = self._goal, 0.0
        else:
            self._aim += self._speed * dt

    def _watch(self, dt: float) -> None:
        """Current, heat, and the protections that they trip."""
        r = self.registers.bytes
        drawn = abs(self.duty * self.volts / VOLTS - self.dq / FREE_SPEED) if self.duty else 0.0
        self.amperes = IDLE_AMPERES + STALL_AMPERES * drawn
        warm = AMBIENT + HEATING * drawn * drawn
        self._warmth += (warm - self._warmth) * dt / WARMING
        self.celsius = self._warmth if self.heat is None else self.heat
        status = self._status & (OVERLOAD | CURRENT)
        if not r[15] <= round(10.0 * self.volts) <= r[14]:
            status |= VOLTAGE
        if self.celsius >= r[13]:
            status |= TEMPERATURE
        self._over = self._over + dt if self.amperes >= AMPERES * (r[28] | r[29] << 8) else 0.0
        self._pressed = self._pressed + dt if abs(self.duty) >= self._overload else 0.0
        if self._over and self._over >= 0.01 * r[38]:
            status |= CURRENT
        if self.tripped or (self._pressed and self._pressed >= 0.01 * r[35]):
            status |= OVERLOAD
        self._status = status
