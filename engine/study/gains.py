"""Ways of choosing the robot's gains that a study compares: two fixed ones, and the score's."""

from dataclasses import replace

import msgspec

from engine.limits import Limits
from engine.loops.control import Decide
from engine.safety import arbiter, score
from engine.safety.readings import State
from engine.types import Decision, Inputs

ENDLESS = 1e6  #: J, W


def fixed(normalised: float, decide: Decide = arbiter.step) -> Decide:
    """Stiffness and force that go with one score whatever the score is, also while arming ramps up; stops and speed stay the arbiter's."""
    xy, z, force = score.impedance_xy(normalised), score.impedance_z(normalised), score.force(normalised)

    def step(state: State, inputs: Inputs) -> tuple[State, Decision]:
        following, decision = decide(state, inputs)
        share = score.force_share(force)
        bounds = state.limits
        return following, msgspec.structs.replace(
            decision,
            impedance_xy=xy,
            impedance_z=z,
            force=force,
            stiffness=score.stiffness(xy, z, 1.0),
            force_limit=bounds.force_max * share,
            torque_limit=bounds.torque_max * share,
        )

    return step


def chosen(gains: str) -> Decide:
    """The function for one of ``plan.GAINS``."""
    return {"fixed-high": fixed(1.0), "fixed-low": fixed(0.1)}.get(gains, arbiter.step)


def without_tank(gains: str) -> bool:
    """Whether the gains go without the energy tank."""
    return not gains.endswith("+tank")


def limits_of(gains: str, limits: Limits) -> Limits:
    """The limits, with room for a tank that never runs dry where the gains go without one."""
    return replace(limits, tank_max=2.0 * ENDLESS, tank_power=ENDLESS) if without_tank(gains) else limits
