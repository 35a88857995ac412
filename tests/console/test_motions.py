"""Motions on the live screen: Tab, brackets, the arrow that plays, the key that confirms; what is missing is there at every size."""

import msgspec
import pytest
import scenes
from bench import PATIENT, SIZES, Open

from console.app import Options
from console.keymap import possible
from console.rows import plain, width_of
from console.widgets.clearance import clearance_rows, missing
from console.widgets.hold import hold_line, hold_rows
from console.widgets.state import explanation, next_step
from engine.messages import ChooseMotion, Confirm, Hold, SetMode
from engine.types import Mode, Reason, Snapshot

ALL = [*SIZES, (60, 20)]
#: as long as a clearance may be, every word another
SENTENCE = " ".join(f"word{n}" for n in range(10, 38))[:199] + "."


def motion(*, armed: bool = True, mode: Mode = Mode.MOTION, **changed: object) -> Snapshot:
    """An arm with three motions, of which the last asks for a clearance."""
    snapshot = scenes.motion(mode=mode, **changed)
    return msgspec.structs.replace(snapshot, decision=msgspec.structs.replace(snapshot.decision, armed=armed))


def gated(**changed: object) -> Snapshot:
    return motion(**({"motion": "throw", "motion_number": 3, "motion_steps": 4, "clearance": SENTENCE} | changed))


async def test_tab_comes_to_the_motions_where_there_are_any(opened: Open) -> None:
    async with opened(motion(mode=Mode.JOG_JOINT)) as bench:
        await bench.press("tab")
        await bench.show(motion())
        await bench.press("tab")
        await bench.show(motion(mode=Mode.JOG_JOINT, motion="", motion_count=0))
        await bench.press("tab")
        assert bench.said() == [SetMode(mode=Mode.MOTION), SetMode(mode=Mode.CUT), SetMode(mode=Mode.CUT)]


async def test_brackets_choose_and_only_the_up_arrow_plays(opened: Open) -> None:
    async with opened(motion()) as bench:
        await bench.press("up", "right_square_bracket", "left_square_bracket")
        hold, up, after, before = bench.said()
        assert isinstance(hold, Hold)
        assert isinstance(up, Hold)
        assert (hold.axis, hold.down, up.axis, up.down) == ("play", True, "play", False)
        assert (after, before) == (ChooseMotion(step=1), ChooseMotion(step=-1))
        await bench.press("down")
        assert "Only ↑ plays home" in bench.text()
        await bench.press("i")
        assert "brings the gripper along" in bench.text()
        assert len(bench.said()) == 4


async def test_y_confirms_what_is_on_the_screen(opened: Open) -> None:
    async with opened(gated()) as bench:
        await bench.press("y")
        assert bench.said() == [Confirm(motion="throw")]


async def test_an_observer_neither_confirms_nor_plays(opened: Open) -> None:
    async with opened(gated(), options=Options(readonly=True, key_age_max=PATIENT)) as bench:
        await bench.press("y", "up", "right_square_bracket")
        assert bench.said() == []
        assert "Another console confirms" in bench.text()


@pytest.mark.parametrize("size", ALL)
async def test_the_motion_and_how_far_it_has_come_are_on_screen_at_every_size(opened: Open, size: tuple[int, int]) -> None:
    snapshot = motion(motion="tidy_up", motion_step=2, motion_steps=4, motion_share=0.42, grant_axis="play", grant_left=0.2, jog_speed=0.1)
    async with opened(snapshot, size) as bench:
        shown = bench.text()
        for said in ("[MOTION]", "tidy_up 2/3", "step 2/4", " 42 %", "100 mm/s"):
            assert said in shown, said


@pytest.mark.parametrize("size", ALL)
async def test_the_whole_sentence_and_what_is_missing_are_on_screen_at_every_size(opened: Open, size: tuple[int, int]) -> None:
    async with opened(gated(), size) as bench:
        shown = bench.text()
        assert "CONFIRM BEFORE THROW" in shown
        assert [word for word in SENTENCE.split() if word not in shown] == []
        assert "Y confirms this; then hold ↑ within 10 s." in shown
        await bench.show(gated(clearance_left=6.9))
        assert "Confirmed: hold ↑ within 7 s." in bench.text()
        await bench.press("w")
        assert "CONFIRM BEFORE THROW" in bench.text()
        assert "word10" in bench.text()


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"armed": False}, "A arms first; then Y confirms this, and ↑ held plays throw."),
        ({"grant_axis": "play", "grant_left": 0.3, "motion_step": 1}, "is played while ↑ is held; let go, it needs Y again"),
        ({"motion_step": 2, "motion_share": 0.3}, "It stands in step 2 of 4: Y confirms this"),
        ({"motion_step": 4, "motion_share": 1.0}, "Y confirms this; then hold ↑ within 10 s."),
    ],
)
def test_what_is_missing_is_said(changed: dict[str, object], said: str) -> None:
    assert said in missing(gated(**changed))


def test_a_recording_shows_the_motion_and_asks_for_nothing() -> None:
    played = scenes.seen(gated(grant_axis="play", grant_left=0.3, motion_step=1), link="recorded")
    stood = scenes.seen(gated(), link="recorded")
    assert "It was confirmed." in " ".join(plain(clearance_rows(played, 76, 6)))
    assert "not confirmed" in " ".join(plain(clearance_rows(stood, 76, 6)))
    assert "throw 3/3" in plain(hold_line(stood, 80))[0]


@pytest.mark.parametrize("reason", [Reason.NOT_GOING, Reason.LET_GO])
def test_it_stands_until_its_key_is_held_whatever_goes_by_itself(reason: Reason) -> None:
    waiting = scenes.standing(scenes.scene(going=False, binding=8, reason=reason))
    snapshot = msgspec.structs.replace(motion(), decision=waiting.decision)
    assert explanation(scenes.seen(snapshot)) == "MOTION: it stands until a key is held"


def test_a_motion_without_a_clearance_says_how_it_is_played() -> None:
    assert next_step(scenes.seen(motion())).startswith("↑ held plays home; let go, it stands.")
    assert next_step(scenes.seen(gated())).startswith("throw needs its clearance, each time.")


@pytest.mark.parametrize("width", [60, 76, 80, 120])
def test_a_long_name_fits(width: int) -> None:
    view = scenes.seen(motion(motion="m" * 32, motion_number=99, motion_count=99, motion_step=50, motion_steps=50, jog_speed=0.1))
    assert all(width_of(row) <= width for row in hold_line(view, width))
    assert all(width_of(row) <= 48 for row in hold_rows(view, 48, 5)[1:])


def test_only_what_does_something_is_offered() -> None:
    asleep, awake = (possible(motion(armed=armed), readonly=False, connected=True) for armed in (False, True))
    assert {"joint_before", "joint_after", "jog_slower", "mode"} <= asleep & awake
    assert {"up", "grip_open"} & asleep == set()
    assert {"up", "grip_open"} <= awake
    assert {"step_larger", "grip_close", "down"} & awake == set()
