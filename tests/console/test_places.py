"""Places: nothing overlaps, nothing leaves the screen, what must stay stays."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.places import Occasion, Place, live_places, replay_places

ALWAYS = {"header", "state", "footer", "score", "gains", "events"}
pages = st.sampled_from(["", "why", "layers", "outlook"])
occasions = st.builds(Occasion, stopped=st.booleans(), forecast=st.booleans(), asking=st.booleans())


def cells(place: Place) -> set[tuple[int, int]]:
    return {(x, y) for x in range(place.x, place.x + place.width) for y in range(place.y, place.y + place.height)}


def whole(places: dict[str, Place], width: int, height: int) -> None:
    taken: set[tuple[int, int]] = set()
    for name, place in places.items():
        mine = cells(place)
        assert mine, name
        assert not mine & taken, f"{name} overlaps"
        assert place.x + place.width <= width, name
        assert place.y + place.height <= height, name
        taken |= mine


@given(st.integers(60, 220), st.integers(20, 70), pages, occasions, st.sampled_from([0, 5]))
def test_no_two_widgets_share_a_cell_at_any_size(width: int, height: int, page: str, occasion: Occasion, strip: int) -> None:
    whole(live_places(width, height, strip=strip, page=page, occasion=occasion), width, height)
    whole(replay_places(width, height, page=page, occasion=occasion), width, height)


@given(st.integers(60, 220), st.integers(20, 70))
def test_state_score_limits_and_events_have_a_place_at_every_size(width: int, height: int) -> None:
    assert set(live_places(width, height)) >= ALWAYS


@given(st.integers(60, 220), st.integers(20, 70), pages, occasions, st.sampled_from([0, 5]))
def test_the_stop_line_never_moves(width: int, height: int, page: str, occasion: Occasion, strip: int) -> None:
    assert live_places(width, height, strip=strip, page=page, occasion=occasion)["state"] == Place(0, 1, width, 2 if width >= 76 else 3)


@given(st.integers(60, 220), st.integers(20, 70))
def test_a_stop_is_explained_at_every_size_beside_score_and_events(width: int, height: int) -> None:
    assert set(live_places(width, height, occasion=Occasion(stopped=True))) >= {"stopped", "score", "events", "state"}
    assert "stopped" not in live_places(width, height)


@given(st.integers(60, 220), st.integers(20, 70), pages, st.booleans())
def test_a_question_is_seen_at_every_size_whatever_lies_open_and_hides_neither_the_hold_nor_the_limits(
    width: int, height: int, page: str, forecast: bool
) -> None:
    asked = Occasion(forecast=forecast, asking=True)
    for places in (live_places(width, height, page=page, occasion=asked), replay_places(width, height, page=page, occasion=asked)):
        assert places["asking"].width >= 38
        assert places["asking"].height >= 6
        assert page or set(places) >= ALWAYS
    assert page or {"hold", "holdline"} & set(live_places(width, height, occasion=asked))
    assert "asking" not in live_places(width, height, occasion=Occasion(forecast=forecast))


@given(st.integers(60, 220), st.integers(20, 70))
def test_a_forecast_has_a_place_at_every_size_and_takes_none_where_there_is_none(width: int, height: int) -> None:
    assert {"forecast", "foreseen"} & set(live_places(width, height, occasion=Occasion(forecast=True)))
    assert not {"forecast", "foreseen"} & set(live_places(width, height))


@pytest.mark.parametrize("size", [(120, 34), (160, 48)])
def test_the_table_of_the_forecast_stands_beside_all_the_signals(size: tuple[int, int]) -> None:
    places = live_places(*size, occasion=Occasion(forecast=True))
    assert {"forecast", "signals", "camera", "energy", "person", "cut"} <= set(places)
    assert places["forecast"].y == places["signals"].y


@pytest.mark.parametrize("size", [(120, 34), (160, 48)])
def test_large_screens_show_everything(size: tuple[int, int]) -> None:
    hold = "hold" if size == (160, 48) else "holdline"
    assert set(live_places(*size)) == ALWAYS | {"person", "energy", "cut", "camera", "signals", hold}


def test_the_small_screen_keeps_four_events_and_the_hold_line() -> None:
    places = live_places(80, 24)
    assert places["events"].height == 6
    assert {"personline", "workline", "brief", "holdline"} <= set(places)


@pytest.mark.parametrize("size", [(59, 40), (200, 19), (20, 5), (1, 1)])
def test_below_the_smallest_size_one_widget_takes_it_all(size: tuple[int, int]) -> None:
    assert live_places(*size) == {"small": Place(0, 0, *size)}
