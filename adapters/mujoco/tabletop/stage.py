"""The table as a stage: posed from a plant vector by its joints, the cube's place and the zone's."""

from functools import cache
from typing import Any, Final

import mujoco

from adapters.mujoco.stage import Stage
from adapters.mujoco.tabletop import table, truth
from adapters.mujoco.tabletop.arm import CAMERAS, Arm
from adapters.mujoco.tabletop.arms import arm as named
from engine.types import F64

HIDDEN: Final = -3.0  #: m, height of a zone that is not there: under the floor


@cache
def _model(name: str) -> Any:
    return table.scene_model(named(name))


class TableStage(Stage):
    """The table with the arm of a name."""

    def __init__(self, name: str) -> None:
        self._arm: Arm = named(name)
        model = _model(name)
        self._zone, *self._strangers = (int(model.body(body).mocapid[0]) for body in (table.ZONE, table.DECOY, table.POST))
        super().__init__(model, CAMERAS, table.LOOKS)

    def pose(self, plant: F64) -> None:
        arm, data = self._arm, self.data
        data.qpos[:] = truth.places(arm, plant)
        x, y = truth.zone(arm, plant)
        data.mocap_pos[self._strangers] = truth.strangers(plant)
        data.mocap_pos[self._zone] = (x, y, HIDDEN if arm.zones is None else arm.table)
        mujoco.mj_kinematics(self.model, data)
