"""The figures of sawing together: right on columns made by hand, and on a small session of the cell itself."""

import json
import math
from pathlib import Path

import msgspec
import numpy as np
import pytest
from click.testing import CliRunner

from console.cli import main
from engine.clock import SimulatedClock
from engine.commissioning import commissioned
from engine.config import CameraSettings, Settings
from engine.engine import Engine
from engine.host import open_robot
from engine.messages import Arm, Go
from engine.policy.scripted import Scripted
from engine.safety.cell import Cell
from engine.session.figures import COLUMNS, circular_mean, from_columns, sawing, stroke_ends
from engine.session.layout import Rows
from engine.session.reader import Session
from engine.session.recorder import Recorder
from engine.session.schema import header
from engine.session.verify import recompute
from engine.stop import StopPage
from engine.types import LAYERS

SECONDS = 9


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Session:
    """A few strokes in lock-step."""
    folder = tmp_path_factory.mktemp("figures")
    settings = Settings(policy="scripted", seed=3, store=folder, camera=CameraSettings(pixels=64))
    robot, rig = open_robot(settings)
    clock = SimulatedClock()
    recorder = Recorder(folder, header(settings, robot, rig), clock=clock, wait=True)
    with StopPage(folder / "stop", create=True) as page:
        engine = Engine(
            settings,
            run="figures",
            robot=robot,
            rig=rig,
            load_policy=lambda progress: Scripted(),
            page=page,
            recorder=recorder,
            console_required=False,
            clock=clock,
        )
        engine.prepare_lockstep()

        def operator(tick: int) -> None:
            if tick == 60:
                engine.post(Arm(robot="cosaw"))
            if tick == 120:
                engine.post(Go())

        engine.lockstep(SECONDS * 100, script=operator)
        path = Path(engine.recorder_state().session)
        engine.close("enough")
    return Session.open(path)


def test_a_session_tells_its_strokes_forces_and_energies(session: Session) -> None:
    found = sawing(session)
    assert found.strokes == int(session.rows("tick/stroke_count")[-1]) >= 1
    assert 0.0 < found.sawing_s < SECONDS
    assert found.depth_mm == pytest.approx(1e3 * session.rows("tick/kerf_depth").max(), abs=1e-3)
    assert found.depth_mm > 0.5
    assert found.depth_per_stroke_mm is not None
    assert 0.0 < found.depth_per_stroke_mm < found.depth_mm + 0.1
    assert found.robot_j_per_stroke is not None
    assert found.robot_j_per_stroke > 0.0
    assert found.phase_error_rms_rad is not None
    assert found.phase_error_mean_rad is not None
    assert abs(found.phase_error_mean_rad) <= found.phase_error_rms_rad + 1e-3
    assert found.binding_s.keys() <= set(LAYERS)
    assert sum(found.binding_s.values()) == pytest.approx(session.ticks * 0.01, abs=0.05)


def test_a_session_is_verified_with_the_cell_as_it_was_commissioned(session: Session) -> None:
    assert msgspec.convert(session.header.cell, Cell) == commissioned(None, None, session.header.limits)
    assert session.header.cell["person_sensor"]
    assert np.isfinite(session.rows("tick/separation")[100:]).all()
    report = recompute(session.path)
    assert report.problems == []
    assert report.decisions_recomputed == session.ticks


def test_sessions_show_has_them_under_sawing(session: Session) -> None:
    shown = CliRunner().invoke(main, ["sessions", "show", str(session.path), "--json"])
    assert shown.exit_code == 0, shown.output
    assert json.loads(shown.output)["sawing"]["strokes"] == sawing(session).strokes
    text = CliRunner().invoke(main, ["sessions", "show", str(session.path)]).output
    assert "sawing depth_mm" in text


def columns(n: int, **given: Rows) -> dict[str, Rows]:
    """Still, silent columns of n ticks of 10 ms, with some replaced."""
    still: dict[str, Rows] = {name: np.zeros(n) for name in COLUMNS}
    still |= {"t_ns": np.arange(n) * 10_000_000, "grip": np.full((n, 3), np.nan), "separation": np.full(n, np.nan)}
    still |= {"going": np.ones(n, bool), "in_kerf": np.ones(n, bool), "energy_share": np.ones(n)}
    still |= {name: np.zeros(n, int) for name in ("stroke_count", "binding")}
    return still | given


def test_a_grip_is_measured_by_its_length_and_only_where_it_is_known() -> None:
    grip = np.array([[3.0, 4.0, 0.0], [np.nan] * 3, [0.0, 0.0, -10.0], [0.0, 0.0, 20.0]])
    going = np.array([True, True, True, False])
    found = from_columns(columns(4, grip=grip, going=going))
    assert found.partner_force_rms_n == pytest.approx(math.sqrt((25.0 + 100.0) / 2.0), abs=1e-3)
    assert found.partner_force_peak_n == 20.0


def test_what_was_not_measured_is_none_and_not_a_number() -> None:
    found = from_columns(columns(5))
    assert found.partner_force_peak_n is None
    assert found.separation_least_m is None
    assert found.phase_error_mean_rad is None
    assert found.depth_per_stroke_mm is None


def test_energies_are_what_the_session_added_and_per_stroke() -> None:
    count = np.array([0, 0, 1, 1, 2])
    found = from_columns(
        columns(
            5,
            stroke_count=count,
            robot_work=np.array([0.0, 0.0, 8.0, 8.0, 12.0]),
            partner_work=np.array([0.0, 0.0, 2.0, 2.0, 4.0]),
            energy_grant=np.array([1.0, 2.0, 4.0, 5.0, 7.0]),
            energy_share=np.array([1.0, 0.4, 1.0, 0.7, 1.0]),
        )
    )
    assert (found.strokes, found.robot_j_per_stroke, found.partner_j_per_stroke, found.grant_j) == (2, 10.0, 3.0, 6.0)
    assert (found.tank_share_least, found.tank_limited_s) == (0.4, 0.02)


def test_angles_are_averaged_across_the_turn() -> None:
    assert abs(circular_mean(np.array([math.pi - 0.1, -math.pi + 0.1]))) == pytest.approx(math.pi)


def test_strokes_of_before_the_session_do_not_count() -> None:
    assert stroke_ends(np.array([7, 7, 8, 8, 9])).tolist() == [2, 4]
    assert stroke_ends(np.array([], int)).tolist() == []


def test_the_layer_that_binds_is_timed() -> None:
    binding = np.array([0, 3, 3, 8])
    assert from_columns(columns(4, binding=binding)).binding_s == {LAYERS[0]: 0.01, LAYERS[3]: 0.02, LAYERS[8]: 0.01}
