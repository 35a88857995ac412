"""Upsets in the real cell: drawn from a seed, felt before they lead to a failure, carried by the plant, and nothing without them."""

from collections import Counter

import numpy as np
import pytest
from msgspec import structs

from adapters.base import Disturbed, Happening
from adapters.mujoco import expert, failing, hazards, layout, plant, upsets, veil
from adapters.mujoco.episode import Episode
from adapters.mujoco.robot import Cosaw
from adapters.mujoco.upsets import Kind, Upset
from engine.types import F32, FAILURES, Command

SEEDS = range(1000)


class Sawing(Episode):
    """The expert at work in a kerf of 6 mm, unaware that a line can move, under an operator who leaves it where it is."""

    def __init__(self, *drawn: Upset, seed: int = 21) -> None:
        super().__init__(seed)
        self.robot.place(0.0, 0.55, (layout.STROKE_X, 0.0, 0.544))
        cell = self.robot.truth().cell
        cell.wood.kerf_depth[0] = 0.006
        cell.upsets.take(drawn, cell.hazards)
        self._reference = self.pose()
        self.told: list[Happening] = []

    def expert(self) -> F32:
        held = plant.unpack(self.plant())
        held.cell.drives.line_y = 0.0
        return expert.chunk_from(held, *self.robot.tool())

    def _fitted(self, command: Command) -> Command:
        return structs.replace(super()._fitted(command), line_y_d=0.0)

    def go_on(self, seconds: float) -> list[Happening]:
        for _ in range(round(seconds / 0.2)):
            self.follow(self.expert(), 4)
            self.told += self.robot.happened()
        return self.told


def failures(told: list[Happening]) -> list[str]:
    return [one.what for one in told if one.kind == "failure"]


def test_the_cell_is_one_that_can_be_disturbed() -> None:
    assert isinstance(Cosaw(0), Disturbed)


def test_a_seed_draws_the_same_and_seeds_draw_nothing_or_every_kind_within_the_table() -> None:
    drawn = [upsets.draw(seed, 2.0) for seed in SEEDS]
    assert drawn[7] == upsets.draw(7, 2.0)
    kinds = Counter(upset.kind for one in drawn for upset in one)
    assert set(kinds) == set(Kind) == set(upsets.TABLE)
    assert sum(not one for one in drawn) / len(drawn) == pytest.approx(upsets.CALM, abs=0.05)
    assert max(len(one) for one in drawn) == upsets.SLOTS
    for one in drawn:
        assert list(one) == sorted(one, key=lambda upset: upset.at)
        for upset in one:
            low, high = upsets.TABLE[upset.kind].size
            assert low <= abs(upset.size) <= high
            assert upsets.BEGINS[0] <= upset.at - 2.0 <= upsets.BEGINS[1]


def test_a_disturbed_cell_has_no_hazard_of_the_free_hand_or_the_trunk() -> None:
    robot = Cosaw(0)
    robot.connect()
    for seed in range(100):
        robot.disturb(seed)
    at = {hazard.kind for hazard in robot.truth().cell.hazards.slots if hazard.at >= 0.0}
    assert at <= {hazards.Kind.LETS_GO, hazards.Kind.PULLS_EARLY}


def test_what_is_drawn_anew_takes_the_place_of_what_was_drawn() -> None:
    robot = Cosaw(0)
    robot.connect()
    calm = next(seed for seed in SEEDS if not upsets.draw(seed, 0.0))
    before = robot.plant()
    robot.disturb(next(seed for seed in SEEDS if any(upset.kind == Kind.LETS_GO for upset in upsets.draw(seed, 0.0))))
    assert not np.array_equal(robot.plant(), before)
    robot.disturb(calm)
    assert robot.truth().cell.hazards.slots == [hazards.EMPTY] * hazards.SLOTS


def test_an_upset_comes_on_lasts_and_goes() -> None:
    upset = Upset(Kind.LIFTS, at=2.0, rise=1.0, stay=2.0, size=30.0)
    levels = [upset.level(0.1 * i) for i in range(80)]
    assert max(levels[:21]) == 0.0 < levels[21]
    assert np.all(np.diff(levels[20:31]) > 0.0)
    assert levels[31:50] == [1.0] * 19
    assert max(np.abs(np.diff(levels))) < 0.2
    assert max(levels[60:]) == 0.0


def test_without_an_upset_the_cell_goes_on_bit_for_bit_as_one_that_is_never_disturbed() -> None:
    calm, later = Sawing(), Sawing(Upset(Kind.PULLS_HARD, at=1.0, rise=0.5, stay=1.0, size=60.0))
    for run in (calm, later):
        run.go_on(0.8)
    assert np.array_equal(calm.plant()[: plant.UNWATCHED], later.plant()[: plant.UNWATCHED])
    assert np.array_equal(calm.robot.veil(), veil.clear(3))
    assert calm.robot.delay() == 0.0
    for run in (calm, later):
        run.go_on(0.6)
    assert not np.array_equal(calm.plant()[: plant.UNWATCHED], later.plant()[: plant.UNWATCHED])


def test_sawing_undisturbed_succeeds_and_fails_in_nothing() -> None:
    told = Sawing().go_on(6.0)
    assert [one.kind for one in told] == ["success"]


