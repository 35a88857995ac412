"""A session says of itself all that is needed to understand it later."""

from importlib.metadata import version

import msgspec
import pytest
from session_material import ROBOT

from engine.config import Settings
from engine.safety.cell import UNSENSED
from engine.safety.limits import RobotLimits
from engine.session.schema import SCHEMA_VERSION, header, plain, session_id


class Cell:
    """As much of a robot and its cameras as a header asks for."""

    simulated = True
    joint_limits = ROBOT.position
    joint_velocity_limits = ROBOT.velocity
    joint_torque_limits = ROBOT.torque
    cell = UNSENSED

    def geometry(self):
        return {"front": {"size": (128, 128), "fovy_deg": 50.0}}


def test_a_header_holds_settings_limits_versions_and_geometry(tmp_path):
    settings = Settings(seed=5, store=tmp_path)
    found = header(settings, Cell(), Cell())
    assert (found.schema, found.robot, found.task, found.seed, found.policy) == (SCHEMA_VERSION, "cosaw", "saw", 5, None)
    assert found.limits == settings.limits
    assert found.settings["store"] == str(tmp_path)
    assert found.versions["zarr"] == version("zarr")
    assert found.cameras["front"]["fovy_deg"] == 50.0
    again = msgspec.json.decode(msgspec.json.encode(plain(found)), type=type(found))
    assert again.limits == settings.limits
    assert msgspec.convert(again.robot_limits, RobotLimits) == ROBOT


def test_ids_sort_by_time_and_differ_within_a_second():
    assert session_id(0.0).startswith("19700101-000000-")
    assert session_id(1e9) < session_id(2e9)
    assert len({session_id(1e9) for _ in range(8)}) > 1


def test_a_missing_package_is_left_out(monkeypatch):
    from engine.session import schema

    monkeypatch.setattr(schema, "VERSIONS_OF", ("numpy", "no-such-package"))
    assert set(schema.software_versions()) == {"python", "numpy"}


def test_a_robot_with_inverted_limits_begins_no_session(tmp_path):
    class Inverted(Cell):
        joint_limits = ((1.0, -1.0), *ROBOT.position[1:])

    with pytest.raises(ValueError, match="joint 1 may move from"):
        header(Settings(store=tmp_path), Inverted(), Cell())
