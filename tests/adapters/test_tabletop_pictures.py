"""The table's cameras show cube and zone where they are, whatever the light and the paint."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from adapters.mujoco.render import Renderer
from adapters.mujoco.tabletop import setting
from adapters.mujoco.tabletop.arm import CAMERAS
from adapters.mujoco.tabletop.franka import FRANKA
from adapters.mujoco.tabletop.robot import Tabletop
from adapters.mujoco.tabletop.stage import TableStage
from adapters.mujoco.tabletop.truth import resting
from engine.types import F64, U8

SEEN = 12  #: pixels
PLACES = [(x, y) for x in FRANKA.cubes.x for y in np.linspace(*FRANKA.cubes.y, 3)]


def red(picture: U8) -> NDArray[np.int64]:
    """(N, 2) rows and columns of the cube's pixels."""
    r, g, b = (picture[:, :, i].astype(int) for i in range(3))
    return np.argwhere((r > 70) & (r > 2 * g) & (r > 2 * b))


def blue(picture: U8) -> NDArray[np.int64]:
    r, g, b = (picture[:, :, i].astype(int) for i in range(3))
    return np.argwhere((b > 70) & (b > 2 * r) & (b > g + 40))


@pytest.fixture(scope="module")
def plants() -> F64:
    """(N, P) with the cube at every corner of where it may lie, and the arm at its start."""
    robot = Tabletop(FRANKA, "pickplace", 0, "lift")
    begin = setting.draw(FRANKA, 0)
    rows = []
    for x, y in PLACES:
        robot.place(replace(begin, cube=(x, float(y), resting(FRANKA)), zone=(0.49, 0.17)))
        rows.append(robot.plant())
    return np.stack(rows)


@pytest.fixture(scope="module")
def renderer(plants: F64) -> Renderer:
    return Renderer(len(plants), 128, stage=TableStage("franka"))


def test_two_cameras_or_more_see_cube_and_zone_wherever_they_are(renderer: Renderer, plants: F64) -> None:
    columns: dict[str, list[float]] = {name: [] for name in CAMERAS}
    for world in renderer.draw(plants):
        assert sum(len(red(picture)) >= SEEN for picture in world) >= 2
        assert sum(len(blue(picture)) >= SEEN for picture in world) >= 2
        for name, picture in zip(CAMERAS, world, strict=True):
            columns[name].append(float(red(picture)[:, 1].mean()) if len(red(picture)) else np.nan)
    across = np.array(columns["front"]).reshape(2, 3)
    assert (np.diff(across, axis=1) > 10.0).all()


def test_under_every_look_the_cube_stays_red_and_the_zone_blue(renderer: Renderer, plants: F64) -> None:
    looks = np.stack([renderer.stage.looks.draw(seed) for seed in range(len(plants))])
    drawn, plain = renderer.draw(plants, looks), renderer.draw(plants)
    assert np.abs(drawn.astype(int) - plain).mean() > 5.0
    for world in drawn:
        assert sum(len(red(picture)) >= SEEN for picture in world) >= 2
        assert sum(len(blue(picture)) >= SEEN for picture in world) >= 2


def test_what_another_process_has_posed_is_drawn_the_same(renderer: Renderer, plants: F64) -> None:
    rows = TableStage("franka").posed(plants)
    assert np.array_equal(renderer.draw_posed(rows).numpy(), renderer.draw_device(plants).numpy())
