"""An STS3215's memory: its registers by LeRobot's names, what they hold in a new servo, and what lasts without power.

Places, units and first values are those of Feetech's memory table of the STS series; where it names none (the factory's own
registers from 80 on) they are plausible ones.
"""

from typing import Final, NamedTuple

SIZE: Final = 87
EPROM_END: Final = 40
MODEL: Final = 777
FIRMWARE: Final = (3, 10)


class Register(NamedTuple):
    """Where a register lies."""

    address: int
    size: int  #: bytes, the low one first
    initial: int  #: in a new servo
    sign: int = 0  #: the bit that makes it negative, 0 where it has no sign
    fixed: bool = False  #: the servo alone writes it


TABLE: Final[dict[str, Register]] = {
    "Firmware_Major_Version": Register(0, 1, FIRMWARE[0], fixed=True),
    "Firmware_Minor_Version": Register(1, 1, FIRMWARE[1], fixed=True),
    "Model_Number": Register(3, 2, MODEL, fixed=True),
    "ID": Register(5, 1, 1),
    "Baud_Rate": Register(6, 1, 0),
    "Return_Delay_Time": Register(7, 1, 0),  # 2 us
    "Response_Status_Level": Register(8, 1, 1),
    "Min_Position_Limit": Register(9, 2, 0),
    "Max_Position_Limit": Register(11, 2, 4095),
    "Max_Temperature_Limit": Register(13, 1, 70),
    "Max_Voltage_Limit": Register(14, 1, 80),  # 0.1 V, of the 7.4 V servo
    "Min_Voltage_Limit": Register(15, 1, 40),
    "Max_Torque_Limit": Register(16, 2, 1000),  # 0.1 %
    "Phase": Register(18, 1, 12),
    "Unloading_Condition": Register(19, 1, 44),
    "LED_Alarm_Condition": Register(20, 1, 47),
    "P_Coefficient": Register(21, 1, 32),
    "D_Coefficient": Register(22, 1, 32),
    "I_Coefficient": Register(23, 1, 0),
    "Minimum_Startup_Force": Register(24, 2, 16),  # 0.1 %
    "CW_Dead_Zone": Register(26, 1, 1),
    "CCW_Dead_Zone": Register(27, 1, 1),
    "Protection_Current": Register(28, 2, 500),  # 6.5 mA
    "Angular_Resolution": Register(30, 1, 1),
    "Homing_Offset": Register(31, 2, 0, sign=11),
    "Operating_Mode": Register(33, 1, 0),
    "Protective_Torque": Register(34, 1, 20),  # %
    "Protection_Time": Register(35, 1, 200),  # 10 ms
    "Overload_Torque": Register(36, 1, 80),  # %
    "Velocity_closed_loop_P_proportional_coefficient": Register(37, 1, 10),
    "Over_Current_Protection_Time": Register(38, 1, 200),  # 10 ms
    "Velocity_closed_loop_I_integral_coefficient": Register(39, 1, 10),
    "Torque_Enable": Register(40, 1, 0),
    "Acceleration": Register(41, 1, 0),  # 100 steps/s^2
    "Goal_Position": Register(42, 2, 0, sign=15),
    "Goal_Time": Register(44, 2, 0),
    "Goal_Velocity": Register(46, 2, 0, sign=15),  # steps/s
    "Torque_Limit": Register(48, 2, 1000),  # 0.1 %
    "Lock": Register(55, 1, 1),
    "Present_Position": Register(56, 2, 0, sign=15, fixed=True),
    "Present_Velocity": Register(58, 2, 0, sign=15, fixed=True),  # steps/s
    "Present_Load": Register(60, 2, 0, sign=10, fixed=True),  # 0.1 % of the driving voltage's duty
    "Present_Voltage": Register(62, 1, 0, fixed=True),  # 0.1 V
    "Present_Temperature": Register(63, 1, 0, fixed=True),  # degrees C
    "Asynchronous_Write": Register(64, 1, 0, fixed=True),
    "Status": Register(65, 1, 0, fixed=True),
    "Moving": Register(66, 1, 0, fixed=True),
    "Present_Current": Register(69, 2, 0, fixed=True),  # 6.5 mA
    "Goal_Position_2": Register(71, 2, 0, fixed=True),
    "Moving_Velocity_Threshold": Register(80, 1, 1),
    "DTs": Register(81, 1, 1),
    "Velocity_Unit_factor": Register(82, 1, 1),
    "Hts": Register(83, 1, 0),
    "Maximum_Velocity_Limit": Register(84, 1, 68),  # 50 steps/s
    "Maximum_Acceleration": Register(85, 1, 0),  # 100 steps/s^2; 0 = none
    "Acceleration_Multiplier": Register(86, 1, 1),
}
_FIXED: Final = frozenset(r.address + i for r in TABLE.values() if r.fixed for i in range(r.size))
_NAMES: Final = {r.address: name for name, r in TABLE.items()}
_LOCK: Final = TABLE["Lock"].address


class Registers:
    """One servo's memory. What is written to the EPROM while Lock is 1 works, and is lost with the power."""

    def __init__(self, id: int) -> None:
        self.bytes = bytearray(SIZE)
        self._kept = bytearray(SIZE)
        for name, register in TABLE.items():
            self.set(name, register.initial)
        self.set("ID", id)

    def get(self, name: str) -> int:
        """The value of a register, its sign decoded. Raises KeyError for an unknown name."""
        address, size, _, sign, _ = TABLE[name]
        value = int.from_bytes(self.bytes[address : address + size], "little")
        return -(value & ~(1 << sign)) if sign and value >> sign & 1 else value

    def set(self, name: str, value: int) -> None:
        """Put a value there and keep it without power, whoever may write it. Raises KeyError, and ValueError for what does not fit."""
        address, size, _, sign, _ = TABLE[name]
        if abs(value) >= 1 << (sign or 8 * size) or (value < 0 and not sign):
            raise ValueError(f"{value} does not fit the register {name}")
        raw = (abs(value) | 1 << sign if value < 0 else value).to_bytes(size, "little")
        self.bytes[address : address + size] = raw
        if address < EPROM_END:
            self._kept[address : address + size] = raw

    def read(self, address: int, size: int) -> bytes:
        """``size`` bytes from an address on; zeros beyond the table."""
        return bytes(self.bytes[address : address + size]).ljust(size, b"\0")

    def write(self, address: int, data: bytes) -> list[str]:
        """The registers that a write from outside changed or repeated, by name; those that the servo alone writes stay."""
        for at, byte in enumerate(data, address):
            if at < SIZE and at not in _FIXED:
                self.bytes[at] = byte
                if at < EPROM_END and not self.bytes[_LOCK]:
                    self._kept[at] = byte
        return [_NAMES[at] for at in range(address, address + len(data)) if at in _NAMES and at not in _FIXED]

    def power_up(self) -> None:
        """Forget what power alone kept."""
        for name, register in TABLE.items():
            if register.address >= EPROM_END:
                self.set(name, register.initial)
        self.bytes[:EPROM_END] = self._kept[:EPROM_END]
        self.set("Torque_Limit", self.get("Max_Torque_Limit"))
