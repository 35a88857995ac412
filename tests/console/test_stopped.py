"""Why it stopped: the cause with the numbers it had, what holds, and the steps back with where each stands."""

import msgspec
import pytest
import scenes
from bench import SIZES, Open

from console.rows import plain
from console.view import LIMITS
from console.widgets.stopped import DONE, LATER, NOW, holds, stands, stopped_rows, way_back
from engine.types import Event, Reason, Snapshot


def text(snapshot: Snapshot, width: int = 34, height: int = 12) -> str:
    return "\n".join(plain(stopped_rows(scenes.seen(snapshot), width, height)))


def marks(snapshot: Snapshot) -> list[tuple[str, str]]:
    return [mark for mark, _ in way_back(snapshot, LIMITS)]


def cleared(snapshot: Snapshot) -> Snapshot:
    return msgspec.structs.replace(snapshot, decision=msgspec.structs.replace(snapshot.decision, stop_number=0))


def test_a_latched_stop_is_named_with_category_kind_cause_and_what_holds() -> None:
    shown = text(scenes.stopped(), 82, 6)
    assert "STOP 12 category 1 · LATCHED" in shown
    assert "latch/watchdog: stop key, power off" in shown
    assert "on its brakes" in shown


def test_a_protective_stop_gives_the_numbers_it_had_and_those_it_has() -> None:
    shown = text(scenes.separated(), 104, 11)
    assert "separation: free hand 0.35 m, needs 0.39 m" in shown, "where the person was at the moment of the stop"
    assert "free hand 0.31 m, needs" in shown, "and where the person is now"
    assert "STOP 13 category 1 · PROTECTIVE" in shown
    assert "on its brakes" in shown


def test_the_first_step_not_done_is_the_one_to_do_now() -> None:
    assert marks(scenes.separated()) == [NOW, LATER, LATER, LATER]
    assert marks(scenes.stopped()) == [DONE, NOW, LATER, LATER]
    assert marks(cleared(scenes.stopped())) == [DONE, DONE, NOW, LATER]


def test_a_robot_that_still_moves_is_not_at_rest_though_the_cause_is_gone() -> None:
    snapshot = scenes.stopped()
    moving = msgspec.structs.replace(snapshot, inputs=msgspec.structs.replace(snapshot.inputs, twist=(0.12, 0.0, 0.0, 0.0, 0.0, 0.0)))
    assert way_back(moving, LIMITS)[0] == (NOW, "cause gone; not at rest: 0.12 m/s")


def test_a_score_that_is_not_a_number_counts_as_a_cause_that_lasts() -> None:
    snapshot = scenes.stopped()
    lost = msgspec.structs.replace(snapshot.decision, layer_score=(float("nan"),) * 9)
    assert "cause not gone" in way_back(msgspec.structs.replace(snapshot, decision=lost), LIMITS)[0][1]


def test_a_latched_stop_is_cleared_by_number_and_a_protective_one_clears_itself() -> None:
    assert "C clears stop 12" in text(scenes.stopped())
    assert "ends by itself" in text(scenes.separated())


def test_once_the_stop_is_over_what_refuses_arming_now_is_told_for_itself() -> None:
    over = cleared(scenes.stopped())
    scores = tuple(0.1 if i == 1 else score for i, score in enumerate(over.decision.layer_score))
    reasons = tuple(int(Reason.CAMERA_DARK) if i == 1 else reason for i, reason in enumerate(over.decision.layer_reason))
    decision = msgspec.structs.replace(over.decision, layer_score=scores, layer_reason=reasons)
    dark = msgspec.structs.replace(over, decision=decision)
    assert marks(dark) == [DONE, DONE, NOW, LATER]
    assert way_back(dark, LIMITS)[2][1] == "arming is refused now: validity: the camera's picture is dark"
    assert "cause not gone" not in text(dark, 82, 9)
    again = msgspec.structs.replace(dark, decision=msgspec.structs.replace(decision, stop_layer=1))
    assert "cause not gone" not in text(again, 82, 9), "a stop that is over has no cause that lasts"


@pytest.mark.parametrize(("height", "width"), [(9, 34), (11, 34), (6, 82), (10, 27)])
def test_the_way_back_is_whole_in_the_least_room_it_gets(height: int, width: int) -> None:
    for snapshot in (scenes.stopped(), scenes.separated()):
        shown = text(snapshot, width, height)
        assert "G lets it move" in shown
        assert "STOP 1" in shown


def test_it_stands_from_the_stop_until_the_robot_is_armed_again() -> None:
    assert not stands(None)
    assert not stands(scenes.running())
    assert stands(scenes.stopped())
    over = cleared(scenes.stopped())
    assert stands(over), "the last stop disarmed it"
    armed = Event(seq=10, tick=6190, t_ns=0, wall=scenes.WALL, kind="arm", text="ARMED")
    assert not stands(msgspec.structs.replace(over, events=(*over.events, armed)))


def test_what_holds_is_said_in_newtons() -> None:
    drives_on = scenes.stopped(latched=False)
    assert holds(drives_on, LIMITS) == "stroke yields at 200 N/m up to 30 N; across holds at 752 N/m"
    moving = msgspec.structs.replace(drives_on, command=msgspec.structs.replace(drives_on.command, hold=False))
    assert holds(moving, LIMITS).startswith("not at rest")


@pytest.mark.parametrize("size", SIZES)
async def test_it_appears_by_itself_and_goes_by_itself_and_no_stop_key_is_lost(opened: Open, size: tuple[int, int]) -> None:
    async with opened(scenes.running(), size) as bench:
        assert "WHY IT STOPPED" not in bench.text()
        await bench.show(scenes.stopped())
        await bench.drawn()
        shown = bench.text()
        for fact in ("WHY IT STOPPED", "STOP 12 category 1", "C clears stop 12", "SPACE = STOP"):
            assert fact in shown, fact
        await bench.press("space", "c")
        assert sum(bench.page.counts()) == 1
        assert len(bench.said()) == 1
        await bench.show(scenes.running())
        await bench.drawn()
        assert "WHY IT STOPPED" not in bench.text()
        assert "K across" in bench.text()


async def test_it_never_shows_that_nothing_has_stopped(opened: Open) -> None:
    async with opened(scenes.stopped()) as bench:
        await bench.drawn()
        panel = bench.app.screen.panels["stopped"]  # type: ignore[attr-defined]
        await bench.show(scenes.running())
        await bench.drawn()
        assert "nothing has stopped it" not in "\n".join(plain(panel._shown))
        await bench.show(scenes.separated())
        await bench.drawn()
        assert "STOP 13" in bench.text()
