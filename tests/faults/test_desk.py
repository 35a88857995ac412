"""The operator's hand types what a terminal sends, and what counts as the end of a jog's motion."""

from textual import events

from console.parser import ConsoleParser, KeyReleased, KeyRepeated
from console.stopkeys import StopMatcher
from engine.faults.desk import AGAIN, PAGE_UP, PRESS, RELEASE, event
from engine.faults.verdict import MOVES, moved_for


def test_the_console_understands_every_kind_of_key_event() -> None:
    for key, name in ((PAGE_UP, "pageup"), (b"\r", "enter"), (b"\t", "tab"), (b"g", "g"), (b"v", "v")):
        typed = b"".join(event(key, kind) for kind in (PRESS, AGAIN, RELEASE)).decode()
        press, again, release = ConsoleParser(False).feed(typed)
        assert isinstance(press, events.Key)
        assert not isinstance(press, KeyRepeated)
        assert isinstance(again, KeyRepeated)
        assert isinstance(release, KeyReleased)
        assert {press.key, again.key, release.key} == {name}


def test_only_the_stop_key_s_press_is_a_stop() -> None:
    assert StopMatcher().feed(event(b" ", PRESS)).protective
    assert not StopMatcher().feed(event(b" ", RELEASE))
    for key in (PAGE_UP, b"\r", b"\t", b"a", b"c", b"g", b"v"):
        assert not StopMatcher().feed(event(key, PRESS))


def test_motion_lasts_until_the_last_reading_that_shows_it() -> None:
    times = [1_000_000_000 + 100_000_000 * n for n in range(6)]
    assert moved_for(times, [1.0, 1.0, -1.0, 0.0, MOVES, 0.0], 1_050_000_000) == 0.35
    assert moved_for(times, [1.0, 0.0, 0.0, 0.0, 0.0, 0.0], 1_050_000_000) == 0.0
    assert moved_for([], [], 0) == 0.0
