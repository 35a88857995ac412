"""The robot's own stop: its brakes under a hand that tears at the handle."""

import numpy as np

from adapters.mujoco import layout
from adapters.mujoco.hazards import Hazard, Kind
from adapters.mujoco.robot import Cosaw


def test_closed_brakes_hold_the_blade_still_under_the_hardest_pull_and_when_it_ends() -> None:
    robot = Cosaw(seed=3)
    robot.connect()
    robot.stop(0)
    robot.endanger([Hazard(Kind.PULLS_HARD, 0.3, stay=0.8, force=130.0)])
    speeds, pulls = [], []
    for _ in range(200):
        robot.advance(layout.TICK_S)
        speeds.append(float(np.linalg.norm(robot.tool()[1][:3])))
        pulls.append(robot.truth().cell.hand.fx)
    assert max(pulls) > 120.0
    assert max(speeds[20:]) < 0.010
