"""The table of keys: no key does two things, stops stay stops, errors name the action."""

import re

import pytest
from scenes import disarmed, running, stopped, stuck

from console.keymap import BINDINGS, Keymap, KeymapError, possible


def test_every_id_is_its_own() -> None:
    assert len({binding.id for binding in BINDINGS}) == len(BINDINGS)


@pytest.mark.parametrize("scope", ["live", "replay", "sessions"])
def test_space_and_x_stop_on_every_screen(scope: str) -> None:
    keymap = Keymap()
    assert keymap.action("space", scope) == "stop"  # type: ignore[arg-type]
    assert keymap.action("x", scope) == keymap.action("X", scope) == keymap.action("ctrl+c", scope) == "stop_off"  # type: ignore[arg-type]


def test_letters_count_whatever_their_case() -> None:
    assert Keymap().action("G", "live") == "go"


def test_a_change_moves_an_action() -> None:
    keymap = Keymap({"go": "ctrl+g"})
    assert keymap.action("ctrl+g", "live") == "go"
    assert keymap.action("g", "live") is None


def test_a_stop_gains_keys_and_loses_none() -> None:
    keymap = Keymap({"stop": "f12"})
    assert keymap.action("f12", "live") == keymap.action("space", "live") == "stop"


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"goo": "g"}, "No action is called 'goo'; did you mean 'go'?"),
        ({"go": "space"}, "SPACE is a stop key and cannot be given to 'go'."),
        ({"go": "x"}, "X is a stop key and cannot be given to 'go'."),
        ({"go": "p"}, "P is given to both"),
    ],
)
def test_a_keymap_that_cannot_be_used_says_why(changes: dict[str, str], says: str) -> None:
    with pytest.raises(KeymapError, match=re.escape(says)):
        Keymap(changes)


def test_only_what_would_do_something_is_possible() -> None:
    at_rest = possible(disarmed(), readonly=False, connected=True)
    assert {"arm", "sessions", "mode"} <= at_rest
    assert not {"go", "pause", "clear"} & at_rest
    moving = possible(running(), readonly=False, connected=True)
    assert {"pause", "disarm"} <= moving
    assert not {"arm", "go", "mode", "sessions", "left"} & moving, "the blade is in the kerf and the robot moves"
    assert "clear" in possible(stopped(), readonly=False, connected=True)
    assert "arm" not in possible(stopped(), readonly=False, connected=True), "a latched stop is cleared first"


def test_freeing_the_saw_is_offered_only_where_it_is_stuck() -> None:
    assert "recover" not in possible(running(), readonly=False, connected=True)
    assert "recover" in possible(stuck(), readonly=False, connected=True)
    assert "recover" not in possible(stuck(recovering="lighten"), readonly=False, connected=True)
    assert "recover" not in possible(stuck(), readonly=True, connected=True)


def test_an_observer_may_stop_and_look() -> None:
    observer = possible(running(), readonly=True, connected=True)
    assert {"stop", "stop_off", "why"} <= observer
    assert not {"pause", "disarm", "pull", "mark"} & observer
