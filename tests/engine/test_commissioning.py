"""The body table and the cell file: a slip of the hand in either is refused in one sentence, and nothing is put right in silence."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from adapters.mujoco import world
from engine.commissioning import REGIONS, UNTOUCHABLE, CommissioningError, cell_of, commissioned, load_body, load_cell
from engine.limits import Limits
from engine.safety.cell import Cell
from engine.tasks import KINDS

BODY = Path("engine/safety/body.toml").resolve()
CELL = Path("adapters/mujoco/cosaw.toml").resolve()
NUMBER = re.compile(r"^(\w+) = (-?[\d.e+-]+)", re.MULTILINE)
#: numbers of the cell that nothing else in it or in the model tells again
ALONE = {"time", "grip_area"}
Load = Callable[[Path], object]


def body_from(path: Path) -> object:
    return load_body(path)


def cell_from(path: Path) -> Cell:
    return load_cell(path, load_body(None), Limits())


def refusal(load: Load, file: Path, text: str) -> str:
    file.write_text(text)
    with pytest.raises(CommissioningError) as raised:
        load(file)
    sentence = str(raised.value)
    assert sentence.startswith(str(file))
    assert sentence.endswith(".")
    assert "\n" not in sentence
    return sentence


def test_the_shipped_cell_is_sensed_and_knows_every_region() -> None:
    cell = commissioned(None, None, Limits())
    assert cell.person_sensor
    assert tuple(region.name for region in cell.regions) == REGIONS
    assert all((region.transient == 0.0) == (region.name in UNTOUCHABLE) for region in cell.regions)


def test_the_moving_mass_is_that_of_the_arms_model() -> None:
    model = world.plant_model()
    links = sum(float(model.body(f"link{n}").mass[0]) for n in range(1, 8))
    assert commissioned(None, None, Limits()).moving_mass == pytest.approx(links, rel=0.01)


@pytest.mark.parametrize(("shipped", "load"), [(BODY, body_from), (CELL, cell_from)])
def test_every_number_that_is_changed_alone_is_refused_and_named(tmp_path: Path, shipped: Path, load: Load) -> None:
    text = shipped.read_text()
    found = list(NUMBER.finditer(text))
    assert len(found) > 20
    for one in found:
        key, value = one[1], float(one[2])
        changes = ["nan", "-1.0", "1e9", '"0.1"', "true", *(() if value == 0.0 else ("0.0",))]
        changes += [] if key in ALONE else [str(value * 1.03 if value else 0.5), str(value * 0.97 if value else 0.5)]
        for other in changes:
            sentence = refusal(load, tmp_path / "edited.toml", text[: one.start(2)] + other + text[one.end(2) :])
            if other not in changes[-2:]:
                assert key in sentence, (other, sentence)


@pytest.mark.parametrize(("shipped", "load"), [(BODY, body_from), (CELL, cell_from)])
def test_every_line_that_is_lost_or_misspelt_is_named(tmp_path: Path, shipped: Path, load: Load) -> None:
    text = shipped.read_text()
    for one in NUMBER.finditer(text):
        line = text[one.start() : text.index("\n", one.start()) + 1]
        assert f"{one[1]} is missing" in refusal(load, tmp_path / "lost.toml", text[: one.start()] + text[one.start() + len(line) :])
    assert "colour is unknown" in refusal(load, tmp_path / "more.toml", text + "colour = 1\n")


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('name = "neck"', 'name = "head"', "the region 'neck' is there 0 times"),
        ('name = "neck"', 'name = "face"', "the region 'face' is there 2 times"),
        ("force = 140.0", "force = 150.0", "does not add up"),
        ("[[region]]", "[[regions]]", "region is missing"),
    ],
)
def test_a_body_table_that_is_no_longer_whole_is_refused(tmp_path: Path, old: str, new: str, words: str) -> None:
    assert words in refusal(body_from, tmp_path / "body.toml", BODY.read_text().replace(old, new))


def test_a_region_too_many_is_refused(tmp_path: Path) -> None:
    text = BODY.read_text()
    row = text[text.index("[[region]]") : text.index("[[region]]", text.index("[[region]]") + 1)]
    sentence = refusal(body_from, tmp_path / "body.toml", text + "\n" + row.replace('"skull"', '"tail"'))
    assert "there is no region 'tail'" in sentence


@pytest.mark.parametrize(
    ("limits", "words"),
    [
        (Limits(crush_gap=0.16), "cradle.handle_gap = 0.154 m must be at least limits.crush_gap = 0.16 m"),
        (Limits(braking=9.0), "must be at least limits.braking = 9.0 m/s^2"),
    ],
)
def test_limits_that_the_cell_cannot_keep_are_refused(limits: Limits, words: str) -> None:
    with pytest.raises(CommissioningError, match=re.escape(words)):
        commissioned(None, None, limits)


@pytest.mark.parametrize(
    ("limits", "words"),
    [
        (Limits(tilt_max=7.0), "limits.tilt_max = 7.0 rad must be from 0.02 to 0.3 rad"),
        (Limits(stroke_yield=0.001), "limits.stroke_yield = 0.001 m/s must be more than limits.rest_speed = 0.01 m/s"),
        (Limits(stroke_yield=0.02, rest_speed=0.03), "limits.stroke_yield = 0.02 m/s must be more than limits.rest_speed = 0.03 m/s"),
        (Limits(workspace_min=(0.05, -0.5, 0.0)), "limits.workspace_min[2] = 0.0 m must be from 0.05 to 1.3 m"),
    ],
)
def test_the_saw_s_partner_is_not_configured_away(limits: Limits, words: str) -> None:
    with pytest.raises(CommissioningError, match=re.escape(words)):
        cell_of("cosaw", None, None, limits)


@pytest.mark.parametrize("robot", ["pickplace", "so101-sim"])
def test_no_other_robot_gives_way(robot: str) -> None:
    cell_of(robot, None, None, Limits(**KINDS[robot].limits))
    with pytest.raises(CommissioningError, match=f"for the robot {robot}: nobody holds the other end"):
        cell_of(robot, None, None, Limits(**KINDS[robot].limits | {"stroke_yield": 0.1}))


def test_a_sensor_is_there_or_not(tmp_path: Path) -> None:
    text = CELL.read_text()
    assert "must be true" in refusal(cell_from, tmp_path / "cell.toml", text.replace("sensor = true", "sensor = 1"))
    blind = tmp_path / "blind.toml"
    assert "must be true" in refusal(cell_from, blind, text.replace("sensor = true", "sensor = false"))


def test_a_cell_that_agrees_with_itself_but_not_with_the_robot_is_refused(tmp_path: Path) -> None:
    text = CELL.read_text().replace("blade_back = 0.25 ", "blade_back = 0.20 ").replace("blade_length = 0.53", "blade_length = 0.48")
    sentence = refusal(cell_from, tmp_path / "cell.toml", text)
    assert "saw.blade_back = 0.2 m does not add up: the robot's own model has 0.2500 m" in sentence
