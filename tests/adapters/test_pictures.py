"""The cell's cameras show what matters: line, knots, the moment of the observation; and no OpenGL is ever loaded."""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from adapters.base import AdapterError, CameraRig
from adapters.mujoco import layout, plant
from adapters.mujoco.cameras import CosawRig
from adapters.mujoco.episode import Episode
from adapters.mujoco.render import Renderer
from adapters.mujoco.scene import LOOKS
from adapters.mujoco.zones import Knot
from engine.types import F64, U8


@pytest.fixture(scope="module")
def rig() -> CosawRig:
    rig = CosawRig(128)
    rig.open()
    return rig


def vector(**changes: float) -> F64:
    held = plant.unpack(Episode(1).plant())
    for name, value in changes.items():
        setattr(held.cell.drives, name, value)
    return plant.pack(held)


def green(picture: U8) -> np.ndarray:
    """(N, 2) rows and columns of the projected line's pixels."""
    r, g, b = (picture[:, :, i].astype(int) for i in range(3))
    return np.argwhere((g > 150) & (g > r + 60) & (g > b + 60))


def test_it_is_a_camera_rig_and_says_so_when_it_is_not_open() -> None:
    rig: CameraRig = CosawRig(64)
    robot = Episode(0).robot
    with pytest.raises(AdapterError, match="not open"):
        rig.capture(robot.read(0), 1, 0)
    with pytest.raises(AdapterError, match="out of range"):
        CosawRig(4096)


def test_an_exposure_carries_its_observation_and_every_camera(rig: CosawRig) -> None:
    observation = Episode(4).robot.read(77)
    frames = rig.capture(observation, seq=9, t_ns=99)
    assert frames.observation is observation
    assert (frames.seq, frames.t_ns, frames.exposed_ns) == (9, 99, 77)
    assert set(frames.images) == set(layout.CAMERAS) == set(rig.geometry())
    for picture in frames.images.values():
        assert picture.shape == (128, 128, 3)
        assert picture.dtype == np.uint8
        assert picture.std() > 20.0


def test_the_same_plant_gives_the_same_picture_and_a_moved_saw_another(rig: CosawRig) -> None:
    robot = Episode(4).robot
    first, again = (rig.capture(robot.read(1), 1, 1).images["top"] for _ in range(2))
    assert np.array_equal(first, again)
    robot.place(0.1, 0.55, (layout.STROKE_X + 0.08, 0.0, 0.6))
    assert not np.array_equal(first, rig.capture(robot.read(1), 1, 1).images["top"])


def test_the_projected_line_is_seen_by_at_least_two_cameras_and_moves_with_the_line(rig: CosawRig) -> None:
    renderer = Renderer(1, 128)
    columns: dict[str, list[float]] = {name: [] for name in layout.CAMERAS}
    for y in (-0.35, -0.1, 0.0, 0.3):
        pictures = renderer.draw(vector(line_y=y)[None])[0]
        seen = 0
        for name, picture in zip(layout.CAMERAS, pictures, strict=True):
            pixels = green(picture)
            seen += len(pixels) >= 12
            if len(pixels):
                columns[name].append(float(pixels[:, 1].mean()))
        assert seen >= 2
    for name in ("front", "top"):
        assert columns[name] == sorted(columns[name])
        assert columns[name][-1] - columns[name][0] > 40.0


def test_a_knot_shows_as_a_dark_patch_on_the_log() -> None:
    held = plant.unpack(vector(line_y=-0.4))
    bare = replace(held.cell.grain, knots=tuple(replace(knot, half=0.0) for knot in held.cell.grain.knots))
    knotty = replace(bare, knots=(Knot(0.2, 0.022, 0.0, 0.02), *bare.knots[1:]))
    views = []
    for grain in (bare, knotty):
        held.cell.grain = grain
        views.append(plant.pack(held))
    without, with_knot = Renderer(2).draw(np.stack(views)).astype(int)
    for name, bare_log, knotty_log in zip(layout.CAMERAS, without, with_knot, strict=True):
        darker = (bare_log - knotty_log).mean(axis=-1) > 30
        assert darker.sum() >= (3 if name == "side" else 8), name


def test_looks_change_the_picture_but_keep_the_line() -> None:
    one = vector(line_y=0.2)
    drawn = np.stack([LOOKS.nominal(), LOOKS.draw(1), LOOKS.draw(2)])
    pictures = Renderer(3).draw(np.stack([one] * 3), drawn)
    assert np.abs(pictures[0].astype(int) - pictures[1]).mean() > 3.0
    assert np.abs(pictures[2].astype(int) - pictures[1]).mean() > 3.0
    for world in pictures:
        assert sum(len(green(picture)) >= 12 for picture in world) >= 2
    alone = Renderer(1)
    assert np.array_equal(alone.draw(one[None], LOOKS.draw(1, strength=0.0)[None]), alone.draw(one[None]))


def test_a_batch_is_what_its_worlds_are_alone() -> None:
    several = np.stack([vector(line_y=y) for y in (-0.3, 0.0, 0.3)])
    together, alone = Renderer(3, 48).draw(several), Renderer(1, 48)
    assert np.array_equal(together, np.concatenate([alone.draw(one[None]) for one in several]))


def test_no_opengl_module_is_imported_by_the_whole_cell() -> None:
    code = (
        "import sys; from adapters.mujoco import cosaw, episode; r, c = cosaw.build(0, 32); r.connect(); c.open(); "
        "c.capture(r.read(1), 1, 1); "
        "bad = [m for m in sys.modules if m.split('.')[0] in {'OpenGL', 'glfw', 'moderngl', 'pyglet', 'gym_hil', 'pynput'} "
        "or m in {'mujoco.gl_context', 'mujoco.egl', 'mujoco.osmesa', 'mujoco.glfw'}]; print('bad', bad)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout.strip().endswith("bad []"), done.stdout
