"""The arm reaches everywhere the line and the cradle can go, with room to spare, and the handle stays clear of the cradle."""

import mujoco
import numpy as np
import pytest

from adapters.mujoco import layout, reach, world


@pytest.mark.parametrize("line", [-0.40, -0.2, 0.0, 0.2, 0.40])
def test_the_level_saw_reaches_its_whole_stroke_with_manipulability_and_joint_margin(line: float) -> None:
    model = world.plant_model()
    data = mujoco.MjData(model)
    limits = np.array(layout.JOINT_LIMITS)
    for top in (0.45, 0.575, 0.70):
        for along in (-layout.STROKE_REACH, 0.0, layout.STROKE_REACH):
            place = (layout.STROKE_X + along, line, top)
            q, error, dexterity = reach.solve(model, data, place, reach.posture(line, top))
            assert error < 1e-4
            assert dexterity > 0.035
            assert np.minimum(q - limits[:, 0], limits[:, 1] - q).min() > 0.15
            pose, _ = reach.tool(q, np.zeros(7))
            np.testing.assert_allclose(pose, [*place, 1.0, 0.0, 0.0, 0.0], atol=1e-4)


def test_the_model_has_the_datasheets_joint_and_torque_limits() -> None:
    model = world.plant_model()
    assert (model.nq, model.nu, model.ngeom) == (7, 7, 0)
    np.testing.assert_allclose(model.jnt_range, layout.JOINT_LIMITS, atol=1e-3)
    np.testing.assert_allclose(model.actuator_ctrlrange[:, 1], layout.JOINT_TORQUE_LIMITS)


def test_the_handle_keeps_120_mm_from_the_cradle_over_the_whole_stroke() -> None:
    assert min(layout.handle_gap(layout.STROKE_X + dx) for dx in (-0.12, 0.0, 0.12)) >= 0.12
