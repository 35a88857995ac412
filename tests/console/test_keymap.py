"""The table of keys: no key does two things, stops stay stops, errors name the action."""

import re
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scenes import disarmed, running, stopped, stuck

from console.keymap import BINDINGS, STOPS, Keymap, KeymapError, Scope, possible, shown
from console.keynames import KeyNameError, canonical, stopped_by


def test_every_id_is_its_own() -> None:
    assert len({binding.id for binding in BINDINGS}) == len(BINDINGS)


@pytest.mark.parametrize("scope", get_args(Scope))
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
        ({"goo": "g"}, "no action is called 'goo'; did you mean 'go'?"),
        ({"go": "space"}, "SPACE is a stop key and cannot be given to 'go'"),
        ({"go": "x"}, "X is a stop key and cannot be given to 'go'"),
        ({"go": "alt+x"}, "Alt-X is a stop key and cannot be given to 'go'"),
        ({"go": "Shift+Ctrl+C"}, "Ctrl-Shift-C is a stop key and cannot be given to 'go'"),
        ({"go": "ctrl+space"}, "Ctrl-Space is a stop key and cannot be given to 'go'"),
        ({"stop": "x"}, "X is a stop key and cannot be given to 'stop'"),
        ({"stop": ""}, "'stop' cannot be unbound: SPACE and Ctrl-Space always stop"),
        ({"stop_off": " , "}, "'stop_off' cannot be unbound: X and Ctrl-C always stop"),
        ({"go": "p"}, "P is given to both 'go' and 'pause' on the live screen"),
        ({"go": "enter"}, "Enter is given to both 'confirm' and 'go' on the live screen"),
        ({"go": "ctrl+m"}, "Enter is given to both 'confirm' and 'go' on the live screen"),
        ({"confirm": "g"}, "'confirm' keeps Enter: how long Enter is held"),
        ({"help": "g"}, "G is given to both 'go' and 'help' on the live screen"),
        ({"stop": "g"}, "G is given to both 'stop' and 'go' on the live screen"),
        ({"theme": "v"}, "V is given to both"),
        ({"go": "nosuchkey"}, "'go' is given 'nosuchkey', which is no key"),
        ({"go": "pgeup"}, "'go' is given 'pgeup', which is no key; did you mean 'pageup'?"),
        ({"go": "cmd+g"}, "'go' is given 'cmd+g', which is no key"),
    ],
)
def test_a_keymap_that_cannot_be_used_names_key_and_action(changes: dict[str, str], says: str) -> None:
    with pytest.raises(KeymapError, match=re.escape(says)) as raised:
        Keymap(changes)
    assert raised.value.action in changes, "the entry to be changed"


@pytest.mark.parametrize(
    ("written", "means"),
    [
        ("G", "g"),
        ("/", "slash"),
        ("&", "ampersand"),
        ("Insert", "insert"),
        ("shift+g", "g"),
        ("shift+ctrl+g", "ctrl+shift+g"),
        ("F12", "f12"),
    ],
)
def test_keys_may_be_written_as_people_write_them(written: str, means: str) -> None:
    assert Keymap({"go": written}).action(means, "live") == "go"


def test_the_keys_of_the_table_are_named_as_textual_names_them() -> None:
    for binding in BINDINGS:
        assert [canonical(key) for key in binding.keys] == list(binding.keys)


def test_two_actions_may_change_places() -> None:
    keymap = Keymap({"go": "p", "pause": "g"})
    assert (keymap.action("p", "live"), keymap.action("g", "live")) == ("go", "pause")


@given(st.dictionaries(st.sampled_from([binding.id for binding in BINDINGS]), st.text("gpx ,+altcrspeG/1", max_size=12), max_size=3))
def test_no_keymap_takes_a_stop_away(changes: dict[str, str]) -> None:
    try:
        keymap = Keymap(changes)
    except KeymapError:
        return
    for scope in get_args(Scope):
        for name in STOPS:
            assert all(keymap.action(key, scope) == name for key in Keymap().keys[name])
    for name, keys in keymap.keys.items():
        assert all(stopped_by(key) in ("", name) for key in keys)


@given(st.text(max_size=12))
def test_a_name_is_a_key_or_is_refused(name: str) -> None:
    try:
        key = canonical(name)
    except KeyNameError:
        return
    assert canonical(key) == key or not name.isascii()
    assert shown(key)


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
