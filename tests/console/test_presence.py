"""Behind a multiplexer: it is recognised, and only a hand's bytes prove that somebody is there."""

import os
from pathlib import Path

import pytest
from fakes import Clock, FakeLink
from scenes import disarmed, running
from textual import events
from textual.message import Message

from console.app import Sawhorse
from console.parser import ConsoleParser, KeyboardFlags
from console.presence import PRESENCE, asking, multiplexer, terminal_holder, typed
from console.screens.live import LiveScreen


@pytest.mark.parametrize(
    ("environment", "holder", "name"),
    [
        ({"TERM": "xterm-256color"}, "sshd", ""),
        ({"TERM": "xterm-kitty"}, "", ""),
        ({"TERM": "xterm-256color", "TMUX": "/tmp/tmux-1000/default,1,0"}, "", "tmux"),
        ({"STY": "4711.pts-0.host"}, "", "screen"),
        ({"ZELLIJ": "0"}, "", "Zellij"),
        ({"TERM": "screen.xterm-256color"}, "", "screen"),
        ({"TERM": "tmux-256color"}, "", "tmux"),
        ({"TERM": "xterm", "MOSH_CONNECTION": "1"}, "", "mosh"),
        ({"TERM": "xterm-256color"}, "mosh-server", "mosh"),
    ],
)
def test_a_multiplexer_is_known_by_what_it_leaves(environment: dict[str, str], holder: str, name: str) -> None:
    assert multiplexer(environment, holder) == name


def test_the_holder_is_the_nearest_ancestor_with_another_terminal(tmp_path: Path) -> None:
    for number, name, parent, terminal in ((os.getpid(), "python", 30, 7), (30, "odd) (sh", 20, 7), (20, "mosh-server", 1, 0)):
        (tmp_path / str(number)).mkdir()
        (tmp_path / str(number) / "stat").write_text(f"{number} ({name}) S {parent} {number} {number} {terminal} -1 4194304")
    assert terminal_holder(tmp_path) == "mosh-server"
    assert terminal_holder(tmp_path / "nothing") == ""


@pytest.mark.parametrize(
    ("data", "hand"),
    [
        ("\x1b[0n", False),
        ("\x1b[?27u", False),
        ("\x1b[I", False),
        ("\x1b[0nk", True),
        ("\x1b[107;1:3u", True),
        ("\x1b[200~pasted\x1b[201~", True),
    ],
)
def test_a_hand_is_told_from_an_answer(data: str, hand: bool) -> None:
    parsed: list[Message] = list(ConsoleParser(False).feed(data))
    assert parsed
    assert typed(parsed) == hand


def bench(armed: bool, name: str) -> tuple[Sawhorse, FakeLink, Clock]:
    clock = Clock()
    link = FakeLink(clock)
    link.show(running() if armed else disarmed())
    app = Sawhorse(LiveScreen, link=link, now=clock.now, wall=clock.wall)
    app.multiplexer = name
    return app, link, clock


@pytest.mark.parametrize(("armed", "name", "lives"), [(True, "tmux", False), (True, "", True), (False, "tmux", True)])
def test_answers_keep_an_armed_robot_alive_only_where_they_come_from_the_terminal(armed: bool, name: str, lives: bool) -> None:
    app, link, clock = bench(armed, name)
    app.heard(clock.t, typed=True)
    app.heard(clock.t + 0.9 * PRESENCE, typed=False)
    assert link.living == 2
    app.heard(clock.t + PRESENCE, typed=False)
    assert link.living == 2 + lives
    app.heard(clock.t + PRESENCE + 1.0, typed=True)
    assert link.living == 3 + lives


def test_what_is_passed_on_is_no_younger_than_the_answers_prove_nor_than_the_app_itself() -> None:
    app, link, clock = bench(armed=True, name="")
    app.heard(clock.t, typed=True)
    app.proof.question(clock.t)
    app.proof.answered(clock.t + 0.1)
    app.heard(clock.t + 0.4, typed=True)
    app._polled_at = clock.t - 2.0
    app.heard(clock.t + 0.4, typed=False)
    assert link.ages == pytest.approx([0.0, 0.4, 2.4])
    clock.t += 0.4
    assert app.unproven == pytest.approx(0.4)


@pytest.mark.parametrize(
    ("key", "obeyed"),
    [("k", False), ("g", False), ("enter", False), ("up", False), ("u", False), ("F12", False), ("p", True), ("d", True), ("q", True)],
)
def test_a_key_that_may_be_old_is_obeyed_only_where_it_moves_nothing(key: str, obeyed: bool) -> None:
    app, _, clock = bench(armed=True, name="")
    assert not app.held_up(events.Key(key, None), clock.t), "where nothing ever answers nothing is known"
    app.proof.question(clock.t)
    app.proof.answered(clock.t + 0.02)
    assert not app.held_up(events.Key(key, None), clock.t + 0.3)
    assert app.held_up(events.Key(key, None), clock.t + 0.5) != obeyed


def test_a_late_d_deletes_nothing_where_there_is_nothing_to_disarm() -> None:
    app, _, clock = bench(armed=False, name="")
    app.proof.question(clock.t)
    app.proof.answered(clock.t + 0.02)
    assert app.held_up(events.Key("d", None), clock.t + 0.5)


def test_a_way_of_a_quarter_of_a_second_is_no_delay_of_a_key() -> None:
    app, _, clock = bench(armed=True, name="")
    app.proof.question(clock.t)
    app.proof.answered(clock.t + 0.25)
    assert not app.held_up(events.Key("k", "k"), clock.t + 0.5)
    assert app.held_up(events.Key("k", "k"), clock.t + 0.6)


def test_the_screen_asks_in_time() -> None:
    assert asking(9.9) == ""
    assert "in 8 s" in asking(12.0)
    assert "by itself" in asking(PRESENCE)


def test_releases_are_not_believed_behind_a_multiplexer() -> None:
    app, _, _ = bench(armed=True, name="tmux")
    app.on_keyboard_flags(KeyboardFlags(27))
    assert not app.releases
    app.multiplexer = ""
    app.on_keyboard_flags(KeyboardFlags(27))
    assert app.releases