@pytest.mark.parametrize(
    ("what", "upset"),
    [
        ("collision", Upset(Kind.PULLS_HARD, 0.5, 1.0, 1.0, 95.0)),
        ("collision", Upset(Kind.SHOVES, 0.5, 1.0, 1.0, 80.0)),
        ("collision", Upset(Kind.JERKS, 0.5, 1.0, 1.0, -40.0)),
        ("collision", Upset(Kind.HESITATES, 1.5, 1.0, 2.0, 2500.0)),
        ("drop", Upset(Kind.LIFTS, 0.5, 1.0, 1.0, 40.0)),
        ("drop", Upset(Kind.LETS_GO, 0.2, 0.5, 2.0, 1.0)),
        ("miss", Upset(Kind.LINE_MOVES, 0.5, 1.5, upsets.FOR_EVER, 0.012)),
        ("timeout", Upset(Kind.DULLED, 0.2, 0.8, 6.0, 1.0)),
    ],
)
def test_what_goes_wrong_is_told_when_it_begins_and_leads_to_its_failure_later(what: str, upset: Upset) -> None:
    run = Sawing(upset)
    while not failures(run.go_on(0.2)):
        assert run.robot.time < 6.0
    first = run.told[0]
    assert (first.kind, first.what) == ("disturbance", upsets.NAMES[upset.kind])
    assert failures(run.told) == [what]
    assert run.robot.time > upset.at + 0.4, "there must be something to foresee it by"
    assert what in FAILURES


def test_a_milder_upset_is_borne() -> None:
    mild = (Upset(Kind.PULLS_HARD, 0.5, 1.0, 1.0, 35.0), Upset(Kind.LINE_MOVES, 1.0, 1.0, upsets.FOR_EVER, -0.006))
    assert not failures(Sawing(*mild).go_on(4.0))


def test_dull_teeth_cut_less() -> None:
    sharp, dull = Sawing(), Sawing(Upset(Kind.DULLED, 0.0, 0.1, 9.0, 0.7))
    gained = [run.robot.truth().cell.wood.kerf_depth[0] - 0.006 for run in (sharp, dull) if run.go_on(3.0) is not None]
    assert 0.0 < gained[1] < 0.5 * gained[0]


def test_lenses_dim_and_are_covered_for_a_while_and_actions_come_late() -> None:
    robot = Cosaw(0)
    robot.connect()
    cell = robot.truth().cell
    drawn = (Upset(Kind.DIMMED, 0.0, 0.1, 0.2, 0.8, lens=3.0), Upset(Kind.OCCLUDED, 0.0, 0.1, 0.2, 0.5, lens=1.0, tone=0.3))
    cell.upsets.take(drawn, cell.hazards)
    for _ in range(15):
        robot.advance(0.01)
    shown = robot.veil()
    assert shown[:, veil.GAIN] == pytest.approx(0.2)
    assert shown[1, veil.PATCH].tolist() == [0.0, 0.0, 0.5, 1.0]
    assert shown[1, veil.COLOUR] == pytest.approx(0.3)
    assert not shown[[0, 2], veil.PATCH].any()
    cell.upsets.take((Upset(Kind.LATE, 0.0, 0.1, 0.2, 0.3),), cell.hazards)
    assert robot.delay() == pytest.approx(0.3)
    for _ in range(30):
        robot.advance(0.01)
    assert robot.delay() == 0.0
    assert np.array_equal(robot.veil(), veil.clear(3))


def test_a_cell_restored_amid_an_upset_goes_on_and_tells_what_the_other_tells() -> None:
    run = Sawing(Upset(Kind.LIFTS, 0.2, 1.0, 2.0, 38.0), Upset(Kind.LINE_MOVES, 0.3, 1.0, upsets.FOR_EVER, 0.02))
    run.go_on(0.8)
    other = Cosaw(99)
    other.restore(run.plant())
    goal = Command(
        command_tick=0,
        pose_d=tuple(run.pose() - [0.0, 0.0, 0.03, 0, 0, 0, 0]),
        twist_d=(0.0,) * 6,
        stiffness_d=(500.0, 700.0, 600.0, 80.0, 80.0, 80.0),
        force_max=58.0,
        torque_max=8.0,
        hold=False,
        brakes=False,
        hand_force=0.0,
        hand_press=0.0,
        line_y_d=0.0,
        log_top_d=0.55,
        task_power=8.0,
    )
    told: list[list[Happening]] = [[], []]
    for i in range(150):
        for robot, heard in zip((run.robot, other), told, strict=True):
            robot.command(structs.replace(goal, command_tick=i))
            robot.advance(0.01)
            heard += robot.happened()
        assert np.array_equal(run.robot.plant(), other.plant())
    assert told[0] == told[1]
    assert "drop" in failures(told[0])
    assert np.array_equal(run.robot.oracle(), other.oracle())


def test_the_same_seed_takes_the_same_course() -> None:
    seed = next(seed for seed in SEEDS if upsets.draw(seed, 0.0) and upsets.draw(seed, 0.0)[0].at < 2.0)
    runs = [Sawing(), Sawing()]
    for run in runs:
        run.robot.disturb(seed)
        run.go_on(2.6)
    assert np.array_equal(runs[0].plant(), runs[1].plant())
    assert runs[0].told == runs[1].told != []


def test_a_plant_recorded_before_anything_could_go_wrong_still_opens() -> None:
    robot = Cosaw(0)
    robot.connect()
    old = robot.plant()[: plant.UNWATCHED]
    other = Cosaw(1)
    other.restore(old)
    assert np.array_equal(other.plant(), robot.plant())
    assert other.truth().cell.watch == failing.Watch()


def test_a_cell_that_is_set_up_anew_tells_nothing_of_what_was() -> None:
    run = Sawing(Upset(Kind.PULLS_HARD, 0.0, 0.2, 1.0, 40.0))
    run.robot.advance(0.01)
    run.robot.connect()
    run.robot.place(0.0, 0.55, (layout.STROKE_X, 0.0, 0.6))
    assert run.robot.happened() == []
