"""What is logged between two decisions, in words that tell one thing from another; and that the screen tells it the same way."""

import msgspec
import scenes

from console.rows import plain
from console.view import LIMITS
from console.widgets.state import explanation
from console.widgets.stopped import cause_rows
from engine.events import between, why_stopped
from engine.types import LAYERS, Decision, Event, Mode, Reason, Snapshot


def event(number: int, text: str, kind: str = "stop") -> Event:
    return Event(seq=number, tick=number, t_ns=0, wall=0.0, kind=kind, text=text)


def decided(decision: Decision, **changes: object) -> Decision:
    return msgspec.structs.replace(decision, **changes)


def test_a_stop_that_the_operator_cleared_and_one_that_ended_by_itself_are_told_apart() -> None:
    told = []
    for latched in (True, False):
        held = scenes.stopped(latched=latched).decision
        told.append(between(held, decided(held, stop_number=0)))
    assert told == [[("clear", "CLEAR stop 12 by the operator")], [("clear", "OVER stop 12: cause gone")]]


def test_a_go_in_a_jog_mode_is_refused_in_words_that_name_the_mode() -> None:
    before = scenes.scene(going=False).decision
    ((kind, text),) = between(before, decided(before, refused=Reason.NOT_GOING))
    assert kind == "refused"
    assert Mode.CUT.name in text
    assert "waiting for go" not in text


def test_the_words_of_the_log_are_found_again_by_the_stop_s_number() -> None:
    log = [
        event(1, "STOP 1 category 2 protective: stop key"),
        event(2, "STOP 12 category 1 latched: a: b"),
        event(3, "STOP 1 x: y", "mark"),
    ]
    assert [why_stopped(log, number) for number in (1, 12, 2)] == ["stop key", "a: b", ""]
    assert why_stopped((), 1) == ""


def stopped_by_the_hand() -> Snapshot:
    """The stop came at 0.30 m; the hand has gone on to 0.11 m."""
    before = scenes.scene()
    at = decided(
        scenes.separated().decision,
        stop_margin=-0.46,
        separation=0.30,
        separation_needed=0.76,
        stop_number=13,
        stop_count=before.decision.stop_count + 1,
    )
    ((kind, text),) = [found for found in between(before.decision, at) if found[0] == "stop"]
    number = f"STOP {at.stop_count} "
    said = event(9, text.replace("STOP 13 ", number), kind)
    later = decided(at, separation=0.11, stop_number=at.stop_count)
    return msgspec.structs.replace(scenes.separated(), decision=later, events=(said,))


def test_panel_state_line_and_log_tell_one_stop_in_the_same_words() -> None:
    snapshot = stopped_by_the_hand()
    why = "free hand 0.30 m, needs 0.76 m"
    assert why in snapshot.events[0].text
    assert f"{LAYERS[3]}: {why}" in " ".join(plain(cause_rows(snapshot, LIMITS, 90)))
    assert explanation(scenes.seen(snapshot)) == why
