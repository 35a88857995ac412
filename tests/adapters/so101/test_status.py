"""What alarms and numbers of servos mean, one sentence each."""

import pytest

from adapters.so101.motors import MOTORS, Reading
from adapters.so101.status import ALARMS, supply_of, troubles


def reading(status: int = 0, celsius: float = 30.0, volts: float = 7.4, at: int = 2, supply: float = 7.4) -> Reading:
    """A sound arm but for the servo at place ``at``, from 0."""

    def six[T](usual: T, odd: T) -> tuple[T, ...]:
        return tuple(odd if place == at else usual for place in range(6))

    return Reading(
        t_ns=0,
        q=(0.0,) * 5,
        dq=(0.0,) * 5,
        load=(0.0,) * 6,
        gripper=0.5,
        volts=six(supply, volts),
        celsius=six(30.0, celsius),
        status=six(0, status),
        amps=(0.0,) * 6,
        moving=(False,) * 6,
        supply=supply,
    )


def test_a_sound_arm_has_none() -> None:
    assert troubles(reading()) == ()


@pytest.mark.parametrize(
    ("bit", "what"), [(1, "voltage"), (2, "sensor"), (4, "overheat"), (8, "overcurrent"), (16, "angle"), (32, "overload"), (64, "unknown")]
)
def test_each_alarm_stops_with_a_sentence_of_its_own(bit: int, what: str) -> None:
    (trouble,) = troubles(reading(status=bit))
    assert (trouble.motor, trouble.what, trouble.stops) == ("elbow_flex", what, True)
    assert trouble.text.startswith("elbow_flex ")
    assert trouble.text.endswith(".")
    others = {troubles(reading(status=other))[0].text for other in ALARMS if other != bit}
    assert trouble.text not in others


def test_several_alarms_are_all_told() -> None:
    assert [trouble.what for trouble in troubles(reading(status=4 | 32))] == ["overheat", "overload"]


@pytest.mark.parametrize(
    ("celsius", "what", "stops"),
    [(59.0, None, None), (60.0, "warm", False), (64.0, "warm", False), (65.0, "hot", True), (85.0, "hot", True)],
)
def test_heat(celsius: float, what: str | None, stops: bool | None) -> None:
    assert [(t.what, t.stops) for t in troubles(reading(celsius=celsius))] == ([] if what is None else [(what, stops)])


@pytest.mark.parametrize(
    ("supply", "volts", "what", "stops"),
    [
        (7.4, 6.6, None, None),
        (7.4, 6.5, "sagging", False),
        (7.4, 6.0, "low voltage", True),
        (7.4, 0.0, "low voltage", True),
        (5.0, 4.5, None, None),
        (5.0, 4.3, "sagging", False),
        (5.0, 4.1, "low voltage", True),
        (12.0, 11.0, None, None),
        (12.0, 9.8, "low voltage", True),
    ],
)
def test_voltage_is_judged_by_the_supply(supply: float, volts: float, what: str | None, stops: bool | None) -> None:
    found = troubles(reading(volts=volts, supply=supply))
    assert [(t.what, t.stops) for t in found] == ([] if what is None else [(what, stops)])


@pytest.mark.parametrize(
    ("volts", "supply"), [((4.9, 5.1), 5.0), ((5.4,), 5.0), ((6.0, 5.9), 7.4), ((7.3, 7.4), 7.4), ((8.4,), 7.4), ((11.5, 12.3), 12.0)]
)
def test_the_supply_is_known_by_the_highest_voltage(volts: tuple[float, ...], supply: float) -> None:
    assert supply_of(volts) == supply


@pytest.mark.parametrize("at", range(6))
def test_it_names_the_motor_and_the_number(at: int) -> None:
    (trouble,) = troubles(reading(celsius=71.0, at=at))
    assert (trouble.motor, trouble.what, trouble.stops) == (MOTORS[at], "hot", True)
    assert trouble.text == f"{MOTORS[at]} is at 71 °C and lets go at 70: support the arm and let it cool."


def test_what_stops_comes_first() -> None:
    found = troubles(reading(status=32, celsius=62.0, volts=5.9))
    assert [trouble.stops for trouble in found] == [True, True, False]
