"""The replay's player: time, ticks, inferences and stops."""

from console.player import Player

TICK = 10_000_000


def player() -> Player:
    times = [1_000_000_000 + i * TICK for i in range(1000)]
    return Player(times, times[5::20], [times[300] + 1, times[600]])


def test_it_plays_at_its_speed() -> None:
    p = player()
    p.toggle()
    p.advance(1.0)
    assert p.tick == 100
    p.change_speed(1)
    p.advance(1.0)
    assert p.tick == 300
    for _ in range(9):
        p.change_speed(-1)
    assert p.speed == 0.25
    p.advance(0.02)
    p.advance(0.02)
    assert p.tick == 301, "fractions of a tick are not lost"


def test_it_stops_at_the_end_and_begins_again() -> None:
    p = player()
    p.toggle()
    p.advance(100.0)
    assert (p.tick, p.playing) == (999, False)
    p.toggle()
    assert (p.tick, p.playing) == (0, True)


def test_steps_stay_inside() -> None:
    p = player()
    p.step(-1)
    assert p.tick == 0
    p.step(5)
    assert p.tick == 5
    p.move(3600.0)
    assert p.tick == 999
    p.move(-0.105)
    assert p.tick == 988


def test_it_steps_by_inference_both_ways() -> None:
    p = player()
    assert p.step_to(p.inferences, 1)
    assert p.tick == 5
    assert p.step_to(p.inferences, 1)
    assert p.tick == 25
    assert p.step_to(p.inferences, -1)
    assert p.tick == 5
    assert not p.step_to(p.inferences, -1)
    assert p.tick == 5


def test_it_finds_stops_between_ticks_and_gets_past_them() -> None:
    p = player()
    assert p.step_to(p.stops, 1)
    assert p.tick == 301
    assert p.step_to(p.stops, 1)
    assert p.tick == 600
    assert not p.step_to(p.stops, 1)
    assert p.step_to(p.stops, -1)
    assert p.tick == 301
    assert not p.step_to(p.stops, -1)


def test_an_empty_recording_is_no_error() -> None:
    p = Player([], [], [])
    p.toggle()
    p.advance(1.0)
    p.step(1)
    assert (p.tick, p.seconds, p.length) == (0, 0.0, 0.0)
