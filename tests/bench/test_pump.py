"""The pump that the energy tank is shown against: it diverges without the tank and stays within its bound with it."""

import numpy as np

from engine.bench.pump import pump


def test_the_pump_diverges_without_the_tank_and_not_with_it():
    free, held = pump(10.0)
    assert free.energy.max() > 100.0 * free.bound[0]
    assert free.energy[-1000:].max() > 10.0 * free.energy[:3000].max()
    assert np.all(held.energy <= held.bound)
    assert held.energy[-1000:].max() < held.bound[0]


def test_the_tank_pays_for_what_the_pump_gains_and_is_never_overdrawn():
    _, held = pump(10.0)
    assert held.tank.min() >= 0.0
    assert np.all(held.energy + held.tank <= held.bound + 1e-9)
    assert held.energy.max() > 2.0 * held.energy[0]


def test_two_pumps_are_equal():
    for one, other in zip(pump(1.0), pump(1.0), strict=True):
        assert np.array_equal(one.energy, other.energy)
        assert one.time[1] - one.time[0] == 0.002
